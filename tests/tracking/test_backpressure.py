"""How hard the service may be pressed."""

import math

import pytest
from hypothesis import given, strategies as st

from luma_async._tracking.sansio.backpressure import Backpressure
from luma_async.settings import PollPolicy

POLICY = PollPolicy(min_interval=1.0, max_interval=60.0, jitter=0.0)


def backpressure(policy: PollPolicy = POLICY, *, chance: float = 0.5) -> Backpressure:
    """Begin with a service that is well, where chance always falls the same way."""
    return Backpressure(policy, lambda: chance)


def fail(
    service: Backpressure, now: float, *, limited: bool = False, retry_after: float | None = None
) -> float:
    """Let a request fail at once, and tell for how long none is made."""
    service.failed(now, now, limited=limited, retry_after=retry_after)
    return service.not_before - now


def test_a_service_that_is_well_is_not_spared() -> None:
    """Nothing is dearer, later or rarer than the policy says."""
    service = backpressure()
    assert (False, 1.0, 60.0) == (
        service.is_pausing,
        service.cost_factor(0.0),
        service.longest(0.0),
    )
    assert service.not_before == -math.inf


def test_n33_the_pause_doubles_from_the_shortest_interval_to_the_longest() -> None:
    """Until the first answer, after which it begins anew."""
    service = backpressure()
    now, pauses = 0.0, []
    for _ in range(9):
        pauses.append(fail(service, now))
        assert service.is_pausing
        now += pauses[-1]
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0] == pauses
    service.answered()
    assert not service.is_pausing
    assert 1.0 == fail(service, now)


def test_requests_that_were_under_way_together_count_once() -> None:
    """Eight that met one outage are one outage, and one limit."""
    service = backpressure()
    for _ in range(8):
        service.failed(3.0, 4.0, limited=True, retry_after=None)
    assert 5.0 == service.not_before
    assert 4.0 == service.cost_factor(4.0)


def test_h25_after_429_a_request_is_dearer() -> None:
    """Four times with each, up to 64 times: intervals are twice to eight times as long."""
    service = backpressure()
    prices = []
    for _ in range(4):
        fail(service, 100.0, limited=True)
        prices.append(service.cost_factor(100.0))
    assert [4.0, 16.0, 64.0, 64.0] == prices


def test_h25_the_price_is_halved_every_half_minute() -> None:
    """Within minutes nothing is left of it."""
    service = backpressure()
    for _ in range(3):
        fail(service, 100.0, limited=True)
    assert [64.0, 32.0, 16.0, 1.0, 1.0] == [
        service.cost_factor(100.0 + seconds) for seconds in (0.0, 30.0, 60.0, 180.0, 1e9)
    ]


def test_h25_the_longest_interval_is_at_most_doubled() -> None:
    """The news of a long wait is not half an hour late because of a short crowd."""
    service = backpressure()
    for _ in range(5):
        fail(service, 0.0, limited=True)
    assert [120.0, 120.0, 60.0] == [service.longest(now) for now in (0.0, 120.0, 180.0)]
    assert math.isclose(60 * math.sqrt(2), service.longest(150.0))


def test_other_failures_make_nothing_dearer() -> None:
    """They call for a pause alone."""
    service = backpressure()
    fail(service, 0.0)
    assert 1.0 == service.cost_factor(0.0)


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [(None, 1.0), (0.0, 1.0), (0.1, 1.0), (60.0, 60.0), (1e9, 120.0), (math.inf, 120.0)],
    ids=["none", "zero", "short", "H26 a minute", "H30 for ever", "infinite"],
)
def test_the_pause_that_the_service_asks_for_is_kept(
    retry_after: float | None, pause: float
) -> None:
    """Up to two minutes; beyond that the client looks again."""
    assert pause == fail(backpressure(), 10.0, retry_after=retry_after)


def test_a_pause_is_never_cut_short() -> None:
    """Not by another failure of the same time, which asked for less."""
    service = backpressure()
    fail(service, 0.0, retry_after=60.0)
    fail(service, 0.0)
    assert 60.0 == service.not_before


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
def test_pauses_vary_by_the_jitter(chance: float, pause: float) -> None:
    """Many clients do not come back in step."""
    service = backpressure(PollPolicy(min_interval=1.0, jitter=0.1), chance=chance)
    assert math.isclose(pause, fail(service, 0.0))


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e5),
            st.floats(0, 100),
            st.booleans(),
            st.none() | st.floats(0, allow_nan=False),
        ),
        max_size=30,
    )
)
def test_whatever_fails_nothing_leaves_its_bounds(
    failures: list[tuple[float, float, bool, float | None]],
) -> None:
    """Failures may come in any number, and be as long under way as they like."""
    service = backpressure()
    now = 0.0
    for gap, lasted, limited, retry_after in failures:
        now += gap
        service.failed(now - lasted, now, limited=limited, retry_after=retry_after)
        assert 1.0 - 1e-6 <= service.not_before - now <= 120.0 + 1e-6
        assert 1.0 <= service.cost_factor(now) <= 64.0
        assert 60.0 <= service.longest(now) <= 120.0
