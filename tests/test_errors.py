"""What can go wrong, split by what the caller can do next."""

import copy
import inspect
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from luma_async import errors
from luma_async.errors import (
    APIError,
    BudgetExceededError,
    ConfigurationError,
    ConnectError,
    GenerationFailedError,
    LumaError,
    NotFoundError,
    RateLimitError,
    ResponseFormatError,
    SubmissionUnknownError,
    WaitErrorGroup,
    WaitTimeoutError,
)
from luma_async.models import Generation, Order, Video

HOSTILE = "a\x1b[2J\r\nforged: line\x00\u202e\ud800\x85"
FAILED = Generation(id="g-1", state="failed", failure_reason="too dark", raw={"id": "g-1"})
DONE = Generation(id="g-2", state="completed", video=Video(url="https://cdn.example.com/2.mp4"))
MISSING = NotFoundError("the service does not know generation g-3", status=404)
SENT_AT = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)

TREE: dict[str, tuple[str, ...]] = {
    "ConfigurationError": ("LumaError", "ValueError"),
    "ClientStateError": ("LumaError", "RuntimeError"),
    "BudgetExceededError": ("LumaError",),
    "RequestError": ("LumaError",),
    "ConnectError": ("RequestError", "ConnectionError"),
    "RequestTimeoutError": ("RequestError", "TimeoutError"),
    "DisconnectedError": ("RequestError",),
    "APIError": ("LumaError",),
    "BadRequestError": ("APIError",),
    "AuthenticationError": ("APIError",),
    "OutOfCreditsError": ("APIError",),
    "PermissionDeniedError": ("APIError",),
    "NotFoundError": ("APIError",),
    "RateLimitError": ("APIError",),
    "ServerError": ("APIError",),
    "ResponseFormatError": ("LumaError",),
    "SubmissionUnknownError": ("LumaError",),
    "GenerationFailedError": ("LumaError",),
    "WaitTimeoutError": ("LumaError", "TimeoutError"),
    "WaitErrorGroup": ("LumaError", "ExceptionGroup"),
    "DownloadError": ("LumaError",),
    "VideoExpiredError": ("DownloadError",),
    "LedgerError": ("LumaError",),
    "LumaError": ("Exception",),
}


def example(kind: type[LumaError]) -> LumaError:
    """Make an error with all that it can carry."""
    special: dict[type[LumaError], LumaError] = {
        BudgetExceededError: BudgetExceededError(budget=5, committed=4, needed=3),
        ConnectError: ConnectError("no connection", retryable=False),
        ResponseFormatError: ResponseFormatError(["missing at $.id"], status=200),
        SubmissionUnknownError: unknown("A cat"),
        GenerationFailedError: GenerationFailedError(FAILED),
        WaitTimeoutError: WaitTimeoutError(timeout=5, pending=["a"], finished=[DONE]),
        WaitErrorGroup: group(),
    }
    if kind in special:
        return special[kind]
    if issubclass(kind, APIError):
        return kind("no", status=418, request_id="r-1", path="/p", retry_after=1.5)
    return kind("something")


def unknown(prompt: str) -> SubmissionUnknownError:
    """Make the error of an order that may be paid."""
    return SubmissionUnknownError(
        order=Order(prompt), sent_at=SENT_AT, reason="HTTP 502", status=502, request_id="r-1"
    )


def group() -> WaitErrorGroup:
    """Make the error of a wait in which two of three went wrong."""
    return WaitErrorGroup(
        "2 of 3 failed", [GenerationFailedError(FAILED), MISSING], completed=[DONE]
    )


def pickled(error: LumaError) -> Any:
    """Send an error to another process and back."""
    return pickle.loads(pickle.dumps(error))


KINDS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, LumaError) and kind.__module__ == errors.__name__
]


def test_the_tree_is_as_drawn() -> None:
    """Callers rely on which error is which; the builtin bases are part of the promise."""
    assert TREE == {
        kind.__name__: tuple(base.__name__ for base in kind.__bases__) for kind in KINDS
    }


def test_the_drawing_shows_every_error() -> None:
    """The picture in the module's docstring is complete."""
    assert [] == [name for name in TREE if name not in (errors.__doc__ or "")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("way", [pickled, copy.copy, copy.deepcopy])
def test_every_error_survives_a_process_pool(
    kind: type[LumaError], way: Callable[[LumaError], LumaError]
) -> None:
    """Its text, its attributes and its notes arrive."""
    error = example(kind)
    error.add_note("seen in a worker")
    restored = way(error)
    assert kind is type(restored)
    assert (str(error), repr(error)) == (str(restored), repr(restored))
    assert sorted(vars(error)) == sorted(vars(restored))
    assert repr(vars(error)) == repr(vars(restored))
    assert ["seen in a worker"] == vars(restored)["__notes__"]


def test_a_group_survives_with_its_members() -> None:
    """The generations within are there, with all that the service sent."""
    restored = pickle.loads(pickle.dumps(group()))
    assert (DONE,) == restored.completed
    assert [GenerationFailedError, NotFoundError] == [type(e) for e in restored.exceptions]
    assert FAILED == restored.exceptions[0].generation
    assert {"id": "g-1"} == restored.exceptions[0].generation.raw


def test_a_group_splits_by_kind_and_keeps_what_was_completed() -> None:
    """``except*`` treats the kinds apart, and no success is lost."""
    caught: list[BaseException] = []
    try:
        raise group()
    except* GenerationFailedError as failed:
        caught.append(failed)
    except* NotFoundError as missing:
        caught.append(missing)
    groups = [part for part in caught if isinstance(part, WaitErrorGroup)]
    assert [[GenerationFailedError], [NotFoundError]] == [
        [type(error) for error in part.exceptions] for part in groups
    ]
    assert [(DONE,), (DONE,)] == [part.completed for part in groups]


def test_a_group_is_caught_as_one_of_ours() -> None:
    """Whoever catches `LumaError` catches it whole."""
    with pytest.raises(LumaError, match="2 of 3 failed") as caught:
        raise group()
    assert isinstance(caught.value, ExceptionGroup)
    assert () == WaitErrorGroup("1 failed", [MISSING]).completed


def test_a_wait_that_is_over_says_that_it_goes_on_and_is_paid() -> None:
    """Whoever reads it does not order anew."""
    error = WaitTimeoutError(timeout=1.5, pending=["a", "b", "c", "d"], finished=[DONE])
    assert (
        "4 not finished after 1.5 s: a, b, c, .... Still running, and still paid: wait for the "
        "same ids again, and do not create them anew"
    ) == str(error)
    assert (("a", "b", "c", "d"), (DONE,)) == (error.pending, error.finished)
    assert ": a. Still running" in str(WaitTimeoutError(timeout=1, pending=["a"]))


def test_an_order_with_an_unknown_outcome_says_what_to_do_next() -> None:
    """The prompt, the time, the reason, and to look before paying again."""
    error = unknown("Flying jellyfish " * 10)
    text = str(error)
    for promised in (
        "sent at 2026-03-01 12:30:15 UTC",
        "(HTTP 502)",
        "it was not sent again",
        "Before you pay again, look for the prompt",
        "'Flying jellyfish Flying jellyfish",
        "...' in list()",
    ):
        assert promised in text
    assert (Order("Flying jellyfish " * 10), SENT_AT, "HTTP 502", 502, "r-1") == (
        error.order,
        error.sent_at,
        error.reason,
        error.status,
        error.request_id,
    )


@pytest.mark.parametrize(
    ("generation", "text"),
    [
        (FAILED, "generation g-1 failed: 'too dark'"),
        (Generation(id="g-1", state="failed"), "generation g-1 failed without a reason given"),
        (
            Generation(id="g-1", state="completed"),
            (
                "generation g-1 was completed, but its video has not appeared; it is paid: "
                "get() it later"
            ),
        ),
    ],
    ids=["reason", "no reason", "S11 no video"],
)
def test_a_failed_generation_says_why(generation: Generation, text: str) -> None:
    """And the error holds it."""
    error = GenerationFailedError(generation)
    assert text == str(error)
    assert generation is error.generation


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (APIError("no", status=418), "HTTP 418: no"),
        (
            RateLimitError("slow", status=429, request_id="r-1", path="/p", retry_after=2.0),
            "HTTP 429 for /p: slow (request r-1)",
        ),
    ],
    ids=["little", "all"],
)
def test_a_refusal_says_what_the_service_said(error: APIError, text: str) -> None:
    """With what its support asks for."""
    assert text == str(error)


def test_an_unreadable_answer_names_what_is_wrong() -> None:
    """Five places tell enough; all of them are in `problems`."""
    problems = [f"missing at $[{place}].id" for place in range(1_000)]
    error = ResponseFormatError(problems, status=200)
    assert tuple(problems) == error.problems
    assert str(error).endswith("missing at $[4].id; and 995 more")
    assert "the answer cannot be read: a; b" == str(ResponseFormatError(["a", "b"]))


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(unknown(HOSTILE), id="B09 a prompt"),
        pytest.param(
            GenerationFailedError(Generation(id="g", state="failed", failure_reason=HOSTILE)),
            id="B09 a reason",
        ),
        pytest.param(
            GenerationFailedError(Generation(id="g", state="completed", prompt=HOSTILE)),
            id="B09 a prompt of the service",
        ),
    ],
)
def test_no_message_can_take_over_a_terminal(error: LumaError) -> None:
    """Control characters are escaped, half characters too."""
    assert str(error).isprintable()


def test_a_reason_without_end_is_shown_in_part() -> None:
    """A log line stays a line."""
    generation = Generation(id="g", state="failed", failure_reason="x" * 10**6)
    assert len(str(GenerationFailedError(generation))) < 2_100


@pytest.mark.parametrize("builtin", [ValueError, TimeoutError, ConnectionError, RuntimeError])
def test_programs_that_know_no_luma_understand_the_builtin_bases(
    builtin: type[Exception],
) -> None:
    """``except TimeoutError`` works as one would think."""
    assert [] != [kind for kind in KINDS if issubclass(kind, builtin)]
    assert issubclass(ConfigurationError, ValueError)
