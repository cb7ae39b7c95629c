"""How many requests the service takes in a second."""

import math


class RateLimit:
    """A bucket of permits that fills at `rate` permits a second and holds one second's worth.

    It holds at least one permit, however low the rate is. A rate of None never refuses.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._size = max(1.0, rate or 1.0)
        self._permits = self._size
        self._filled_at = 0.0

    def take(self, now: float) -> int | None:
        """Take one permit; return None, or the whole seconds to wait when there was none."""
        if self._rate is None:
            return None
        gained = (now - self._filled_at) * self._rate
        self._permits = min(self._size, self._permits + gained)
        self._filled_at = now
        if self._permits >= 1.0:
            self._permits -= 1.0
            return None
        return max(1, math.ceil((1.0 - self._permits) / self._rate))
