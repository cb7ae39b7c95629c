"""Who waits for which generations, and what answers mean for them."""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from attrs import define, evolve, field, frozen

from luma_async._api.sansio.responses import StatusResult
from luma_async._runtime import clock, telemetry
from luma_async._tracking.sansio.duration_models import Kind
from luma_async._tracking.sansio.poll_planner import PollPlanner
from luma_async._tracking.sansio.progress import Progress, has_video_or_failed
from luma_async._tracking.waiters import SnapshotWaiter, Update, Waiter, own
from luma_async.errors import GenerationFailedError, LumaError
from luma_async.models import Generation
from luma_async.settings import PollPolicy

_MAX_AGE = 86_400.0
_MAX_STARTS = 100_000


@frozen
class KnownStart:
    """What was ordered through this client, when, how long it was to take, and the latest of it."""

    kind: Kind
    time: float
    estimate: float | None
    latest: Generation


@define(eq=False)
class Subscription:
    """One generation that is followed, and who follows it.

    Attributes:
        heard_at: When the question was asked whose answer is the latest that counts.
    """

    progress: Progress
    heard_at: float
    waiters: dict[Waiter, None] = field(factory=dict, init=False)
    snapshots: dict[SnapshotWaiter, None] | None = field(default=None, init=False)


@define(eq=False)
class Subscriptions:
    """The generations that somebody waits for.

    Attributes:
        finished: How many were followed to their end.
        delays: The sum of the seconds after which that was probably heard, and of how many.
    """

    _policy: PollPolicy
    _planner: PollPlanner
    finished: int = field(default=0, init=False)
    delays: tuple[float, int] = field(default=(0.0, 0), init=False)
    _ordered: dict[str, KnownStart] = field(factory=dict, init=False)
    _subscriptions: dict[str, Subscription] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._subscriptions)

    def ordered(self, generation: Generation, kind: Kind, *, age: float = 0.0) -> None:
        """Remember when a generation began, so that its age is known once somebody waits for it.

        One that is done already is asked for anew.
        """
        if generation.is_done:
            return
        began, estimate = clock.now() - age, generation.estimate_wait_seconds
        self._ordered[generation.id] = KnownStart(kind, began, estimate, generation)
        if len(self._ordered) > _MAX_STARTS:
            # Those that nobody has waited for until their end.
            del self._ordered[next(iter(self._ordered))]

    def latest(self, generation_id: str) -> Generation | None:
        """Return what the latest answer said of an id that somebody waits for."""
        subscription = self._subscriptions.get(generation_id)
        return subscription.progress.latest if subscription is not None else None

    def join(self, waiter: Waiter, known: Mapping[str, Generation], now: float) -> None:
        """Let a listener hear of its pending ids.

        Args:
            waiter: Whom to tell.
            known: What the caller knows of them already, by id.
            now: The time.
        """
        for generation_id in waiter.pending:
            self._join(waiter, generation_id, known.get(generation_id), now)

    def leave(self, waiter: Waiter) -> None:
        """Tell a listener no more."""
        for generation_id in waiter.pending:
            self._leave(waiter, generation_id)

    def take_in(self, states: StatusResult, asked_at: float) -> None:
        """Let the waiting hear what the answer to a question says that was asked at a time."""
        now = clock.now()
        # Where an answer contradicts itself, the video counts.
        for generation in sorted(states.generations, key=lambda one: not one.is_completed):
            self._remember(generation)
            subscription = self._subscriptions.get(generation.id)
            if subscription is None:
                continue
            if generation is subscription.progress.latest and not subscription.snapshots:
                # Read of words that were read before: nothing is new but the time.
                subscription.heard_at = max(subscription.heard_at, asked_at)
                subscription.progress.repeated()
                self._planner.unfinished(generation.id, asked_at)
            else:
                self._seen(subscription, generation, asked_at, now, states.date)

    def _remember(self, generation: Generation) -> None:
        """Keep the latest of what was ordered here, for those who begin to watch it by its id."""
        if (known_start := self._ordered.get(generation.id)) is None:
            return
        if generation.is_done:
            del self._ordered[generation.id]
        elif generation is not known_start.latest:
            self._ordered[generation.id] = evolve(known_start, latest=generation)

    def missed(self, ids: Iterable[str], now: float, *, alone: bool) -> None:
        """Note that an answer does not hold some ids, or the one that was asked for alone."""
        for generation_id in ids:
            self._missed(generation_id, now, alone=alone)

    def refused(self, generation_id: str, error: LumaError, now: float) -> None:
        """Note that a question for an id alone failed because of that id."""
        subscription = self._subscriptions[generation_id]
        subscription.progress.refused(error, now)
        self._conclude(generation_id, subscription)

    def fail_snapshots(self, ids: Iterable[str], error: LumaError, asked_at: float) -> None:
        """Let those who want the next answer know that a question for these ids failed.

        Who waits is not told: a wait outlasts failures.
        """
        now = clock.now()
        for generation_id in ids:
            subscription = self._subscriptions.get(generation_id)
            if subscription is not None and subscription.snapshots:
                for look in subscription.snapshots:
                    look.request_failed(error, asked_at=asked_at, now=now)
                self._planner.expedite(generation_id, now)

    def fail_all(self, error: LumaError) -> None:
        """End all waits."""
        for subscription in self._subscriptions.values():
            for waiter in (*subscription.waiters, *(subscription.snapshots or ())):
                waiter.fail(error)

    def _join(
        self, waiter: Waiter, generation_id: str, known: Generation | None, now: float
    ) -> None:
        if known is None and generation_id in self._ordered:
            known = self._ordered[generation_id].latest
        if known is not None and known.is_completed:
            # Its video was not there yet; that is as good as to know nothing.
            known = None
        subscription = self._subscriptions.get(generation_id)
        if subscription is None:
            subscription = self._subscriptions[generation_id] = Subscription(
                Progress(generation_id, self._policy, known), now
            )
            telemetry.measure("generations.waiting", 1)
            self._plan(generation_id, known, now)
        if isinstance(waiter, SnapshotWaiter):
            subscription.snapshots = {**(subscription.snapshots or {}), waiter: None}
            self._planner.expedite(generation_id, now)
            return
        subscription.waiters[waiter] = None
        if waiter.every_change and subscription.progress.latest is not None:
            waiter.tell(self._update(subscription.progress.latest))

    def _plan(self, generation_id: str, known: Generation | None, now: float) -> None:
        known_start = self._ordered.get(generation_id)
        if known_start is not None:
            self._planner.add(
                generation_id,
                now,
                age=now - known_start.time,
                certain=True,
                kind=known_start.kind,
                estimate=known_start.estimate,
            )
        elif known is not None:
            # By this machine's clock, until an answer brings the service's own.
            age = _age(known, datetime.now(UTC)) or 0.0
            self._planner.add(generation_id, now, age=age, estimate=known.estimate_wait_seconds)
        elif self._planner.add(generation_id, now):
            # It may have been finished for long.
            self._planner.expedite(generation_id, now)

    def _leave(self, waiter: Waiter, generation_id: str) -> None:
        if (subscription := self._subscriptions.get(generation_id)) is None:
            return
        if isinstance(waiter, SnapshotWaiter):
            subscription.snapshots = {
                look: None for look in subscription.snapshots or () if look is not waiter
            }
        else:
            subscription.waiters.pop(waiter, None)
        self._drop_if_unwanted(generation_id, subscription)

    def _drop_if_unwanted(self, generation_id: str, subscription: Subscription) -> None:
        if not subscription.waiters and not subscription.snapshots:
            del self._subscriptions[generation_id]
            self._planner.discard(generation_id)
            telemetry.measure("generations.waiting", -1)

    def _seen(
        self,
        subscription: Subscription,
        generation: Generation,
        asked_at: float,
        now: float,
        date: datetime | None,
    ) -> None:
        generation_id = generation.id
        if subscription.snapshots:
            self.finish_snapshots(generation_id, Update(generation_id, generation))
        over = has_video_or_failed(generation)
        # Otherwise what was asked for later has been answered sooner.
        if over or asked_at >= subscription.heard_at:
            subscription.heard_at = asked_at
            moved = subscription.progress.seen(generation, now)
            if over:
                self._ended(generation_id, now)
            elif generation.is_completed:
                self._planner.videoless(generation_id, now)
            else:
                age = None if date is None else _age(generation, date)
                estimate = generation.estimate_wait_seconds
                self._planner.unfinished(generation_id, asked_at, age=age, estimate=estimate)
            if moved and not over:
                self._tell(subscription, generation)
        self._conclude(generation_id, subscription)

    def _ended(self, generation_id: str, now: float) -> None:
        delay = self._planner.finished(generation_id, now)
        if delay is not None:
            self.delays = self.delays[0] + delay, self.delays[1] + 1
            telemetry.measure("generation.delay", delay)

    def _tell(self, subscription: Subscription, generation: Generation) -> None:
        watching = [waiter for waiter in subscription.waiters if waiter.every_change]
        if watching:
            update = self._update(generation)
            for waiter in watching:
                waiter.tell(update)

    def _update(self, generation: Generation) -> Update:
        left = self._planner.seconds_left(generation.id, clock.now())
        return Update(generation.id, evolve(generation, seconds_left=left))

    def _missed(self, generation_id: str, now: float, *, alone: bool) -> None:
        if (subscription := self._subscriptions.get(generation_id)) is None:
            return
        self.finish_snapshots(generation_id, Update(generation_id))
        subscription.progress.missed(now, alone=alone)
        if subscription.progress.is_overdue and subscription.progress.ending is None:
            self._planner.poll_alone(generation_id, now)
        self._conclude(generation_id, subscription)

    def _conclude(self, generation_id: str, subscription: Subscription) -> None:
        """Tell all who wait how it ended, if it has, and forget what nobody waits for."""
        ending = subscription.progress.ending
        if ending is not None:
            if isinstance(ending, Generation):
                update = Update(generation_id, ending)
            elif isinstance(ending, GenerationFailedError):
                update = Update(generation_id, ending.generation, ending)
            else:
                update = Update(generation_id, error=ending)
            for waiter in subscription.waiters:
                waiter.finish(
                    update if update.error is None else evolve(update, error=own(update.error))
                )
            if subscription.waiters:
                self.finished += 1
                _log_end(generation_id, ending)
            subscription.waiters.clear()
            self._ordered.pop(generation_id, None)
        self._drop_if_unwanted(generation_id, subscription)

    def finish_snapshots(self, generation_id: str, update: Update) -> None:
        """Tell those who want the next answer for an id, and them alone."""
        if (subscription := self._subscriptions.get(generation_id)) is not None:
            for look in subscription.snapshots or ():
                look.finish(update)
            subscription.snapshots = None


def _log_end(generation_id: str, ending: Generation | LumaError) -> None:
    attributes: telemetry.Attributes
    if isinstance(ending, Generation):
        attributes = {telemetry.STATE: telemetry.state_of(ending)}
    else:
        attributes = telemetry.describe(ending)
    telemetry.log(
        logging.INFO,
        "generation.ended",
        {telemetry.GENERATION: generation_id, **attributes},
        "generation %s ended: %s",
        generation_id,
        next(iter(attributes.values())),
    )


def _age(generation: Generation, date: datetime) -> float | None:
    """Return how old a generation is at a date; None where the clocks make no sense."""
    if generation.created_at is None or generation.created_at.tzinfo is None:
        return None
    seconds = (date - generation.created_at).total_seconds()
    return seconds if 0 <= seconds <= _MAX_AGE else None
