"""Ids that are asked for in requests of their own: who spoils requests, or is missing from them."""

import heapq
from itertools import count

from attrs import define, field

from luma_async._tracking.sansio.poll_state import PollState


@define(eq=False)
class IsolatedQueue:
    """Plans by the time at which each is asked for. One whose time has changed is passed over."""

    _queue: list[tuple[float, int, PollState]] = field(factory=list, init=False)
    _numbers: "count[int]" = field(factory=count, init=False)

    @property
    def due(self) -> float | None:
        """When the next is due; None without any."""
        while self._queue and self._queue[0][2].alone_at != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def put(self, state: PollState, due: float) -> None:
        """Ask for a plan at a time, and at none that was set before."""
        state.alone_at = due
        heapq.heappush(self._queue, (due, next(self._numbers), state))

    def take(self, now: float) -> PollState | None:
        """Take the one that is due, if there is one."""
        due = self.due
        if due is None or due > now:
            return None
        state = heapq.heappop(self._queue)[2]
        state.alone_at = None
        return state
