"""When a request is made again."""

import math

import pytest
from hypothesis import given, strategies as st

from luma_async._api.sansio.http_status import PollFailure, poll_failure_of
from luma_async._api.sansio.retry import (
    Attempts,
    RetryBudget,
    backoff,
    is_transient,
)
from luma_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConnectError,
    DisconnectedError,
    LumaError,
    NotFoundError,
    OutOfCreditsError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    RequestTimeoutError,
    ResponseFormatError,
    ServerError,
)
from luma_async.settings import RetryPolicy

POLICY = RetryPolicy(attempts=4, first_delay=0.5, max_delay=20.0, deadline=120.0)
BROKEN = DisconnectedError("the connection broke")


def limited(retry_after: float | None = None) -> RateLimitError:
    """Make the error of a 429."""
    return RateLimitError("slow down", status=429, retry_after=retry_after)


def attempts(
    policy: RetryPolicy = POLICY, *, chance: float = 1.0, outlasts_limits: bool = False
) -> Attempts:
    """Begin a call at time 0, with the same throw of the dice each time."""
    return Attempts(
        policy, RetryBudget(policy), 0.0, lambda: chance, outlasts_limits=outlasts_limits
    )


@pytest.mark.parametrize(
    ("error", "again"),
    [
        pytest.param(ConnectError("refused"), True, id="N01 refused"),
        pytest.param(ConnectError("untrusted", retryable=False), False, id="N07 certificate"),
        pytest.param(RequestTimeoutError("late"), True, id="N20 no answer"),
        pytest.param(BROKEN, True, id="N13 cut"),
        pytest.param(ResponseFormatError(["expected JSON at $"]), True, id="H39 HTML"),
        pytest.param(ConfigurationError("bad"), False, id="U12 a bad option"),
        *(
            pytest.param(ServerError("x", status=status), True, id=f"H36 {status}")
            for status in (500, 502, 503, 504, 520, 521, 527, 530)
        ),
        *(
            pytest.param(ServerError("x", status=status), False, id=f"H37 {status}")
            for status in (501, 505, 507, 508, 511, 519, 528)
        ),
        pytest.param(APIError("x", status=408), True, id="H19 408"),
        pytest.param(APIError("x", status=425), True, id="H24 425"),
        pytest.param(limited(), True, id="H25 429"),
        *(
            pytest.param(APIError("x", status=status), False, id=f"H18 {status}")
            for status in (400, 401, 402, 403, 404, 410, 413, 422, 451)
        ),
    ],
)
def test_a_free_request_is_repeated_where_that_may_help(error: LumaError, *, again: bool) -> None:
    """Failures of the network and of the service pass; refusals do not."""
    assert again == is_transient(error)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        pytest.param(limited(), PollFailure.LIMITED, id="H25 429"),
        pytest.param(limited(60.0), PollFailure.LIMITED, id="H26 429 with Retry-After"),
        pytest.param(APIError("x", status=413), PollFailure.TOO_LARGE, id="H18 413"),
        pytest.param(APIError("x", status=414), PollFailure.TOO_LARGE, id="H18 414"),
        pytest.param(BadRequestError("x", status=400), PollFailure.REFUSED, id="S16 400"),
        pytest.param(NotFoundError("x", status=404), PollFailure.REFUSED, id="S16 404"),
        pytest.param(BadRequestError("x", status=422), PollFailure.REFUSED, id="S16 422"),
        *(
            pytest.param(ServerError("x", status=status), PollFailure.SPOILED, id=f"S16 {status}")
            for status in (500, 502, 504, 520, 522, 524)
        ),
        pytest.param(RequestTimeoutError("late"), PollFailure.SPOILED, id="N20 no answer"),
        pytest.param(BROKEN, PollFailure.SPOILED, id="N13 cut"),
        pytest.param(RequestError("odd"), PollFailure.SPOILED, id="no usable answer"),
        pytest.param(
            ResponseFormatError(["expected JSON at $"]), PollFailure.SPOILED, id="H39 HTML"
        ),
        pytest.param(ConnectError("refused"), PollFailure.DOWN, id="N01 refused"),
        pytest.param(ConnectError("untrusted", retryable=False), PollFailure.DOWN, id="N07 TLS"),
        pytest.param(ConfigurationError("bad"), PollFailure.DOWN, id="U12 a bad option"),
        pytest.param(AuthenticationError("x", status=401), PollFailure.DOWN, id="H13 401"),
        pytest.param(OutOfCreditsError("x", status=402), PollFailure.DOWN, id="H14 402"),
        pytest.param(PermissionDeniedError("x", status=403), PollFailure.DOWN, id="H15 403"),
        *(
            pytest.param(ServerError("x", status=status), PollFailure.DOWN, id=f"H36 {status}")
            for status in (501, 503, 521, 527, 530)
        ),
        *(
            pytest.param(APIError("x", status=status), PollFailure.DOWN, id=f"H18 {status}")
            for status in (302, 405, 408, 410, 425, 451, 600)
        ),
    ],
)
def test_the_failure_of_a_status_request_has_a_meaning(
    error: LumaError, meaning: PollFailure
) -> None:
    """Who is to blame: the pace, the length, one of the ids, or nobody who was asked for."""
    assert meaning is poll_failure_of(error)


def test_s16_one_of_many_ids_may_be_why_a_request_fails() -> None:
    """What a proxy says is no fault of an id, and neither is the pace or the length."""
    assert [PollFailure.REFUSED, PollFailure.SPOILED] == [
        meaning for meaning in PollFailure if meaning.may_be_for_ids
    ]


def test_the_delay_doubles_up_to_its_bound() -> None:
    """0.5, 1, 2, ... seconds at most, and never more than 20."""
    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0] == [
        backoff(POLICY, made, lambda: 1.0) for made in range(1, 9)
    ]
    assert 20.0 == backoff(POLICY, 10**6, lambda: 1.0)


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_the_delay_is_drawn_from_all_below_the_bound(made: int, chance: float) -> None:
    """Full jitter: clients that failed together do not come back together."""
    assert 0 <= backoff(POLICY, made, lambda: chance) <= 20.0
    assert math.isclose(backoff(POLICY, 2, lambda: chance), chance)


def test_a_call_is_given_up_after_its_attempts() -> None:
    """Four attempts have three pauses between them."""
    call = attempts()
    assert [0.5, 1.0, 2.0, None] == [call.delay_after(BROKEN, 0.0) for _ in range(4)]


def test_one_attempt_is_never_repeated() -> None:
    """Whoever wants no repetition gets none."""
    assert attempts(RetryPolicy(attempts=1)).delay_after(BROKEN, 0.0) is None


def test_a_free_request_gives_up_at_a_rate_limit_as_at_any_other_error() -> None:
    """H32: whoever is limited for ever does not ask for ever."""
    call = attempts()
    assert [0.5, 1.0, 2.0, None] == [call.delay_after(limited(), 0.0) for _ in range(4)]


def test_a_paid_request_outlasts_rate_limits() -> None:
    """The service is well; it takes the order as soon as there is room."""
    call = attempts(outlasts_limits=True)
    delays = [call.delay_after(limited(), 0.0) for _ in range(50)]
    assert None not in delays
    assert [20.0, 20.0, 20.0, None] == [call.delay_after(BROKEN, 0.0) for _ in range(4)]


@given(st.floats(0.001, 100), st.floats(0, 1))
def test_h26_nobody_comes_back_sooner_than_asked(seconds: float, chance: float) -> None:
    """The service's own word is the least, and up to a tenth more."""
    delay = attempts(chance=chance).delay_after(limited(seconds), 0.0)
    assert delay is not None
    assert seconds <= delay <= max(0.5, seconds * 1.1)


def test_the_service_may_ask_for_a_pause_with_any_error() -> None:
    """A 503 with Retry-After is heard as well; our own delay counts where it is longer."""
    unavailable = ServerError("x", status=503, retry_after=30.0)
    assert 30.0 == attempts(chance=0.0).delay_after(unavailable, 0.0)
    assert 0.5 == attempts(chance=1.0).delay_after(limited(0.001), 0.0)


def test_h30_a_pause_beyond_the_deadline_fails_at_once() -> None:
    """Whoever would wait in vain is told now."""
    assert attempts().delay_after(limited(121.0), 0.0) is None
    assert attempts(chance=0.0).delay_after(limited(120.0), 0.0) == 120.0


def test_h32_a_limit_that_lasts_ends_at_the_deadline() -> None:
    """No call waits for ever."""
    call = attempts(outlasts_limits=True)
    now, pauses = 0.0, 0
    while (delay := call.delay_after(limited(10.0), now)) is not None:
        now += delay
        pauses += 1
    assert 0 < pauses < 12
    assert now <= 120.0


def test_all_calls_share_one_budget_of_repetitions() -> None:
    """I11: an outage is answered by no more than the floor and a tenth of the requests."""
    policy = RetryPolicy(attempts=100, budget_floor=10, budget_ratio=0.1, first_delay=0)
    budget = RetryBudget(policy)
    repeated = 0
    for _ in range(1_000):
        budget.deposit()
        call = Attempts(policy, budget, 0.0, lambda: 0.0)
        while call.delay_after(BROKEN, 0.0) is not None:
            repeated += 1
    assert 109 <= repeated <= 110


def test_rate_limits_that_are_outlasted_take_nothing_from_the_budget() -> None:
    """They are paced by what the service says."""
    policy = RetryPolicy(budget_floor=0, budget_ratio=0)
    call = attempts(policy, outlasts_limits=True)
    assert 0.5 == call.delay_after(limited(), 0.0)
    assert call.delay_after(BROKEN, 0.0) is None


def test_the_budget_comes_back_with_time() -> None:
    """Ten a minute, and no more than ten at once however long nothing failed."""
    budget = RetryBudget(RetryPolicy(budget_floor=10))
    assert 10 == sum(budget.withdraw(1_000.0) for _ in range(100))
    assert 1 == sum(budget.withdraw(1_006.01) for _ in range(100))
    assert 10 == sum(budget.withdraw(9_999.0) for _ in range(100))


def test_a_clock_that_steps_back_does_no_harm() -> None:
    """The budget does not shrink, and nothing is raised."""
    budget = RetryBudget(RetryPolicy(budget_floor=2))
    assert [True, True, False] == [budget.withdraw(now) for now in (100.0, 50.0, 50.0)]


def test_without_a_floor_the_requests_themselves_pay() -> None:
    """Ten requests with a ratio of a tenth allow for one repetition."""
    budget = RetryBudget(RetryPolicy(budget_floor=0, budget_ratio=0.125))
    assert not budget.withdraw(0.0)
    for _ in range(8):
        budget.deposit()
    assert [True, False] == [budget.withdraw(0.0), budget.withdraw(0.0)]
