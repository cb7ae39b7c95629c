"""Whether orders may still be sent, judged by how the last ones ended."""

from attrs import define, field

from luma_async.errors import (
    AuthenticationError,
    ConnectError,
    LumaError,
    OutOfCreditsError,
    PermissionDeniedError,
    RateLimitError,
    SubmissionUnknownError,
)

ACCOUNT_ERRORS = (AuthenticationError, OutOfCreditsError, PermissionDeniedError)
"""Errors of the account, which every further order would meet as well."""

_MAX_UNKNOWN_IN_A_ROW = 3
_FIRST_DELAY = 1.0
_MAX_DELAY = 60.0


@define
class CircuitBreaker:
    """Lets orders through while it is closed, delays them after failures, and opens for good.

    After a failure to reach the service, or a rate limit, orders are delayed for 1, 2, 4, and at
    most 60 seconds, until `outage_timeout` is over. Errors that every further order would meet (the
    key, the credits, the budget) open it at once. So do three unknown outcomes in a row, as
    the next answers would probably be lost too.

    Attributes:
        outage_timeout: The seconds for which the service may be out of reach.
        opened_by: Why no more orders are sent; None while it is closed.
    """

    outage_timeout: float = 0.0
    opened_by: BaseException | None = field(default=None, init=False)
    _unknown_in_a_row: int = field(default=0, init=False)
    _failing_since: float | None = field(default=None, init=False)
    _delay: float = field(default=_FIRST_DELAY, init=False)
    _retry_at: float = field(default=0.0, init=False)

    def record_success(self) -> None:
        """Record that an order was accepted, or was found to have been."""
        self._unknown_in_a_row = 0
        self.record_response()

    def record_response(self) -> None:
        """Record that the service answered."""
        self._failing_since = None
        self._delay = _FIRST_DELAY

    def record_unknown(self, error: SubmissionUnknownError) -> None:
        """Record that the outcome of an order is unknown."""
        self._unknown_in_a_row += 1
        if self._unknown_in_a_row >= _MAX_UNKNOWN_IN_A_ROW:
            self.open(error)

    def record_failure(self, error: LumaError, now: float) -> None:
        """Record what kept an order from being accepted, through no fault of the order."""
        if not isinstance(error, (ConnectError, RateLimitError)):
            self.open(error)
            return
        if now < self._retry_at:
            # Orders that were in flight have met the same failure.
            return
        self._failing_since = now if self._failing_since is None else self._failing_since
        left = self.outage_timeout - (now - self._failing_since)
        retry_after = (error.retry_after or 0.0) if isinstance(error, RateLimitError) else 0.0
        is_permanent = isinstance(error, ConnectError) and not error.retryable
        if left <= 0 or retry_after > left or is_permanent:
            self.open(error)
        self._retry_at = now + max(self._delay, retry_after)
        self._delay = min(2 * self._delay, _MAX_DELAY)

    def open(self, error: BaseException) -> None:
        """Let no more orders through; the first reason counts."""
        self.opened_by = self.opened_by or error

    def delay(self, now: float) -> float:
        """Return the seconds until an order may be sent."""
        return max(self._retry_at - now, 0.0)
