"""Who is asked for next: held against a sorted list."""

import pytest
from attrs import define, field
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from luma_async._tracking.sansio.due_queue import DueQueue, Entry


@define(eq=False)
class Item:
    """Something that is to be done at a time."""

    name: str
    entry: Entry | None = field(default=None, init=False)


def names(items: list[Item]) -> str:
    """Return the names of some items in a row."""
    return "".join(item.name for item in items)


def test_an_empty_agenda_holds_nobody() -> None:
    """Nothing is next, and what is not in it cannot be taken out."""
    queue = DueQueue[Item](3)
    assert not queue
    assert [] == queue.front
    assert [] == queue.take(lambda _: True)
    assert queue.remove(Item("a")) is False


def test_the_front_is_those_that_are_next() -> None:
    """The others wait behind it, and come up when it has room."""
    queue = DueQueue[Item](2)
    items = {name: Item(name) for name in "abcd"}
    assert [True, True, True, False] == [
        queue.put(items[name], time) for name, time in [("c", 3.0), ("b", 2.0), ("a", 1.0)]
    ] + [queue.put(items["d"], 4.0)]
    assert "ab" == names(queue.front)
    assert queue.remove(items["c"]) is False
    assert queue.remove(items["a"]) is True
    assert "bd" == names(queue.front)


def test_of_those_at_the_same_time_the_first_to_come_is_first() -> None:
    """They queue."""
    queue = DueQueue[Item](2)
    for name in "abc":
        queue.put(Item(name), 1.0)
    assert "ab" == names(queue.take(lambda _: True))
    assert "c" == names(queue.front)


def test_one_that_was_moved_is_at_its_new_time_alone() -> None:
    """What it left behind in the queue is not taken for it."""
    queue = DueQueue[Item](1)
    queue.put(Item("a"), 1.0)
    moved = Item("b")
    for time in (5.0, 3.0, 4.0):
        queue.remove(moved)
        queue.put(moved, time)
    assert "a" == names(queue.take(lambda _: True))
    assert "b" == names(queue.front)
    assert "b" == names(queue.take(lambda _: True))
    assert not queue


@given(st.lists(st.floats(0, 100)), st.integers(1, 5))
def test_all_come_out_in_the_order_of_their_times(times: list[float], size: int) -> None:
    """Whatever the order in which they came."""
    queue = DueQueue[Item](size)
    for time in times:
        queue.put(Item(f"{time!r} "), time)
    taken = []
    while queue:
        taken += queue.take(lambda _: True)
    assert [f"{time!r} " for time in sorted(times)] == [item.name for item in taken]


class Changes(RuleBasedStateMachine):
    """Any series of changes, made to an agenda and to a sorted list."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 3
        self.queue = DueQueue[Item](self.size)
        self.model: list[tuple[Entry, Item]] = []
        self.out = [Item(f"{number}") for number in range(12)]

    @property
    def expected(self) -> list[Item]:
        """Return those that are next by the sorted list."""
        return [item for _, item in self.model[: self.size]]

    @precondition(lambda self: self.out)
    @rule(time=st.floats(0, 20) | st.sampled_from([1.0, 2.0]))
    def put(self, time: float) -> None:
        """Add one."""
        item = self.out.pop(0)
        is_next = self.queue.put(item, time)
        assert item.entry is not None
        assert time == item.entry[0]
        self.model.append((item.entry, item))
        self.model.sort(key=lambda pair: pair[0])
        assert is_next == (item in self.expected)

    @precondition(lambda self: self.model)
    @rule(place=st.integers(0, 11))
    def remove(self, place: int) -> None:
        """Take one out, wherever it stands."""
        item = self.model[place % len(self.model)][1]
        was_next = item in self.expected
        assert was_next == self.queue.remove(item)
        self._is_out([item])

    @rule(odd=st.booleans())
    def take(self, *, odd: bool) -> None:
        """Take some of those that are next."""
        wanted = [item for item in self.expected if int(item.name) % 2 == odd]
        assert wanted == self.queue.take(lambda item: int(item.name) % 2 == odd)
        self._is_out(wanted)

    @rule(size=st.integers(1, 6))
    def resize(self, size: int) -> None:
        """Let more or fewer be next."""
        self.size = size
        self.queue.resize(size)

    def _is_out(self, items: list[Item]) -> None:
        assert [None] * len(items) == [item.entry for item in items]
        self.model = [pair for pair in self.model if pair[1] not in items]
        self.out += items

    @invariant()
    def those_that_are_next_are_the_first(self) -> None:
        """The front is the beginning of the sorted list."""
        assert self.expected == self.queue.front
        assert bool(self.model) == bool(self.queue)


Changes.TestCase.settings = settings(deadline=None, max_examples=80, stateful_step_count=40)
TestAnySeriesOfChanges = pytest.mark.protocol(Changes.TestCase)
