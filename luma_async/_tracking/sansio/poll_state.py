"""When to ask for one id, and what one request asks for."""

import math
from collections.abc import Sequence

from attrs import define, frozen

from luma_async._tracking.sansio.bisection import Group
from luma_async._tracking.sansio.due_queue import Entry
from luma_async._tracking.sansio.hazard import Hazard

_MAX_ESTIMATE = 86_400.0
_POLLS_FOR_VIDEO = 20


@define(eq=False)
class PollState:
    """When to ask for one id, and what the responses have taught about its age.

    Attributes:
        hazard: How long such generations take.
        origin: The time at which its age was 0.
        unit: The seconds that stand for an age of 1.
        asked: The latest time for which it is known, or believed, that it was unfinished.
        certain: Whether `origin` and `asked` are known well enough to learn from.
        wanted: Whether somebody waits for it.
        under_way: Whether a request that asks for it has not ended.
        entry: Its place in the queue; None while it is asked for, or stands apart.
        earliest: The time from which it may be asked for.
        forced: Whether it makes a request due when its own time has come.
        start: From then on its w grows as ``curve * (t - start) ** 2 / 2``.
        curve: See `start`.
        revision: That of the hazard when it was planned.
        alone_at: When it is asked for alone; None where it is not.
        failures: How often such a request failed in a row.
        counts_at_failure: The counts of `Backpressure` when the last of them failed.
        met: Whether a response has held it.
        ended: Whether it has, and will not be asked for again.
        missing_from: How many ids the last request held whose response did not hold this one.
        interval: The seconds between two polls, where they are not to be found by `hazard`.
    """

    generation_id: str
    hazard: Hazard
    origin: float
    unit: float
    asked: float
    certain: bool
    wanted: bool = True
    under_way: bool = False
    entry: Entry | None = None
    earliest: float = -math.inf
    forced: bool = False
    start: float = 0.0
    curve: float = 0.0
    revision: int = 0
    alone_at: float | None = None
    failures: int = 0
    counts_at_failure: tuple[int, int] = (0, 0)
    met: bool = False
    ended: bool = False
    missing_from: int = 0
    interval: float | None = None

    def age(self, now: float) -> float:
        """Return its age in its own units."""
        return max(0.0, now - self.origin) / self.unit

    def finished(self, now: float) -> float | None:
        """Learn that it has ended by now.

        Returns:
            How many seconds ago that probably was, on average; None where nobody can know.
        """
        self.ended = True
        if not self.certain or self.interval is not None:
            return None
        self.hazard.observe(self.age(self.asked), self.age(now), finished=True)
        return max(0.0, now - self.asked) / 2

    def unfinished(self, asked_at: float) -> None:
        """Learn that it had not ended when it was asked for."""
        if self.certain and self.asked < asked_at:
            self.hazard.observe(self.age(self.asked), self.age(asked_at), finished=False)
        self.asked = max(self.asked, asked_at)
        self.interval = None

    def videoless(self, now: float, grace: float) -> None:
        """Learn that it has ended by now, and look for its video steadily from now on."""
        if self.interval is None:
            self.finished(now)
            self.ended = False
            self.interval = grace / _POLLS_FOR_VIDEO

    def take_estimate(
        self, now: float, estimate: float | None, shortest: float, hazard: Hazard
    ) -> None:
        """Count its age anew, as a share of what the service estimates, by the hazard of those."""
        if estimate is not None and 0 <= estimate <= _MAX_ESTIMATE:
            self.origin = self.asked = now
            self.unit, self.hazard, self.certain = max(estimate, shortest), hazard, True

    def seconds_left(self, now: float) -> float | None:
        """Return in how many seconds it will more likely have ended than not."""
        if self.interval is not None:
            return None
        age = self.age(now)
        return (self.hazard.age_at(0.5, since=age) - age) * self.unit


@frozen(eq=False)
class Poll:
    """One request for the states of some ids.

    Attributes:
        states: Which, in the order in which they are asked for.
        asked_at: When.
        reason: Why now, in words.
        group: Set where they are asked for to find one that spoils requests.
        alone: Whether the only id is asked for alone on purpose.
        missing_from: How many ids the last request held whose response did not hold that one.
    """

    states: Sequence[PollState]
    asked_at: float
    reason: str
    group: Group[PollState] | None = None
    alone: bool = False
    missing_from: int = 0

    @property
    def ids(self) -> list[str]:
        """The ids that the request asks for."""
        return [state.generation_id for state in self.states]
