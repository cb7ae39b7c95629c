"""Which ids are asked for next: together with others, or in a request of their own."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable
from itertools import count
from typing import Generic, Protocol, TypeVar

from attrs import define, field

Entry = tuple[float, int]


class Queued(Protocol):
    """What a queue holds; the queue keeps its time and a number, or None while it is in none."""

    entry: Entry | None


class Isolated(Protocol):
    """What is asked for alone; the queue keeps the time, or None where it is not."""

    alone_at: float | None


Q = TypeVar("Q", bound=Queued)
I = TypeVar("I", bound=Isolated)  # noqa: E741 - a type variable


@define(eq=False)
class DueQueue(Generic[Q]):
    """States by time. Adding and removing cost no more than the logarithm of their number.

    The front is a short sorted list; behind it is a heap. What is removed from the heap stays
    in it until it comes up.
    """

    _size: int
    _front: list[tuple[float, int, Q]] = field(factory=list, init=False)
    _rest: list[tuple[float, int, Q]] = field(factory=list, init=False)
    _numbers: "count[int]" = field(factory=count, init=False)

    def __bool__(self) -> bool:
        return bool(self._front)

    @property
    def front(self) -> list[Q]:
        """Those that are next, the first first."""
        return [item[2] for item in self._front]

    def put(self, state: Q, time: float) -> bool:
        """Add a state that is in no queue; return whether it is in the front."""
        state.entry = entry = time, next(self._numbers)
        item = (*entry, state)
        if len(self._front) >= self._size and item > self._front[-1]:
            heapq.heappush(self._rest, item)
            return False
        insort(self._front, item)
        self._trim()
        return True

    def remove(self, state: Q) -> bool:
        """Take a state out, if it is in; return whether it was in the front."""
        entry, state.entry = state.entry, None
        if entry is None or not self._front or entry > self._front[-1][:2]:
            return False
        del self._front[bisect_left(self._front, entry)]
        self._refill()
        return True

    def take(self, wanted: Callable[[Q], bool]) -> list[Q]:
        """Take those out of the front that are wanted."""
        taken = [state for state in self.front if wanted(state)]
        for state in taken:
            state.entry = None
        self._front = [item for item in self._front if item[2].entry is not None]
        self._refill()
        return taken

    def resize(self, size: int) -> None:
        """Change the length of the front."""
        self._size = size
        self._trim()
        self._refill()

    def _trim(self) -> None:
        while len(self._front) > self._size:
            heapq.heappush(self._rest, self._front.pop())

    def _refill(self) -> None:
        while self._rest and len(self._front) < self._size:
            item = heapq.heappop(self._rest)
            if item[2].entry == item[:2]:
                self._front.append(item)


@define(eq=False)
class IsolatedQueue(Generic[I]):
    """What is asked for alone, as it spoils requests, or is missing from them.

    One whose time has changed is passed over.
    """

    _heap: list[tuple[float, int, I]] = field(factory=list, init=False)
    _numbers: "count[int]" = field(factory=count, init=False)

    @property
    def due(self) -> float | None:
        """When the next is due; None without any."""
        while self._heap and self._heap[0][2].alone_at != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def put(self, state: I, due: float) -> None:
        """Ask for a state at a time, and at none that was set before."""
        state.alone_at = due
        heapq.heappush(self._heap, (due, next(self._numbers), state))

    def take(self, now: float) -> I | None:
        """Take the one that is due, if there is one."""
        due = self.due
        if due is None or due > now:
            return None
        state = heapq.heappop(self._heap)[2]
        state.alone_at = None
        return state
