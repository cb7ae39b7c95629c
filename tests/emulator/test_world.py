"""The account and its generations, without any network."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies

from luma_async.emulator import KnownGeneration, Moment
from luma_async.emulator.clock import Clock
from luma_async.emulator.http_errors import HttpError
from luma_async.emulator.orders import Order
from luma_async.emulator.rate_limit import RateLimit
from luma_async.emulator.settings import Settings
from luma_async.emulator.timeline import moment_at, seconds_left, to_timeline
from luma_async.emulator.world import World

ORDER = Order(prompt="Flying jellyfish")


def durations(**settings: float) -> list[float]:
    """Return how long the first hundred generations of a world take."""
    world = World(Settings(**settings))  # type: ignore[arg-type]
    return [world.create(ORDER, 0.0).timeline[-1].seconds for _ in range(100)]


def test_a_generation_passes_through_its_states() -> None:
    """An order waits, is worked on, and is done after its time."""
    world = World(Settings(sigma=0.0))
    generation = world.create(ORDER, now=100.0)

    states = [world.moment(generation, now).state for now in (100.0, 112.5, 159.9, 160.0, 9e9)]

    assert ["pending", "processing", "processing", "completed", "completed"] == states


def test_a_time_scale_makes_a_minute_a_second() -> None:
    """Sixty times the speed brings a generation of a minute home in a second."""
    world = World(Settings(sigma=0.0, time_scale=60.0))
    generation = world.create(ORDER, now=5.0)

    assert "completed" == world.moment(generation, 6.0).state
    assert "processing" == world.moment(generation, 5.99).state


def test_the_same_seed_repeats_a_run() -> None:
    """Ids, durations and failures are the same again for the same seed, and others otherwise."""
    first, second, other = (World(Settings(seed=seed, failure_rate=0.5)) for seed in (7, 7, 8))
    runs = [[world.create(ORDER, 0.0) for _ in range(20)] for world in (first, second, other)]

    assert runs[0] == runs[1]
    assert {item.id for item in runs[0]}.isdisjoint(item.id for item in runs[2])


def test_durations_are_lognormal() -> None:
    """Half of the generations take longer than the median, and some take very long."""
    taken = sorted(durations(median_seconds=100.0, sigma=0.5))

    assert 80.0 < taken[50] < 125.0
    assert taken[95] - taken[50] > taken[50] - taken[5]


def test_failures_change_no_duration() -> None:
    """Two services that differ in their failures alone take the same time for everything."""
    assert durations() == durations(failure_rate=1.0)


def test_some_generations_fail() -> None:
    """The failure rate is the share of generations that end badly."""
    world = World(Settings(failure_rate=0.3))
    ends = [world.create(ORDER, 0.0).timeline[-1].state for _ in range(500)]

    assert 110 < ends.count("failed") < 190
    assert {"failed", "completed"} == set(ends)


def test_every_order_is_billed_with_what_it_was_for() -> None:
    """The ledger names each paid order, its price and its parent."""
    world = World(Settings(sigma=0.0))
    parent = world.create(ORDER, now=1.0)
    child = world.extend(parent.id, Order(prompt="with a hat"), now=61.0)

    assert [
        (parent.id, "create", "Flying jellyfish", None, 500_000, 1.0),
        (child.id, "extend", "with a hat", parent.id, 500_000, 61.0),
    ] == [(b.id, b.route, b.prompt, b.parent, b.tokens, b.at) for b in world.bills]


def test_an_unfinished_generation_cannot_be_extended() -> None:
    """There is nothing to go on from before a video is done, and nothing is billed."""
    world = World(Settings(sigma=0.0))
    parent = world.create(ORDER, now=0.0)

    with pytest.raises(HttpError, match="is not completed") as caught:
        world.extend(parent.id, ORDER, now=59.0)

    assert 400 == caught.value.status
    assert 1 == len(world.bills)


def test_credits_run_out() -> None:
    """Two orders are paid from a million tokens; the third one is refused."""
    world = World(Settings(credits=1_100_000))
    world.create(ORDER, 0.0)
    world.create(ORDER, 0.0)

    with pytest.raises(HttpError, match="You've run out of credits") as caught:
        world.create(ORDER, 0.0)

    assert 403 == caught.value.status
    assert 2 == len(world.bills)


def test_the_list_lags_behind_and_shows_the_newest_first() -> None:
    """A new generation is listed only after the lag."""
    world = World(Settings(list_lag_seconds=10.0))
    old, new = world.create(ORDER, 0.0), world.create(ORDER, 5.0)

    assert [[], [old], [new, old]] == [world.listed(now) for now in (9.9, 10.0, 15.0)]


def test_a_forgotten_generation_stays_billed() -> None:
    """The service can lose a generation, but it never gives money back."""
    world = World(Settings())
    generation = world.create(ORDER, 0.0)
    world.forget(generation.id)

    assert {} == world.describe(0.0)
    assert 1 == len(world.bills)
    with pytest.raises(KeyError):
        world.forget(generation.id)


def test_a_script_decides_over_one_prompt() -> None:
    """Orders with this prompt follow the script, others do not."""
    world = World(Settings(sigma=0.0))
    world.script("odd", [(1.0, "queued"), (2.0, "dreaming"), Moment(3.0, "failed")])
    odd, other = world.create(Order(prompt="odd"), 0.0), world.create(ORDER, 0.0)

    assert ["pending", "queued", "dreaming", "failed"] == [
        world.moment(odd, now).state for now in (0.5, 1.5, 2.5, 3.5)
    ]
    assert "completed" == world.moment(other, 60.0).state


def test_a_script_decides_over_everything_else() -> None:
    """A script without a name is for all orders that no other script names."""
    world = World(Settings())
    world.script(None, [(0.0, "failed")])
    world.script("named", [(0.0, "completed")])

    states = [world.create(Order(prompt=text), 0.0).timeline[0].state for text in ("named", "x")]

    assert ["completed", "failed"] == states


def test_a_script_rewrites_a_known_generation() -> None:
    """A running generation can be told to end, as seen from its own beginning."""
    world = World(Settings())
    generation = world.create(ORDER, now=100.0)
    world.script(generation.id, [(5.0, "completed", False)])

    assert [
        KnownGeneration(
            id=generation.id,
            prompt="Flying jellyfish",
            aspect_ratio="16:9",
            parent=None,
            created_at=100.0,
            state="completed",
            has_video=False,
            failure_reason=None,
        )
    ] == list(world.describe(105.0).values())


def test_a_script_can_name_an_id_to_come() -> None:
    """The ids of a seed are known in advance, so a script may name one."""
    twin = World(Settings()).create(ORDER, 0.0)
    world = World(Settings())
    world.script(twin.id, [(0.0, "failed")])

    assert "failed" == world.moment(world.create(ORDER, 0.0), 0.0).state


@pytest.mark.parametrize("moments", [[], [(2.0, "queued"), (1.0, "completed")], [(-1.0, "queued")]])
def test_a_senseless_script_is_refused(moments: list[tuple[float, str]]) -> None:
    """A script needs a moment, and time runs forwards in it."""
    with pytest.raises(ValueError):
        to_timeline(moments)


def test_what_is_left_is_known_until_the_end() -> None:
    """An estimate counts down to the end, and ends with it."""
    moments = to_timeline([(1.0, "queued"), (10.0, "completed")])

    assert [10.0, 7.0, None] == [seconds_left(moments, now) for now in (0.0, 3.0, 10.0)]


def test_nothing_is_known_of_what_never_ends() -> None:
    """A generation that never ends has no estimate."""
    assert seconds_left(to_timeline([(0.0, "queued")]), 3.0) is None


@given(strategies.lists(strategies.floats(0, 1e6), min_size=1), strategies.floats(0, 1e6))
def test_a_timeline_shows_the_last_moment_that_was_reached(times: list[float], now: float) -> None:
    """At any time a generation is in the state it entered last."""
    moments = to_timeline([(seconds, str(place)) for place, seconds in enumerate(sorted(times))])
    reached = [moment.state for moment in moments if moment.seconds <= now]

    assert (reached[-1] if reached else "pending") == moment_at(moments, now).state


@pytest.mark.parametrize(
    "settings",
    [
        {"median_seconds": 0.0},
        {"sigma": -1.0},
        {"time_scale": float("nan")},
        {"failure_rate": 1.1},
        {"credits": -1},
        {"requests_per_second": 0.0},
        {"list_lag_seconds": -1.0},
        {"url_lifetime_seconds": -1.0},
        {"video_padding_bytes": 2**32},
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, float]) -> None:
    """A setting that makes no sense is found before anything is served."""
    with pytest.raises(ValueError):
        Settings(**settings)  # type: ignore[arg-type]


def test_a_rate_limit_tells_how_long_to_wait() -> None:
    """Two requests a second pass, the third has to wait, and time makes room again."""
    limit = RateLimit(2.0)

    assert [None, None, 1, None, 1] == [limit.acquire(now) for now in (0.0, 0.0, 0.0, 0.5, 0.5)]


def test_a_slow_rate_limit_lets_one_request_pass() -> None:
    """One request in ten seconds is one at once, then a wait of ten seconds."""
    limit = RateLimit(0.1)

    assert [None, 10, 5] == [limit.acquire(now) for now in (0.0, 0.0, 5.0)]


def ticking(*readings: float) -> Callable[[], float]:
    """Return a clock that shows these readings one after the other."""
    return iter(readings).__next__


def test_time_passes_only_while_the_emulator_serves() -> None:
    """A pause between two spells of serving takes no time."""
    clock = Clock(started_at=datetime(2026, 1, 1, tzinfo=UTC))
    clock.start(ticking(100.0, 107.0))
    clock.stop()
    paused = clock.now()
    clock.start(ticking(500.0, 502.0))
    clock.start(ticking())

    assert (7.0, 9.0) == (paused, clock.now())


def test_a_clock_of_its_own_comes_first() -> None:
    """The clock that a test passes in is read instead of the event loop's."""
    clock = Clock(ticking(1.0, 4.0))
    clock.start(ticking())

    assert 3.0 == clock.now()


def test_dates_are_written_for_greenwich() -> None:
    """A start given in another time zone is shown in that of the service."""
    east = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))

    assert datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC) == Clock(started_at=east).date(1.0)
