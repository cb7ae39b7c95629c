"""How many ids one request may hold."""

import pytest
from hypothesis import given, strategies as st

from luma_async._tracking.sansio.batch_size import BatchSize

NAMES = [f"g-{number}" for number in range(20)]


def test_at_first_it_is_what_is_allowed() -> None:
    """Nothing is taken off in advance."""
    assert 20 == BatchSize(20).limit


def test_a_request_that_is_too_long_halves_the_size_for_good() -> None:
    """Down to one id, and no answer raises it again."""
    size = BatchSize(20)
    sizes = []
    for _ in range(6):
        size.refused(size.limit)
        size.answered(NAMES[: size.limit], NAMES)
        sizes.append(size.limit)
    assert [10, 5, 2, 1, 1, 1] == sizes


def test_what_was_under_way_meanwhile_raises_nothing() -> None:
    """The half of a larger request may be more than is known to be too much."""
    size = BatchSize(20)
    size.refused(4)
    size.refused(20)
    assert 2 == size.limit


def test_a_size_that_is_doubted_once_stays() -> None:
    """It may have been chance."""
    size = BatchSize(20)
    size.record_mismatch(20)
    assert 20 == size.limit


def test_a_size_that_is_doubted_twice_is_halved() -> None:
    """And the next one has to be doubted twice again."""
    size = BatchSize(20)
    size.record_mismatch(20)
    size.record_mismatch(20)
    assert 10 == size.limit
    size.record_mismatch(10)
    assert 10 == size.limit
    size.record_mismatch(10)
    assert 5 == size.limit


def test_a_request_as_large_that_is_answered_removes_the_doubt() -> None:
    """A smaller one does not."""
    size = BatchSize(20)
    size.record_mismatch(20)
    size.answered(NAMES, NAMES)
    size.record_mismatch(20)
    assert 20 == size.limit
    size.answered(NAMES[:19], NAMES)
    size.record_mismatch(20)
    assert 10 == size.limit


@pytest.mark.parametrize("nothing", [0, 1])
def test_one_id_or_none_says_nothing_about_a_size(nothing: int) -> None:
    """There is no smaller request."""
    size = BatchSize(20)
    for _ in range(10):
        size.record_mismatch(nothing)
    assert 20 == size.limit


def test_s19_an_answer_that_ends_at_the_same_place_twice_is_all_there_is() -> None:
    """A service that answers the first ten alone is asked for ten."""
    size = BatchSize(20)
    size.answered(NAMES, NAMES[:10], NAMES[10:])
    assert 20 == size.limit
    size.answered(NAMES[::-1], NAMES[10:], NAMES[:10])
    assert 10 == size.limit


def test_h17_new_ids_that_are_not_found_yet_teach_nothing() -> None:
    """Old ones come first in a question, and what was just created takes a while to be found."""
    size = BatchSize(20)
    for _ in range(50):
        size.answered(NAMES, NAMES[:3])
    assert 20 == size.limit


def test_what_was_learned_in_an_outage_is_tried_again_ever_more_rarely() -> None:
    """After two hundred full answers twice as many are asked for, up to what is allowed."""
    size = BatchSize(20)
    size.refused(20)
    for wanted in (199, 1):
        assert 10 == size.limit
        for _ in range(wanted):
            size.answered(NAMES[:10], NAMES[:10])
    assert 20 == size.limit
    size.refused(20)
    for _ in range(399):
        size.answered(NAMES[:10], NAMES[:10])
    assert 10 == size.limit
    size.answered(NAMES[:10], NAMES[:10])
    assert 20 == size.limit


def test_a_doubt_is_cleared_by_an_answer_to_as_many() -> None:
    """Even where fewer wait than a request may hold."""
    size = BatchSize(20)
    size.record_mismatch(6)
    size.answered(NAMES[:6], NAMES[:6])
    size.record_mismatch(6)
    assert 20 == size.limit
    size.record_mismatch(6)
    assert 3 == size.limit


def test_s19_answers_that_end_at_different_places_teach_nothing() -> None:
    """Those that are missing were missing by themselves."""
    size = BatchSize(20)
    for held in (10, 11, 10, 12):
        size.answered(NAMES, NAMES[:held], NAMES[held:])
    assert 20 == size.limit


@pytest.mark.parametrize(
    "found",
    [[], NAMES, NAMES[:19], NAMES[1:], [*NAMES[:10], *NAMES[11:]], [*NAMES[:5], NAMES[19]]],
    ids=["none", "all", "last missing", "first missing", "one missing", "many missing"],
)
def test_s19_other_answers_teach_nothing(found: list[str]) -> None:
    """Nothing but the beginning of the list, with at least two missing, is cut."""
    size = BatchSize(20)
    for _ in range(4):
        size.answered(NAMES, found)
    assert 20 == size.limit


def test_s19_an_answer_that_is_whole_in_between_begins_anew() -> None:
    """Only two in a row are believed."""
    size = BatchSize(20)
    for _ in range(3):
        size.answered(NAMES, NAMES[:10])
        size.answered(NAMES, NAMES)
    assert 20 == size.limit


@given(
    st.lists(
        st.tuples(st.sampled_from(["refused", "doubted", "answered"]), st.integers(0, 25)),
        max_size=50,
    )
)
def test_the_size_only_falls_and_never_below_one(events: list[tuple[str, int]]) -> None:
    """Whatever is learned."""
    size = BatchSize(20)
    for event, number in events:
        before = size.limit
        if event == "refused":
            size.refused(number)
        elif event == "doubted":
            size.record_mismatch(number)
        else:
            size.answered(NAMES, NAMES[:number])
        assert 1 <= size.limit <= before
