"""Which ids to ask for, when, and what follows from how that ended.

Ordinarily an id is asked for together with others, at the time that the `Schedule` finds. Some
stand apart: those of a request that failed for what it may hold, which are asked for again in
halves until the one is found that spoils it, and those that are asked for alone.
"""

import random
from collections.abc import Callable, Collection, Sequence

from attrs import define, field

from luma_async._api.sansio.retry import Meaning
from luma_async._tracking.sansio.backpressure import Backpressure
from luma_async._tracking.sansio.batch_size import BatchSize
from luma_async._tracking.sansio.bisection import Bisection
from luma_async._tracking.sansio.duration_models import DurationModels, Kind
from luma_async._tracking.sansio.isolated_queue import IsolatedQueue
from luma_async._tracking.sansio.poll_state import Poll, PollState
from luma_async._tracking.sansio.schedule import Schedule
from luma_async.settings import PollPolicy

_MAX_DOUBLINGS = 20
_MAX_LEFT = 10_000


@define(eq=False)
class PollPlanner:
    """Plans the status requests of one client. Times are seconds of any steady clock.

    Attributes:
        size: How many ids a request may hold.
        experience: How long generations take.
    """

    _policy: PollPolicy
    _ids_per_request: int
    _random: Callable[[], float] = random.random
    size: BatchSize = field(init=False)
    durations: DurationModels = field(init=False)
    _backpressure: Backpressure = field(init=False)
    _schedule: Schedule = field(init=False)
    _bisection: Bisection = field(factory=Bisection, init=False)
    _alone: IsolatedQueue = field(factory=IsolatedQueue, init=False)
    _states: dict[str, PollState] = field(factory=dict, init=False)
    # One that is given up while it is asked for, and wanted again, waits for the answer.
    _under_way: set[str] = field(factory=set, init=False)
    _requests: int = field(default=0, init=False)
    _left: dict[str, PollState] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.size = BatchSize(self._ids_per_request)
        self.durations = DurationModels(self._policy)
        self._backpressure = Backpressure(self._policy, self._random)
        self._schedule = Schedule(
            self._policy, self._backpressure, self._ids_per_request, self._random
        )

    def add(
        self,
        generation_id: str,
        now: float,
        *,
        age: float = 0.0,
        certain: bool = False,
        kind: Kind = "create",
        estimate: float | None = None,
    ) -> bool:
        """Begin to ask for an id that is not asked for yet.

        One that was asked for before, and given up before its end, is taken up where it was left:
        who waits in many short waits neither asks more often nor starts anew each time.

        Args:
            generation_id: The id.
            now: The time.
            age: For how many seconds it has existed.
            certain: Whether that is known for certain, and that it was unfinished at first.
            kind: What was ordered.
            estimate: What the service expects, in seconds from its beginning if that is certain.

        Returns:
            Whether it is new.
        """
        is_new = generation_id not in self._left
        if (state := self._left.pop(generation_id, None)) is None:
            origin = now - age
            hazard, unit = self.durations.of(kind), self.durations.unit
            state = PollState(generation_id, hazard, origin, unit, origin, certain)
            state.earliest = origin + self._policy.min_interval
            self._take_estimate(state, origin if certain else now, estimate)
        self._states[generation_id] = state
        if generation_id not in self._under_way:
            self._put([state], now)
        return is_new

    def discard(self, generation_id: str) -> None:
        """Stop asking for an id."""
        if (state := self._states.pop(generation_id, None)) is not None:
            self._withdraw(state)
            if not state.ended:
                self._left[generation_id] = state
                if len(self._left) > _MAX_LEFT:
                    del self._left[next(iter(self._left))]

    def expedite(self, generation_id: str, now: float) -> None:
        """Make an id due now, unless it is being asked for at this moment."""
        state = self._states[generation_id]
        if state.alone_at is not None:
            self._alone.put(state, now)
        elif state.entry is not None:
            self._withdraw(state)
            self._schedule.force(state, now)

    def poll_alone(self, generation_id: str, now: float) -> None:
        """Ask for an id in a request of its own, now: what it holds is for certain."""
        if generation_id not in self._under_way:
            self._withdraw(self._states[generation_id])
            self._alone.put(self._states[generation_id], now)

    def next_request(self, now: float) -> float | None:
        """Return the time of the next request; None where nothing is to be asked for."""
        # While the service fails, one request at a time looks whether it is back.
        if self._backpressure.is_pausing and self._requests:
            return None
        while self._bisection and self._states.keys().isdisjoint(self._bisection.first.ids):
            self._bisection.next()
        times = [] if (due := self._alone.due) is None else [due]
        if self._bisection:
            times.append(now)
        if self._schedule:
            times.append(self._schedule.due(now))
        return max(min(times), self._backpressure.not_before) if times else None

    def take(self, now: float) -> Poll | None:
        """Choose the ids of a request that is made now; None if it is not time for one.

        Each question is ended by `answered` or `failed`.
        """
        due = self.next_request(now)
        if due is None or due > now:
            return None
        poll = self._poll(now)
        if poll is not None:
            self._under_way.update(poll.ids)
            self._requests += 1
        return poll

    def _poll(self, now: float) -> Poll | None:
        while self._bisection:
            group = self._bisection.next()
            wanted = [
                self._states[generation_id]
                for generation_id in group.ids
                if generation_id in self._states
            ]
            for state in wanted:
                self._withdraw(state)
            group.ids = ids = [state.generation_id for state in wanted]
            if 0 < len(ids) <= self.size.limit:
                return Poll(ids, now, "to find the id that spoils requests", group)
            # The size of a request has been learned since.
            self._put(wanted, now)
        # While nothing is answered, those who spoil requests are not to be all that is tried.
        states = self._schedule.take(now) if self._backpressure.is_pausing else ()
        if not states and (lone := self._alone.take(now)) is not None:
            reason = "to hear of that id alone"
            return Poll([lone.generation_id], now, reason, alone=True, company=lone.company)
        states = states or self._schedule.take(now)
        reason = "as they have probably waited long enough together"
        if any(state.forced or now - state.asked >= self._policy.max_interval for state in states):
            reason = "as one of them is to wait no longer"
        return Poll([state.generation_id for state in states], now, reason) if states else None

    def finished(self, generation_id: str, now: float) -> float | None:
        """Learn that an id has ended by now.

        Returns:
            How many seconds ago that probably was, on average; None where nobody can know.
        """
        return (
            state.finished(now) if (state := self._states.get(generation_id)) is not None else None
        )

    def unfinished(
        self,
        generation_id: str,
        asked_at: float,
        *,
        age: float | None = None,
        estimate: float | None = None,
    ) -> None:
        """Learn that an id had not ended when it was asked for.

        Args:
            generation_id: The id.
            asked_at: When it was asked for.
            age: How old it was then, in seconds, where the answer tells.
            estimate: How many seconds the service expects it to take from then.
        """
        if (state := self._states.get(generation_id)) is not None:
            state.unfinished(asked_at)
            if not state.certain and age is not None:
                state.origin, state.certain = asked_at - age, True
            self._take_estimate(state, asked_at, estimate)

    def videoless(self, generation_id: str, now: float) -> None:
        """Learn that an id has ended by now, though its video is not there yet."""
        if (state := self._states.get(generation_id)) is not None:
            state.videoless(now, self._policy.video_grace)

    def answered(self, poll: Poll, now: float, found: Collection[str]) -> None:
        """End a question that was answered.

        Args:
            poll: Which.
            now: The time.
            found: The ids that the answer holds. What it says of them is told before, by
                `finished`, `unfinished` and `videoless`.
        """
        self._requests -= 1
        self._backpressure.answered()
        self._bisection.reset()
        absent = [generation_id for generation_id in poll.ids if generation_id not in found]
        missed = [
            generation_id
            for generation_id in absent
            if generation_id in self._states and self._states[generation_id].met
        ]
        self.size.answered(poll.ids, found, missed)
        if poll.group is not None:
            self.size.record_mismatch(self._bisection.answered(poll.group))
        if found:
            # It may have been missing where others were asked for, and is there by itself.
            self.size.record_mismatch(poll.company)
        states = self._returned(poll)
        for state in states:
            state.failures = 0
            state.met = state.met or state.generation_id in found
            state.company = len(poll.ids) if state.generation_id not in found else 0
            state.asked = max(state.asked, poll.asked_at)
            state.earliest = now + self._policy.min_interval
        self._put(states, now)
        self._schedule.resize(self.size.limit)

    def failed(
        self,
        poll: Poll,
        now: float,
        meaning: Meaning,
        *,
        failure: object = None,
        retry_after: float | None = None,
    ) -> str | None:
        """End a question that was not answered.

        Args:
            poll: Which.
            now: The time.
            meaning: What the failure says.
            failure: How it failed, to tell whether it fails alike again.
            retry_after: The seconds for which the service asked to be left alone.

        Returns:
            The id that is to blame, where there is one: it was asked for alone, and the service
            refused that, or failed though others were answered meanwhile and none failed.
        """
        self._requests -= 1
        states = self._returned(poll)
        if meaning is Meaning.TOO_LARGE and len(poll.ids) > 1:
            self.size.refused(len(poll.ids))
            self._schedule.resize(self.size.limit)
            for state in states:
                self._schedule.force(state, now)
            return None
        if poll.group is None and not poll.alone:
            self._backpressure.record_failure()
        if len(poll.ids) > 1 or not (meaning is Meaning.REFUSED or self._is_well(states)):
            limited = meaning is Meaning.LIMITED
            self._backpressure.failed(poll.asked_at, now, limited=limited, retry_after=retry_after)
        if not meaning.may_be_for_ids:
            if poll.alone:
                for state in states:
                    self._alone.put(state, now + self._policy.min_interval)
            else:
                self._put(states, now)
            return None
        if len(poll.ids) > 1:
            if poll.group is None:
                refused = meaning is Meaning.REFUSED
                self._bisection.retry_group(poll.ids, failure, refused=refused)
            else:
                self._bisection.failed(poll.group, failure)
            return None
        return self._failed_alone(states, now, meaning)

    def seconds_left(self, generation_id: str, now: float) -> float | None:
        """Return in how many seconds an id will more likely have ended than not."""
        return self._states[generation_id].seconds_left(now)

    def _failed_alone(
        self, states: Sequence[PollState], now: float, meaning: Meaning
    ) -> str | None:
        blamed = None
        for state in states:
            if meaning is Meaning.REFUSED or self._is_well(states):
                blamed = state.generation_id
                self._bisection.reset()
            state.noted = self._backpressure.counts
            state.failures = min(state.failures + 1, _MAX_DOUBLINGS)
            shortest, longest = self._policy.min_interval, self._policy.max_interval
            self._alone.put(state, now + min(shortest * 2 ** (state.failures - 1), longest))
        return blamed

    def _is_well(self, states: Sequence[PollState]) -> bool:
        """Whether the service has been well for others since these failed last."""
        return any(
            state.failures and self._backpressure.is_well_since(state.noted) for state in states
        )

    def _returned(self, poll: Poll) -> Sequence[PollState]:
        """Return the plans of a question that has ended, those of them that are still wanted."""
        self._under_way.difference_update(poll.ids)
        states = [
            self._states[generation_id]
            for generation_id in poll.ids
            if generation_id in self._states
        ]
        return [state for state in states if state.entry is None and state.alone_at is None]

    def _take_estimate(self, state: PollState, now: float, estimate: float | None) -> None:
        shortest = self._policy.min_interval
        state.take_estimate(now, estimate, shortest, self.durations.estimated)

    def _put(self, states: Sequence[PollState], now: float) -> None:
        self._schedule.put(states, now, len(self._states))

    def _withdraw(self, state: PollState) -> None:
        state.alone_at = None
        self._schedule.withdraw(state)
