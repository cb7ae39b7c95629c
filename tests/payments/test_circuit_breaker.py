"""Whether orders may still be sent, judged by how the last ones ended."""

from datetime import UTC, datetime

import pytest

from luma_async._payments.sansio.circuit_breaker import CircuitBreaker
from luma_async.errors import (
    AuthenticationError,
    BudgetExceededError,
    ConnectError,
    LedgerError,
    LumaError,
    OutOfCreditsError,
    PermissionDeniedError,
    RateLimitError,
    SubmissionUnknownError,
)
from luma_async.models import Order

OUT_OF_REACH = ConnectError("no route to host")
UNKNOWN = SubmissionUnknownError(
    order=Order("A fox"), sent_at=datetime(2026, 3, 1, tzinfo=UTC), reason="timeout"
)


def busy(retry_after: float | None = None) -> RateLimitError:
    """Make the error of a rate limit."""
    return RateLimitError("busy", status=429, retry_after=retry_after)


def pauses(breaker: CircuitBreaker, error: LumaError, number: int) -> list[float]:
    """Try as soon as it is allowed, meet the same error each time, and return the delays."""
    now, found = 0.0, []
    for _ in range(number):
        breaker.record_failure(error, now)
        found.append(breaker.delay(now))
        now += found[-1]
    return found


def test_orders_go_through_at_first() -> None:
    """It is closed, without a delay."""
    breaker = CircuitBreaker(600.0)
    assert (None, 0.0) == (breaker.opened_by, breaker.delay(0.0))


@pytest.mark.parametrize("error", [OUT_OF_REACH, busy(), busy(0.5)])
def test_a_service_out_of_reach_is_tried_again_later_and_later(error: LumaError) -> None:
    """After 1, 2, 4 seconds, and a minute at most."""
    breaker = CircuitBreaker(600.0)
    assert [1, 2, 4, 8, 16, 32, 60, 60] == pauses(breaker, error, 8)
    assert None is breaker.opened_by


def test_the_delay_ends() -> None:
    """It is what is left to wait for."""
    breaker = CircuitBreaker(600.0)
    breaker.record_failure(OUT_OF_REACH, 100.0)
    assert [1.0, 0.25, 0.0, 0.0] == [breaker.delay(now) for now in (100.0, 100.75, 101.0, 200.0)]


def test_others_that_were_on_their_way_do_not_prolong_it() -> None:
    """Sixteen orders that meet the same outage are one."""
    breaker = CircuitBreaker(600.0)
    for _ in range(16):
        breaker.record_failure(OUT_OF_REACH, 100.0)
    assert 1.0 == breaker.delay(100.0)
    breaker.record_failure(OUT_OF_REACH, 101.0)
    assert 2.0 == breaker.delay(101.0)


@pytest.mark.parametrize("note", [CircuitBreaker.record_success, CircuitBreaker.record_response])
def test_an_answer_begins_it_anew(note: object) -> None:
    """The service is there: the next outage is a new one, with all of the time."""
    assert callable(note)
    breaker = CircuitBreaker(10.0)
    pauses(breaker, OUT_OF_REACH, 3)
    note(breaker)
    breaker.record_failure(OUT_OF_REACH, 11.0)
    assert (None, 1.0) == (breaker.opened_by, breaker.delay(11.0))


def test_an_outage_may_take_only_so_long() -> None:
    """Then it opens, by the last error."""
    breaker = CircuitBreaker(7.0)
    for now in (0.0, 1.0, 3.0):
        breaker.record_failure(OUT_OF_REACH, now)
        assert None is breaker.opened_by
    last = ConnectError("still none")
    breaker.record_failure(last, 7.0)
    assert last is breaker.opened_by


def test_without_an_outage_timeout_the_first_outage_opens_it() -> None:
    """It is not tried again."""
    breaker = CircuitBreaker(0.0)
    breaker.record_failure(OUT_OF_REACH, 5.0)
    assert OUT_OF_REACH is breaker.opened_by


def test_the_service_may_ask_for_a_delay() -> None:
    """It counts if it is longer."""
    breaker = CircuitBreaker(600.0)
    assert [30, 30, 30, 30, 30, 32] == pauses(breaker, busy(30.0), 6)


def test_a_delay_beyond_the_timeout_is_not_waited_for() -> None:
    """The user said for how long orders may be held back."""
    breaker = CircuitBreaker(600.0)
    breaker.record_failure(busy(600.0), 0.0)
    assert (None, 600.0) == (breaker.opened_by, breaker.delay(0.0))
    late = busy(1.0)
    breaker.record_failure(late, 600.0)
    assert late is breaker.opened_by
    breaker = CircuitBreaker(600.0)
    error = busy(601.0)
    breaker.record_failure(error, 0.0)
    assert error is breaker.opened_by


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("no", status=401),
        OutOfCreditsError("no", status=402),
        PermissionDeniedError("no", status=403),
        pytest.param(BudgetExceededError(budget=1, committed=1, needed=1), id="P43"),
        pytest.param(LedgerError("the disk is full"), id="P20"),
        ConnectError("the certificate is not trusted", retryable=False),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_every_order_would_meet_opens_it_at_once(error: LumaError) -> None:
    """Nothing is gained by waiting."""
    breaker = CircuitBreaker(600.0)
    breaker.record_failure(error, 0.0)
    assert error is breaker.opened_by


def test_the_first_reason_counts() -> None:
    """Later errors are consequences of it, or do not matter."""
    breaker = CircuitBreaker(600.0)
    first = LedgerError("first")
    breaker.open(first)
    breaker.open(LedgerError("second"))
    breaker.record_success()
    assert first is breaker.opened_by


def test_p42_three_unknown_outcomes_in_a_row_open_it() -> None:
    """Whatever swallows the answers would swallow those of all the others."""
    breaker = CircuitBreaker(600.0)
    for _ in range(2):
        breaker.record_unknown(UNKNOWN)
        breaker.record_unknown(UNKNOWN)
        assert None is breaker.opened_by
        breaker.record_success()
    for expected in (None, None, UNKNOWN):
        breaker.record_response()
        breaker.record_unknown(UNKNOWN)
        assert expected is breaker.opened_by
