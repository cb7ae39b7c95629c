"""The options of a client: frozen, keyword-only, and checked when they are made."""

import math
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from luma_async.errors import ConfigurationError
from luma_async.settings import TOKENS_PER_USD, Budget, Limits, PollPolicy, RetryPolicy, Timeouts

# The bounds of every option; a whole number where they are whole.
BOUNDS: dict[type, dict[str, tuple[float, float]]] = {
    Limits: {
        "concurrent_requests": (1, 1000),
        "requests_per_second": (0.01, 10_000.0),
        "ids_per_request": (1, 1000),
    },
    Timeouts: dict.fromkeys(["connect", "free", "paid", "stall"], (0.001, 1e15)),
    RetryPolicy: {
        "attempts": (1, 100),
        "first_delay": (0.0, 1e15),
        "max_delay": (0.0, 1e15),
        "deadline": (0.0, 1e15),
        "budget_ratio": (0.0, 1.0),
        "budget_floor": (0, 10**15),
    },
    PollPolicy: {
        "min_interval": (0.001, 30.0),
        "max_interval": (3.0, 1e15),
        "growth": (0.0, 1.0),
        "jitter": (0.0, 0.5),
        "missing_grace": (0.0, 1e15),
        "missing_answers": (1, 10**15),
        "video_grace": (0.0, 1e15),
    },
    Budget: {"tokens": (0, 10**15), "per_create": (0, 10**15)},
}
FIELDS = [
    pytest.param(kind, name, least, most, id=f"{kind.__name__}.{name}")
    for kind, fields in BOUNDS.items()
    for name, (least, most) in fields.items()
]


def make(kind: Any, name: str, value: object) -> Any:
    """Make options of which one is given."""
    return kind(**{name: value})


def test_no_option_is_forgotten_here() -> None:
    """Each option has its bounds in this file."""
    assert {kind: list(fields) for kind, fields in BOUNDS.items()} == {
        kind: [field.name for field in attrs.fields(kind)] for kind in BOUNDS
    }


@pytest.mark.parametrize(("kind", "name", "least", "most"), FIELDS)
def test_the_bounds_themselves_are_taken(kind: type, name: str, least: float, most: float) -> None:
    """From the least to the most, both included."""
    assert [least, most] == [getattr(make(kind, name, value), name) for value in (least, most)]


@pytest.mark.parametrize(("kind", "name", "least", "most"), FIELDS)
@pytest.mark.parametrize(
    "wrong",
    [True, False, "8", b"8", [], math.nan, math.inf, -math.inf, -1, 10**400, 1 + 2j],
    ids=lambda value: f"U12 {value!r:.12}",
)
def test_what_is_no_number_within_bounds_is_refused_by_name(
    kind: type, name: str, least: float, most: float, wrong: object
) -> None:
    """A mistake is told when it is made, with the class and the field."""
    with pytest.raises(ConfigurationError) as caught:
        make(kind, name, wrong)
    assert str(caught.value).startswith(f"{kind.__name__}({name}=")


@pytest.mark.parametrize(("kind", "name", "least", "most"), FIELDS)
def test_what_is_just_out_of_bounds_is_refused(
    kind: type, name: str, least: float, most: float
) -> None:
    """The message says the bounds."""
    whole = isinstance(least, int)
    for value in (least - 1 if whole else least - 1e-4, most + 1 if whole else most * 1.01):
        with pytest.raises(ConfigurationError, match=rf"{kind.__name__}\(.*{name}="):
            make(kind, name, value)


@pytest.mark.parametrize(("kind", "name", "least", "most"), FIELDS)
def test_a_whole_number_is_asked_for_where_things_are_counted(
    kind: type, name: str, least: float, most: float
) -> None:
    """Half a request is a mistake; whole seconds are seconds."""
    if isinstance(least, int):
        with pytest.raises(ConfigurationError, match="expected a whole number"):
            make(kind, name, float(most))
    else:
        seconds = math.ceil(least)
        assert seconds == getattr(make(kind, name, seconds), name)


@pytest.mark.parametrize(("kind", "name", "least", "most"), FIELDS)
def test_none_is_no_number(kind: type, name: str, least: float, most: float) -> None:
    """Only the budget may be without a limit."""
    if (kind, name) == (Budget, "tokens"):
        assert Budget(tokens=None).tokens is None
    else:
        with pytest.raises(ConfigurationError, match=r"expected a (whole )?number"):
            make(kind, name, None)


@pytest.mark.parametrize("kind", BOUNDS, ids=lambda kind: kind.__name__)
def test_options_are_frozen_values_given_by_name(kind: Any) -> None:
    """They can be shared, compared and stored."""
    options = kind()
    assert kind() == options
    assert hash(kind()) == hash(options)
    assert options == pickle.loads(pickle.dumps(options))
    with pytest.raises(TypeError):
        kind(1)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(options, attrs.fields(kind)[0].name, 1)


@given(st.floats(0.001, 1e15), st.floats(0.001, 1e15))
def test_the_shortest_interval_is_not_longer_than_the_longest(one: float, other: float) -> None:
    """Two options that contradict each other are refused together."""
    shorter, longer = sorted([one, other])
    policy = PollPolicy(min_interval=shorter, max_interval=longer)
    assert (shorter, longer) == (policy.min_interval, policy.max_interval)
    if shorter < longer:
        with pytest.raises(ConfigurationError, match=r"PollPolicy\(min_interval=.*max_interval="):
            PollPolicy(min_interval=longer, max_interval=shorter)


def test_the_defaults_are_those_promised() -> None:
    """Changing one of them changes what users pay or wait."""
    assert Limits(concurrent_requests=8, requests_per_second=10.0, ids_per_request=20) == Limits()
    assert Timeouts(connect=10.0, free=15.0, paid=60.0, stall=30.0) == Timeouts()
    assert (
        RetryPolicy(
            attempts=4,
            first_delay=0.5,
            max_delay=20.0,
            deadline=120.0,
            budget_ratio=0.1,
            budget_floor=10,
        )
        == RetryPolicy()
    )
    assert (
        PollPolicy(
            min_interval=3.0,
            max_interval=30.0,
            growth=0.1,
            jitter=0.1,
            missing_grace=120.0,
            missing_answers=5,
            video_grace=60.0,
        )
        == PollPolicy()
    )
    assert Budget(tokens=None, per_create=500_000) == Budget()
    assert 2_000_000 == TOKENS_PER_USD
