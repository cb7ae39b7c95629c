"""Who is asked for next: plans in the order of their times, the first of them at hand."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable
from itertools import count
from typing import Generic, Protocol, TypeVar

from attrs import define, field

Entry = tuple[float, int]


class Planned(Protocol):
    """What an agenda holds.

    Attributes:
        entry: Its time and a number, kept by the agenda; None while it is in none.
    """

    entry: Entry | None


P = TypeVar("P", bound=Planned)


@define(eq=False)
class DueQueue(Generic[P]):
    """Plans by time. Adding and removing cost no more than the logarithm of their number.

    The front is a short sorted list; behind it is a heap. What is removed from the heap stays
    in it until it comes up.
    """

    _size: int
    _front: list[tuple[float, int, P]] = field(factory=list, init=False)
    _rest: list[tuple[float, int, P]] = field(factory=list, init=False)
    _numbers: "count[int]" = field(factory=count, init=False)

    def __bool__(self) -> bool:
        return bool(self._front)

    @property
    def front(self) -> list[P]:
        """Those that are next, the first first."""
        return [item[2] for item in self._front]

    def put(self, state: P, time: float) -> bool:
        """Add a plan that is in no agenda; tell whether it is in the front."""
        state.entry = entry = time, next(self._numbers)
        item = (*entry, state)
        if len(self._front) >= self._size and item > self._front[-1]:
            heapq.heappush(self._rest, item)
            return False
        insort(self._front, item)
        self._trim()
        return True

    def remove(self, state: P) -> bool:
        """Take a plan out, if it is in; tell whether it was in the front."""
        entry, state.entry = state.entry, None
        if entry is None or not self._front or entry > self._front[-1][:2]:
            return False
        del self._front[bisect_left(self._front, entry)]
        self._refill()
        return True

    def take(self, wanted: Callable[[P], bool]) -> list[P]:
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
