"""What a client has learned of how long generations take."""

import math
import random

import pytest

from luma_async._tracking.sansio.duration_models import DurationModels, Kind
from luma_async._tracking.sansio.hazard import ESTIMATED, VAGUE, Hazard
from luma_async.models import Durations
from luma_async.settings import Learned, PollPolicy

POLICY = PollPolicy(expected_seconds=40)


def teach(hazard: Hazard, median: float, *, count: int = 200) -> None:
    """Let a hazard learn of generations that take about so long, asked for at intervals."""
    chance = random.Random(1)
    for _ in range(count):
        duration = chance.lognormvariate(math.log(median), 0.3)
        interval = median * chance.uniform(0.05, 0.15)
        age = 0.0
        while age + interval < duration:
            hazard.observe(age, age + interval, finished=False)
            age += interval
        hazard.observe(age, age + interval, finished=True)


def medians(durations: DurationModels) -> list[float]:
    """Return the seconds that half of all creates and extends take, and of what is estimated."""
    hazards = [durations.of("create"), durations.of("extend"), durations.estimated]
    return [hazard.age_at(0.5) * durations.unit for hazard in hazards]


def experienced() -> DurationModels:
    """Make one that knows all kinds."""
    durations = DurationModels(POLICY)
    teach(durations.of("create"), 2.0)
    teach(durations.of("extend"), 0.6)
    teach(durations.estimated, 1.4)
    return durations


def test_at_first_all_take_as_long_as_expected() -> None:
    """The policy says how long that is."""
    durations = DurationModels(POLICY)
    assert 40 == durations.unit
    assert pytest.approx([40, 40], rel=0.01) == medians(durations)[:2]
    assert pytest.approx(1, rel=0.01) == durations.estimated.age_at(0.5)
    assert list(VAGUE) == list(durations.of("create").rates)
    assert list(ESTIMATED) == list(durations.estimated.rates)


@pytest.mark.parametrize("kind", ["create", "extend"])
def test_each_kind_has_one_hazard(kind: Kind) -> None:
    """All that are followed teach the same."""
    durations = DurationModels(POLICY)
    assert durations.of(kind) is durations.of(kind)
    assert durations.of("create") is not durations.of("extend")


def test_extends_begin_with_what_creates_have_taught_and_go_their_own_way() -> None:
    """They are as long as creates until they have been seen, and each is learned by itself."""
    durations = DurationModels(POLICY)
    create = durations.of("create")
    teach(create, 2.0)
    extend = durations.of("extend")
    assert pytest.approx(create.age_at(0.5)) == extend.age_at(0.5)
    assert 0 == extend.finished
    teach(extend, 0.6)
    assert pytest.approx(0.6, rel=0.15) == extend.age_at(0.5)
    assert pytest.approx(2.0, rel=0.1) == create.age_at(0.5)


def test_what_creates_teach_later_does_not_change_extends() -> None:
    """What was taken over is a copy."""
    durations = DurationModels(POLICY)
    before = list(durations.of("extend").rates)
    teach(durations.of("create"), 3.0)
    assert before == list(durations.of("extend").rates)


def test_there_are_no_durations_before_anything_has_finished() -> None:
    """What is expected is not told as if it had been learned."""
    durations = DurationModels(POLICY)
    assert {} == durations.durations
    durations.of("create").observe(0.0, 1.0, finished=False)
    durations.of("extend").observe(0.0, 1.0, finished=False)
    teach(durations.estimated, 1.0)
    assert {} == durations.durations


def test_durations_are_in_seconds_for_each_kind_that_has_finished() -> None:
    """Half of them take longer than the median, one of ten longer than the other."""
    durations = DurationModels(POLICY)
    teach(durations.of("extend"), 0.6)
    assert ["extend"] == list(durations.durations)
    teach(durations.of("create"), 2.0, count=300)
    create = durations.of("create")
    assert ["create", "extend"] == list(durations.durations)
    assert (
        Durations(
            seen=300,
            median_seconds=create.age_at(0.5) * 40,
            p90_seconds=create.age_at(0.9) * 40,
        )
        == durations.durations["create"]
    )
    assert pytest.approx(80, rel=0.1) == durations.durations["create"].median_seconds


def test_what_one_client_has_learned_the_next_begins_with() -> None:
    """The next process starts where this one ends."""
    before = experienced()
    after = DurationModels(PollPolicy(expected_seconds=40, learned=before.learned))
    assert pytest.approx(medians(before), rel=0.1) == medians(after)
    assert before.unit == after.unit
    assert {} == after.durations


def test_what_was_learned_survives_a_file() -> None:
    """The policy is kept as text."""
    policy = PollPolicy(learned=experienced().learned)
    restored = PollPolicy.from_json(policy.to_json())
    assert medians(DurationModels(policy)) == medians(DurationModels(restored))


def test_what_was_learned_does_not_fade_from_one_client_to_the_next() -> None:
    """Ten processes that see nothing pass on what the first has seen."""
    learned = experienced().learned
    first = medians(DurationModels(PollPolicy(learned=learned)))
    for _ in range(10):
        learned = DurationModels(PollPolicy(learned=learned)).learned
    assert pytest.approx(first, rel=0.01) == medians(DurationModels(PollPolicy(learned=learned)))


def test_the_unit_of_what_was_learned_counts_more_than_what_is_expected() -> None:
    """What was learned is no guess any more."""
    learned = experienced().learned
    assert 40 == learned.unit_seconds
    durations = DurationModels(PollPolicy(expected_seconds=7, learned=learned))
    assert 40 == durations.unit
    assert pytest.approx(80, rel=0.1) == medians(durations)[0]


def test_extends_are_learned_for_the_next_client_only_if_there_were_any() -> None:
    """Whoever never extended knows nothing of it, and says so."""
    durations = DurationModels(POLICY)
    teach(durations.of("create"), 2.0)
    assert () == durations.learned.extend
    after = DurationModels(PollPolicy(learned=durations.learned))
    assert () == after.learned.extend
    assert pytest.approx(after.of("create").age_at(0.5)) == after.of("extend").age_at(0.5)


def test_extends_that_were_learned_are_restored() -> None:
    """Apart from creates."""
    learned = experienced().learned
    durations = DurationModels(PollPolicy(learned=Learned(unit_seconds=40, extend=learned.extend)))
    create, extend, _ = medians(durations)
    assert pytest.approx(24, rel=0.15) == extend
    assert pytest.approx(40, rel=0.01) == create
    assert learned.extend == durations.learned.extend


def test_what_was_learned_of_nothing_changes_nothing() -> None:
    """A client that was closed at once leaves what it began with."""
    learned = DurationModels(POLICY).learned
    assert pytest.approx(medians(DurationModels(POLICY))) == medians(
        DurationModels(PollPolicy(learned=learned))
    )
