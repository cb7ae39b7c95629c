"""From an answer to a value, or to the error that it stands for."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from luma_async._api.sansio import responses
from luma_async._api.sansio.responses import Response
from luma_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OutOfCreditsError,
    PermissionDeniedError,
    RateLimitError,
    ResponseFormatError,
    ServerError,
)
from luma_async.models import Generation, GenerationSummary, UploadedImage
from tests.api.recorded import answer, recorded

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

READERS: list[Callable[[Response], object]] = [
    responses.read_states,
    responses.read_created,
    responses.read_summaries,
    responses.read_upload,
    lambda given_answer: responses.read_generation(given_answer, "a"),
    responses.read_error,
]

HEADER_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
DATE_LIKE = st.builds(
    "{}{} {} {} {}:{}{}{}".format,
    st.sampled_from(["Mon, ", "Sunday, ", "Sun ", ""]),
    st.integers(-1, 40) | st.just(""),
    st.sampled_from(["Jan", "Feb", "xyz", "13", ""]),
    st.sampled_from(["0", "26", "2026", "9999", "100000", "-1", ""]),
    st.integers(0, 99) | st.just(""),
    st.integers(0, 99) | st.just(""),
    st.sampled_from([":00", ":61", ":", "", ".5"]),
    st.sampled_from([" GMT", " EST", " +0100", " -2360", " +999999", " -", ""]),
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "date", "location", "x-request-id"]),
    HEADER_TEXT | DATE_LIKE | st.integers().map(str) | st.floats().map(str),
)
JSON_LIKE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**500)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from(["a", "completed", "429", 403, "credits"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "state",
                    "video",
                    "url",
                    "prompt",
                    "created_at",
                    "error",
                    "message",
                    "statusCode",
                    "requestId",
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
ODD_BODIES = st.sampled_from(
    [
        b"",
        b"[" * 200_000,
        b'{"id":' * 200_000,
        b'[{"id":"a","state":' + b"[" * 200_000 + b"]" * 200_000 + b"}]",
        b'{"statusCode":' + b"9" * 5_000 + b"}",
        b'{"statusCode":' + b"9" * 4_000 + b"}",
        b'{"statusCode":1e999}',
        b'{"id":' + b"9" * 4_300 + b',"state":' + b"9" * 4_300 + b"}",
        b'[{"id":"a","state":1e999,"estimate_wait_seconds":1e999}]',
        b'{"id":"a","id":"b"}',
        b'{"id":"\\ud800","state":"\\udfff","prompt":"\\ud83d"}',
        b'{"message":"\\ud800","requestId":"\\ud800"}',
        b'[{"id":"a","state":"s","created_at":"\\ud800024-06-18T14:47:43Z"}]',
        b'[{"id":"a","state":NaN}]',
        b"\xff\xfe[\x00]\x00",
        b"\xef\xbb\xbf[]",
    ]
)
BODIES = (
    st.binary(max_size=60)
    | ODD_BODIES
    | JSON_LIKE.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda body, place, byte: body[:place] + bytes([byte]) + body[place + 1 :],
        st.sampled_from([recorded("generation_completed"), recorded("error_status_as_text")]),
        st.integers(0, 400),
        st.integers(0, 255),
    )
)


def what_comes_of(read: Callable[[Response], object], sent: Response) -> str:
    """Show the value or the error of ours; any other error passes through."""
    try:
        return repr(read(sent))
    except (APIError, ResponseFormatError) as error:
        return str(error)


@pytest.mark.protocol
@settings(deadline=None, max_examples=200)
@given(st.sampled_from(READERS), BODIES, st.integers(100, 999), HEADERS)
@example(responses.read_error, b"", 302, {"location": "\udc80"})
def test_any_answer_is_a_value_or_an_error_of_ours(
    read: Callable[[Response], object], body: bytes, status: int, headers: dict[str, str]
) -> None:
    """Whatever the service, or what stands before it, sends: no other error comes through."""
    sent = Response(status=status, headers=headers, body=body, path="/p")
    assert what_comes_of(read, sent).isprintable()


@settings(deadline=None)
@given(st.sampled_from(READERS), BODIES)
def test_any_good_answer_is_a_value_or_an_error_of_ours(
    read: Callable[[Response], object], body: bytes
) -> None:
    """A status of 200 promises nothing of the body."""
    assert what_comes_of(read, answer(body)).isprintable()


def test_a_recorded_generation_is_read_from_a_list_and_alone() -> None:
    """Some relays answer with a list of one, some with an object."""
    alone = recorded("generation_completed")
    listed = b"[" + alone + b"]"
    assert responses.read_states(answer(listed)) == responses.read_states(answer(alone))
    assert responses.read_created(answer(listed)) == responses.read_created(answer(alone))
    assert (
        responses.read_created(answer(alone, status=201))
        == responses.read_states(answer(alone)).generations[0]
    )


@pytest.mark.parametrize("name", ["error_status_as_number", "error_status_as_text"])
@pytest.mark.parametrize("status", [429, 200], ids=["its own status", "H41 with 200"])
def test_a_recorded_refusal_is_read(name: str, status: int) -> None:
    """The status within counts where the outer one says that all is well."""
    with pytest.raises(RateLimitError) as caught:
        responses.read_states(answer(recorded(name), status=status, retry_after="7"))
    error = caught.value
    assert (429, "Free-tier limit: ...", "798b860e-...", "/luma-ai/generations", 7.0) == (
        error.status,
        error.message,
        error.request_id,
        error.path,
        error.retry_after,
    )


def test_a_recorded_list_and_upload_are_read() -> None:
    """They are values like the others."""
    assert [
        GenerationSummary(id="66bcb5f6-7c32-449d-9742-d5b6a3fc69d2", prompt="..."),
        GenerationSummary(id="a4a8f1ff-e59b-4969-abcb-98b3e16f003e"),
    ] == responses.read_summaries(answer(recorded("list")))
    assert UploadedImage(
        id="img_1",
        presigned_url="https://....s3.amazonaws.com/...?X-Amz-Expires=3600...",
        public_url="https://....png",
    ) == responses.read_upload(answer(recorded("upload"), status=201))


def test_an_empty_list_is_a_list() -> None:
    """H42: an account without generations has none; a question may find none."""
    assert [] == responses.read_summaries(answer("[]"))
    assert [] == responses.read_states(answer("[]")).generations


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("null", id="H42 null"),
        pytest.param('""', id="H42 text"),
        pytest.param("0", id="H42 zero"),
        pytest.param("true", id="H42 true"),
        pytest.param('{"data": []}', id="B14 data"),
        pytest.param('{"generations": []}', id="B14 generations"),
        pytest.param("<html>Sign in</html>", id="H39 HTML"),
        pytest.param("", id="H02 empty"),
    ],
)
@pytest.mark.parametrize("read", [responses.read_states, responses.read_summaries])
def test_what_is_no_list_is_no_answer(body: str, read: Callable[[Response], object]) -> None:
    """A wrapping that is not known is not guessed at."""
    with pytest.raises(ResponseFormatError, match=r" at \$") as caught:
        read(answer(body))
    assert 200 == caught.value.status


@pytest.mark.parametrize("body", ["[]", '[{"id": "a"}, {"id": "b"}]', "null", "7", '["a"]'])
@pytest.mark.parametrize("read", [responses.read_created, responses.read_upload])
def test_one_object_is_expected_where_one_thing_was_asked_for(
    body: str, read: Callable[[Response], object]
) -> None:
    """H42: nothing and two are both not one."""
    with pytest.raises(ResponseFormatError, match="expected one object at") as caught:
        read(answer(body, status=201))
    assert 201 == caught.value.status


def test_what_cannot_be_read_is_shown_in_part() -> None:
    """H39: 200 bytes are enough to see a login page, and cannot harm a terminal."""
    with pytest.raises(ResponseFormatError) as caught:
        responses.read_states(answer("<html>\x1b[2J" + "x" * 1_000))
    assert "<html>" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 350


@pytest.mark.parametrize(
    ("entries", "ids", "problems"),
    [
        pytest.param([{"id": "b", "state": "x"}, {"id": "a", "state": "x"}], "ba", [], id="S03"),
        pytest.param([{"id": "a", "state": "x"}] * 2, "aa", [], id="S04 twice"),
        pytest.param(
            [None, {"id": "a", "state": "x"}, 7, "b"],
            "a",
            [f"expected an object at $[{place}]" for place in (0, 2, 3)],
            id="S06 null and others",
        ),
        pytest.param(
            [{"id": "a", "state": "x"}, {"id": None, "state": "x"}],
            "a",
            ["expected an id at $[1].id"],
            id="B12 one without an id",
        ),
        pytest.param(
            [{"state": "x"}, {"id": "a", "state": "x"}], "a", ["missing at $[0].id"], id="B11"
        ),
    ],
)
def test_one_broken_entry_costs_the_others_nothing(
    entries: list[object], ids: str, problems: list[str]
) -> None:
    """Those that can be read count, and the problems of the others are named."""
    states = responses.read_states(answer(json.dumps(entries)))
    assert list(ids) == [generation.id for generation in states.generations]
    assert problems == list(states.problems)


ENTRY: dict[str, Any] = {
    "id": "a",
    "state": "dreaming",
    "estimate_wait_seconds": 12.5,
    "video": None,
    "new": {"of": ["the", "service", 1]},
}


def known_of(*entries: dict[str, Any]) -> dict[str, Generation]:
    """Read an earlier answer."""
    earlier = responses.read_states(answer(json.dumps(entries)))
    return {generation.id: generation for generation in earlier.generations}


def test_what_is_said_again_is_the_very_same_value() -> None:
    """Thousands that have not changed cost next to nothing to read."""
    other = {"id": "b", "state": "queued"}
    known = known_of(ENTRY, other)
    again = responses.read_states(answer(json.dumps([other, ENTRY])), known.get).generations
    assert known["b"] is again[0]
    assert known["a"] is again[1]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({**ENTRY, "state": "completed"}, id="state"),
        pytest.param({**ENTRY, "estimate_wait_seconds": 11}, id="estimate"),
        pytest.param({**ENTRY, "video": {"url": "https://cdn.example.com/1.mp4"}}, id="video"),
        pytest.param({**ENTRY, "new": {"of": ["the", "service", 2]}}, id="unknown field, within"),
        pytest.param({**ENTRY, "newer": 1}, id="one field more"),
        pytest.param({"id": "a", "state": "dreaming"}, id="some fields less"),
    ],
)
def test_whatever_differs_is_read_anew(changed: dict[str, Any]) -> None:
    """Fields that are not known yet included: `raw` is what was sent last."""
    known = known_of(ENTRY)
    (read,) = responses.read_states(answer(json.dumps([changed])), known.get).generations
    assert known["a"] is not read
    assert known_of(changed)["a"] == read
    assert changed == read.raw


def test_what_is_known_of_one_is_no_word_of_another() -> None:
    """The id is part of what is compared."""
    known = known_of(ENTRY)
    sent = [{**ENTRY, "id": "b"}]
    (read,) = responses.read_states(answer(json.dumps(sent)), lambda name: known["a"]).generations
    assert "b" == read.id


@pytest.mark.parametrize(
    "name", [None, 7, 1.5, True, ["a"], {"a": 1}, "", "../a", "\ud800"], ids=repr
)
def test_an_odd_id_is_no_harm_to_what_is_known(name: object) -> None:
    """S06, B12: what is known is asked by text alone, and the readable entries count."""
    known = known_of(ENTRY)
    asked: list[object] = []

    def find(wanted: str) -> Generation | None:
        asked.append(wanted)
        return known.get(wanted)

    sent = [{**ENTRY, "id": name}, None, 7, ["id"], {"state": "x"}, ENTRY]
    states = responses.read_states(answer(json.dumps(sent)), find)
    assert known["a"] is states.generations[-1]
    assert responses.read_states(answer(json.dumps(sent))) == states
    assert ([name, "a"] if isinstance(name, str) else ["a"]) == asked


def test_one_alone_that_is_known_is_the_same_value() -> None:
    """Some relays answer with an object where one id was asked for."""
    known = known_of(ENTRY)
    (read,) = responses.read_states(answer(json.dumps(ENTRY)), known.get).generations
    assert known["a"] is read


@settings(deadline=None)
@given(BODIES)
def test_what_is_known_changes_no_answer(body: bytes) -> None:
    """Whatever is sent: it reads the same with and without."""
    sent = answer(body)
    known: dict[str, Generation] = {}

    def read_and_know(given_answer: Response) -> object:
        states = responses.read_states(given_answer)
        known.update({generation.id: generation for generation in states.generations})
        return states

    assert what_comes_of(read_and_know, sent) == what_comes_of(
        lambda given_answer: responses.read_states(given_answer, known.get), sent
    )


@pytest.mark.parametrize(
    ("header", "date"),
    [
        pytest.param("Sun, 01 Mar 2026 11:59:30 GMT", NOW - timedelta(seconds=30), id="as sent"),
        pytest.param("Sun, 01 Mar 2026 11:59:30 -0000", NOW - timedelta(seconds=30), id="no zone"),
        pytest.param("", NOW, id="H48 empty"),
        pytest.param("today", NOW, id="H48 words"),
        pytest.param(None, NOW, id="none"),
    ],
)
def test_an_answer_is_dated_by_the_service_where_it_says(
    header: str | None, date: datetime
) -> None:
    """Ages are told by its clock; by ours where it has none."""
    headers = {} if header is None else {"date": header}
    sent = Response(status=200, headers=headers, body=b"[]", path="/p", received_at=NOW)
    assert date == responses.read_states(sent).date


def test_an_answer_that_nobody_has_dated_has_no_date() -> None:
    """Nothing is made up."""
    assert responses.read_states(answer("[]")).date is None


def test_one_is_found_among_many() -> None:
    """S02, S03: it is matched by its id, whatever else is in the answer."""
    body = '[7, {"id": "x", "state": "queued"}, {"id": "a", "state": "dreaming"}]'
    assert Generation(id="a", state="dreaming") == responses.read_generation(answer(body), "a")


def test_one_that_is_not_in_the_answer_is_unknown() -> None:
    """S01: an empty list says that the service does not know it."""
    with pytest.raises(NotFoundError, match="does not know generation a") as caught:
        responses.read_generation(answer('[{"id": "x", "state": "queued"}]'), "a")
    assert 404 == caught.value.status


def test_one_that_may_be_among_what_cannot_be_read_is_not_called_unknown() -> None:
    """The broken entry may be the very one."""
    with pytest.raises(ResponseFormatError, match=r"missing at \$\[0\]\.id"):
        responses.read_generation(answer('[{"state": "queued"}]'), "a")


@pytest.mark.parametrize(
    ("body", "state"),
    [
        pytest.param('{"id": "a"}', "", id="no state"),
        pytest.param('{"id": "a", "state": null}', "", id="null"),
        pytest.param('{"id": "a", "state": {"x": 1}}', "", id="an object"),
        pytest.param('{"id": "a", "state": 7}', "", id="a number"),
        pytest.param('{"id": "a", "state": "queued"}', "queued", id="a word"),
        pytest.param('[{"id": "a", "video": 5, "prompt": []}]', "", id="all else broken"),
    ],
)
def test_the_id_is_all_that_a_receipt_has_to_hold(body: str, state: str) -> None:
    """An order that was paid is never lost to a cosmetic field; `raw` is what was sent."""
    receipt = responses.read_created(answer(body, status=201))
    assert Generation(id="a", state=state) == receipt
    sent = json.loads(body)
    assert (sent[0] if isinstance(sent, list) else sent) == receipt.raw


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(400, "{}", BadRequestError, id="H11 400"),
        pytest.param(401, "{}", AuthenticationError, id="H13 401"),
        pytest.param(402, "{}", OutOfCreditsError, id="H14 402"),
        pytest.param(
            403, '{"message": "You\'ve run out of credits."}', OutOfCreditsError, id="H14 403"
        ),
        pytest.param(403, '{"message": "no"}', PermissionDeniedError, id="H15 other 403"),
        pytest.param(403, "<b>credit cards</b>", PermissionDeniedError, id="H15 a proxy's 403"),
        pytest.param(404, "{}", NotFoundError, id="H16 404"),
        pytest.param(422, "{}", BadRequestError, id="H23 422"),
        pytest.param(429, "{}", RateLimitError, id="H25 429"),
        *(
            pytest.param(status, "{}", APIError, id=f"H18 {status}")
            for status in (405, 406, 408, 409, 410, 411, 413, 415, 417, 418, 421, 425, 431, 451)
        ),
        *(
            pytest.param(status, "<html>", ServerError, id=f"H36 {status}")
            for status in (500, 501, 502, 503, 504, 505, 507, 511, 520, 527, 530, 599)
        ),
        pytest.param(100, "", APIError, id="N26 100"),
        pytest.param(304, "", APIError, id="H04 304"),
        pytest.param(600, "", APIError, id="H38 600"),
        pytest.param(999, "", APIError, id="H38 999"),
    ],
)
def test_each_status_has_its_error(status: int, body: str, kind: type[APIError]) -> None:
    """Callers tell by the class what they can do next."""
    error = responses.read_error(answer(body, status=status))
    assert kind is type(error)
    assert status == error.status


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param('{"message": "no"}', "no", id="as recorded"),
        pytest.param('{"error": "no"}', "no", id="H41 error as text"),
        pytest.param('{"error": {"name": "X", "message": "no"}}', "no", id="H41 error of v2"),
        pytest.param('{"message": ["a", 7, "b"]}', "a; b", id="H11 a list of NestJS"),
        pytest.param('{"message": {"message": "no"}}', "no", id="nested"),
        pytest.param('{"message": 7}', '{"message": 7}', id="no text at all"),
        pytest.param('{"message": ""}', '{"message": ""}', id="empty"),
        pytest.param("[1]", "[1]", id="no object"),
        pytest.param("<h1>Bad gateway</h1>\n", "<h1>Bad gateway</h1>\\u000a", id="H39 HTML"),
        pytest.param("", "no further word", id="H02 empty"),
        pytest.param('{"message": "a\\u001b[31m\\r\\nb"}', "a\\u001b[31m\\u000d\\u000ab", id="B09"),
        pytest.param('{"message": "\\u202eabc"}', "\\u202eabc", id="B09 bidi override"),
        pytest.param('{"message": "\\ud800"}', "\\ud800", id="B08 half a character"),
    ],
)
def test_what_the_service_says_is_found_and_can_be_printed(body: str, message: str) -> None:
    """All shapes that were seen are understood; control characters are escaped."""
    assert message == responses.read_error(answer(body, status=400)).message


@pytest.mark.parametrize("character", ["x", "\x00", "\u20ac", "\U000e0001"], ids=ascii)
def test_a_message_has_at_most_2000_characters(character: str) -> None:
    """H11: a long message does not flood a log, escaped or not."""
    body = json.dumps({"message": character * 50_000})
    assert 2_000 == len(responses.read_error(answer(body, status=400)).message)


@pytest.mark.parametrize(
    ("body", "header", "request_id"),
    [
        ('{"requestId": "r-1"}', "r-2", "r-1"),
        ('{"requestId": 7}', "r-2", "r-2"),
        ("<html>", "r-2", "r-2"),
        ("<html>", "\x1b[2J\udc80", "\\u001b[2J\\udc80"),
        ('{"requestId": "a\\nb"}', "", "a\\u000ab"),
    ],
    ids=["body", "not text", "header", "H48 odd header", "B09 line break"],
)
def test_the_request_is_named_for_the_support(body: str, header: str, request_id: str) -> None:
    """The body's name goes first, else the header's; neither can forge a line of a log."""
    assert (
        request_id == responses.read_error(answer(body, status=500, x_request_id=header)).request_id
    )


def test_without_a_name_the_request_has_none() -> None:
    """Nothing is made up."""
    assert responses.read_error(answer("", status=500)).request_id is None


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("https://evil.example/", id="H06 another origin"),
        pytest.param("javascript:alert(1)", id="H09 javascript"),
        pytest.param("", id="H09 none"),
        pytest.param("a\r\nSet-Cookie: b", id="H09 CRLF"),
        pytest.param("\udc80\udcff", id="H48 not ASCII"),
    ],
)
def test_a_redirect_is_named_and_not_followed(location: str) -> None:
    """H04, H05: the message says where it led, in one line."""
    error = responses.read_error(answer("", status=307, location=location))
    assert error.message.startswith("redirected to ")
    assert error.message.endswith("; not followed")
    assert str(error).isprintable()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"statusCode": 429}', id="number"),
        pytest.param('{"statusCode": "429"}', id="text"),
        pytest.param('{"statusCode": 429.0}', id="fraction"),
    ],
)
def test_h41_an_error_sent_with_200_is_that_error(body: str) -> None:
    """A relay that always says 200 does not hide what the service said."""
    with pytest.raises(RateLimitError):
        responses.read_created(answer(body))


@pytest.mark.parametrize(
    "body",
    [
        '{"id": "a", "state": "queued", "statusCode": 429}',
        '{"id": "a", "state": "queued", "statusCode": 201}',
    ],
)
def test_h41_an_answer_with_an_id_is_no_error(body: str) -> None:
    """An id that was paid for is worth more than a number beside it."""
    assert "a" == responses.read_created(answer(body)).id


@pytest.mark.parametrize("code", ["201", "null", '"x"', "[]", "1e999", "700", '"\\ud800"'])
def test_h41_a_status_within_that_is_no_error_is_none(code: str) -> None:
    """Only a status of 400 to 599 makes an error of an answer."""
    with pytest.raises(ResponseFormatError):
        responses.read_created(answer(f'{{"statusCode": {code}}}'))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after": "7"}, 7.0, id="H26 seconds"),
        pytest.param({"retry-after": " 7 "}, 7.0, id="H26 with spaces"),
        pytest.param({"retry-after": "007"}, 7.0, id="H26 leading zeros"),
        pytest.param({"retry-after": "999999999"}, 999_999_999.0, id="H30 huge"),
        pytest.param({"retry-after-ms": "1500"}, 1.5, id="H31 milliseconds"),
        pytest.param({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, id="H31 finer one"),
        pytest.param({"retry-after-ms": "x", "retry-after": "9"}, 9.0, id="H31 unreadable one"),
        pytest.param({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0, id="H27 IMF-fixdate"),
        pytest.param({"retry-after": "Sunday, 01-Mar-26 12:00:30 GMT"}, 30.0, id="H27 RFC 850"),
        pytest.param({"retry-after": "Sun Mar  1 12:00:30 2026"}, 30.0, id="H27 asctime"),
        pytest.param(
            {
                "retry-after": "Mon, 02 Mar 2026 12:00:30 GMT",
                "date": "Mon, 02 Mar 2026 12:00:00 GMT",
            },
            30.0,
            id="H47 a clock that is a day ahead",
        ),
        pytest.param(
            {"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", "date": "today"},
            30.0,
            id="H27 a Date that is none",
        ),
        pytest.param({}, None, id="H25 none"),
        pytest.param({"retry-after": "0"}, None, id="H28 zero"),
        pytest.param({"retry-after-ms": "0"}, None, id="H28 zero milliseconds"),
        pytest.param({"retry-after": "-5"}, None, id="H29 negative"),
        pytest.param({"retry-after": "Sun, 01 Mar 2026 11:59:59 GMT"}, None, id="H29 past date"),
        pytest.param({"retry-after": ""}, None, id="H29 empty"),
        pytest.param({"retry-after": "soon"}, None, id="H29 garbage"),
        pytest.param({"retry-after": "nan"}, None, id="H29 nan"),
        pytest.param({"retry-after": "inf"}, None, id="H29 inf"),
        pytest.param({"retry-after": "1e999"}, None, id="H29 1e999"),
        pytest.param({"retry-after": "\uff15"}, None, id="H29 unicode digit"),
        pytest.param(
            {"retry-after": "Sun, 01 Mar 100000 12:00:30 GMT"}, None, id="H29 year 100000"
        ),
        pytest.param({"retry-after": "1" + "0" * 35}, None, id="H29 10^35"),
        pytest.param({"retry-after": "5, 7"}, None, id="H29 two headers"),
        pytest.param({"retry-after": "1.5"}, None, id="H29 float"),
        pytest.param({"retry-after": "1 0"}, None, id="H29 spaces within"),
        pytest.param({"retry-after": "+5"}, None, id="H29 plus"),
        pytest.param({"retry-after": "1_0"}, None, id="H29 underscore"),
    ],
)
def test_what_the_service_asks_for_is_understood_or_ignored(
    headers: dict[str, str], seconds: float | None
) -> None:
    """What is neither a number nor a date of the future is no word at all."""
    assert seconds == responses.retry_after(headers, now=NOW)


@pytest.mark.protocol
@settings(deadline=None, max_examples=300)
@given(HEADERS)
def test_no_header_makes_a_wait_that_is_none(headers: dict[str, str]) -> None:
    """H29: it never raises, and what it returns can be waited for."""
    seconds = responses.retry_after(headers, now=NOW)
    assert seconds is None or (math.isfinite(seconds) and seconds > 0)


def test_a_date_is_measured_from_our_clock_where_there_is_no_better() -> None:
    """Without a Date, the time of receipt counts; without either, a date says nothing."""
    later = format_datetime(NOW + timedelta(hours=1))
    headers = {"retry-after": later}
    limited = Response(status=429, headers=headers, body=b"", path="/", received_at=NOW)
    assert 3_600 == responses.read_error(limited).retry_after
    assert responses.retry_after(headers, now=None) is None


def test_no_milliseconds_leave_the_seconds() -> None:
    """A zero in the finer header does not hide what the other asks for."""
    assert 7 == responses.retry_after({"retry-after-ms": "0", "retry-after": "7"}, now=NOW)
