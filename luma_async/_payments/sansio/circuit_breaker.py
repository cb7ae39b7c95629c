"""Whether orders may be sent at all, by how the last ones fared."""

from attrs import define, field

from luma_async.errors import ConnectError, LumaError, RateLimitError, SubmissionUnknownError

_UNKNOWN_IN_A_ROW = 3
_FIRST_DELAY = 1.0
_MAX_DELAY = 60.0


@define
class CircuitBreaker:
    """Lets orders through, holds them for a while, or shuts for good.

    A service that cannot be reached, or takes no more for now, is tried again after 1, 2, 4, and at
    most 60 seconds, until `outage_timeout` is over. What would meet every other order as well (the
    key, the credits, the budget) shuts it at once, and so do three orders in a row whose outcome is
    unknown: whatever swallows the answers would swallow those of all the others.

    Attributes:
        outage_timeout: The seconds for which the service may be out of reach.
        shut_by: Why no more orders are sent; None while they are.
    """

    outage_timeout: float
    shut_by: LumaError | None = field(default=None, init=False)
    _unknown: int = field(default=0, init=False)
    _failing_since: float | None = field(default=None, init=False)
    _delay: float = field(default=_FIRST_DELAY, init=False)
    _open_at: float = field(default=0.0, init=False)

    def accepted(self) -> None:
        """Note that an order was accepted, or was found to have been."""
        self._unknown = 0
        self.reached()

    def reached(self) -> None:
        """Note that the service answered."""
        self._failing_since = None
        self._delay = _FIRST_DELAY

    def unknown(self, error: SubmissionUnknownError) -> None:
        """Note that nobody knows whether an order was accepted."""
        self._unknown += 1
        if self._unknown >= _UNKNOWN_IN_A_ROW:
            self.shut(error)

    def refused(self, error: LumaError, now: float) -> None:
        """Note what kept an order from being accepted, through no fault of its own."""
        if not isinstance(error, (ConnectError, RateLimitError)):
            self.shut(error)
            return
        if now < self._open_at:
            # Others that were on their way have met the same.
            return
        self._failing_since = now if self._failing_since is None else self._failing_since
        left = self.outage_timeout - (now - self._failing_since)
        if left <= 0 or _asked_for(error) > left or not _may_pass(error):
            self.shut(error)
        self._open_at = now + max(self._delay, _asked_for(error))
        self._delay = min(2 * self._delay, _MAX_DELAY)

    def shut(self, error: LumaError) -> None:
        """Let no order through any more; the first reason counts."""
        self.shut_by = self.shut_by or error

    def wait(self, now: float) -> float:
        """Return in how many seconds an order may be sent."""
        return max(self._open_at - now, 0.0)


def _may_pass(error: LumaError) -> bool:
    return not isinstance(error, ConnectError) or error.retryable


def _asked_for(error: LumaError) -> float:
    return (error.retry_after or 0.0) if isinstance(error, RateLimitError) else 0.0
