"""Paid requests: sent once, and followed to their end even where the caller is cancelled."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from attrs import define, field

from luma_async._api.api_key_provider import ApiKeyProvider
from luma_async._api.rate_limiter import RateLimiter
from luma_async._api.sansio import requests
from luma_async._api.sansio.api_key import Secret
from luma_async._api.sansio.requests import Request
from luma_async._api.sansio.retry import Attempts, RetryBudget
from luma_async._api.transport import SendCount, Transport
from luma_async._payments.recorder import Recorder
from luma_async._payments.sansio.budget import BudgetTracker, Reservation
from luma_async._payments.sansio.receipt import Receipt
from luma_async._payments.sansio.submission import (
    Accepted,
    NotSent,
    Rejected,
    SubmissionResult,
    Unknown,
    classify_failure,
    classify_response,
)
from luma_async._runtime import clock, telemetry
from luma_async._runtime.shield import run_to_completion, wait_shielded
from luma_async.errors import (
    ConnectError,
    LumaError,
    RequestError,
    ResponseFormatError,
    SubmissionUnknownError,
)
from luma_async.models import Generation, Order
from luma_async.outcome import Outcome
from luma_async.settings import RetryPolicy

_MAX_RECEIPTS = 1000


@define(eq=False)
class Attempt:
    """One attempt to have an order accepted."""

    order: Order
    request: Request
    key: Secret
    sent_at: datetime
    recorder: Recorder | None
    send_count: SendCount = field(factory=partial(SendCount, once=True), init=False)


@define(eq=False)
class Submitter:
    """Pays for orders, each at most once.

    Attributes:
        budget_tracker: What was spent, and what may be.
        unclaimed: The outcomes of paid requests whose caller was cancelled before it could take
            them: videos that are paid, or may be.
        receipts: The orders that were accepted lately, by which a list of the account is judged.
        unknown: The orders of which that was not to be learned.
    """

    _transport: Transport
    _api_key_provider: ApiKeyProvider
    _rate_limiter: RateLimiter
    _policy: RetryPolicy
    _budget: RetryBudget
    budget_tracker: BudgetTracker
    _random: Callable[[], float] = random.random
    unclaimed: list[Outcome] = field(factory=list, init=False)
    receipts: deque[Receipt] = field(factory=partial(deque, maxlen=_MAX_RECEIPTS), init=False)
    unknown: deque[Receipt] = field(factory=partial(deque, maxlen=_MAX_RECEIPTS), init=False)
    _under_way: set["asyncio.Task[SubmissionResult]"] = field(factory=set, init=False)

    async def submit(self, order: Order, recorder: Recorder | None = None) -> Generation:
        """Send an order, and again only where it is proven that it was not accepted."""
        request = requests.submit(order)
        attempts = None
        with self.budget_tracker.reserve() as reservation:
            while True:
                key = await self._api_key_provider.key()
                async with self._rate_limiter.slot(self._rate_limiter.paid):
                    # The time spent in the queue is not held against an order.
                    attempts = attempts or self._attempts()
                    sent_at = datetime.now(UTC)
                    attempt = Attempt(order, request, key, sent_at, recorder)
                    result = await self._send(attempt, reservation)
                match result:
                    case Accepted(generation):
                        return generation
                    case Unknown():
                        raise _unknown(order, result, sent_at)
                await self._pause_or_raise(attempt, result, attempts)

    def add_receipt(
        self, order: Order, generation_id: str, *, found_for: datetime | None = None
    ) -> None:
        """Remember which generation an order became; it may be found for one sent at a time."""
        self.receipts.append(
            Receipt(
                order_id=generation_id,
                order=order,
                state="known",
                generation_id=generation_id,
                adopted=found_for is not None,
                sent_at=found_for,
                submitted_at=datetime.now(UTC),
            )
        )

    async def drain(self) -> None:
        """Wait for the paid requests under way; each ends by its own time limit."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _attempts(self) -> Attempts:
        now = clock.now()
        return Attempts(self._policy, self._budget, now, self._random, outlasts_limits=True)

    async def _pause_or_raise(
        self, attempt: Attempt, result: Rejected | NotSent, attempts: Attempts
    ) -> None:
        delay = None
        if result.repeatable:
            delay = attempts.delay_after(result.error, clock.now())
        if delay is None:
            raise result.error
        telemetry.repeated(attempt.request.route, delay, result.error)
        if isinstance(result, Rejected):
            # The limit that one order met holds for the others as well.
            self._rate_limiter.delay_until(self._rate_limiter.paid, clock.now() + delay)
        else:
            await self._rate_limiter.pause(delay)

    async def _send(self, attempt: Attempt, reservation: Reservation) -> SubmissionResult:
        """Send an order once, and learn how that ends even if the caller is cancelled meanwhile.

        The exchange runs in a separate task, as a cancelled coroutine cannot go on. Before a byte
        has left, cancelling ends it. Afterwards only the response shows whether money was spent:
        the caller's cancellation is held back until it is there, at most for
        `Timeouts.paid`.
        """
        task = asyncio.create_task(
            self._carry_out(attempt, reservation), name=f"luma_async {attempt.request.route}"
        )
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as cancellation:
            if not attempt.send_count.sent:
                task.cancel()
            await wait_shielded(task)
            # Without a result nothing was sent; and what was recorded is hidden from nobody.
            if not task.cancelled() and task.exception() is None and attempt.recorder is None:
                self._disclose_ending(attempt, task.result(), cancellation)
            raise
        return task.result()

    async def _carry_out(self, attempt: Attempt, reservation: Reservation) -> SubmissionResult:
        """Record an order, send it, and record how that ended."""
        if attempt.recorder is None:
            result = await self._exchange(attempt)
            self._book(attempt, result, reservation)
            return result
        try:
            await attempt.recorder.sending()
        except asyncio.CancelledError:
            result = _cancelled_in_time()
        else:
            result = await self._exchange_or_record(attempt, attempt.recorder)
        self._book(attempt, result, reservation)
        try:
            await run_to_completion(attempt.recorder.sent(_result(attempt, result)))
        except Exception:
            self._disclose_ending(attempt, result)
            raise
        return result

    async def _exchange_or_record(self, attempt: Attempt, recorder: Recorder) -> SubmissionResult:
        try:
            return await self._exchange(attempt)
        except LumaError as error:
            # It did not come to attempt, as where the session of the caller was closed.
            doubt = _unknown(attempt.order, Unknown(str(error)), attempt.sent_at)
            await run_to_completion(recorder.sent(doubt if attempt.send_count.sent else error))
            raise

    def _book(self, attempt: Attempt, result: SubmissionResult, reservation: Reservation) -> None:
        """Count what was spent, or may have been."""
        if isinstance(result, (Rejected, NotSent)):
            return
        reservation.spend()
        route = attempt.request.route
        attributes: telemetry.Attributes = {telemetry.ROUTE: route}
        telemetry.measure("tokens", reservation.tokens, attributes)
        if isinstance(result, Accepted):
            generation_id = result.generation.id
            self.add_receipt(attempt.order, generation_id)
            attributes = {**attributes, telemetry.GENERATION: generation_id}
            message = "%s was accepted as generation %s"
            telemetry.log(logging.INFO, "order.accepted", attributes, message, route, generation_id)
        else:
            self.unknown.append(unknown_receipt(attempt.order, attempt.sent_at))
            telemetry.measure("orders.unknown", 1, attributes)
            message = "%s has an unknown outcome and may be paid"
            telemetry.log(logging.WARNING, "order.unknown", attributes, message, route)

    def _disclose_ending(
        self, attempt: Attempt, result: SubmissionResult, cancellation: BaseException | None = None
    ) -> None:
        match _result(attempt, result):
            case Generation() as generation:
                self.report_unclaimed(
                    Outcome(order=attempt.order, generation=generation), cancellation
                )
            case SubmissionUnknownError() as error:
                self.report_unclaimed(Outcome(order=attempt.order, error=error), cancellation)

    async def _exchange(self, attempt: Attempt) -> SubmissionResult:
        self._budget.deposit()
        try:
            return classify_response(
                await self._transport.exchange(attempt.request, attempt.key, attempt.send_count)
            )
        except RequestError as error:
            return classify_failure(error)
        except ResponseFormatError as error:
            return Unknown(str(error), error.status)
        except asyncio.CancelledError:
            if attempt.send_count.sent:
                return Unknown("the program ended before the answer came")
            return _cancelled_in_time()

    def report_unclaimed(self, outcome: Outcome, cancellation: BaseException | None = None) -> None:
        """Keep and log a payment whose caller was cancelled before it could take the result."""
        self.unclaimed.append(outcome)
        attributes = {}
        if outcome.generation is not None:
            what = f"was accepted as generation {outcome.generation.id} and is paid"
            attributes = {telemetry.GENERATION: outcome.generation.id}
        else:
            what = "has an unknown outcome and may be paid"
        message = "The caller of a create or extend is gone; it %s"
        telemetry.log(logging.WARNING, "order.unclaimed", attributes, message, what)
        if cancellation is not None:
            cancellation.add_note(
                f"The create or extend had been sent; it {what}. LumaClient.unclaimed() holds it."
            )


def unknown_receipt(order: Order, sent_at: datetime) -> Receipt:
    """Make the receipt of an order whose outcome is unknown."""
    return Receipt(
        order_id=f"unknown since {sent_at.isoformat()}",
        order=order,
        state="unknown",
        run=1,
        sent_at=sent_at,
        unknown_at=datetime.now(UTC),
        may_be_lost=True,
    )


def _result(attempt: Attempt, result: SubmissionResult) -> Generation | LumaError:
    match result:
        case Accepted(generation):
            return generation
        case Unknown():
            return _unknown(attempt.order, result, attempt.sent_at)
    return result.error


def _cancelled_in_time() -> NotSent:
    return NotSent(ConnectError("cancelled before anything was sent", retryable=False))


def _unknown(order: Order, result: Unknown, sent_at: datetime) -> SubmissionUnknownError:
    return SubmissionUnknownError(
        order=order,
        sent_at=sent_at,
        reason=result.reason,
        status=result.status,
        request_id=result.request_id,
    )
