"""The rate limit of the API."""

import math


class RateLimit:
    """A token bucket that refills at `rate` tokens a second and holds one second's worth.

    It holds at least one token, even at a low rate. A rate of None is no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._capacity = max(1.0, rate or 1.0)
        self._tokens = self._capacity
        self._refilled_at = 0.0

    def acquire(self, now: float) -> int | None:
        """Take one token; if there is none, return the whole seconds to wait."""
        if self._rate is None:
            return None
        gained = (now - self._refilled_at) * self._rate
        self._tokens = min(self._capacity, self._tokens + gained)
        self._refilled_at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return None
        return max(1, math.ceil((1.0 - self._tokens) / self._rate))
