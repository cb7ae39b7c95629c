"""What a client has learned of how long generations take, apart for what takes different times."""

from collections.abc import Mapping
from typing import Literal

from attrs import define, field

from luma_async._tracking.sansio.hazard import ESTIMATED, Hazard
from luma_async.models import Durations
from luma_async.settings import Learned, PollPolicy

Kind = Literal["create", "extend"]


@define(eq=False)
class DurationModels:
    """The hazards of one client.

    Attributes:
        unit: The seconds that stand for an age of 1 in the hazards of creates and extends.
        estimated: The hazard where the service has estimated how long it takes, whose estimate
            is the unit.
    """

    _policy: PollPolicy
    unit: float = field(init=False)
    estimated: Hazard = field(factory=lambda: Hazard(ESTIMATED), init=False)
    _create: Hazard = field(factory=Hazard, init=False)
    _extend: Hazard | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.unit = self._policy.expected_seconds
        if (learned := self._policy.learned) is not None:
            self.unit = learned.unit_seconds
            self._create.remember(learned.create)
            self.estimated.remember(learned.estimated)
            if learned.extend:
                self.of("extend").remember(learned.extend)

    def of(self, kind: Kind) -> Hazard:
        """Return the hazard of creates or extends."""
        if kind == "create":
            return self._create
        if self._extend is None:
            # Until extends have been seen they are expected to take as long as creates.
            self._extend = Hazard(self._create.rates)
        return self._extend

    @property
    def durations(self) -> Mapping[str, Durations]:
        """How long generations take, of the kinds of which some were seen to finish."""
        hazards = {"create": self._create, "extend": self._extend}
        return {
            kind: Durations(
                seen=hazard.finished,
                median_seconds=hazard.age_at(0.5) * self.unit,
                p90_seconds=hazard.age_at(0.9) * self.unit,
            )
            for kind, hazard in hazards.items()
            if hazard is not None and hazard.finished
        }

    @property
    def learned(self) -> Learned:
        """What was learned, to go on from in another client."""
        return Learned(
            unit_seconds=self.unit,
            create=self._create.evidence,
            extend=self._extend.evidence if self._extend is not None else (),
            estimated=self.estimated.evidence,
        )
