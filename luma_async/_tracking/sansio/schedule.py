"""When to ask for which generations.

Asking often costs requests, asking rarely costs waiting: from the end of a generation to the
next question for it, somebody waits for a video that is there. J. B. Keller (*Optimum Checking
Schedules for Systems Subject to Random Failure*, Management Science 21(3), 1974) found how to
divide looks over the time of waiting for one event: with h(t) the rate at which it happens at
age t, if it has not yet, and c the price of a look in seconds of waiting, the best density of
looks is ``sqrt(h(t) / (2 * c))`` a second.

Here a look is shared by all that fit into a request, and their ages differ. So it is put as a
rule that needs no schedule. A generation that was unfinished at age a, and is of age t now, has
probably been waited for in vain for

    w = integral of P(T <= u | T > a) du, from a to t

seconds. A request goes out as soon as the w of those for whom it is heaviest, as many as it
holds, sum up to what it is worth (`PollPolicy.request_worth`). For one generation and a constant
hazard, ``w = h * d * d / 2`` after d seconds, which gives Keller's density.

What is known of T is learned (`luma_async._tracking.sansio.hazard`). To decide about 100,000
generations costs no more than about 100, as w is followed for the few that are next alone. The
others queue by the time at which their w reaches its part of a request's worth; when they come up,
that time is reviewed in the light of what was learned since.

These bounds always hold: no id is asked for again within `PollPolicy.min_interval` of an
answer, and none is left alone for more than `PollPolicy.max_interval`.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence

from attrs import define, field

from luma_async._tracking.sansio.backpressure import Backpressure
from luma_async._tracking.sansio.due_queue import DueQueue
from luma_async._tracking.sansio.poll_state import PollState
from luma_async.settings import PollPolicy

_ROUNDS_OF_REVIEW = 2
"""How often the front is reviewed before a decision: who is put off makes room for others."""
_NEGLIGIBLE = 0.02
"""By which share of its interval a plan has to move to change its place."""
_SLACK = 0.1
"""A request goes along with the last if it would be due within this share of the interval."""
_EXACT = 1e-3
_MAX_STEPS = 20


@define(eq=False)
class Schedule:
    """Plans in the order in which they are asked for, and when that is."""

    _policy: PollPolicy
    _backpressure: Backpressure
    _size: int
    _random: Callable[[], float] = random.random
    _queue: DueQueue[PollState] = field(init=False)
    _part: float = field(default=0.0, init=False)
    _longest: float = field(default=0.0, init=False)
    _variation: float = field(default=1.0, init=False)
    _taken_at: float = field(default=-math.inf, init=False)
    _trigger: float | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._queue = DueQueue(self._size)
        self._vary()

    def __bool__(self) -> bool:
        return bool(self._queue)

    def resize(self, size: int) -> None:
        """Change how many plans a request takes."""
        if size != self._size:
            self._size = size
            self._queue.resize(size)
            self._trigger = None

    def put(self, states: Iterable[PollState], now: float, waiting: int) -> None:
        """Add states that are in no schedule; `waiting` counts all, those in requests included."""
        # As many as share a request share what it is worth.
        worth = self._policy.request_worth * self._backpressure.cost_factor(now)
        self._part = worth / max(1, min(self._size, waiting))
        self._longest = self._backpressure.longest(now)
        for state in states:
            if self._queue.put(state, self._aim(state)):
                self._trigger = None

    def force(self, state: PollState, now: float) -> None:
        """Add a plan that is in no schedule, to be asked for at once."""
        state.forced, state.earliest = True, -math.inf
        self._queue.put(state, now)
        self._trigger = None

    def withdraw(self, state: PollState) -> None:
        """Take a plan out, if it is in."""
        if self._queue.remove(state):
            self._trigger = None

    def take(self, now: float) -> Sequence[PollState]:
        """Take those out that a request which is made now asks for."""
        self._trigger = None
        self._taken_at = now
        self._vary()
        return self._queue.take(lambda state: state.earliest <= now)

    def due(self, now: float) -> float:
        """Return when the next request is due, of a schedule that is not empty."""
        if self._trigger is None:
            self._review()
            self._trigger = self._find_trigger(now)
        return self._trigger

    def _vary(self) -> None:
        # The worth grows with the square of the interval.
        self._variation = (1 + self._policy.jitter * (2 * self._random() - 1)) ** 2

    def _aim(self, state: PollState) -> float:
        """Find the time at which the w of a plan reaches its part of a request's worth."""
        state.revision = state.hazard.revision
        state.forced = state.interval is not None
        if state.interval is not None:
            return max(state.asked + state.interval, state.earliest)
        next_poll = state.hazard.next_poll(state.age(state.asked), self._part / state.unit)
        due = state.asked + next_poll.delay * state.unit
        # The parabola that has the value and the slope of w at that time.
        state.start = due - 2 * self._part / next_poll.probability
        state.curve = next_poll.probability**2 / (2 * self._part)
        return max(min(due, state.asked + self._longest), state.earliest)

    def _review(self) -> None:
        """Plan those that are next anew if more has been learned since they were planned."""
        for _ in range(_ROUNDS_OF_REVIEW):
            front = self._queue.front
            stale = [state for state in front if state.revision != state.hazard.revision]
            if not stale:
                return
            for state in stale:
                if state.entry is None or state.earliest == -math.inf:
                    continue
                due = self._aim(state)
                if abs(due - state.entry[0]) > _NEGLIGIBLE * (due - state.asked):
                    self._queue.remove(state)
                    self._queue.put(state, due)

    def _find_trigger(self, now: float) -> float:
        """Find the time at which those who are next have together waited long enough.

        Some may not be asked for yet, and count from when they may.
        """
        front = self._queue.front
        worth = self._policy.request_worth * self._backpressure.cost_factor(now) * self._variation
        longest = self._backpressure.longest(now)
        free = [state for state in front if not state.forced]
        time = _when(free, worth)
        for moment in sorted({state.earliest for state in free if state.earliest > time}):
            time = _when([state for state in free if state.earliest < moment], worth)
            if time <= moment:
                break
            waiting = [state for state in free if state.earliest <= moment]
            time = max(_when(waiting, worth), moment)
            if time == moment:
                break
        forced = (state.entry[0] for state in front if state.forced and state.entry is not None)
        time = min([time, *forced, min([state.asked for state in front]) + longest])
        if time - self._taken_at <= _SLACK * (time - front[0].asked):
            # Soon after the last request it goes along with that.
            time = self._taken_at
        return max(time, min([state.earliest for state in front]))


def _when(states: Sequence[PollState], worth: float) -> float:
    """Return the time at which the parabolas of some plans sum up to a worth.

    By Newton's method, from the time when one of them does so alone; the sum is convex, and
    it comes down to the solution.
    """
    parabolas = [(state.start, state.curve) for state in states]
    time = min(
        (start + math.sqrt(2 * worth / curve) for start, curve in parabolas), default=math.inf
    )
    for _ in range(_MAX_STEPS if parabolas else 0):
        waited = growth = 0.0
        for start, curve in parabolas:
            if time > start:
                rate = curve * (time - start)
                waited += rate * (time - start) / 2
                growth += rate
        step = (waited - worth) / growth
        time -= step
        if step < _EXACT:
            break
    return time
