"""The options of a client: frozen, keyword-only, and checked when they are made."""

import json
import math
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from luma_async import settings
from luma_async.errors import ConfigurationError
from luma_async.settings import (
    AGE_CLASSES,
    TOKENS_PER_USD,
    Budget,
    Evidence,
    Learned,
    Limits,
    PollPolicy,
    RetryPolicy,
    Timeouts,
)

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
        "request_worth": (1e-6, 1e15),
        "min_interval": (1e-4, 60.0),
        "max_interval": (0.5, 1e15),
        "expected_seconds": (1e-4, 1e6),
        "jitter": (0.0, 0.5),
        "missing_grace": (0.0, 1e15),
        "missing_answers": (1, 10**15),
        "video_grace": (0.0, 1e15),
    },
    Learned: {"unit_seconds": (1e-4, 1e6)},
    Budget: {"tokens": (0, 10**15), "per_create": (0, 10**15)},
}
# What is no plain number has tests of its own.
NO_NUMBERS: dict[type, list[str]] = {
    PollPolicy: ["learned"],
    Learned: ["create", "extend", "estimated"],
}
FIELDS = [
    pytest.param(kind, name, minimum, most, id=f"{kind.__name__}.{name}")
    for kind, fields in BOUNDS.items()
    for name, (minimum, most) in fields.items()
]

EVIDENCE: Evidence = tuple((k / 2, k / 7) for k in range(AGE_CLASSES))
LEARNED = Learned(unit_seconds=30, create=EVIDENCE, estimated=EVIDENCE[::-1])
POLICY = PollPolicy(request_worth=2, min_interval=0.25, video_grace=7, missing_answers=3)


def make(kind: Any, name: str, value: object) -> Any:
    """Make options of which one is given."""
    return kind(**{name: value})


def test_no_option_is_forgotten_here() -> None:
    """Each option has its bounds in this file, or tests of its own."""
    kinds = [
        kind
        for kind in vars(settings).values()
        if attrs.has(kind) and kind.__module__ == settings.__name__
    ]
    assert {kind: [field.name for field in attrs.fields(kind)] for kind in kinds} == {
        kind: [*fields, *NO_NUMBERS.get(kind, [])] for kind, fields in BOUNDS.items()
    }


@pytest.mark.parametrize(("kind", "name", "minimum", "most"), FIELDS)
def test_the_bounds_themselves_are_taken(
    kind: type, name: str, minimum: float, most: float
) -> None:
    """From the least to the most, both included."""
    assert [minimum, most] == [getattr(make(kind, name, value), name) for value in (minimum, most)]


@pytest.mark.parametrize(("kind", "name", "minimum", "most"), FIELDS)
@pytest.mark.parametrize(
    "wrong",
    [True, False, "8", b"8", [], math.nan, math.inf, -math.inf, -1, 10**400, 1 + 2j],
    ids=lambda value: f"U12 {value!r:.12}",
)
def test_what_is_no_number_within_bounds_is_refused_by_name(
    kind: type, name: str, minimum: float, most: float, wrong: object
) -> None:
    """A mistake is told when it is made, with the class and the field."""
    with pytest.raises(ConfigurationError) as caught:
        make(kind, name, wrong)
    assert str(caught.value).startswith(f"{kind.__name__}({name}=")


@pytest.mark.parametrize(("kind", "name", "minimum", "most"), FIELDS)
def test_what_is_just_out_of_bounds_is_refused(
    kind: type, name: str, minimum: float, most: float
) -> None:
    """The message says the bounds."""
    whole = isinstance(minimum, int)
    for value in (minimum - 1 if whole else minimum - 1e-4, most + 1 if whole else most * 1.01):
        with pytest.raises(ConfigurationError, match=rf"{kind.__name__}\(.*{name}="):
            make(kind, name, value)


@pytest.mark.parametrize(("kind", "name", "minimum", "most"), FIELDS)
def test_a_whole_number_is_asked_for_where_things_are_counted(
    kind: type, name: str, minimum: float, most: float
) -> None:
    """Half a request is a mistake; whole seconds are seconds."""
    if isinstance(minimum, int):
        with pytest.raises(ConfigurationError, match="expected a whole number"):
            make(kind, name, float(most))
    else:
        seconds = math.ceil(minimum)
        assert seconds == getattr(make(kind, name, seconds), name)


@pytest.mark.parametrize(("kind", "name", "minimum", "most"), FIELDS)
def test_none_is_no_number(kind: type, name: str, minimum: float, most: float) -> None:
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


@given(st.floats(1e-4, 1e15), st.floats(1e-4, 1e15))
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
            request_worth=0.5,
            min_interval=0.5,
            max_interval=60.0,
            expected_seconds=45.0,
            jitter=0.1,
            missing_grace=120.0,
            missing_answers=5,
            video_grace=60.0,
            learned=None,
        )
        == PollPolicy()
    )
    assert Learned(unit_seconds=45.0, create=(), extend=(), estimated=()) == Learned()
    assert Budget(tokens=None, per_create=500_000) == Budget()
    assert 2_000_000 == TOKENS_PER_USD


@pytest.mark.parametrize("name", NO_NUMBERS[Learned])
def test_what_was_learned_is_pairs_of_numbers_or_nothing(name: str) -> None:
    """Lists come from files; they are made tuples, so that the value can be shared."""
    listed = [list(pair) for pair in EVIDENCE]
    assert EVIDENCE == getattr(make(Learned, name, listed), name)
    assert EVIDENCE == getattr(make(Learned, name, iter(EVIDENCE)), name)
    assert () == getattr(make(Learned, name, []), name)
    whole: Any = getattr(make(Learned, name, [(1, 2)] * AGE_CLASSES), name)
    assert {float} == {type(number) for pair in whole for number in pair}


@pytest.mark.parametrize("name", NO_NUMBERS[Learned])
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(None, id="nothing"),
        pytest.param(5, id="a number"),
        pytest.param("learned", id="text"),
        pytest.param([5] * AGE_CLASSES, id="numbers"),
        pytest.param(["a"] * AGE_CLASSES, id="letters"),
        pytest.param([("a", "b")] * AGE_CLASSES, id="pairs of letters"),
        pytest.param([(None, 1)] * AGE_CLASSES, id="pairs with nothing"),
        pytest.param([(1, [2])] * AGE_CLASSES, id="pairs with lists"),
        pytest.param([(1 + 2j, 1)] * AGE_CLASSES, id="pairs of complex numbers"),
        pytest.param([(1,)] * AGE_CLASSES, id="single numbers"),
        pytest.param([(1, 2, 3)] * AGE_CLASSES, id="three numbers"),
        pytest.param(EVIDENCE[1:], id="one too few"),
        pytest.param((*EVIDENCE, (1, 1)), id="one too many"),
        *(
            pytest.param([*EVIDENCE[1:], pair], id=f"{pair}")
            for number in (-1, -1e-9, math.nan, math.inf, -math.inf, 1e16)
            for pair in ((1.0, number), (number, 1.0))
        ),
    ],
)
def test_what_cannot_have_been_learned_is_refused(name: str, wrong: object) -> None:
    """A damaged file is told when it is read, and not by odd intervals later."""
    with pytest.raises(ConfigurationError, match="Learned"):
        make(Learned, name, wrong)


def test_counts_beyond_all_floats_are_refused() -> None:
    """JSON has whole numbers of any length."""
    with pytest.raises(ConfigurationError):
        Learned(create=[(10**400, 1)] * AGE_CLASSES)


@pytest.mark.parametrize("name", NO_NUMBERS[Learned])
def test_what_another_version_has_learned_is_refused_by_name(name: str) -> None:
    """Its classes of age may be others."""
    with pytest.raises(ConfigurationError, match=rf"Learned\({name}=.*another version\?"):
        make(Learned, name, EVIDENCE[:-1])


@pytest.mark.parametrize(
    "wrong", ["x", 5, [], {}, b"", Learned, POLICY], ids=lambda value: f"{value!r:.10}"
)
def test_only_what_was_learned_is_taken_for_it(wrong: object) -> None:
    """The message says the class and the field, and what was given."""
    with pytest.raises(ConfigurationError) as caught:
        make(PollPolicy, "learned", wrong)
    assert str(caught.value).startswith("PollPolicy(learned=...)")
    assert type(wrong).__name__ in str(caught.value)


def test_what_was_learned_is_a_value_that_can_be_stored() -> None:
    """It travels through process pools, alone and within a policy."""
    policy = attrs.evolve(POLICY, learned=LEARNED)
    values: list[object] = [LEARNED, policy]
    restored = pickle.loads(pickle.dumps(values))
    assert values == restored
    assert [hash(value) for value in values] == [hash(value) for value in restored]
    assert policy != POLICY


def test_what_was_learned_does_not_fill_the_log() -> None:
    """A policy can be printed with what it holds, and without hundreds of counts."""
    assert repr(POLICY) == repr(attrs.evolve(POLICY, learned=LEARNED))
    assert "learned" not in repr(POLICY)


@pytest.mark.parametrize("factor", [60, 0.5, 1, 1e3])
def test_a_service_that_is_so_many_times_as_fast_is_asked_as_much_more_often(
    factor: float,
) -> None:
    """What is measured in the service's time is scaled, and all else stays."""
    policy = attrs.evolve(POLICY, learned=LEARNED)
    scaled = policy.at_speed(factor)
    names = ["request_worth", "min_interval", "max_interval", "expected_seconds"]
    assert [getattr(policy, name) / factor for name in names] == [
        getattr(scaled, name) for name in names
    ]
    others = [field.name for field in attrs.fields(PollPolicy)][len(names) : -1]
    assert ["jitter", "missing_grace", "missing_answers", "video_grace"] == others
    assert [getattr(policy, name) for name in others] == [getattr(scaled, name) for name in others]


def test_at_speed_comes_back() -> None:
    """Eight times as fast and an eighth of that is as fast as before."""
    assert POLICY == POLICY.at_speed(8).at_speed(0.125)


def test_what_was_learned_is_scaled_with_the_policy() -> None:
    """It was learned of a service whose time passed as it does."""
    scaled = attrs.evolve(POLICY, learned=LEARNED).at_speed(60)
    assert scaled.learned is not None
    assert 0.5 == scaled.learned.unit_seconds
    assert EVIDENCE == scaled.learned.create


@pytest.mark.parametrize("factor", [True, "60", None], ids=repr)
def test_a_speed_is_a_number(factor: Any) -> None:
    """Text and truth are none."""
    with pytest.raises(ConfigurationError, match=r"at_speed\(.*\): expected a number"):
        PollPolicy().at_speed(factor)


@pytest.mark.parametrize("factor", [0, 0.0, -1, -math.inf, math.nan], ids=repr)
def test_a_speed_is_above_none(factor: float) -> None:
    """Time that stands still or goes back is no speed."""
    with pytest.raises(ConfigurationError, match=r"at_speed\(.*\): expected a number above 0"):
        PollPolicy().at_speed(factor)


@pytest.mark.parametrize("factor", [math.inf, 1e9, 1e-300], ids=repr)
def test_no_speed_leads_out_of_bounds(factor: float) -> None:
    """The option is named for which it is too much."""
    with pytest.raises(ConfigurationError, match=r"PollPolicy\(request_worth=|at_speed\("):
        PollPolicy().at_speed(factor)


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(PollPolicy(), id="defaults"),
        pytest.param(POLICY, id="options"),
        pytest.param(attrs.evolve(POLICY, learned=Learned()), id="nothing learned"),
        pytest.param(attrs.evolve(POLICY, learned=LEARNED), id="learned"),
        pytest.param(PollPolicy(request_worth=0.1 + 0.2, jitter=1 / 3), id="fractions"),
    ],
)
def test_a_policy_is_kept_as_text(policy: PollPolicy) -> None:
    """What is read from a file is what was written to it."""
    text = policy.to_json()
    assert policy == PollPolicy.from_json(text)
    assert text == PollPolicy.from_json(text).to_json()
    assert text.isascii()
    assert "\n" not in text


@given(
    st.lists(
        st.tuples(st.floats(0, 1e15), st.floats(0, 1e15)),
        min_size=AGE_CLASSES,
        max_size=AGE_CLASSES,
    )
)
@hypothesis_settings(deadline=None, max_examples=20)
def test_counts_are_kept_to_the_last_digit(evidence: list[tuple[float, float]]) -> None:
    """Whatever they are."""
    policy = PollPolicy(learned=Learned(extend=evidence))
    assert policy == PollPolicy.from_json(policy.to_json())


SENT = json.loads(attrs.evolve(POLICY, learned=LEARNED).to_json())
NO_OBJECTS: list[object] = [None, 5, True, "text", [], [SENT], {}]
UNFIT: dict[str, object] = {
    "without learned": {name: SENT[name] for name in SENT if name != "learned"},
    "unknown field": {**SENT, "growth": 0.1},
    "out of bounds": {**SENT, "jitter": 5},
    "text for a number": {**SENT, "jitter": "0.1"},
    "null for a number": {**SENT, "jitter": None},
    "NaN for a number": {**SENT, "jitter": math.nan},
    "an interval too long": {**SENT, "min_interval": 100},
    "learned text": {**SENT, "learned": "x"},
    "learned number": {**SENT, "learned": 5},
    "learned false": {**SENT, "learned": False},
    "learned list": {**SENT, "learned": []},
    "learned field": {**SENT, "learned": {"unit": 1}},
    "learned unit": {**SENT, "learned": {"unit_seconds": 0}},
    "another version": {**SENT, "learned": {"create": [[1, 1]] * (AGE_CLASSES + 1)}},
    "no pairs": {**SENT, "learned": {"create": [1] * AGE_CLASSES}},
    "NaN learned": {**SENT, "learned": {"create": [[math.nan, 1]] * AGE_CLASSES}},
    "infinity learned": {**SENT, "learned": {"create": [[math.inf, 1]] * AGE_CLASSES}},
    "negative learned": {**SENT, "learned": {"create": [[-1, 1]] * AGE_CLASSES}},
    "null learned": {**SENT, "learned": {"create": None}},
}
NO_POLICIES = [
    pytest.param("", id="empty"),
    pytest.param("rubbish", id="rubbish"),
    pytest.param("{", id="cut off"),
    pytest.param("\ud800", id="half a character"),
    *(pytest.param(json.dumps(value), id=f"{value!r:.12}") for value in NO_OBJECTS),
    pytest.param("NaN", id="NaN"),
    pytest.param("9" * 5_000, id="a long number"),
    pytest.param("[" * 100_000, id="deep"),
    pytest.param("[" * 900 + "]" * 900, id="deep lists"),
    pytest.param('{"learned":' * 900 + "1" + "}" * 900, id="deep objects"),
    pytest.param('{"learned":' * 100_000, id="deep and cut off"),
    *(pytest.param(json.dumps(value), id=what) for what, value in UNFIT.items()),
    pytest.param(
        '{"learned": {"create": ' + "[" * 900 + "]" * 900 + "}}", id="deep lists that were learned"
    ),
    pytest.param(
        '{"learned": null, "jitter": ' + "[" * 900 + "]" * 900 + "}", id="deep lists for a number"
    ),
    pytest.param(
        json.dumps({**SENT, "learned": {"create": [[10**400, 1]] * AGE_CLASSES}}),
        id="beyond all floats",
    ),
]


@pytest.mark.parametrize("text", NO_POLICIES)
def test_a_file_that_holds_no_policy_is_refused(text: str) -> None:
    """It may have been cut off, edited or made by another version; begin anew then."""
    with pytest.raises(ConfigurationError):
        PollPolicy.from_json(text)


@pytest.mark.parametrize("wrong", [None, 5, [], b"\xff", SENT], ids=lambda value: f"{value!r:.9}")
def test_what_is_no_text_is_no_policy(wrong: Any) -> None:
    """Neither is what `json.loads` makes of it."""
    with pytest.raises(ConfigurationError):
        PollPolicy.from_json(wrong)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*SENT, *SENT["learned"], "other"]), inner, max_size=4)
    ),
    max_leaves=12,
)


EDITED = JSON.map(
    lambda value: {**SENT, **(value if isinstance(value, dict) else {"learned": value})}
)


@hypothesis_settings(deadline=None)
@given(st.text() | (JSON | EDITED).map(json.dumps))
def test_any_text_is_a_policy_or_a_configuration_error(text: str) -> None:
    """No other error comes through, whatever the file holds."""
    try:
        policy = PollPolicy.from_json(text)
    except ConfigurationError:
        return
    assert policy == PollPolicy.from_json(policy.to_json())
