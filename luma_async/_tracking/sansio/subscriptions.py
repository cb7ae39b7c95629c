"""Who waits for which generations, and what responses mean for them.

All that is known of an id that somebody waits for stands in its `Subscription`. The methods take
the time, put updates into the inboxes of subscribers, and return the ends that they saw.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import define, evolve, field

from luma_async._api.sansio.responses import StatusResult
from luma_async._tracking.sansio.known_starts import KnownStarts
from luma_async._tracking.sansio.poll_planner import PollPlanner
from luma_async._tracking.sansio.poll_state import PollState
from luma_async._tracking.sansio.progress import Progress, has_video_or_failed
from luma_async._tracking.sansio.updates import Ended, Subscriber, Update, own
from luma_async.errors import GenerationFailedError, LumaError
from luma_async.models import Generation
from luma_async.settings import PollPolicy

_MAX_AGE = 86_400.0


@define(eq=False)
class Subscription:
    """One generation that somebody waits for.

    Attributes:
        progress: What the responses said of it.
        poll: When to ask for it.
        asked_at: When the request was made whose response is the latest that counts.
        waiters: Who waits for its end.
        snapshots: Who waits for the next response.
    """

    progress: Progress
    poll: PollState
    asked_at: float
    waiters: dict[Subscriber, None] = field(factory=dict, init=False)
    snapshots: dict[Subscriber, None] = field(factory=dict, init=False)


@define(eq=False)
class Subscriptions:
    """The generations that somebody waits for.

    Attributes:
        starts: What was ordered through this client.
        finished: How many were followed to their end.
        delays: The sum of the seconds between their ends and the responses that showed them, as
            far as that can be estimated, and of how many.
    """

    _policy: PollPolicy
    _planner: PollPlanner
    finished: int = field(default=0, init=False)
    delays: tuple[float, int] = field(default=(0.0, 0), init=False)
    starts: KnownStarts = field(factory=KnownStarts, init=False)
    _subscriptions: dict[str, Subscription] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._subscriptions)

    def latest(self, generation_id: str) -> Generation | None:
        """Return what the latest response said of an id that somebody waits for."""
        subscription = self._subscriptions.get(generation_id)
        return subscription.progress.latest if subscription is not None else None

    def join(
        self, subscriber: Subscriber, known: Mapping[str, Generation], now: float, date: datetime
    ) -> None:
        """Subscribe to all pending ids.

        `known` is what the caller knows of them; its age is judged by `date`, this machine's clock.
        """
        for generation_id in subscriber.pending:
            latest = known.get(generation_id)
            if latest is None and (start := self.starts.find(generation_id)) is not None:
                latest = start.latest
            if latest is not None and latest.is_completed:
                # Its video was not there yet; that is as good as to know nothing.
                latest = None
            subscription = self._subscriptions.get(generation_id)
            if subscription is None:
                subscription = self._subscriptions[generation_id] = Subscription(
                    Progress(generation_id, self._policy, latest),
                    self._plan(generation_id, latest, now, date),
                    now,
                )
            if subscriber.attempts is not None:
                subscription.snapshots[subscriber] = None
                self._planner.expedite(subscription.poll, now)
                continue
            subscription.waiters[subscriber] = None
            latest = subscription.progress.latest
            if subscriber.every_change and latest is not None:
                subscriber.deliver(_change(subscription, latest, now))

    def _plan(
        self, generation_id: str, latest: Generation | None, now: float, date: datetime
    ) -> PollState:
        start = self.starts.find(generation_id)
        if start is not None:
            return self._planner.add(
                generation_id,
                now,
                age=now - start.time,
                certain=True,
                kind=start.kind,
                estimate=start.estimate,
            )
        if latest is not None:
            # By this machine's clock, until a response brings the service's own.
            age, estimate = _age(latest, date) or 0.0, latest.estimate_wait_seconds
            return self._planner.add(generation_id, now, age=age, estimate=estimate)
        # It may have been finished long ago.
        return self._planner.add(generation_id, now, at_once=True)

    def leave(self, subscriber: Subscriber) -> None:
        """Drop a subscriber."""
        for generation_id in subscriber.pending:
            if (subscription := self._subscriptions.get(generation_id)) is not None:
                subscription.waiters.pop(subscriber, None)
                subscription.snapshots.pop(subscriber, None)
                self._drop_if_unwanted(generation_id, subscription)

    def receive(self, result: StatusResult, asked_at: float, now: float) -> list[Ended]:
        """Take in the response to a request that was made at a time."""
        ended = []
        # Where a response contradicts itself, the video counts.
        for generation in sorted(result.generations, key=lambda one: not one.is_completed):
            self.starts.update(generation)
            subscription = self._subscriptions.get(generation.id)
            if subscription is None:
                continue
            if generation is subscription.progress.latest and not subscription.snapshots:
                # Read from the same words as before: nothing is new but the time.
                subscription.asked_at = max(subscription.asked_at, asked_at)
                subscription.progress.repeated()
                self._planner.unfinished(subscription.poll, asked_at)
            else:
                ended += self._seen(subscription, generation, asked_at, now, result.date)
        return ended

    def _seen(
        self,
        subscription: Subscription,
        generation: Generation,
        asked_at: float,
        now: float,
        date: datetime | None,
    ) -> list[Ended]:
        self.finish_snapshots(generation.id, Update(generation.id, generation))
        is_over, delay = has_video_or_failed(generation), None
        # Otherwise a later request has been answered sooner.
        if is_over or asked_at >= subscription.asked_at:
            subscription.asked_at = asked_at
            has_moved = subscription.progress.seen(generation, now)
            if is_over:
                delay = subscription.poll.finished(now)
            elif generation.is_completed:
                subscription.poll.videoless(now, self._policy.video_grace)
            else:
                age = None if date is None else _age(generation, date)
                estimate = generation.estimate_wait_seconds
                self._planner.unfinished(subscription.poll, asked_at, age=age, estimate=estimate)
            if has_moved and not is_over:
                watching = [one for one in subscription.waiters if one.every_change]
                if watching:
                    update = _change(subscription, generation, now)
                    for one in watching:
                        one.deliver(update)
        return self._conclude(generation.id, subscription, delay)

    def missed(self, ids: Iterable[str], now: float, *, alone: bool) -> list[Ended]:
        """Note that a response does not hold some ids, or the one that was asked for alone."""
        ended = []
        for generation_id in ids:
            if (subscription := self._subscriptions.get(generation_id)) is None:
                continue
            self.finish_snapshots(generation_id, Update(generation_id))
            progress = subscription.progress
            progress.missed(now, alone=alone)
            if progress.is_overdue and progress.result is None:
                self._planner.poll_alone(subscription.poll, now)
            ended += self._conclude(generation_id, subscription)
        return ended

    def refused(self, generation_id: str, error: LumaError, now: float) -> list[Ended]:
        """Note that a request for an id alone failed because of that id."""
        subscription = self._subscriptions[generation_id]
        subscription.progress.refused(error, now)
        return self._conclude(generation_id, subscription)

    def finish_snapshots(self, generation_id: str, update: Update) -> None:
        """Deliver the next response for an id to those who want no more than that."""
        if (subscription := self._subscriptions.get(generation_id)) is not None:
            snapshots, subscription.snapshots = subscription.snapshots, {}
            for one in snapshots:
                one.deliver(update, is_last=True)

    def fail_snapshots(
        self, ids: Iterable[str], error: LumaError, asked_at: float, now: float
    ) -> None:
        """Count a failed request for these ids; a wait survives it, a snapshot perhaps not."""
        for generation_id in ids:
            subscription = self._subscriptions.get(generation_id)
            if subscription is not None and subscription.snapshots:
                for one in subscription.snapshots:
                    one.request_failed(error, asked_at=asked_at, now=now)
                self._planner.expedite(subscription.poll, now)

    def fail_all(self, error: LumaError) -> None:
        """End all waits."""
        for subscription in self._subscriptions.values():
            for subscriber in (*subscription.waiters, *subscription.snapshots):
                subscriber.fail(error)

    def _conclude(
        self, generation_id: str, subscription: Subscription, delay: float | None = None
    ) -> list[Ended]:
        """Deliver to all who wait how it ended, if it has, and drop what nobody waits for."""
        ended, result = [], subscription.progress.result
        if result is not None:
            for one in subscription.waiters:
                one.deliver(_last(generation_id, result), is_last=True)
            if subscription.waiters:
                self.finished += 1
                ended = [Ended(generation_id, result, delay)]
            if delay is not None:
                self.delays = self.delays[0] + delay, self.delays[1] + 1
            subscription.waiters.clear()
            self.starts.forget(generation_id)
        self._drop_if_unwanted(generation_id, subscription)
        return ended

    def _drop_if_unwanted(self, generation_id: str, subscription: Subscription) -> None:
        if not subscription.waiters and not subscription.snapshots:
            del self._subscriptions[generation_id]
            self._planner.discard(subscription.poll)


def _change(subscription: Subscription, generation: Generation, now: float) -> Update:
    left = subscription.poll.seconds_left(now)
    return Update(generation.id, evolve(generation, seconds_left=left))


def _last(generation_id: str, result: Generation | LumaError) -> Update:
    if isinstance(result, Generation):
        return Update(generation_id, result)
    generation = result.generation if isinstance(result, GenerationFailedError) else None
    return Update(generation_id, generation, own(result))


def _age(generation: Generation, date: datetime) -> float | None:
    """Return how old a generation is at a date; None where the clocks make no sense."""
    if generation.created_at is None or generation.created_at.tzinfo is None:
        return None
    seconds = (date - generation.created_at).total_seconds()
    return seconds if 0 <= seconds <= _MAX_AGE else None
