"""Which ids to ask for, when, and what follows from how that ended.

Ordinarily an id is asked for together with others, at the time that the `Schedule` finds. Some
stand apart: those of a request that failed for what it may hold, which are asked for again in
halves until the one is found that spoils it, and those that are asked for alone.
"""

import random
from collections.abc import Callable, Collection, Sequence

from attrs import define, field

from luma_async._api.sansio.http_status import PollFailure
from luma_async._tracking.sansio.backpressure import Backpressure
from luma_async._tracking.sansio.batch_size import BatchSize
from luma_async._tracking.sansio.bisection import Bisection
from luma_async._tracking.sansio.due_queue import IsolatedQueue
from luma_async._tracking.sansio.duration_models import DurationModels, Kind
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
        durations: How long generations take.
    """

    _policy: PollPolicy
    _ids_per_request: int
    _random: Callable[[], float] = random.random
    size: BatchSize = field(init=False)
    durations: DurationModels = field(init=False)
    _backpressure: Backpressure = field(init=False)
    _schedule: Schedule = field(init=False)
    _bisection: Bisection[PollState] = field(factory=Bisection, init=False)
    _isolated: IsolatedQueue[PollState] = field(factory=IsolatedQueue, init=False)
    _waiting: int = field(default=0, init=False)
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
        at_once: bool = False,
    ) -> PollState:
        """Begin to ask for an id that is not asked for yet.

        One that was asked for before, and left before its end, is taken up where it was left:
        many short waits neither ask more often nor start anew each time.

        An `age` is `certain` where the start is known and it was unfinished then; the `estimate`
        counts from its start then, and else from now. `at_once` asks for a new one now.
        """
        self._waiting += 1
        state = self._left.pop(generation_id, None)
        if state is not None:
            state.wanted = True
            # One that is asked for at this moment waits for that response.
            if not state.under_way:
                self._put([state], now)
            return state
        origin = now - age
        hazard, unit = self.durations.of(kind), self.durations.unit
        state = PollState(generation_id, hazard, origin, unit, origin, certain)
        state.earliest = origin + self._policy.min_interval
        self._take_estimate(state, origin if certain else now, estimate)
        if at_once:
            self._schedule.force(state, now)
        else:
            self._put([state], now)
        return state

    def discard(self, state: PollState) -> None:
        """Stop asking for an id."""
        self._waiting -= 1
        state.wanted = False
        self._withdraw(state)
        if not state.ended:
            self._left[state.generation_id] = state
            if len(self._left) > _MAX_LEFT:
                del self._left[next(iter(self._left))]

    def expedite(self, state: PollState, now: float) -> None:
        """Make an id due now, unless it is being asked for at this moment."""
        if state.alone_at is not None:
            self._isolated.put(state, now)
        elif state.entry is not None:
            self._withdraw(state)
            self._schedule.force(state, now)

    def poll_alone(self, state: PollState, now: float) -> None:
        """Ask for an id alone, now: what that response says is certain."""
        if not state.under_way:
            self._withdraw(state)
            self._isolated.put(state, now)

    def next_request(self, now: float) -> float | None:
        """Return the time of the next request; None where nothing is to be asked for."""
        # While the service fails, one request at a time looks whether it is back.
        if self._backpressure.is_pausing and self._requests:
            return None
        while self._bisection and not any(one.wanted for one in self._bisection.first.members):
            self._bisection.next()
        times = [] if (due := self._isolated.due) is None else [due]
        if self._bisection:
            times.append(now)
        if self._schedule:
            times.append(self._schedule.due(now))
        return max(min(times), self._backpressure.not_before) if times else None

    def next_poll(self, now: float) -> Poll | None:
        """Choose the ids of a request that is made now; None if it is not time for one.

        Each poll is ended by `answered` or `failed`.
        """
        due = self.next_request(now)
        if due is None or due > now:
            return None
        poll = self._choose(now)
        for state in poll.states:
            state.under_way = True
        self._requests += 1
        return poll

    def _choose(self, now: float) -> Poll:
        while self._bisection:
            group = self._bisection.next()
            group.members = wanted = [state for state in group.members if state.wanted]
            for state in wanted:
                self._withdraw(state)
            if 0 < len(wanted) <= self.size.limit:
                return Poll(wanted, now, "to find the id that spoils requests", group)
            # The size of a request has been learned since.
            self._put(wanted, now)
        # While nothing is answered, ids that spoil requests are not to be all that is tried.
        states = self._schedule.take(now) if self._backpressure.is_pausing else ()
        if not states and (lone := self._isolated.take(now)) is not None:
            reason = "for that id alone"
            return Poll([lone], now, reason, alone=True, missing_from=lone.missing_from)
        states = states or self._schedule.take(now)
        reason = "as they have probably waited long enough together"
        if any(one.forced or now - one.asked >= self._policy.max_interval for one in states):
            reason = "as one of them is to wait no longer"
        return Poll(states, now, reason)

    def unfinished(
        self,
        state: PollState,
        asked_at: float,
        *,
        age: float | None = None,
        estimate: float | None = None,
    ) -> None:
        """Learn that an id had not ended when it was asked for.

        `age` and `estimate` are what the response says, in seconds at `asked_at`.
        """
        state.unfinished(asked_at)
        if not state.certain and age is not None:
            state.origin, state.certain = asked_at - age, True
        self._take_estimate(state, asked_at, estimate)

    def answered(self, poll: Poll, now: float, found: Collection[str]) -> None:
        """End a poll that was answered.

        What the response says of the ids that were found is learned before.
        """
        self._requests -= 1
        self._backpressure.answered()
        self._bisection.reset()
        missed = [
            one.generation_id
            for one in poll.states
            if one.generation_id not in found and one.wanted and one.met
        ]
        self.size.answered(poll.ids, found, missed)
        if poll.group is not None:
            self.size.record_mismatch(self._bisection.answered(poll.group))
        if found:
            # It may have been missing where others were asked for, and is there alone.
            self.size.record_mismatch(poll.missing_from)
        states = self._returned(poll)
        for state in states:
            is_found = state.generation_id in found
            state.failures = 0
            state.met = state.met or is_found
            state.missing_from = 0 if is_found else len(poll.states)
            state.asked = max(state.asked, poll.asked_at)
            state.earliest = now + self._policy.min_interval
        self._put(states, now)
        self._schedule.resize(self.size.limit)

    def failed(
        self,
        poll: Poll,
        now: float,
        failure: PollFailure,
        *,
        kind: object = None,
        retry_after: float | None = None,
    ) -> str | None:
        """End a poll that was not answered.

        Args:
            poll: Which.
            now: The time.
            failure: What the failure says.
            kind: How it failed, to tell whether it fails alike again.
            retry_after: The seconds for which the service asked for no requests.

        Returns:
            The id that is to blame, where there is one: it was asked for alone, and the service
            refused that, or failed though others were answered meanwhile and none failed.
        """
        self._requests -= 1
        count = len(poll.states)
        states = self._returned(poll)
        if failure is PollFailure.TOO_LARGE and count > 1:
            self.size.refused(count)
            self._schedule.resize(self.size.limit)
            for state in states:
                self._schedule.force(state, now)
            return None
        if poll.group is None and not poll.alone:
            self._backpressure.record_failure()
        if count > 1 or not (failure is PollFailure.REFUSED or self._is_well(states)):
            limited = failure is PollFailure.LIMITED
            self._backpressure.failed(poll.asked_at, now, limited=limited, retry_after=retry_after)
        if not failure.may_be_for_ids:
            if poll.alone:
                for state in states:
                    self._isolated.put(state, now + self._policy.min_interval)
            else:
                self._put(states, now)
            return None
        if count > 1:
            if poll.group is None:
                refused = failure is PollFailure.REFUSED
                self._bisection.retry_group(poll.states, kind, refused=refused)
            else:
                self._bisection.failed(poll.group, kind)
            return None
        return self._failed_alone(states, now, failure)

    def _failed_alone(
        self, states: Sequence[PollState], now: float, failure: PollFailure
    ) -> str | None:
        offender = None
        for state in states:
            if failure is PollFailure.REFUSED or self._is_well(states):
                offender = state.generation_id
                self._bisection.reset()
            state.counts_at_failure = self._backpressure.counts
            state.failures = min(state.failures + 1, _MAX_DOUBLINGS)
            shortest, longest = self._policy.min_interval, self._policy.max_interval
            self._isolated.put(state, now + min(shortest * 2 ** (state.failures - 1), longest))
        return offender

    def _is_well(self, states: Sequence[PollState]) -> bool:
        """Whether the service has been well for others since these failed last."""
        is_well_since = self._backpressure.is_well_since
        return any(one.failures and is_well_since(one.counts_at_failure) for one in states)

    def _returned(self, poll: Poll) -> Sequence[PollState]:
        """Return the states of a poll that has ended, those of them that are still wanted."""
        for state in poll.states:
            state.under_way = False
        return [
            state
            for state in poll.states
            if state.wanted and state.entry is None and state.alone_at is None
        ]

    def _take_estimate(self, state: PollState, now: float, estimate: float | None) -> None:
        shortest = self._policy.min_interval
        state.take_estimate(now, estimate, shortest, self.durations.estimated)

    def _put(self, states: Sequence[PollState], now: float) -> None:
        self._schedule.put(states, now, self._waiting)

    def _withdraw(self, state: PollState) -> None:
        state.alone_at = None
        self._schedule.withdraw(state)
