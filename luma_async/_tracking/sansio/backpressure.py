"""How hard the service may be pressed: slower after failures, rarer after 429."""

import math
import random
from collections.abc import Callable

from attrs import define, field

from luma_async.settings import PollPolicy

_MAX_RETRY_AFTER = 120.0
_COST_STEP = 4.0
_MAX_COST = 64.0
_HALF_LIFE = 30.0
_ENOUGH = 2


@define(eq=False)
class Backpressure:
    """What failures say of the service, and what follows for all questions.

    After a failure there is a pause, which doubles with each one from `PollPolicy.min_interval`
    to `PollPolicy.max_interval` and ends with the first answer. As long as it lasts, one request
    at a time looks whether the service is back.

    After 429 a request is worth four times as much waiting as before, up to 64 times: questions
    are asked at twice the intervals, up to eight times, though not beyond twice
    `PollPolicy.max_interval`. That price is halved again every 30 seconds.

    Attributes:
        not_before: When the next request may be made.
        counts: How many requests were answered, and how many failed without being expected to.
    """

    _policy: PollPolicy
    _random: Callable[[], float] = random.random
    not_before: float = field(default=float("-inf"), init=False)
    counts: tuple[int, int] = field(default=(0, 0), init=False)
    _pause: float = field(default=0.0, init=False)
    _failed_at: float = field(default=float("-inf"), init=False)
    _cost_factor: float = field(default=1.0, init=False)
    _factor_at: float = field(default=0.0, init=False)

    @property
    def is_pausing(self) -> bool:
        """Whether the service has not answered since it failed."""
        return self._pause > 0

    def cost_factor(self, now: float) -> float:
        """Return by which factor a request is dearer than while the service is well."""
        if self._cost_factor == 1.0:
            return 1.0
        halvings = (now - self._factor_at) / _HALF_LIFE
        return max(1.0, self._cost_factor * math.pow(0.5, halvings))

    def longest(self, now: float) -> float:
        """Return the longest time for which nothing is asked: twice as much at a high price."""
        return self._policy.max_interval * min(math.sqrt(self.cost_factor(now)), 2.0)

    def answered(self) -> None:
        """Note that the service answers."""
        self._pause = 0.0
        self.counts = self.counts[0] + 1, self.counts[1]

    def record_failure(self) -> None:
        """Note that a request failed of which nothing bad was known before."""
        self.counts = self.counts[0], self.counts[1] + 1

    def is_well_since(self, counts: tuple[int, int]) -> bool:
        """Whether some requests were answered and none has failed since it counted so many.

        A service that fails now and then would pass for one with bad ids otherwise.
        """
        return self.counts[0] - counts[0] >= _ENOUGH and self.counts[1] == counts[1]

    def failed(
        self, asked_at: float, now: float, *, limited: bool, retry_after: float | None
    ) -> None:
        """Note that a request was not answered.

        Those that were under way together count once. `retry_after` is granted up to two minutes.
        """
        if asked_at >= self._failed_at:
            self._failed_at = now
            if limited:
                self._cost_factor = min(_COST_STEP * self.cost_factor(now), _MAX_COST)
                self._factor_at = now
            first = self._policy.min_interval
            self._pause = min(max(first, 2 * self._pause), self.longest(now))
        vary = 1 + self._policy.jitter * (2 * self._random() - 1)
        wait = max(self._pause * vary, min(retry_after or 0.0, _MAX_RETRY_AFTER))
        self.not_before = max(self.not_before, now + wait)
