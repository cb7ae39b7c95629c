"""When a request is worth it: the rule by itself."""

import math
from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from luma_async._tracking.sansio.backpressure import Backpressure
from luma_async._tracking.sansio.hazard import EDGES, ESTIMATED, VAGUE, Hazard
from luma_async._tracking.sansio.poll_state import PollState
from luma_async._tracking.sansio.schedule import Schedule
from luma_async.settings import AGE_CLASSES, PollPolicy

WORTH = 0.5
UNIT = 45.0
FREE = PollPolicy(request_worth=WORTH, min_interval=1e-3, max_interval=1e5, jitter=0.0)
"""A policy whose bounds never hold."""


def constant(rate: float) -> Hazard:
    """Make the hazard of what ends at the same rate at any age."""
    return Hazard((rate,) * AGE_CLASSES)


def schedule(policy: PollPolicy = FREE, *, size: int = 20, chance: float = 0.5) -> Schedule:
    """Make a schedule in which chance always falls the same way."""
    return Schedule(policy, Backpressure(policy, lambda: chance), size, lambda: chance)


def plan(
    hazard: Hazard, *, asked: float = 0.0, origin: float = 0.0, unit: float = 1.0, name: str = "a"
) -> PollState:
    """Make the plan of an id that was unfinished when it was asked for."""
    return PollState(name, hazard, origin, unit, asked, certain=True, earliest=asked)


def names(plans: "list[PollState] | tuple[PollState, ...]") -> str:
    """Return the names of some plans in a row."""
    return "".join(each.generation_id for each in plans)


def waited(each: PollState, until: float, *, steps: int = 500) -> float:
    """Integrate P(T <= u | T > a) over the seconds from the last look to a time."""
    start, end = each.age(each.asked), each.age(until)
    width = (end - start) / steps
    hazard = total = 0.0
    for step in range(steps):
        age = start + (step + 0.5) * width
        rate = each.hazard.rates[bisect_right(EDGES, age) - 1]
        total += -math.expm1(-(hazard + rate * width / 2)) * width
        hazard += rate * width
    return total * each.unit


@pytest.mark.parametrize("rate", [0.001, 0.003, 0.01, 0.03, 0.1])
def test_one_id_is_asked_for_at_keller_s_density(rate: float) -> None:
    """For a constant hazard h the interval is sqrt(2 * c / h)."""
    some = schedule()
    one = plan(constant(rate))
    now, times = 0.0, [0.0]
    for _ in range(5):
        some.put([one], now, 1)
        now = some.due(now)
        assert [one] == some.take(now)
        one.asked = now
        times.append(now)
    expected = math.sqrt(2 * WORTH / rate)
    for sooner, later in pairwise(times):
        # Where many end within one interval, fewer are left to end.
        assert expected * 0.99 <= later - sooner <= expected * (1 + rate * expected / 4)


@pytest.mark.parametrize("many", [1, 2, 5, 20])
def test_many_ids_share_the_worth_of_a_request(many: int) -> None:
    """As many as fit wait together, and are heard of the sooner."""
    some = schedule()
    plans = [plan(constant(0.01)) for _ in range(many)]
    some.put(plans, 0.0, many)
    due = some.due(0.0)
    assert math.isclose(math.sqrt(2 * WORTH / 0.01 / many), due, rel_tol=0.03)
    assert math.isclose(WORTH, sum(waited(each, due) for each in plans), rel_tol=0.03)


def test_more_than_fit_into_a_request_do_not_hurry_it() -> None:
    """They go into the next one."""
    some = schedule(size=2)
    some.put([plan(constant(0.01)) for _ in range(50)], 0.0, 50)
    assert math.isclose(math.sqrt(2 * WORTH / 0.01 / 2), some.due(0.0), rel_tol=0.03)


@pytest.mark.protocol
@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 150), st.floats(0, 5)), min_size=1, max_size=20),
)
def test_ids_of_any_ages_are_asked_for_when_their_waiting_is_worth_it(
    snapshots: list[tuple[float, float]],
) -> None:
    """The sum of what they have probably waited, integrated, is what a request is worth."""
    some = schedule()
    hazard = Hazard()
    plans = [
        plan(hazard, asked=1000.0 - ago, origin=1000.0 - ago - age, unit=UNIT)
        for age, ago in snapshots
    ]
    some.put(plans, 1000.0, len(plans))
    due = some.due(1000.0)
    total = sum(waited(each, due) for each in plans if each.asked < due)
    assert math.isclose(WORTH, total, rel_tol=0.1)


@settings(deadline=None)
@given(st.sampled_from([VAGUE, ESTIMATED]), st.floats(0, 150), st.integers(1, 20))
def test_ids_of_one_age_are_asked_for_when_their_waiting_is_worth_it(
    prior: tuple[float, ...], age: float, many: int
) -> None:
    """However steeply it becomes likely that they have ended."""
    some = schedule()
    hazard = Hazard(prior)
    plans = [plan(hazard, asked=1000.0, origin=1000.0 - age, unit=UNIT) for _ in range(many)]
    some.put(plans, 1000.0, many)
    due = some.due(1000.0)
    assert math.isclose(WORTH, many * waited(plans[0], due), rel_tol=0.1)


@pytest.mark.protocol
@settings(deadline=None)
@given(st.lists(st.floats(0, 150), min_size=1, max_size=20))
def test_ids_of_any_ages_whose_end_is_known_well_are_asked_for_nearly_then(
    ages: list[float],
) -> None:
    """A parabola falls short of what rises so steeply; the request is late by little."""
    some = schedule()
    hazard = Hazard(ESTIMATED)
    plans = [plan(hazard, asked=1000.0, origin=1000.0 - age, unit=UNIT) for age in ages]
    some.put(plans, 1000.0, len(plans))
    due = some.due(1000.0)
    assert 0.9 * WORTH <= sum(waited(each, due) for each in plans) <= 2 * WORTH
    sooner = 1000.0 + (due - 1000.0) * 0.75
    assert sum(waited(each, sooner) for each in plans) <= WORTH


@pytest.mark.parametrize("worth", [0.1, 0.5, 2.0])
def test_four_times_the_worth_is_twice_the_interval(worth: float) -> None:
    """Half the requests for double the delay."""
    policies = [
        PollPolicy(request_worth=each, min_interval=1e-3, max_interval=1e5, jitter=0.0)
        for each in (worth, 4 * worth)
    ]
    dues = []
    for policy in policies:
        some = schedule(policy)
        some.put([plan(constant(0.001))], 0.0, 1)
        dues.append(some.due(0.0))
    assert math.isclose(2.0, dues[1] / dues[0], rel_tol=0.03)


def test_after_429_intervals_are_longer() -> None:
    """A request that is four times as dear is made at twice the interval."""
    backpressure = Backpressure(FREE, lambda: 0.5)
    some = Schedule(FREE, backpressure, 20, lambda: 0.5)
    backpressure.failed(0.0, 0.0, limited=True, retry_after=None)
    some.put([plan(constant(0.001))], 0.0, 1)
    assert math.isclose(2 * math.sqrt(2 * WORTH / 0.001), some.due(0.0), rel_tol=0.03)


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
def test_intervals_vary_by_the_jitter(chance: float, share: float) -> None:
    """Many clients do not ask in step."""
    policy = PollPolicy(request_worth=WORTH, min_interval=1e-3, max_interval=1e5, jitter=0.1)
    some = schedule(policy, chance=chance)
    some.put([plan(constant(0.001))], 0.0, 1)
    assert math.isclose(share * math.sqrt(2 * WORTH / 0.001), some.due(0.0), rel_tol=0.03)


def test_none_is_left_alone_for_longer_than_the_longest_interval() -> None:
    """Whatever was learned of how long it takes."""
    some = schedule(PollPolicy(max_interval=60.0, jitter=0.5), chance=1.0)
    one = plan(constant(1e-9), asked=100.0)
    some.put([one], 100.0, 1)
    assert 160.0 == some.due(100.0)


def test_one_that_has_waited_longest_takes_the_others_along() -> None:
    """A request with room to spare costs the same."""
    some = schedule(PollPolicy(max_interval=60.0, jitter=0.0))
    old = plan(constant(1e-9), asked=100.0)
    young = plan(constant(1e-4), asked=150.0, name="b")
    some.put([young, old], 150.0, 2)
    assert 160.0 == some.due(150.0)
    assert "ab" == names([*some.take(160.0)])


def test_none_is_left_alone_for_longer_once_its_company_is_gone() -> None:
    """What it was to share it now has to wait for by itself, but no longer than that."""
    some = schedule(PollPolicy(max_interval=60.0, jitter=0.0))
    plans = [plan(constant(2e-5)) for _ in range(20)]
    some.put(plans, 0.0, 20)
    for each in plans[1:]:
        some.withdraw(each)
    assert 60.0 == some.due(0.0)


def test_none_is_asked_for_before_the_shortest_interval_is_over() -> None:
    """However likely it has ended; those that are not yet due are left behind."""
    some = schedule()
    first, second = plan(constant(100.0)), plan(constant(100.0), name="b")
    first.earliest, second.earliest = 5.0, 6.0
    some.put([second, first], 0.0, 1)
    assert 5.0 == some.due(0.0)
    assert "a" == names([*some.take(5.0)])
    assert math.isclose(6.0, some.due(5.0))
    assert "b" == names([*some.take(6.1)])
    assert not some


def test_one_that_was_held_up_is_asked_for_as_soon_as_it_may_be() -> None:
    """It has waited enough for a request of its own, whoever else is in the queue."""
    some = schedule()
    held = plan(constant(100.0))
    held.earliest = 5.0
    some.put([held, *(plan(constant(1e-6), name="b") for _ in range(19))], 0.0, 20)
    assert waited(held, 5.0) > WORTH
    assert 5.0 == some.due(0.0)


def test_requests_soon_after_one_another_go_together() -> None:
    """What is due within a tenth of its interval after a request goes out along with it."""
    some = schedule(size=1)
    first, soon, later = (
        plan(constant(0.01), asked=asked, name=name)
        for name, asked in [("a", 0.0), ("b", 0.5), ("c", 5.0)]
    )
    some.put([first, soon, later], 0.0, 3)
    due = some.due(0.0)
    assert "a" == names([*some.take(due)])
    assert due == some.due(due)
    assert "b" == names([*some.take(due)])
    assert due + 4 < some.due(due)


def test_one_in_a_hurry_is_due_at_once() -> None:
    """It takes those along that may be asked for, and nobody waits for the rest."""
    some = schedule()
    slow, hurried = plan(constant(0.001)), plan(constant(0.001), name="b")
    slow.earliest = 5.0
    some.put([slow], 0.0, 2)
    assert 5.0 < some.due(0.0)
    some.force(hurried, 2.0)
    assert 2.0 == some.due(2.0)
    assert "b" == names([*some.take(2.0)])


def test_steady_intervals_are_kept_whatever_is_likely() -> None:
    """Where what is waited for has no hazard."""
    some = schedule()
    one = plan(constant(1e-9), asked=10.0)
    one.interval = 3.0
    some.put([one], 10.0, 1)
    assert 13.0 == some.due(10.0)


def test_one_that_was_withdrawn_is_not_asked_for() -> None:
    """Whether it was next or far behind."""
    some = schedule(size=1)
    first, second, third = (
        plan(constant(0.01), asked=float(number), name=name) for number, name in enumerate("abc")
    )
    some.put([first, second, third], 2.0, 3)
    due = some.due(2.0)
    some.withdraw(second)
    assert due == some.due(2.0)
    some.withdraw(first)
    assert due + 1.5 < some.due(2.0)
    assert "c" == names([*some.take(100.0)])
    some.withdraw(third)
    assert not some


def test_another_size_lets_fewer_share() -> None:
    """The others are next once these are gone."""
    some = schedule(size=4)
    some.put([plan(constant(0.01), name=name) for name in "abcd"], 0.0, 4)
    due = some.due(0.0)
    some.resize(4)
    assert due == some.due(0.0)
    some.resize(2)
    assert due * 1.3 < some.due(0.0)
    assert "ab" == names([*some.take(20.0)])
    assert "cd" == names([*some.take(20.0)])


def teach(hazard: Hazard, age: float, times: int = 60) -> None:
    """Let many be seen to end around an age."""
    for _ in range(times):
        hazard.observe(age * 0.95, age * 1.05, finished=True)


def test_what_is_learned_moves_those_that_are_next() -> None:
    """They are planned anew before a request is made for them."""
    slow, quick = Hazard(), Hazard()
    dues = []
    for hazard, age in ((slow, 3.0), (quick, 0.2)):
        some = schedule(size=2)
        some.put([plan(hazard, unit=UNIT) for _ in range(9)], 0.0, 9)
        teach(hazard, age)
        for _ in range(20):
            hazard.observe(0.0, age * 0.9, finished=False)
        dues.append(some.due(0.0))
    assert dues[1] < 0.2 * UNIT < dues[0]


def test_what_is_learned_moves_nobody_who_is_in_a_hurry() -> None:
    """Nothing that is known of the others makes it wait."""
    hazard = Hazard()
    some = schedule()
    one = plan(hazard, unit=UNIT)
    some.force(one, 1.0)
    teach(hazard, 3.0)
    assert 1.0 == some.due(1.0)


def test_little_that_is_learned_moves_nobody() -> None:
    """The queue is not turned over for a difference that nobody notices."""
    hazard = constant(0.01)
    some = schedule(PollPolicy(request_worth=WORTH, max_interval=60.0, jitter=0.0))
    one = plan(hazard, unit=1.0)
    some.put([one], 0.0, 1)
    entry = one.entry
    hazard.observe(0.0, 0.01, finished=False)
    assert one.revision < hazard.revision
    some.due(0.0)
    assert one.revision == hazard.revision
    assert entry == one.entry
