"""From what the service sends to our values: strict where it counts, lenient elsewhere."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from luma_async._api.sansio.codec import read_json, structure
from luma_async.errors import ResponseFormatError
from luma_async.models import Generation, GenerationSummary, UploadedImage, Video
from tests.api.recorded import recorded


def generation(**fields: object) -> Generation:
    """Read a generation with the fields that a test is about."""
    return structure({"id": "g-1", "state": "queued", **fields}, Generation)


def test_a_recorded_new_generation_is_read() -> None:
    """Nulls where the schema says text are no problem."""
    sent = read_json(recorded("generation_pending"))
    read = structure(sent, Generation)
    assert (
        Generation(
            id="a4a8f1ff-e59b-4969-abcb-98b3e16f003e",
            state="pending",
            prompt="Increase dynamic",
            created_at=datetime(2024, 6, 18, 14, 47, 43, 318498, UTC),
        )
        == read
    )
    assert sent == read.raw
    assert not read.is_done


def test_a_recorded_finished_generation_is_read() -> None:
    """Its video is there, and what we do not know is kept in `raw`."""
    read = structure(read_json(recorded("generation_completed")), Generation)
    assert (
        Generation(
            id="66bcb5f6-7c32-449d-9742-d5b6a3fc69d2",
            state="completed",
            prompt="...",
            created_at=datetime(2024, 7, 26, 8, 35, 54, 731000, UTC),
            video=Video(
                url="https://....mp4",
                width=1360,
                height=752,
                download_url="https://...?X-Amz-Expires=3600...",
            ),
        )
        == read
    )
    assert ("...", 752) == (read.raw["server_id"], read.raw["last_frame"]["height"])
    assert read.is_completed


def test_a_recorded_list_is_read() -> None:
    """A generation without a prompt is one all the same."""
    assert [
        GenerationSummary(id="66bcb5f6-7c32-449d-9742-d5b6a3fc69d2", prompt="..."),
        GenerationSummary(id="a4a8f1ff-e59b-4969-abcb-98b3e16f003e"),
    ] == [structure(entry, GenerationSummary) for entry in read_json(recorded("list"))]


def test_a_recorded_upload_is_read() -> None:
    """All three fields are text and required."""
    (entry,) = read_json(recorded("upload"))
    assert UploadedImage(**entry) == structure(entry, UploadedImage)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"", "expected JSON at $", id="H02 empty"),
        pytest.param(b"<html>", "expected JSON at $", id="H39 HTML"),
        pytest.param(b'{"id": "a', "expected JSON at $", id="B01 truncated"),
        pytest.param(b'{"id": "\xff"}', "expected UTF-8 at $", id="B02 no UTF-8"),
        pytest.param('{"id": "a"}'.encode("utf-16"), "expected UTF-8 at $", id="B02 UTF-16"),
        pytest.param(b'{"a": NaN}', "NaN is no JSON number at $", id="B03 NaN"),
        pytest.param(b"[Infinity]", "Infinity is no JSON number at $", id="B03 Infinity"),
        pytest.param(b"-Infinity", "-Infinity is no JSON number at $", id="B03 -Infinity"),
        pytest.param(b'{"id": "a", "id": "b"}', "a key occurs twice at $", id="B04 id twice"),
        pytest.param(b'[{"a": {"s": 1, "\\u0073": 2}}]', "a key occurs twice at $", id="B04 deep"),
        pytest.param(b"[" * 200_000, "nested too deeply at $", id="B05 200,000"),
        pytest.param(b'{"a":' * 200_000, "nested too deeply at $", id="B05 200,000 objects"),
        pytest.param(b"1" * 5_000, "expected JSON at $", id="B06 5,000 digits"),
        pytest.param(b'{"id": "a"} x', "expected JSON at $", id="B13 trailing garbage"),
        pytest.param(b'{"id": "a"}{"id": "b"}', "expected JSON at $", id="B13 two documents"),
        pytest.param(b'{"id": 1}\n{"id": 2}\n', "expected JSON at $", id="B13 NDJSON"),
        pytest.param(b")]}'\n[]", "expected JSON at $", id="B13 prefix"),
    ],
)
def test_what_readers_disagree_about_is_not_read(body: bytes, problem: str) -> None:
    """An answer that two programs could read in two ways is no answer."""
    with pytest.raises(ResponseFormatError) as caught:
        read_json(body)
    assert (problem,) == caught.value.problems
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b'\xef\xbb\xbf{"id": "a"}', {"id": "a"}, id="B02 BOM"),
        pytest.param(b" [1, 2.5]\r\n", [1, 2.5], id="white space"),
        pytest.param(b"1e999", math.inf, id="B03 overflow"),
        pytest.param(b'"\\ud800"', "\ud800", id="B08 lone surrogate"),
        pytest.param(b"null", None, id="H42 null"),
    ],
)
def test_json_is_read_as_it_stands(body: bytes, value: object) -> None:
    """What is JSON is read; what it means is decided field by field."""
    assert value == read_json(body)


@pytest.mark.parametrize(
    ("sent", "problems"),
    [
        pytest.param({"state": "queued"}, ["missing at $.id"], id="B11 no id"),
        pytest.param({"id": "a"}, ["missing at $.state"], id="B11 no state"),
        pytest.param({}, ["missing at $.id", "missing at $.state"], id="B11 nothing"),
        pytest.param({"id": None, "state": "a"}, ["expected an id at $.id"], id="B12 null"),
        pytest.param({"id": True, "state": "a"}, ["expected an id at $.id"], id="B12 true"),
        pytest.param({"id": 1.5, "state": "a"}, ["expected an id at $.id"], id="B12 fraction"),
        pytest.param({"id": ["a"], "state": "a"}, ["expected an id at $.id"], id="B12 list"),
        pytest.param({"id": "", "state": "a"}, ["expected an id at $.id"], id="B12 empty"),
        pytest.param({"id": "../x", "state": "a"}, ["expected an id at $.id"], id="S22 path"),
        pytest.param({"id": "\ud800", "state": "a"}, ["expected an id at $.id"], id="B08 half"),
        pytest.param({"id": "a", "state": {}}, ["expected a state at $.state"], id="S07 object"),
        pytest.param({"id": "a", "state": True}, ["expected a state at $.state"], id="S07 true"),
        pytest.param([], ["expected an object at $"], id="S06 a list"),
        pytest.param(None, ["expected an object at $"], id="S06 null"),
    ],
)
def test_an_id_and_a_state_are_required(sent: object, problems: list[str]) -> None:
    """Every problem is named with its place."""
    with pytest.raises(ResponseFormatError) as caught:
        structure(sent, Generation)
    assert problems == list(caught.value.problems)


def test_the_place_of_a_problem_is_within_the_whole_answer() -> None:
    """The third of a list is named as the third."""
    with pytest.raises(ResponseFormatError, match=r"missing at \$\[2\]\."):
        structure({"prompt": "a"}, GenerationSummary, path="$[2]")


def test_a_number_is_taken_for_an_id() -> None:
    """B12: some relays number their generations."""
    assert "17" == generation(id=17).id


@pytest.mark.parametrize(
    ("state", "read", "done"),
    [
        pytest.param("dreaming", "dreaming", False, id="as it is"),
        pytest.param("COMPLETED", "completed", True, id="S08 upper case"),
        pytest.param(" completed", "completed", True, id="S08 space"),
        pytest.param("Failed\n", "failed", True, id="S08 line break"),
        pytest.param("error", "error", True, id="the word of v2"),
        pytest.param("paused", "paused", False, id="S07 unknown"),
        pytest.param("", "", False, id="S07 empty"),
        pytest.param(None, "", False, id="S07 null"),
        pytest.param(7, "7", False, id="S07 a number"),
    ],
)
def test_an_unknown_state_means_not_finished_yet(state: object, read: str, *, done: bool) -> None:
    """Words to come are no crash; those of an ending are known in any spelling."""
    value = generation(state=state)
    assert (read, done) == (value.state, value.is_done)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        pytest.param(12, 12.0, id="number"),
        pytest.param("12.5", 12.5, id="B12 text"),
        pytest.param(None, None, id="B11 null"),
        pytest.param("soon", None, id="B12 words"),
        pytest.param(True, None, id="B12 true"),
        pytest.param([1], None, id="B12 list"),
        pytest.param(math.inf, None, id="B03 infinity"),
        pytest.param("nan", None, id="B03 NaN as text"),
        pytest.param("1e999", None, id="B03 overflow as text"),
        pytest.param(10**400, None, id="B06 huge"),
    ],
)
def test_an_estimate_is_a_finite_number_or_none(sent: object, read: float | None) -> None:
    """A wait is never computed from what is no number."""
    assert read == generation(estimate_wait_seconds=sent).estimate_wait_seconds


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        pytest.param({"url": "u", "width": "1280"}, Video(url="u", width=1280), id="B12 text"),
        pytest.param({"url": "u", "width": "w"}, Video(url="u"), id="B12 words"),
        pytest.param({"url": ""}, Video(), id="S11 empty address"),
        pytest.param({"url": 5}, Video(), id="B12 a number for an address"),
        pytest.param({"url": {"url": "u"}}, Video(url="u"), id="an object for an address"),
        pytest.param({"thumbnail": {"url": "t"}}, Video(thumbnail="t"), id="thumbnail object"),
        pytest.param({"new": 1}, Video(), id="B10 unknown fields"),
        pytest.param(None, None, id="B11 null"),
        pytest.param("https://a", None, id="B12 text for a video"),
        pytest.param([], None, id="B12 a list for a video"),
    ],
)
def test_what_is_optional_never_costs_the_video(sent: object, read: Video | None) -> None:
    """What cannot be read is None, and the rest stands."""
    assert read == generation(video=sent).video


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2024-06-18T14:47:43Z", datetime(2024, 6, 18, 14, 47, 43, tzinfo=UTC)),
        ("2024-06-18T14:47:43", datetime(2024, 6, 18, 14, 47, 43, tzinfo=UTC)),
        (
            "2024-06-18T14:47:43+02:00",
            datetime(2024, 6, 18, 14, 47, 43, tzinfo=timezone(timedelta(hours=2))),
        ),
        ("yesterday", None),
        (1718722063, None),
        (None, None),
    ],
    ids=["Z", "no zone", "offset", "words", "number", "null"],
)
def test_a_moment_always_has_a_zone(sent: object, read: datetime | None) -> None:
    """Without one it is UTC; what is no moment is None."""
    assert read == generation(created_at=sent).created_at


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"failure_reason": "too dark"}, "too dark"),
        ({"error": {"name": "X", "message": "too bright"}}, "too bright"),
        ({"error": "too loud"}, "too loud"),
        ({"failure_reason": "", "error": "too long"}, "too long"),
        ({"error": 5}, None),
        ({}, None),
    ],
    ids=["documented", "object of v2", "text", "empty", "number", "nothing"],
)
def test_the_reason_of_a_failure_is_found(fields: dict[str, object], reason: str | None) -> None:
    """Both generations of the service are understood."""
    assert reason == generation(state="failed", **fields).failure_reason


def test_what_the_client_adds_is_not_taken_over_from_the_service() -> None:
    """A field of the same name means something else; it is kept in `raw` like any other."""
    value = generation(seconds_left=7.0, raw={"id": "b"})
    assert value.seconds_left is None
    assert {"id": "g-1", "state": "queued", "seconds_left": 7.0, "raw": {"id": "b"}} == value.raw


def test_a_prompt_with_half_a_character_is_kept() -> None:
    """B08: it is the user's own, and its repr can be printed."""
    value = generation(prompt="a\ud800")
    assert "a\ud800" == value.prompt
    assert b"\\ud800" in repr(value).encode("utf-8")


@pytest.mark.parametrize("field", ["id", "presigned_url", "public_url"])
def test_an_upload_without_its_addresses_is_no_upload(field: str) -> None:
    """What the caller needs next has to be there."""
    (entry,) = read_json(recorded("upload"))
    with pytest.raises(ResponseFormatError, match=rf"expected text at \$\.{field}"):
        structure({**entry, field: None}, UploadedImage)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**500)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "state",
                    "video",
                    "url",
                    "width",
                    "prompt",
                    "created_at",
                    "estimate_wait_seconds",
                    "error",
                    "message",
                    "failure_reason",
                    "luma_generation_id",
                    "presigned_url",
                    "public_url",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON, st.sampled_from([Generation, GenerationSummary, UploadedImage]))
def test_any_json_is_a_value_or_a_problem_with_its_place(sent: object, kind: type) -> None:
    """Nothing that the service can say raises another error than ours."""
    problems: tuple[str, ...] = ()
    value: object = None
    try:
        value = structure(sent, kind)
    except ResponseFormatError as error:
        problems = error.problems
    assert all(" at $" in problem for problem in problems)
    assert (value is None) == bool(problems)
    assert repr(value).isprintable()


@settings(deadline=None)
@given(JSON)
def test_all_that_json_can_say_is_read_back(value: object) -> None:
    """The strict reader reads what the standard writer writes."""
    text = json.dumps(value)
    if "Infinity" not in text:
        assert value == read_json(text.encode())
