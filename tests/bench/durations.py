"""How long generations take in the benchmark: distributions, and how fast a client can be told."""

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist

from attrs import field, frozen

from luma_async import Limits

_NORMAL = NormalDist()
_PRICES = (40.0, 10.0, 4.0, 1.6, 0.6, 0.25)


@frozen
class Peak:
    """A share of the generations, whose durations are lognormal."""

    share: float
    median: float
    sigma: float

    def cdf(self, age: float) -> float:
        """Return which part of them has ended by an age."""
        if age <= 0:
            return 0.0
        return self.share * _NORMAL.cdf(math.log(age / self.median) / self.sigma)


@frozen
class Durations:
    """A mixture of lognormal durations, in seconds."""

    name: str
    peaks: Sequence[Peak]
    ids_per_request: int = Limits().ids_per_request
    _frontier: list[tuple[float, float]] = field(factory=list, init=False)

    def draw(self, many: int, chance: random.Random) -> list[float]:
        """Draw durations."""
        peaks = chance.choices(self.peaks, [peak.share for peak in self.peaks], k=many)
        return [peak.median * math.exp(peak.sigma * chance.gauss(0, 1)) for peak in peaks]

    def bound(self, requests: float) -> float:
        """Return the mean delay that no client can beat at so many requests a generation.

        Even one that knows the distribution, and fills every request, pays 1/20 of a request for
        each look at a generation. The best looks at that price are found by dynamic programming
        over ages; a lower price gives more looks and less delay. Between the prices that were
        tried, requests times delay is interpolated, as it hardly changes.
        """
        if not self._frontier:
            self._frontier.extend(sorted(self._best_looks(price) for price in _PRICES))
        points = self._frontier
        below = max((p for p in points if p[0] <= requests), default=points[0])
        above = min((p for p in points if p[0] > requests), default=points[-1])
        if below[0] >= above[0]:
            return below[0] * below[1] / requests
        part = math.log(requests / below[0]) / math.log(above[0] / below[0])
        low, high = math.log(below[0] * below[1]), math.log(above[0] * above[1])
        return math.exp(low + part * (high - low)) / requests

    def _best_looks(self, price: float) -> tuple[float, float]:
        """Return requests a generation, and mean delay, of the best looks at a price a request."""
        longest = max(peak.median * math.exp(4 * peak.sigma) for peak in self.peaks)
        steps = max(1500, round(2 * longest))
        step = longest / steps
        ended = [sum(peak.cdf(k * step) for peak in self.peaks) for k in range(steps + 1)]
        area = [0.0]
        for one, other in pairwise(ended):
            area.append(area[-1] + (one + other) / 2 * step)
        look = price / self.ids_per_request
        costs, following = [0.0] * (steps + 1), [steps] * (steps + 1)
        for a in range(steps - 1, -1, -1):
            best = math.inf
            for t in range(a + 1, steps + 1):
                waiting = area[t] - area[a] - ended[a] * (t - a) * step
                cost = look * (1 - ended[a]) + waiting + costs[t]
                if cost < best:
                    best, following[a] = cost, t
                elif cost > 1.5 * best and ended[t] - ended[a] > 0.001:
                    break
            costs[a] = best
        snapshots = delay = 0.0
        a = 0
        while a < steps:
            t = following[a]
            snapshots += 1 - ended[a]
            delay += area[t] - area[a] - ended[a] * (t - a) * step
            a = t
        return snapshots / self.ids_per_request, delay


def lognormal(sigma: float, median: float = 60.0) -> Durations:
    """Make durations with one peak."""
    return Durations(f"sigma {sigma:g}", [Peak(1.0, median, sigma)])


TWO_PEAKS = Durations("two peaks", [Peak(0.5, 30.0, 0.15), Peak(0.5, 120.0, 0.15)])
LONG_TAIL = Durations("long tail", [Peak(0.9, 50.0, 0.3), Peak(0.1, 240.0, 0.6)])
