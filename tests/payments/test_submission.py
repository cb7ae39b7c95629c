"""What the ending of a paid request means: there are four, and no fifth."""

import json

import pytest
from hypothesis import given, settings, strategies as st

from luma_async._api.sansio.http_status import meaning_of
from luma_async._api.sansio.validation import check_id
from luma_async._payments.sansio.submission import (
    Accepted,
    NotSent,
    Rejected,
    SubmissionResult,
    Unknown,
    classify_failure,
    classify_response,
)
from luma_async.errors import (
    ConnectError,
    DisconnectedError,
    OutOfCreditsError,
    RequestError,
    RequestTimeoutError,
)
from luma_async.models import Generation
from tests.api.recorded import answer, recorded

# Written out once more: the list is a promise about money, not an implementation.
LISTED = [400, 401, 402, 403, 404, 405, 406, 410, 411, 413, 414, 415, 417, 421, 422, 425, 429]
LISTED += [431, 451]
GOOD = '{"id": "g-1", "state": "queued"}'


def test_the_list_of_refusals_is_as_promised() -> None:
    """A status is added only with a reason to trust it."""
    assert set(LISTED) == {code for code in range(600) if meaning_of(code).refuses_order}


@pytest.mark.parametrize("status", LISTED, ids=lambda status: f"H18 {status}")
def test_a_listed_status_is_a_refusal_and_costs_nothing(status: int) -> None:
    """H11-H25: whatever the body says, the order was not accepted."""
    for body in (GOOD, "<html>", "", '{"message": "no"}'):
        ending = classify_response(answer(body, status=status))
        assert isinstance(ending, Rejected)
        assert status == ending.error.status


@pytest.mark.parametrize(
    "status",
    [
        *(pytest.param(status, id=f"H04 {status}") for status in (300, 301, 302, 303, 304)),
        *(pytest.param(status, id=f"H05 {status}") for status in (307, 308)),
        pytest.param(408, id="H19 408"),
        pytest.param(409, id="H20 409"),
        *(pytest.param(status, id=f"H33 {status}") for status in (500, 502, 503, 504)),
        *(pytest.param(status, id=f"H37 {status}") for status in (501, 505, 507, 508, 511, 520)),
        *(pytest.param(status, id=f"H38 {status}") for status in (418, 499, 599, 600, 0, 1000)),
        pytest.param(103, id="N26 103"),
    ],
)
@pytest.mark.parametrize("body", [GOOD, "", '{"statusCode": 400}'], ids=["id", "empty", "refusal"])
def test_all_other_statuses_leave_it_open(status: int, body: str) -> None:
    """The service may have taken the order before something else answered."""
    ending = classify_response(answer(body, status=status, x_request_id="r-1"))
    assert isinstance(ending, Unknown)
    assert (status, "r-1") == (ending.status, ending.request_id)
    assert str(status) in ending.reason


@pytest.mark.parametrize("status", [200, 201, 202, 203])
@pytest.mark.parametrize("body", [GOOD, f"[{GOOD}]"], ids=["alone", "list of one"])
def test_h01_an_id_is_an_acceptance(status: int, body: str) -> None:
    """Any 2xx with a usable id says that the order is paid."""
    assert Accepted(Generation(id="g-1", state="queued")) == classify_response(
        answer(body, status=status)
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="H02 empty"),
        pytest.param("null", id="H42 null"),
        pytest.param("[]", id="H42 empty list"),
        pytest.param('""', id="H42 text"),
        pytest.param("0", id="H42 zero"),
        pytest.param("true", id="H42 true"),
        pytest.param("<html>maintenance</html>", id="H39 HTML"),
        pytest.param('{"error": "busy"}', id="H41 an error without a status"),
        pytest.param('{"statusCode": 500, "message": "x"}', id="H41 500 within"),
        pytest.param('{"statusCode": 409, "message": "x"}', id="H41 409 within"),
        pytest.param('{"id": null, "state": "queued"}', id="B12 null id"),
        pytest.param('{"id": "../x", "state": "queued"}', id="S22 a path for an id"),
        pytest.param('{"id": "a", "id": "b"}', id="B04 two ids"),
        pytest.param("[" * 200_000, id="B05 deep"),
    ],
)
def test_without_a_usable_id_a_good_status_says_nothing(body: str) -> None:
    """Such an order may be paid, so it is never sent again."""
    assert isinstance(classify_response(answer(body, status=201)), Unknown)


@pytest.mark.parametrize("name", ["error_status_as_number", "error_status_as_text"])
def test_h41_a_recorded_refusal_is_one_even_with_200(name: str) -> None:
    """The status within is in the list."""
    ending = classify_response(answer(recorded(name)))
    assert isinstance(ending, Rejected)
    assert 429 == ending.error.status


def test_h14_an_empty_account_is_a_refusal() -> None:
    """Nothing was paid, as nothing could be."""
    body = json.dumps({"message": "You've run out of credits. Please top up", "statusCode": 403})
    ending = classify_response(answer(body, status=403))
    assert isinstance(ending, Rejected)
    assert OutOfCreditsError is type(ending.error)


def test_n14_an_answer_that_was_cut_is_never_an_acceptance() -> None:
    """Only the whole body holds an id that can be trusted."""
    whole = recorded("generation_pending").strip()
    endings = [classify_response(answer(whole[:cut], status=201)) for cut in range(len(whole))]
    assert {Unknown} == {type(ending) for ending in endings}
    assert isinstance(classify_response(answer(whole, status=201)), Accepted)


def is_consistent(ending: SubmissionResult) -> bool:
    """Whether an ending carries what it has to."""
    match ending:
        case Accepted(generation):
            return check_id(generation.id) == generation.id
        case Rejected(error):
            return error.status in LISTED
        case Unknown(reason):
            return reason != "" and reason.isprintable()
        case NotSent():
            return False


@pytest.mark.protocol
@settings(deadline=None, max_examples=400)
@given(
    st.integers(100, 999),
    st.binary(max_size=40)
    | st.fixed_dictionaries(
        {},
        optional={
            "id": st.none() | st.integers() | st.text(max_size=5) | st.just("g-1"),
            "state": st.none() | st.integers() | st.text(max_size=5),
            "statusCode": st.integers(0, 700) | st.text(max_size=4),
            "message": st.text(max_size=5) | st.lists(st.integers()),
        },
    ).map(lambda fields: json.dumps(fields).encode()),
)
def test_every_answer_ends_in_one_of_four_ways(status: int, body: bytes) -> None:
    """I6: accepted only with an id, rejected only with a listed status, else unknown."""
    assert is_consistent(classify_response(answer(body, status=status)))


def test_n01_what_was_not_sent_was_not_paid() -> None:
    """Without a connection there is nothing to look for."""
    error = ConnectError("no connection")
    assert NotSent(error) == classify_failure(error)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RequestTimeoutError("no answer in time"), id="N20 no answer"),
        pytest.param(DisconnectedError("the connection broke"), id="N13 cut"),
        pytest.param(RequestError("something else"), id="N28 something else"),
    ],
)
def test_what_was_sent_without_an_answer_is_unknown(error: RequestError) -> None:
    """The request may have arrived."""
    assert Unknown(str(error)) == classify_failure(error)
