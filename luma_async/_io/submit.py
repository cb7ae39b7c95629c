"""Paid requests: sent once, and followed to their end whatever becomes of the caller."""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime

import anyio
from attrs import define, field

from luma_async._io.http import Http, Wire
from luma_async._io.keyring import Keyring
from luma_async._io.limits import Gate
from luma_async._io.outlast import outlast
from luma_async._sansio import requests
from luma_async._sansio.purse import Purse, Reservation
from luma_async._sansio.requests import Request
from luma_async._sansio.retry import Attempts, RetryBudget
from luma_async._sansio.secret import Secret
from luma_async._sansio.submission import (
    Accepted,
    Ending,
    NotSent,
    Rejected,
    Unknown,
    judge_answer,
    judge_failure,
)
from luma_async.errors import (
    ConnectError,
    RequestError,
    ResponseFormatError,
    SubmissionUnknownError,
)
from luma_async.models import Generation, Order, Outcome
from luma_async.settings import RetryPolicy

_LOG = logging.getLogger("luma_async")


@define(eq=False)
class Submitter:
    """Pays for orders, each at most once.

    Attributes:
        purse: What was spent, and what may be.
        unclaimed: The outcomes of paid requests whose caller was cancelled before it could take
            them: videos that are paid, or may be.
    """

    _http: Http
    _keyring: Keyring
    _gate: Gate
    _policy: RetryPolicy
    _budget: RetryBudget
    purse: Purse
    _chance: Callable[[], float] = random.random
    unclaimed: list[Outcome] = field(factory=list, init=False)
    _under_way: set["asyncio.Task[Ending]"] = field(factory=set, init=False)

    async def submit(self, order: Order) -> Generation:
        """Send an order, and again only where it is proven that it was not accepted.

        Raises:
            ConfigurationError: The order cannot work.
            BudgetExceededError: The budget does not allow for it.
            ConnectError: No connection came about.
            APIError: The service said no.
            SubmissionUnknownError: It may have been accepted.
        """
        request = requests.submit(order)
        attempts = None
        with self.purse.reserve() as reservation:
            while True:
                key = await self._keyring.key()
                async with self._gate.turn(self._gate.paid):
                    # The time spent in the queue is not held against an order.
                    attempts = attempts or self._attempts()
                    sent_at = datetime.now(UTC)
                    ending = await self._send(order, request, key, reservation)
                match ending:
                    case Accepted(generation):
                        return generation
                    case Unknown():
                        raise _unknown(order, ending, sent_at)
                await self._pause_or_raise(ending, attempts)

    async def drain(self) -> None:
        """Wait for the paid requests under way; each ends by its own time limit."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _attempts(self) -> Attempts:
        now = anyio.current_time()
        return Attempts(self._policy, self._budget, now, self._chance, outlasts_limits=True)

    async def _pause_or_raise(self, ending: Rejected | NotSent, attempts: Attempts) -> None:
        delay = None
        if ending.repeatable:
            delay = attempts.delay_after(ending.error, anyio.current_time())
        if delay is None:
            raise ending.error
        if isinstance(ending, Rejected):
            # One order was told to come back later; the others would be told the same.
            self._gate.hold(self._gate.paid, delay)
        else:
            await self._gate.pause(delay)

    async def _send(
        self, order: Order, request: Request, key: Secret, reservation: Reservation
    ) -> Ending:
        """Send an order once, and learn how that ends even if the caller is cancelled meanwhile.

        The exchange is a task of its own, as a cancelled coroutine cannot go on. Before a byte
        has left, cancelling ends it. Afterwards only its answer tells whether money was spent,
        so that the caller's cancellation is held back until it is there, at most for
        `Timeouts.paid`.
        """
        wire = Wire(once=True)
        sent_at = datetime.now(UTC)
        task = asyncio.create_task(
            self._exchange(request, key, wire), name=f"luma_async {request.route}"
        )
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as cancellation:
            if not wire.sent:
                task.cancel()
            await outlast(task)
            # Without a result nothing was sent.
            if not task.cancelled() and task.exception() is None:
                _book(task.result(), reservation)
                self._disclose_ending(order, task.result(), sent_at, cancellation)
            raise
        _book(task.result(), reservation)
        return task.result()

    def _disclose_ending(
        self, order: Order, ending: Ending, sent_at: datetime, cancellation: BaseException
    ) -> None:
        match ending:
            case Accepted(generation):
                self.disclose(Outcome(order=order, generation=generation), cancellation)
            case Unknown():
                error = _unknown(order, ending, sent_at)
                self.disclose(Outcome(order=order, error=error), cancellation)

    async def _exchange(self, request: Request, key: Secret, wire: Wire) -> Ending:
        self._budget.deposit()
        try:
            return judge_answer(await self._http.exchange(request, key, wire))
        except RequestError as error:
            return judge_failure(error)
        except ResponseFormatError as error:
            return Unknown(str(error), error.status)
        except asyncio.CancelledError:
            if wire.sent:
                return Unknown("the program ended before the answer came")
            return NotSent(ConnectError("cancelled before anything was sent", retryable=False))

    def disclose(self, outcome: Outcome, cancellation: BaseException | None = None) -> None:
        """Tell of a payment whose caller is no longer there to take what it brought."""
        self.unclaimed.append(outcome)
        if outcome.generation is not None:
            news = f"was accepted as generation {outcome.generation.id} and is paid"
        else:
            news = "has an unknown outcome and may be paid"
        _LOG.warning("The caller of a create or extend is gone; it %s", news)
        if cancellation is not None:
            cancellation.add_note(
                f"The create or extend had been sent; it {news}. LumaClient.unclaimed() holds it."
            )


def _book(ending: Ending, reservation: Reservation) -> None:
    if isinstance(ending, (Accepted, Unknown)):
        reservation.spend()


def _unknown(order: Order, ending: Unknown, sent_at: datetime) -> SubmissionUnknownError:
    return SubmissionUnknownError(
        order=order,
        sent_at=sent_at,
        reason=ending.reason,
        status=ending.status,
        request_id=ending.request_id,
    )
