"""Many waiters, few requests.

One tracker serves all coroutines of a client that wait. Each generation is asked for once,
however many wait for it, and together with the others, in requests of up to
`Limits.ids_per_request` ids, at the times that `luma_async._tracking.sansio.poll_planner` decides.

Between requests nothing runs but a timer of the event loop, and that only while somebody waits.
When it is time, a request is made in a task that lives as long as the request does and belongs
to no waiter. So a waiter can be cancelled, time out or fail at any instant without a request
being broken off or a duty being left undone: there is no duty to hand on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from types import MappingProxyType

from attrs import define, field

from luma_async._api.rate_limiter import RateLimiter
from luma_async._api.sansio.responses import StatusResult
from luma_async._api.sansio.retry import Meaning, meaning_of
from luma_async._runtime import clock, telemetry
from luma_async._tracking.sansio.poll_planner import PollPlanner
from luma_async._tracking.sansio.poll_state import Poll
from luma_async._tracking.subscriptions import Subscriptions
from luma_async._tracking.waiters import Update, Waiter
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
    """Asks for all generations that anybody waits for, and tells their listeners.

    Attributes:
        cadence: Plans the requests, and learns how long generations take.
        tracks: Who waits for what.
    """

    _ask: Callable[[Sequence[str], Callable[[str], Generation | None]], Awaitable[StatusResult]]
    _rate_limiter: RateLimiter
    _limits: Limits
    _policy: PollPolicy
    planner: PollPlanner = field(init=False)
    subscriptions: Subscriptions = field(init=False)
    _timer: asyncio.Handle | None = field(default=None, init=False)
    # Not every loop's handle can tell it.
    _timer_due: float = field(default=0.0, init=False)
    _requests: set["asyncio.Task[None]"] = field(factory=set, init=False)
    _chooser: "asyncio.Task[None] | None" = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self.planner = PollPlanner(self._policy, self._limits.ids_per_request)
        self.subscriptions = Subscriptions(self._policy, self.planner)

    def join(self, waiter: Waiter, known: Mapping[str, Generation] = MappingProxyType({})) -> None:
        """Let a listener hear of its pending ids until it leaves.

        Args:
            waiter: Whom to tell.
            known: What the caller knows of them already, by id.
        """
        if self._closed:
            waiter.fail(_closed())
        else:
            self.subscriptions.join(waiter, known, clock.now())
            self._arm()

    def leave(self, waiter: Waiter) -> None:
        """Tell a listener no more; who has joined leaves, however it ends."""
        self.subscriptions.leave(waiter)
        if not self.subscriptions:
            self._disarm()

    async def close(self) -> None:
        """End all waits with `ClientStateError` and leave nothing behind."""
        self._closed = True
        self.subscriptions.fail_all(_closed())
        self._disarm()
        for request in self._requests:
            request.cancel()
        if self._requests:
            await asyncio.wait(self._requests)

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
            # Without this the waiting would wait for ever.
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
            # Chosen only now that the request can go out, so that all who came while it waited
            # for its turn are in it.
            poll = self.planner.take(clock.now())
            self._chooser = None
            self._arm()
            if poll is None:
                return
            count, waiting = len(poll.ids), len(self.subscriptions)
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
                states = await self._ask(poll.ids, self.subscriptions.latest)
                self._answered(poll, states)
            except LumaError as error:
                self._failed(poll, error)
            except BaseException:
                # Cancelled by somebody, or a mistake of ours: they are to be asked for again.
                self.planner.failed(poll, clock.now(), Meaning.DOWN)
                raise

    def _answered(self, poll: Poll, states: StatusResult) -> None:
        now = clock.now()
        self.subscriptions.take_in(states, poll.asked_at)
        found = {generation.id for generation in states.generations}
        count = len(poll.ids)
        telemetry.log(
            logging.DEBUG,
            "poll.ended",
            {telemetry.IDS: count, "luma_async.poll.answered": len(found)},
            "asked for %d ids, %d answered",
            count,
            len(found),
        )
        absent = [generation_id for generation_id in poll.ids if generation_id not in found]
        if states.problems:
            # What could not be read may have been one of these.
            error = ResponseFormatError(states.problems)
            attributes = {telemetry.IDS: count, **telemetry.describe(error)}
            telemetry.log(logging.WARNING, "poll.unreadable", attributes, "%s", error)
            self.subscriptions.fail_snapshots(absent, error, poll.asked_at)
            found.update(absent)
        self.planner.answered(poll, now, found)
        if not states.problems:
            self.subscriptions.missed(absent, now, alone=count == 1)

    def _failed(self, poll: Poll, error: LumaError) -> None:
        now = clock.now()
        status = error.status if isinstance(error, APIError) else None
        blamed = self.planner.failed(
            poll,
            now,
            meaning_of(error),
            failure=(type(error), status),
            retry_after=error.retry_after if isinstance(error, APIError) else None,
        )
        if isinstance(error, NotFoundError) and len(poll.ids) == 1:
            self.subscriptions.finish_snapshots(poll.ids[0], Update(poll.ids[0]))
        self.subscriptions.fail_snapshots(poll.ids, error, poll.asked_at)
        if blamed is not None:
            self.subscriptions.refused(blamed, error, now)
        if isinstance(error, ClientStateError):
            # The caller's session is closed, and will not open again.
            self.subscriptions.fail_all(error)
        # Not the error's own words, which may repeat the answer, and with it prompts and ids.
        kind = type(error).__name__ + (f" {status}" if status is not None else "")
        count = len(poll.ids)
        telemetry.log(
            logging.WARNING,
            "poll.failed",
            {telemetry.IDS: count, **telemetry.describe(error)},
            "asked for %d ids in vain: %s",
            count,
            kind,
        )


def _closed() -> ClientStateError:
    return ClientStateError("the client was closed during a wait")
