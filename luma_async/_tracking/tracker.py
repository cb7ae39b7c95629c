"""Many waiters, few requests.

One tracker serves all coroutines of a client that wait. It asks once for each generation that any
of them waits for, and together with the others, in requests of up to
`Limits.ids_per_request` ids, at the times that `luma_async._tracking.sansio.poll_planner` decides.

Between requests nothing runs but a timer of the event loop, and that only while somebody waits.
When it is time, a request is made in a task that lives as long as the request does and belongs
to no waiter. So a waiter can be cancelled, time out or fail at any instant without a request
being broken off or a duty being left undone: there is no duty to hand on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import Context
from datetime import UTC, datetime
from types import MappingProxyType

from attrs import define, field

from luma_async._api.rate_limiter import RateLimiter
from luma_async._api.sansio.http_status import PollFailure, poll_failure_of
from luma_async._api.sansio.responses import StatusResult
from luma_async._runtime import clock, telemetry
from luma_async._runtime.sansio.escaping import printable
from luma_async._tracking.sansio.duration_models import Kind
from luma_async._tracking.sansio.poll_planner import PollPlanner
from luma_async._tracking.sansio.poll_state import Poll
from luma_async._tracking.sansio.subscriptions import Subscriptions
from luma_async._tracking.sansio.updates import Ended, Update
from luma_async._tracking.waiters import Waiter
from luma_async.errors import (
    APIError,
    ClientStateError,
    LumaError,
    NotFoundError,
    ResponseFormatError,
)
from luma_async.models import Generation
from luma_async.settings import Limits, PollPolicy


@define(eq=False)
class Tracker:
    """Asks for all generations that anybody waits for, and delivers what comes of it.

    Attributes:
        planner: Plans the requests, and learns how long generations take.
        subscriptions: Who waits for what.
    """

    _ask: Callable[[Sequence[str], Callable[[str], Generation | None]], Awaitable[StatusResult]]
    _rate_limiter: RateLimiter
    _limits: Limits
    _policy: PollPolicy
    planner: PollPlanner = field(init=False)
    subscriptions: Subscriptions = field(init=False)
    _timer: asyncio.Handle | None = field(default=None, init=False)
    # Not every loop's handle knows it.
    _timer_due: float = field(default=0.0, init=False)
    _requests: set["asyncio.Task[None]"] = field(factory=set, init=False)
    _chooser: "asyncio.Task[None] | None" = field(default=None, init=False)
    _waiting: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.planner = PollPlanner(self._policy, self._limits.ids_per_request)
        self.subscriptions = Subscriptions(self._policy, self.planner)

    def join(self, waiter: Waiter, known: Mapping[str, Generation] = MappingProxyType({})) -> None:
        """Deliver updates of its pending ids to a waiter until it leaves.

        `known` is what the caller knows of them already.
        """
        if self._closed:
            waiter.fail(_closed())
        else:
            self.subscriptions.join(waiter, known, clock.now(), datetime.now(UTC))
            self._measure()
            self._arm()

    def leave(self, waiter: Waiter) -> None:
        """Drop a waiter; every `join` is followed by this, however the wait ends."""
        self.subscriptions.leave(waiter)
        self._measure()
        if not self.subscriptions:
            self._disarm()

    def record_start(self, generation: Generation, kind: Kind) -> None:
        """Remember that a generation was ordered just now."""
        self.subscriptions.starts.record(generation, kind, clock.now())

    def receive(self, result: StatusResult, asked_at: float) -> None:
        """Take in the response to a request that was made at a time."""
        self._report(self.subscriptions.receive(result, asked_at, clock.now()))

    async def close(self) -> None:
        """End all waits with `ClientStateError` and leave nothing behind."""
        self._closed = True
        self.subscriptions.fail_all(_closed())
        self._disarm()
        for request in self._requests:
            request.cancel()
        if self._requests:
            await asyncio.wait(self._requests)

    def _report(self, ended: Iterable[Ended]) -> None:
        """Log and measure what has changed."""
        for one in ended:
            _report_end(one)
        self._measure()

    def _measure(self) -> None:
        if (change := len(self.subscriptions) - self._waiting) != 0:
            self._waiting += change
            telemetry.measure("generations.waiting", change)

    def _arm(self) -> None:
        """Set the timer for the next request, unless one is about to choose its ids anyway."""
        due = self.planner.next_request(clock.now())
        busy = len(self._requests) >= self._limits.concurrent_requests
        if due is None or busy or self._closed or self._chooser is not None:
            return
        if self._timer is not None and self._timer_due <= due:
            return
        self._disarm()
        self._timer_due = due
        self._timer = asyncio.get_running_loop().call_at(due, self._start)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._timer = None
        # An empty context: what is bound in the context of one waiter is not for the others.
        self._chooser = asyncio.get_running_loop().create_task(
            self._request(), name="luma_async get", context=Context()
        )
        self._requests.add(self._chooser)
        self._chooser.add_done_callback(self._ended)

    def _ended(self, request: "asyncio.Task[None]") -> None:
        self._requests.discard(request)
        if self._chooser is request:
            self._chooser = None
        if not request.cancelled() and (error := request.exception()) is not None:
            # Without this the waiters would wait for ever.
            telemetry.log(
                logging.ERROR,
                "tracker.failed",
                telemetry.describe(error),
                "The tracker failed, and with it all waits",
                error=error,
            )
            failure = LumaError(f"the tracker failed: {type(error).__name__}")
            failure.__cause__ = error
            self.subscriptions.fail_all(failure)
        self._arm()

    async def _request(self) -> None:
        async with self._rate_limiter.slot(self._rate_limiter.free):
            # Chosen only now that the request can go out: all who came while it waited for its
            # slot are in it.
            poll = self.planner.next_poll(clock.now())
            self._chooser = None
            self._arm()
            if poll is None:
                return
            count, waiting = len(poll.states), len(self.subscriptions)
            telemetry.log(
                logging.DEBUG,
                "poll.began",
                {telemetry.IDS: count, telemetry.WAITING: waiting},
                "asks for %d of %d ids, %s",
                count,
                waiting,
                poll.reason,
            )
            try:
                result = await self._ask(poll.ids, self.subscriptions.latest)
                self._answered(poll, result)
            except LumaError as error:
                self._failed(poll, error)
            except BaseException:
                # Cancelled by somebody, or a mistake of ours: the ids are to be asked for again.
                self.planner.failed(poll, clock.now(), PollFailure.DOWN)
                raise

    def _answered(self, poll: Poll, result: StatusResult) -> None:
        now = clock.now()
        self._report(self.subscriptions.receive(result, poll.asked_at, now))
        found = {generation.id for generation in result.generations}
        count = len(poll.states)
        telemetry.log(
            logging.DEBUG,
            "poll.ended",
            {telemetry.IDS: count, "luma_async.poll.answered": len(found)},
            "asked for %d ids, %d answered",
            count,
            len(found),
        )
        absent = [one for one in poll.ids if one not in found]
        if result.problems:
            # What could not be read may have been one of these.
            error = ResponseFormatError(result.problems)
            attributes = {telemetry.IDS: count, **telemetry.describe(error)}
            telemetry.log(logging.WARNING, "poll.unreadable", attributes, "%s", error)
            self.subscriptions.fail_snapshots(absent, error, poll.asked_at, now)
            found.update(absent)
        self.planner.answered(poll, now, found)
        if not result.problems:
            self._report(self.subscriptions.missed(absent, now, alone=count == 1))

    def _failed(self, poll: Poll, error: LumaError) -> None:
        now, subscriptions = clock.now(), self.subscriptions
        status = error.status if isinstance(error, APIError) else None
        offender = self.planner.failed(
            poll,
            now,
            poll_failure_of(error),
            kind=(type(error), status),
            retry_after=error.retry_after if isinstance(error, APIError) else None,
        )
        if isinstance(error, NotFoundError) and len(poll.states) == 1:
            (generation_id,) = poll.ids
            subscriptions.finish_snapshots(generation_id, Update(generation_id))
        subscriptions.fail_snapshots(poll.ids, error, poll.asked_at, now)
        if offender is not None:
            self._report(subscriptions.refused(offender, error, now))
        if isinstance(error, ClientStateError):
            # The caller's session is closed, and will not open again.
            subscriptions.fail_all(error)
        # Not the error's own words, which may repeat the response, and with it prompts and ids.
        kind = type(error).__name__ + (f" {status}" if status is not None else "")
        count = len(poll.states)
        telemetry.log(
            logging.WARNING,
            "poll.failed",
            {telemetry.IDS: count, **telemetry.describe(error)},
            "asked for %d ids in vain: %s",
            count,
            kind,
        )


def state_of(generation: Generation) -> str:
    """Return a state as far as it is fit for an attribute: the service may say anything."""
    return printable(generation.state)[:100]


def _report_end(ended: Ended) -> None:
    attributes: telemetry.Attributes
    if isinstance(ended.result, Generation):
        attributes = {telemetry.STATE: state_of(ended.result)}
    else:
        attributes = telemetry.describe(ended.result)
    if ended.delay is not None:
        telemetry.measure("generation.delay", ended.delay)
    telemetry.log(
        logging.INFO,
        "generation.ended",
        {telemetry.GENERATION: ended.id, **attributes},
        "generation %s ended: %s",
        ended.id,
        next(iter(attributes.values())),
    )


def _closed() -> ClientStateError:
    return ClientStateError("the client was closed during a wait")
