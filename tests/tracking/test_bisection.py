"""Finding the one id that spoils a request for all others."""

import math

import pytest
from hypothesis import given, strategies as st

from luma_async._tracking.sansio.bisection import Bisection, Group

NAMES = [f"g-{number}" for number in range(20)]


def search(
    names: list[str], culprits: set[str], *, bisection: Bisection[str]
) -> tuple[int, set[str]]:
    """Ask until nobody is suspected any more; tell how often, and who was cleared."""
    requests = 0
    cleared: set[str] = set()
    bisection.retry_group(names, "broken")
    while bisection:
        group = bisection.next()
        requests += 1
        if not culprits & set(group.members):
            bisection.reset()
            bisection.answered(group)
            cleared.update(group.members)
        elif len(group.members) > 1:
            bisection.failed(group, "broken")
    return requests, cleared


def test_without_an_accusation_nobody_is_suspected() -> None:
    """There is nothing to ask for."""
    assert not Bisection()


@pytest.mark.parametrize("many", range(1, 21))
def test_s16_one_culprit_is_found_in_few_requests(many: int) -> None:
    """One more for all, and two for each halving, wherever it stands."""
    for place in range(many):
        names = NAMES[:many]
        requests, cleared = search(names, {names[place]}, bisection=Bisection())
        assert {*names} - {names[place]} == cleared
        assert requests <= 2 * math.ceil(math.log2(many)) + 1


@given(st.lists(st.sampled_from(NAMES), unique=True, min_size=2, max_size=2), st.integers(1, 20))
def test_s17_two_culprits_are_found(culprits: list[str], many: int) -> None:
    """Each costs no more than one by itself."""
    names = NAMES[:many]
    requests, cleared = search(names, {*culprits}, bisection=Bisection())
    assert {*names} - {*culprits} == cleared
    assert requests <= 2 * (2 * math.ceil(math.log2(many)) + 1)


def test_what_failed_once_is_asked_for_as_it_was() -> None:
    """Most failures have nothing to do with what was asked for."""
    bisection = Bisection[str]()
    bisection.retry_group(NAMES, "broken")
    assert NAMES == bisection.next().members
    assert not bisection


def test_what_fails_in_another_way_is_not_halved() -> None:
    """A service in trouble fails in many ways; one id always spoils in the same."""
    bisection = Bisection[str]()
    bisection.retry_group(NAMES, "broken")
    for failure in ("hanging", "broken", "hanging"):
        bisection.failed(bisection.next(), failure)
        group = bisection.next()
        assert (NAMES, failure) == (group.members, group.failure)
        assert not bisection
        bisection.failed(group, f"not {failure}")


def test_halves_that_fail_are_halved_at_once() -> None:
    """That their company fails alike twice has been seen."""
    bisection = Bisection[str]()
    bisection.failed(Group(NAMES[:5], "broken"), "broken")
    first, second = bisection.next(), bisection.next()
    assert (NAMES[:3], NAMES[3:5]) == (first.members, second.members)
    assert (second, first) == (first.other, second.other)
    bisection.failed(first, "hanging")
    assert [NAMES[:2], NAMES[2:3]] == [bisection.next().members, bisection.next().members]


def test_an_outage_halves_at_most_ten_groups() -> None:
    """Without an answer in between, nothing speaks for a culprit."""
    bisection = Bisection[str]()
    for start in range(0, 1000, 20):
        bisection.retry_group([str(number) for number in range(start, start + 20)], "broken")
    groups = []
    for _ in range(1000):
        if not bisection:
            break
        group = bisection.next()
        if len(group.members) > 1:
            bisection.failed(group, "broken")
        else:
            groups.append(group.members)
    while bisection:
        groups.append(bisection.next().members)
    # Each halving makes one group more.
    assert 50 + 10 == len(groups)
    assert 1000 == len({name for names in groups for name in names})


def test_an_answer_lets_it_go_on() -> None:
    """Then the service is there, and an id may well be to blame."""
    bisection = Bisection[str]()
    for _ in range(10):
        bisection.failed(Group(NAMES, "broken"), "broken")
        bisection.next()
        bisection.next()
    group = Group(NAMES, "broken")
    bisection.failed(group, "broken")
    assert NAMES == bisection.next().members
    assert not bisection
    bisection.reset()
    bisection.failed(group, "broken")
    assert NAMES[:10] == bisection.next().members


def test_where_both_halves_are_answered_no_id_was_to_blame() -> None:
    """Their request may have been too large; its size is told once both are cleared."""
    bisection = Bisection[str]()
    for refused, size in ((True, 20), (False, 0)):
        bisection.failed(Group(NAMES, "broken", refused), "broken")
        first, second = bisection.next(), bisection.next()
        assert 0 == bisection.answered(first)
        # Where the service only failed, it may have been back by then.
        assert size == bisection.answered(second)


def test_what_was_never_halved_tells_no_size() -> None:
    """It was answered the second time, that is all."""
    bisection = Bisection[str]()
    bisection.retry_group(NAMES, "broken")
    assert 0 == bisection.answered(bisection.next())
