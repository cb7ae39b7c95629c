"""The ways to wait for generations that the client offers, over its one tracker."""

import math
from collections.abc import AsyncGenerator, Sequence
from typing import Self

import anyio

from luma_async._api.sansio.responses import unknown_id
from luma_async._api.sansio.validation import id_of, unique_ids
from luma_async._runtime import clock, telemetry
from luma_async._tracking.sansio.progress import has_video_or_failed
from luma_async._tracking.sansio.updates import Update
from luma_async._tracking.tracker import Tracker, state_of
from luma_async._tracking.waiters import Waiter
from luma_async.errors import GenerationFailedError, LumaError, WaitErrorGroup, WaitTimeoutError
from luma_async.models import Generation

Target = Generation | str


class _Wait:
    """One call that waits for many generations to end, with the time it has.

    It listens for as long as its context lasts.
    """

    def __init__(self, tracker: Tracker, targets: Sequence[Target], timeout: float) -> None:
        self._tracker = tracker
        self._timeout = timeout
        self._finished: list[Generation] = []
        self._waiter = Waiter(unique_ids(targets))
        self._known = {one.id: one for one in targets if isinstance(one, Generation)}
        for one in self._known.values():
            if has_video_or_failed(one):
                self._waiter.deliver(Update(one.id, one), is_last=True)

    def __enter__(self) -> Self:
        self._deadline = clock.now() + self._timeout
        self._tracker.join(self._waiter, self._known)
        return self

    def __exit__(self, *_: object) -> None:
        self._tracker.leave(self._waiter)

    async def next(self) -> Update | None:
        """Return how the next of them ended; None when all have.

        Raises:
            WaitTimeoutError: The time is over.
        """
        # Thousands wait without a deadline, and a scope would cost each of them something.
        has_deadline = self._deadline < math.inf
        update = await (self._receive_in_time() if has_deadline else self._waiter.receive())
        if update is not None and update.generation is not None:
            self._finished.append(update.generation)
        return update

    async def _receive_in_time(self) -> Update | None:
        with anyio.CancelScope(deadline=self._deadline) as scope:
            return await self._waiter.receive()
        if scope.cancelled_caught and (update := self._waiter.receive_nowait()) is not None:
            # What arrived at the last instant counts.
            return update
        raise WaitTimeoutError(
            timeout=self._timeout, pending=list(self._waiter.pending), finished=self._finished
        )


def _video_or_error(update: Update) -> Generation | LumaError:
    if update.error is not None or update.generation is None:
        return update.error or unknown_id(update.id)
    if update.generation.is_failed:
        return GenerationFailedError(update.generation)
    return update.generation


async def wait_for_all(
    tracker: Tracker, targets: Sequence[Target], timeout: float
) -> dict[str, Generation | LumaError]:
    """Wait for generations to end; return for each id its video, or why there is none."""
    ended = {}
    with _Wait(tracker, targets, timeout) as wait:
        while (update := await wait.next()) is not None:
            ended[update.id] = _video_or_error(update)
    return ended


async def wait_for_one(tracker: Tracker, target: Target, timeout: float) -> Generation:
    """Wait for a generation to be completed; anything else is raised."""
    with telemetry.span("wait", _attributes([target])) as span:
        (result,) = (await wait_for_all(tracker, [target], timeout)).values()
        if isinstance(result, LumaError):
            raise result
        span.set(telemetry.STATE, state_of(result))
    return result


async def wait_for_list(
    tracker: Tracker, targets: Sequence[Target], timeout: float
) -> list[Generation]:
    """Wait for generations to end; return them in the order asked, or raise what failed."""
    with telemetry.span("wait", _attributes(targets)):
        ended = await wait_for_all(tracker, targets, timeout)
        results = [ended[id_of(target)] for target in targets]
        completed = [result for result in results if isinstance(result, Generation)]
        errors = [result for result in dict.fromkeys(results) if isinstance(result, LumaError)]
        if errors:
            raise WaitErrorGroup(
                f"{len(errors)} of {len(ended)} generations did not end in a video",
                errors,
                completed=completed,
            )
    return completed


async def as_completed(
    tracker: Tracker, targets: Sequence[Target], timeout: float
) -> AsyncGenerator[Generation]:
    """Yield generations as they end; those that the service does not know are raised last."""
    errors: list[LumaError] = []
    with telemetry.span("wait", _attributes(targets)):
        with _Wait(tracker, targets, timeout) as wait:
            while (update := await wait.next()) is not None:
                if update.generation is not None:
                    yield update.generation
                else:
                    errors.append(update.error or unknown_id(update.id))
        if errors:
            raise WaitErrorGroup(f"{len(errors)} generations are not known", errors)


async def watch(tracker: Tracker, target: Target) -> AsyncGenerator[Generation]:
    """Yield a generation at every change of its state, the last one finished."""
    if isinstance(target, Generation) and has_video_or_failed(target):
        yield target
        return
    known = {target.id: target} if isinstance(target, Generation) else {}
    waiter = Waiter([id_of(target)], every_change=True)
    with telemetry.span("wait", _attributes([target])) as span:
        tracker.join(waiter, known)
        try:
            while (update := await waiter.receive()) is not None:
                if update.error is not None or update.generation is None:
                    raise update.error or unknown_id(update.id)
                span.set(telemetry.STATE, state_of(update.generation))
                yield update.generation
        finally:
            tracker.leave(waiter)


def _attributes(targets: Sequence[Target]) -> telemetry.Attributes:
    one = {telemetry.GENERATION: id_of(targets[0])} if len(targets) == 1 else {}
    return {telemetry.IDS: len(targets), **one}
