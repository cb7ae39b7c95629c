"""How likely a generation is to finish now, as learned from answers."""

import math
import random
from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from statistics import NormalDist, quantiles

import pytest
from hypothesis import given, settings, strategies as st

from luma_async._tracking.sansio.hazard import EDGES, ESTIMATED, VAGUE, Hazard, NextPoll
from luma_async.settings import AGE_CLASSES

SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
AGES = st.floats(0, 1e6)
WORTHS = st.floats(1e-6, 1e6)
STRETCHES = st.tuples(AGES, AGES).map(sorted)
OBSERVATIONS = st.lists(st.tuples(STRETCHES, st.booleans()), max_size=30)
CONSTANT = 0.5


def lognormal_quantile(mu: float, sigma: float, share: float) -> float:
    """Return the duration within which a share of lognormal durations end."""
    return math.exp(mu + sigma * NormalDist().inv_cdf(share))


def follow(hazard: Hazard, duration: float, interval: float) -> None:
    """Let a hazard learn of one generation as somebody does who asks at regular intervals."""
    age = 0.0
    while age + interval < duration:
        hazard.observe(age, age + interval, finished=False)
        age += interval
    hazard.observe(age, age + interval, finished=True)


def taught(
    durations: Callable[[random.Random], float],
    *,
    count: int = 600,
    interval: float = 0.2,
    seed: int = 1,
    hazard: Hazard | None = None,
) -> Hazard:
    """Follow many generations that are asked for at intervals which differ from one to another."""
    chance = random.Random(seed)
    hazard = Hazard() if hazard is None else hazard
    for _ in range(count):
        follow(hazard, durations(chance), interval * chance.uniform(0.5, 1.5))
    return hazard


def taught_lognormal(mu: float, sigma: float, *, count: int = 600) -> Hazard:
    """Follow many generations of lognormal durations."""
    return taught(
        lambda chance: chance.lognormvariate(mu, sigma),
        count=count,
        interval=0.1 * math.exp(mu),
    )


def two_peaks(chance: random.Random) -> float:
    """Draw a duration of a service that does most things fast and some slowly."""
    fast = chance.random() < 0.7
    return chance.lognormvariate(-0.7, 0.25) if fast else chance.lognormvariate(1.1, 0.25)


def waited(hazard: Hazard, age: float, delay: float) -> tuple[float, float]:
    """Integrate P(T <= age + u | T > age) over a delay, and find the chance at its end."""
    alive, total, end = 1.0, 0.0, age + delay
    k = bisect_right(EDGES, age) - 1
    while age < end:
        stop = min(end, EDGES[k + 1])
        rate, length = hazard.rates[k], stop - age
        lived = -math.expm1(-rate * length) / rate if rate else length
        total += length - alive * lived
        alive *= math.exp(-rate * length)
        age, k = stop, k + 1
    return total, 1 - alive


@pytest.mark.parametrize(
    ("prior", "sigma"),
    [pytest.param(VAGUE, 0.9, id="vague"), pytest.param(ESTIMATED, 0.3, id="estimated")],
)
def test_at_first_durations_are_taken_for_lognormal(prior: tuple[float, ...], sigma: float) -> None:
    """Half of them take as long as expected, or less."""
    hazard = Hazard(prior)
    expected = [lognormal_quantile(0, sigma, share) for share in SHARES]
    assert pytest.approx(expected, rel=0.02) == [hazard.age_at(share) for share in SHARES]
    assert pytest.approx(1, rel=0.005) == hazard.age_at(0.5)


@pytest.mark.parametrize("prior", [VAGUE, ESTIMATED], ids=["vague", "estimated"])
def test_each_class_of_age_has_a_rate(prior: tuple[float, ...]) -> None:
    """The classes cover all ages without a gap, each longer than the one before."""
    assert AGE_CLASSES == len(prior) == len(EDGES) - 1
    assert (0, math.inf) == (EDGES[0], EDGES[-1])
    assert all(a < b for a, b in pairwise(EDGES))


@pytest.mark.parametrize(
    ("mu", "sigma"), [pytest.param(1.3, 0.5, id="slow"), pytest.param(0.4, 0.2, id="regular")]
)
def test_how_long_generations_take_is_learned(mu: float, sigma: float) -> None:
    """The median and the time of the slowest tenth are found, though only answers are seen."""
    hazard = taught_lognormal(mu, sigma)
    for share in (0.5, 0.9):
        expected = lognormal_quantile(mu, sigma, share)
        assert pytest.approx(expected, rel=0.1) == hazard.age_at(share)


def test_a_few_generations_are_enough_for_a_first_idea() -> None:
    """After twenty the median is within a quarter of the truth, of which it was far off."""
    assert pytest.approx(math.exp(1.3), rel=0.25) == taught_lognormal(1.3, 0.5, count=20).age_at(
        0.5
    )


def test_two_kinds_of_generations_are_told_apart() -> None:
    """Between the fast ones and the slow ones hardly any finish, and that is learned."""
    hazard = taught(two_peaks, count=1_500, interval=0.1)
    chance = random.Random(2)
    tenths = quantiles((two_peaks(chance) for _ in range(20_000)), n=10)
    assert pytest.approx(tenths[4], rel=0.15) == hazard.age_at(0.5)
    assert pytest.approx(tenths[8], rel=0.1) == hazard.age_at(0.9)
    fast, between, slow = (hazard.rates[bisect_right(EDGES, age) - 1] for age in (0.6, 1.4, 3.0))
    assert between < 0.2 * min(fast, slow)


@pytest.mark.parametrize("factor", [4.0, 0.25], ids=["4 times as long", "a quarter"])
def test_an_expectation_that_is_far_off_does_no_harm(factor: float) -> None:
    """`PollPolicy.expected_seconds` need not be right."""
    hazard = taught_lognormal(math.log(factor), 0.3, count=300)
    for share in (0.5, 0.9):
        expected = factor * lognormal_quantile(0, 0.3, share)
        assert pytest.approx(expected, rel=0.15) == hazard.age_at(share)


@pytest.mark.protocol
@pytest.mark.parametrize(
    ("before", "after"),
    [pytest.param(1.0, 2.0, id="slower"), pytest.param(2.0, 1.0, id="faster")],
)
@pytest.mark.parametrize("many", [1_000, 4_000])
def test_a_service_that_changes_is_followed(before: float, after: float, many: int) -> None:
    """What was is forgotten over some hundred generations, however many there were before."""
    hazard = taught_lognormal(math.log(before), 0.3, count=many)
    assert pytest.approx(before, rel=0.1) == hazard.age_at(0.5)
    taught(
        lambda chance: chance.lognormvariate(math.log(after), 0.3),
        count=700,
        interval=0.1 * after,
        hazard=hazard,
    )
    assert pytest.approx(after, rel=0.2) == hazard.age_at(0.5)


@pytest.mark.parametrize("interval", [0.1, 0.5, 2.0])
def test_the_interval_between_questions_hardly_matters(interval: float) -> None:
    """Who asks rarely learns the same, only not as sharply."""
    hazard = taught(lambda chance: chance.lognormvariate(1.3, 0.5), interval=interval)
    assert pytest.approx(math.exp(1.3), rel=0.15) == hazard.age_at(0.5)


def test_one_that_never_finishes_is_learned_from_too() -> None:
    """Whoever is still unfinished at a great age makes all expectations longer."""
    hazard = Hazard()
    for _ in range(20):
        hazard.observe(0.0, 5.0, finished=False)
    assert hazard.age_at(0.5) > 2
    assert 0 == hazard.finished


@pytest.mark.parametrize("age", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize(
    ("worth", "tolerance"), [(1e-6, 0.001), (1e-4, 0.02), (0.01, 0.1), (1.0, 0.15), (100.0, 0.15)]
)
def test_a_look_is_due_when_its_worth_was_probably_waited_for(
    age: float, worth: float, tolerance: float
) -> None:
    """That is the integral of the chance to be finished, over the delay."""
    for hazard in (Hazard(), taught_lognormal(1.3, 0.5, count=100)):
        next_poll = hazard.next_poll(age, worth)
        total, chance = waited(hazard, age, next_poll.delay)
        assert pytest.approx(worth, rel=tolerance) == total
        assert pytest.approx(chance, rel=tolerance) == next_poll.probability


@pytest.mark.parametrize(
    ("prior", "age", "worth"),
    [
        pytest.param(VAGUE, 20.0, 1.0, id="late"),
        pytest.param(VAGUE, 150.0, 100.0, id="old"),
        pytest.param(VAGUE, 1e6, 10.0, id="beyond the last class"),
        pytest.param(ESTIMATED, 20.0, 1.0, id="far beyond an estimate"),
        pytest.param(ESTIMATED, 3.0, 0.1, id="beyond an estimate"),
    ],
)
def test_a_look_is_due_no_sooner_in_a_wide_class(
    prior: tuple[float, ...], age: float, worth: float
) -> None:
    """However old a generation is, no more is waited for than time passes."""
    hazard = Hazard(prior)
    next_poll = hazard.next_poll(age, worth)
    total, chance = waited(hazard, age, next_poll.delay)
    assert pytest.approx(worth, rel=0.15) == total
    assert pytest.approx(chance, rel=0.15) == next_poll.probability


@given(st.floats(0, 100), st.floats(1e-9, 1e-4))
def test_a_constant_hazard_is_looked_at_as_keller_found(age: float, worth: float) -> None:
    """After sqrt(2 * worth / h), the age being of no importance."""
    hazard = Hazard([CONSTANT] * AGE_CLASSES)
    next_poll = hazard.next_poll(age, worth)
    keller = math.sqrt(2 * worth / CONSTANT)
    assert math.isclose(keller, next_poll.delay, rel_tol=0.01)
    assert math.isclose(keller * CONSTANT, next_poll.probability, rel_tol=0.01)


@given(st.sampled_from([VAGUE, ESTIMATED]), AGES, WORTHS)
def test_a_look_has_a_delay_and_a_chance(
    prior: tuple[float, ...], age: float, worth: float
) -> None:
    """At any age, and whatever a look is worth."""
    next_poll = Hazard(prior).next_poll(age, worth)
    assert 0 <= next_poll.delay < math.inf
    assert 0 < next_poll.probability < math.inf


@settings(derandomize=True, database=None)
@given(st.sampled_from([VAGUE, ESTIMATED]), AGES, WORTHS)
def test_no_chance_is_more_than_certain(prior: tuple[float, ...], age: float, worth: float) -> None:
    """A probability is at most 1, whatever a look is worth."""
    assert Hazard(prior).next_poll(age, worth).probability <= 1


@given(st.sampled_from([VAGUE, ESTIMATED]), AGES, st.tuples(WORTHS, WORTHS).map(sorted))
def test_the_more_a_look_is_worth_the_later_it_is_due(
    prior: tuple[float, ...], age: float, worths: list[float]
) -> None:
    """And it never comes sooner for being worth more."""
    less, more = (Hazard(prior).next_poll(age, worth).delay for worth in worths)
    assert less <= more


def test_those_of_one_age_share_a_look() -> None:
    """Many were ordered together; what was found for the one before is found for all."""
    hazard = Hazard()
    next_poll = hazard.next_poll(2.0, 0.01)
    assert next_poll is hazard.next_poll(2.001, 0.01)
    assert next_poll != hazard.next_poll(2.1, 0.01)
    assert next_poll != hazard.next_poll(2.0, 0.02)
    assert next_poll == hazard.next_poll(2.0, 0.01)


def test_a_look_is_found_anew_when_more_is_known() -> None:
    """What was found before is as old as what was learned before."""
    hazard = Hazard()
    before = hazard.next_poll(2.0, 0.01)
    for _ in range(10):
        hazard.observe(0.0, 4.0, finished=False)
    assert before.delay < hazard.next_poll(2.0, 0.01).delay


def test_the_first_look_at_a_new_generation_is_no_guess() -> None:
    """Age 0 is an age like any other."""
    assert NextPoll(0.0, 0.0) != Hazard().next_poll(0.0, 0.01)


@given(
    st.sampled_from([VAGUE, ESTIMATED]), AGES, st.tuples(*[st.floats(1e-6, 0.999)] * 2).map(sorted)
)
def test_more_have_finished_by_a_later_age(
    prior: tuple[float, ...], since: float, shares: list[float]
) -> None:
    """And none of those that are unfinished at an age has finished before it."""
    few, many = (Hazard(prior).age_at(share, since=since) for share in shares)
    assert since <= few <= many < math.inf


def test_who_is_unfinished_at_an_age_takes_longer_than_all_do() -> None:
    """The age that half of the old ones reach is found from where they are."""
    hazard = Hazard()
    age = hazard.age_at(0.5)
    assert pytest.approx(hazard.age_at(0.75)) == hazard.age_at(0.5, since=age)


def test_what_one_hazard_has_learned_another_remembers() -> None:
    """Nothing but counts are kept, and they are enough."""
    hazard = taught_lognormal(1.3, 0.5)
    other = Hazard()
    other.remember(hazard.evidence)
    assert pytest.approx([hazard.age_at(share) for share in SHARES], rel=0.03) == [
        other.age_at(share) for share in SHARES
    ]
    assert other.revision > 0
    assert 0 == other.finished


def test_a_hazard_that_remembers_goes_on_to_learn() -> None:
    """What is kept is a beginning, and gives way to what is seen."""
    hazard = Hazard()
    hazard.remember(taught_lognormal(-0.7, 0.3).evidence)
    taught(lambda chance: chance.lognormvariate(0.7, 0.3), count=900, hazard=hazard)
    assert pytest.approx(math.exp(0.7), rel=0.2) == hazard.age_at(0.5)


def test_without_evidence_there_is_nothing_to_remember() -> None:
    """What is expected stays what it was."""
    hazard = Hazard()
    hazard.remember(())
    hazard.remember(Hazard().evidence)
    assert pytest.approx(list(VAGUE)) == list(hazard.rates)


def test_evidence_is_a_pair_of_counts_for_each_class() -> None:
    """How many finished in it, and how long any lived in it."""
    hazard = Hazard()
    assert ((0.0, 0.0),) * AGE_CLASSES == hazard.evidence
    hazard.observe(0.0, 2.0, finished=False)
    hazard.observe(2.0, 2.5, finished=True)
    finished, lived = (sum(counts) for counts in zip(*hazard.evidence, strict=True))
    assert pytest.approx(1, abs=0.01) == finished
    assert 2.0 < lived < 2.5


def test_no_class_remembers_more_than_so_many() -> None:
    """However many have been followed, the evidence stays small."""
    hazard = Hazard()
    for _ in range(2_000):
        hazard.observe(1.0, 1.05, finished=True)
    assert max(finished for finished, _ in hazard.evidence) <= 60


def test_a_revision_is_made_with_each_of_the_first_and_rarely_later() -> None:
    """One of ten says much, one of a thousand little."""
    hazard = Hazard()
    revisions = []
    for _ in range(1_000):
        hazard.observe(0.5, 1.0, finished=True)
        revisions.append(hazard.revision)
    assert [1, 2, 3] == revisions[:3]
    assert revisions == sorted(revisions)
    assert revisions[-1] < 150
    assert revisions[-1] > revisions[-101]


def test_those_that_were_seen_to_finish_are_counted() -> None:
    """Whatever the others do."""
    hazard = Hazard()
    for finished in (True, False, True, False, False):
        hazard.observe(0.1, 0.9, finished=finished)
    assert 2 == hazard.finished


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("age", [0.0, 0.02, 1.0, EDGES[-2], 1e6])
def test_an_observation_over_no_time_says_nothing(age: float, *, finished: bool) -> None:
    """Two answers at the same age do no harm."""
    hazard = Hazard()
    hazard.observe(age, age, finished=finished)
    assert finished == hazard.finished
    assert ((0.0, 0.0),) * AGE_CLASSES == hazard.evidence
    assert pytest.approx(list(VAGUE)) == list(hazard.rates)


def test_there_is_no_greatest_age() -> None:
    """Beyond the last class time goes on as it does at its beginning."""
    hazard = Hazard()
    hazard.observe(1e5, 2e5, finished=False)
    hazard.observe(2e5, 3e5, finished=True)
    *younger, oldest = hazard.evidence
    assert {(0.0, 0.0)} == set(younger)
    assert 0 < oldest[0] <= 1
    assert 1e6 < hazard.age_at(0.5, since=1e6) < math.inf
    assert 0 < hazard.next_poll(1e6, 0.01).delay < math.inf


@pytest.mark.parametrize(
    ("prior", "until"),
    [pytest.param(ESTIMATED, 0.05, id="estimated"), pytest.param(VAGUE, 1e-14, id="vague")],
)
def test_what_was_held_impossible_is_learned_from_all_the_same(
    prior: tuple[float, ...], until: float
) -> None:
    """A service may estimate two minutes and be done after five seconds."""
    hazard = Hazard(prior)
    hazard.observe(0.0, until, finished=True)
    assert 1 == hazard.finished
    assert pytest.approx(1) == sum(finished for finished, _ in hazard.evidence)


def test_any_age_has_a_rate_above_none_where_the_service_has_estimated() -> None:
    """An estimate may be wrong."""
    assert min(ESTIMATED) > 0


@settings(deadline=None)
@given(OBSERVATIONS)
def test_no_observations_make_a_rate_that_is_none(
    observations: list[tuple[list[float], bool]],
) -> None:
    """Whatever was seen: finishing stays possible at any age, and certain at none."""
    hazard = Hazard()
    for (since, until), finished in observations:
        # An instant is no stretch of time that any clock can tell.
        hazard.observe(since, max(until, since + 1e-6), finished=finished)
    assert all(0 < rate < math.inf for rate in hazard.rates)
    assert all(0 <= number < math.inf for pair in hazard.evidence for number in pair)
    assert 0 < hazard.age_at(0.5) < hazard.age_at(0.9) < math.inf
    assert 0 < hazard.next_poll(1.0, 0.01).delay < math.inf


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e15), st.floats(0, 1e15)), max_size=AGE_CLASSES))
def test_no_evidence_makes_a_rate_that_is_none(evidence: list[tuple[float, float]]) -> None:
    """What was kept in a file may have been changed there."""
    for prior in (VAGUE, ESTIMATED):
        hazard = Hazard(prior)
        hazard.remember(tuple(evidence))
        assert all(0 <= rate < math.inf for rate in hazard.rates)
        assert 0 < hazard.rates[-1]
        assert 0 < hazard.age_at(0.5) < math.inf
