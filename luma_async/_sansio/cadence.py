"""When to ask for which generations.

Every id has a time at which it is due. A request carries the ids that are due and is filled up
with those that will be next, since a request with room to spare costs the same. After an answer
an id that is not finished becomes due again after its interval:

* as long as the service's own estimate has not passed: what is left of it;
* from then on: a share (`PollPolicy.growth`) of the time for which nothing has changed.

Both are kept between `PollPolicy.min_interval` and `PollPolicy.max_interval`, vary by
`PollPolicy.jitter`, and are stretched while the service asks for fewer requests, to twice the
longest at most.

A request that fails twice for what it holds may have one id that spoils it for the others. Its ids
are then asked for in halves, and halves of halves, until that one is alone.
"""

import heapq
import random
from collections.abc import Callable, Collection
from itertools import count

from attrs import define, field

from luma_async.settings import PollPolicy

_MAX_STRETCH = 8.0
_RECOVERY = 0.5
_ALIKE = 2
_LONGEST_REST = 120.0


@define(eq=False)
class _Plan:
    """What is known of one id.

    Attributes:
        due: When to ask for it; None while it is being asked for.
        expected: When it is, or was, expected to change.
        most: How many ids a request with this one may hold.
        spoiled: How many requests in a row failed for what they held, this id included.
    """

    due: float | None
    expected: float
    most: int
    spoiled: int = 0


@define(eq=False)
class Cadence:
    """Plans the status requests of one client. Times are seconds of any steady clock."""

    _policy: PollPolicy
    _ids_per_request: int
    _chance: Callable[[], float] = random.random
    _plans: dict[str, _Plan] = field(factory=dict, init=False)
    # Entries whose time is no longer that of the plan are dropped when they come up.
    _queue: list[tuple[float, int, str]] = field(factory=list, init=False)
    _asked: set[str] = field(factory=set, init=False)
    _numbers: "count[int]" = field(factory=count, init=False)
    _requests: int = field(default=0, init=False)
    _stretch: float = field(default=1.0, init=False)
    _pause: float = field(default=0.0, init=False)
    _paused_at: float = field(default=float("-inf"), init=False)
    _not_before: float = field(default=float("-inf"), init=False)

    def add(self, name: str, now: float, *, estimate: float | None = None) -> None:
        """Begin to ask for an id that is not asked for yet."""
        plan = self._plans[name] = _Plan(
            due=None, expected=_expected(now, estimate), most=self._ids_per_request
        )
        # One that was discarded while it was asked for waits for that request to end.
        if name not in self._asked:
            self._schedule(name, now + self._varied(self._interval(plan, now)))

    def discard(self, name: str) -> None:
        """Stop asking for an id."""
        self._plans.pop(name, None)
        if not self._plans:
            self._queue.clear()

    def hasten(self, name: str, now: float) -> None:
        """Make an id due now, unless it is being asked for at this moment."""
        if self._plans[name].due is not None:
            self._schedule(name, now)

    def next_request(self) -> float | None:
        """Return the time of the next request; None where nothing is to be asked for."""
        self._drop_outdated()
        # While the service fails, one request at a time looks whether it is back.
        if not self._queue or (self._pause and self._requests):
            return None
        return max(self._queue[0][0], self._not_before)

    def take(self, now: float) -> list[str]:
        """Choose the ids of a request that is made now; none if it is not time for one.

        Each request that gets ids is ended by `answered` or `failed`.
        """
        due = self.next_request()
        if due is None or due > now:
            return []
        names: list[str] = []
        most = self._ids_per_request
        while self._queue:
            name = self._queue[0][2]
            most = min(most, self._plans[name].most)
            if len(names) >= most:
                break
            names.append(name)
            self._plans[name].due = None
            self._drop_outdated()
        self._asked.update(names)
        self._requests += 1
        return names

    def changed(self, name: str, now: float, *, estimate: float | None = None) -> None:
        """Note that an id has moved on, or that the service estimates it anew."""
        if name in self._plans:
            self._plans[name].expected = _expected(now, estimate)

    def answered(self, names: Collection[str], now: float) -> None:
        """End a request that was answered."""
        self._requests -= 1
        self._pause = 0.0
        self._stretch = max(1.0, self._stretch * _RECOVERY)
        for name in names:
            if (plan := self._plans.get(name)) is not None:
                plan.most, plan.spoiled = self._ids_per_request, 0
        self._schedule_again(names, now)

    def failed(
        self,
        names: Collection[str],
        *,
        asked_at: float,
        now: float,
        limited: bool = False,
        spoiled: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """End a request that was not answered, and slow down.

        Args:
            names: The ids of the request. They queue behind the others, so that a request that
                the service chokes on does not keep it from being asked for the rest.
            asked_at: When the request was made. Those that were under way together slow the
                client down once.
            now: The time.
            limited: Whether the service asked for fewer requests.
            spoiled: Whether what the request held may be why it failed.
            retry_after: The seconds for which it asked for none; two minutes are granted.
        """
        self._requests -= 1
        if asked_at >= self._paused_at:
            self._paused_at = now
            first = self._policy.min_interval / 4
            self._pause = min(max(first, 2 * self._pause), self._policy.max_interval)
            if limited:
                self._stretch = min(2 * self._stretch, _MAX_STRETCH)
        wait = max(self._varied(self._pause), min(retry_after or 0.0, _LONGEST_REST))
        self._not_before = max(self._not_before, now + wait)
        if spoiled:
            self._split(names, now)
        self._schedule_again(names, now)

    def _split(self, names: Collection[str], now: float) -> None:
        """Ask for ids in smaller company, and soon, if their request failed twice alike."""
        for name in names:
            if (plan := self._plans.get(name)) is not None:
                plan.spoiled += 1
                if plan.spoiled >= _ALIKE and len(names) > 1:
                    plan.most = (len(names) + 1) // 2
                    self._schedule(name, now)

    def _drop_outdated(self) -> None:
        while self._queue and not self._is_current(self._queue[0]):
            heapq.heappop(self._queue)

    def _schedule_again(self, names: Collection[str], now: float) -> None:
        vary = self._varied(1.0)
        self._asked.difference_update(names)
        for name in names:
            if (plan := self._plans.get(name)) is not None and plan.due is None:
                self._schedule(name, now + self._interval(plan, now) * vary)

    def _schedule(self, name: str, due: float) -> None:
        self._plans[name].due = due
        heapq.heappush(self._queue, (due, next(self._numbers), name))

    def _is_current(self, entry: tuple[float, int, str]) -> bool:
        plan = self._plans.get(entry[2])
        return plan is not None and plan.due == entry[0]

    def _interval(self, plan: _Plan, now: float) -> float:
        left = plan.expected - now
        interval = left if left > 0 else -left * self._policy.growth
        shortest, longest = self._policy.min_interval, self._policy.max_interval
        return min(self._stretch * min(max(interval, shortest), longest), 2 * longest)

    def _varied(self, seconds: float) -> float:
        return seconds * (1 + self._policy.jitter * (2 * self._chance() - 1))


def _expected(now: float, estimate: float | None) -> float:
    return now + max(0.0, estimate or 0.0)
