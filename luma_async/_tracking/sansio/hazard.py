"""How likely a generation is to finish now, given that it has not: learned from answers.

The hazard h(t) is the rate at which generations of age t finish. It is held constant within
classes of age, as in life tables, and estimated in three steps, each of which gives way to the
next as there is evidence for it:

1. a prior: the hazard of a lognormal duration;
2. a tilt, h -> h * exp(a) * t ** b, fitted to all classes together, which carries what was learned
   at one age over to the ages around it. It is the regression of occurrences on exposure that
   life tables are smoothed with (N. Laird and D. Olivier, *Covariance Analysis of Censored
   Survival Data Using Log-Linear Analysis Techniques*, JASA 76, 1981);
3. each class alone: finished so far over expected so far, as the mean of a gamma prior around
   1 and Poisson counts.

What is counted is when answers came, not when generations finished: one that was unfinished at
one answer and finished at the next is spread over the classes between, in proportion to what is
believed of them (one step of the EM algorithm for interval-censored data).

Ages are in units of what a generation was expected to take: one grid of classes serves
durations of any length.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from attrs import define, field, frozen

from luma_async.settings import AGE_CLASSES, Evidence

_RATIO = 1.12
_FIRST = 0.02
EDGES = (0.0, *(_FIRST * _RATIO**k for k in range(AGE_CLASSES - 1)), math.inf)
"""Where the classes of age begin and end."""
_LOG_AGES = tuple(
    math.log((a + min(b, a * _RATIO)) / 2) if a else math.log(_FIRST) for a, b in pairwise(EDGES)
)

_PRECISION_A = 4.0
_PRECISION_B = 0.5
"""How firmly the tilt is held at none: one over the variances of a and b."""
_STRENGTH = 1.5
"""How many generations have to finish within a class until it speaks for itself."""
_MEMORY = 60.0
"""How many that finished, or should have by the prior, a class remembers: a service that changes
is followed within some hundreds of generations."""
_MAX_TILT = 6.0
_PATIENCE = 0.05
"""By which share the evidence has to grow until the hazard is estimated anew."""
_MAX_SEEN = 10_000
_MIN_RATE = 1e-6
_EXACT = 1e-3
_ALIKE = 0.005


def lognormal(sigma: float) -> tuple[float, ...]:
    """Return the hazard of a lognormal duration with the median 1, by class of age."""

    def log_survival(age: float) -> float:
        return math.log(0.5 * math.erfc(math.log(age) / sigma / math.sqrt(2))) if age else 0.0

    # The last class has no end; it goes on as it begins.
    ends = (*EDGES[1:-1], EDGES[-2] * _RATIO)
    return tuple(
        max((log_survival(a) - log_survival(b)) / (b - a), _MIN_RATE)
        for a, b in zip(EDGES, ends, strict=False)
    )


VAGUE = lognormal(0.9)
ESTIMATED = lognormal(0.3)
"""For durations in units of an estimate that the service gave."""


@frozen
class NextPoll:
    """When to look at a generation again.

    Attributes:
        delay: How much older it is then.
        probability: How likely it is to be finished by then.
    """

    delay: float
    probability: float


@define(eq=False)
class Hazard:
    """The hazard of finishing, by age.

    Attributes:
        revision: Grows when the hazard is estimated anew.
        finished: How many generations were seen to finish.
    """

    _prior: Sequence[float] = VAGUE
    revision: int = field(default=0, init=False)
    finished: int = field(default=0, init=False)
    _rates: Sequence[float] = field(init=False)
    _occurrences: list[float] = field(init=False)
    _exposures: list[float] = field(init=False)
    _tilt: tuple[float, float] = field(default=(0.0, 0.0), init=False)
    _seen: int = field(default=0, init=False)
    _new: int = field(default=0, init=False)
    # The last question and its answer: many are as old as the one before.
    _asked: tuple[float, float, int] = field(default=(-1.0, 0.0, 0), init=False)
    _next_poll: NextPoll = field(default=NextPoll(0.0, 0.0), init=False)

    def __attrs_post_init__(self) -> None:
        self._rates = tuple(self._prior)
        self._occurrences = [0.0] * AGE_CLASSES
        self._exposures = [0.0] * AGE_CLASSES

    @property
    def rates(self) -> Sequence[float]:
        """The hazard of each class of age, finished generations per unit of age."""
        return self._rates

    @property
    def evidence(self) -> Evidence:
        """What the estimate rests on: finished generations and the age lived through, by class."""
        pairs = zip(self._occurrences, self._exposures, strict=True)
        return tuple((round(finished, 6), round(lived, 6)) for finished, lived in pairs)

    def remember(self, evidence: Evidence) -> None:
        """Go on from what another hazard has learned."""
        for k, (finished, lived) in enumerate(evidence):
            self._count(k, finished, lived)
        # The tilt is found in steps; from nothing it takes several.
        for _ in range(8):
            self._estimate()

    def observe(self, since: float, until: float, *, finished: bool) -> None:
        """Learn that a generation was unfinished at one age, and what it was at another."""
        k = bisect_right(EDGES, since) - 1
        if finished:
            self.finished += 1
            self._spread(k, since, until)
        else:
            while since < until:
                end = min(until, EDGES[k + 1])
                self._count(k, 0.0, end - since)
                since, k = end, k + 1
        self._new += 1
        if self._new > _PATIENCE * self._seen:
            self._seen = min(self._seen + self._new, _MAX_SEEN)
            self._new = 0
            self._estimate()

    def _spread(self, k: int, since: float, until: float) -> None:
        """Count one generation that finished between two ages, the first within class k."""
        alive = left = 1.0
        stretches = []
        while since < until:
            end = min(until, EDGES[k + 1])
            share = alive * -math.expm1(-self._rates[k] * (end - since))
            stretches.append((k, end - since, share))
            alive -= share
            since, k = end, k + 1
        total = sum(share for _, _, share in stretches)
        for k, length, share in stretches:
            part = share / total
            left -= part
            self._count(k, part, length * (left + part / 2))

    def _count(self, k: int, finished: float, lived: float) -> None:
        self._occurrences[k] += finished
        self._exposures[k] += lived
        weight = self._occurrences[k] + self._exposures[k] * self._prior[k]
        if weight > _MEMORY:
            self._occurrences[k] *= _MEMORY / weight
            self._exposures[k] *= _MEMORY / weight

    def _estimate(self) -> None:
        self.revision += 1
        a, b = self._tilt = self._improved_tilt()
        rates = []
        for prior, occurred, lived, age in zip(
            self._prior, self._occurrences, self._exposures, _LOG_AGES, strict=True
        ):
            tilted = prior * math.exp(max(-_MAX_TILT, min(_MAX_TILT, a + b * age)))
            rates.append(tilted * (occurred + _STRENGTH) / (tilted * lived + _STRENGTH))
        self._rates = rates

    def _improved_tilt(self) -> tuple[float, float]:
        """Take one step of Newton's method towards the most likely tilt.

        The log-likelihood of class k is ``occurrences * log(h) - h * exposure``, with
        ``h = prior * exp(a + b * log(age))``; the normal priors of a and b are added to it.
        """
        a, b = self._tilt
        slope_a, slope_b = -_PRECISION_A * a, -_PRECISION_B * b
        curve_aa, curve_ab, curve_bb = _PRECISION_A, 0.0, _PRECISION_B
        for prior, occurred, lived, age in zip(
            self._prior, self._occurrences, self._exposures, _LOG_AGES, strict=True
        ):
            if lived:
                tilt = max(-_MAX_TILT, min(_MAX_TILT, a + b * age))
                expected = prior * lived * math.exp(tilt)
                slope_a += occurred - expected
                slope_b += (occurred - expected) * age
                curve_aa += expected
                curve_ab += expected * age
                curve_bb += expected * age * age
        determinant = curve_aa * curve_bb - curve_ab * curve_ab
        step_a = (slope_a * curve_bb - slope_b * curve_ab) / determinant
        step_b = (slope_b * curve_aa - slope_a * curve_ab) / determinant
        # Far from the maximum the step would lead too far.
        shortening = min(1.0, 2.0 / max(abs(step_a), abs(step_b), 1e-9))
        return a + shortening * step_a, b + shortening * step_b

    def next_poll(self, age: float, worth: float) -> NextPoll:
        """Return when one that is unfinished at an age has probably waited for so long.

        That is the delay d at which the integral of P(T <= age + u | T > age) over u from 0 to d
        reaches `worth`.
        """
        last_age, last_worth, last_revision = self._asked
        if (
            abs(age - last_age) <= _ALIKE * age
            and worth == last_worth
            and self.revision == last_revision
        ):
            return self._next_poll
        self._asked = age, worth, self.revision
        self._next_poll = self._looked(age, worth)
        return self._next_poll

    def _looked(self, age: float, worth: float) -> NextPoll:
        k = bisect_right(EDGES, age) - 1
        now = age
        alive = 1.0
        while True:
            rate, length = self._rates[k], EDGES[k + 1] - now
            waited = length - alive * -math.expm1(-rate * length) / rate
            if waited >= worth:
                delay, left = _within(rate, alive, worth)
                return NextPoll(now + delay - age, 1.0 - left)
            worth -= waited
            alive *= math.exp(-rate * length)
            now += length
            k += 1

    def age_at(self, share: float, *, since: float = 0.0) -> float:
        """Return the age by which a share of those that are unfinished at an age have finished."""
        left = -math.log1p(-share)
        k = bisect_right(EDGES, since) - 1
        while self._rates[k] * (EDGES[k + 1] - since) < left:
            left -= self._rates[k] * (EDGES[k + 1] - since)
            since, k = EDGES[k + 1], k + 1
        return since + left / self._rates[k]


def _within(rate: float, alive: float, worth: float) -> tuple[float, float]:
    """Find the delay within one class, and the part that is unfinished then.

    Newton's method on ``delay - alive * (1 - exp(-rate * delay)) / rate - worth``, which is
    convex, from where it would be if the chance grew in a straight line.
    """
    probability = 1.0 - alive
    delay = (
        2 * worth / (probability + math.sqrt(probability * probability + 2 * rate * alive * worth))
    )
    step = math.inf
    while abs(step) > _EXACT * delay:
        left = alive * math.exp(-rate * delay)
        step = (delay - (alive - left) / rate - worth) / (1.0 - left)
        delay -= step
    return delay, alive * math.exp(-rate * delay)
