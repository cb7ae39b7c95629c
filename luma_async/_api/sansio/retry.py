"""Repeat a request, or stop: the decision, and the budget that all requests share."""

import random
from collections.abc import Callable

from attrs import define, field

from luma_async._api.sansio.http_status import meaning_of
from luma_async.errors import (
    APIError,
    ConnectError,
    LumaError,
    RequestError,
    ResponseFormatError,
)
from luma_async.settings import RetryPolicy

_WINDOW = 60.0


def is_transient(error: LumaError) -> bool:
    """Whether a free request that failed so may succeed when it is repeated."""
    if isinstance(error, ConnectError):
        return error.retryable
    if isinstance(error, APIError):
        return meaning_of(error.status).is_transient
    return isinstance(error, (RequestError, ResponseFormatError))


@define(eq=False)
class RetryBudget:
    """How many repetitions all requests of a client may make together.

    A token bucket: each request adds `budget_ratio` of a token and each minute `budget_floor`
    tokens, a repetition takes one, and no more than `budget_floor` are kept.
    """

    _policy: RetryPolicy
    _tokens: float = field(init=False)
    _at: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._tokens = float(self._policy.budget_floor)

    def deposit(self) -> None:
        """Count a request that was made for the first time."""
        self._add(self._policy.budget_ratio)

    def withdraw(self, now: float) -> bool:
        """Take a token for a repetition, if there is one."""
        self._add(max(0.0, now - self._at) * self._policy.budget_floor / _WINDOW)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _add(self, tokens: float) -> None:
        self._tokens = min(self._tokens + tokens, max(1.0, self._policy.budget_floor))


@define(eq=False)
class Attempts:
    """The attempts of one call: says after each failure how long to wait, or to stop.

    Where the call is to outlast rate limits, they count as no attempts: the service is well, and
    says when to come back.
    """

    _policy: RetryPolicy
    _budget: RetryBudget
    _started: float
    _random: Callable[[], float] = random.random
    _outlasts_limits: bool = False
    _made: int = field(default=0, init=False)
    _limited: int = field(default=0, init=False)

    def delay_after(self, error: LumaError, now: float) -> float | None:
        """Return the seconds to wait before the next attempt; None where there is to be none."""
        limited = self._outlasts_limits and isinstance(error, APIError) and error.status == 429
        self._made += 1
        self._limited += limited
        if not limited and self._made - self._limited >= self._policy.attempts:
            return None
        delay = backoff(self._policy, self._made, self._random)
        asked = error.retry_after if isinstance(error, APIError) else None
        if asked is not None:
            # A little later than asked and never sooner, or all come back at the same instant.
            delay = max(delay, asked * (1 + 0.1 * self._random()))
        if now - self._started + delay > self._policy.deadline:
            return None
        return delay if limited or self._budget.withdraw(now) else None


def backoff(policy: RetryPolicy, made: int, random: Callable[[], float]) -> float:
    """Draw the delay after the `made`-th failure: full jitter below a doubling bound."""
    bound = min(policy.max_delay, policy.first_delay * 2.0 ** min(made - 1, 60))
    return random() * bound
