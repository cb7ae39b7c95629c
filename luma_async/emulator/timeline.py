"""What becomes of a generation, and when."""

import itertools
import math
import random
from collections.abc import Iterable, Sequence

import attrs
from attrs.validators import ge

from luma_async.emulator.settings import Settings

COMPLETED = "completed"
FAILED = "failed"


@attrs.frozen
class Moment:
    """The state that a generation enters `seconds` after its order.

    The seconds are the service's own: `time_scale` shortens them. `video=False` makes a completed
    generation without a video. `failure_reason` is what a failed one says; None says something
    general.
    """

    seconds: float = attrs.field(validator=ge(0))
    state: str
    video: bool = True
    failure_reason: str | None = None

    @property
    def has_video(self) -> bool:
        """Whether a video can be fetched in this state."""
        return self.video and self.state == COMPLETED

    @property
    def is_last(self) -> bool:
        """Whether an ordinary generation stays in this state for ever."""
        return self.state in {COMPLETED, FAILED}


Timeline = tuple[Moment, ...]
Sketch = Iterable[Moment | tuple[float, str] | tuple[float, str, bool]]

PENDING = Moment(0.0, "pending")
DONE = (Moment(0.0, COMPLETED),)


def read(sketch: Sketch) -> Timeline:
    """Turn moments, or tuples of their first two or three fields, into a timeline.

    Raises `ValueError` when there is none, or when their seconds run backwards. States may come
    in any order, so that a generation can fall back or complete twice.
    """
    moments = tuple(item if isinstance(item, Moment) else Moment(*item) for item in sketch)
    if not moments:
        raise ValueError("a timeline needs at least one moment")
    if any(later.seconds < earlier.seconds for earlier, later in itertools.pairwise(moments)):
        raise ValueError("the moments of a timeline have to be in the order of their seconds")
    return moments


def moment_at(timeline: Sequence[Moment], seconds: float) -> Moment:
    """Return the last moment entered by `seconds`; a generation is pending before the first."""
    reached = [moment for moment in timeline if moment.seconds <= seconds]
    return reached[-1] if reached else PENDING


def seconds_left(timeline: Sequence[Moment], seconds: float) -> float | None:
    """Return how long it is from `seconds` to the end, or None when the end is past or never."""
    if moment_at(timeline, seconds).is_last:
        return None
    ends = [moment.seconds for moment in timeline if moment.is_last and moment.seconds > seconds]
    return ends[0] - seconds if ends else None


def drawn(settings: Settings, chance: random.Random) -> Timeline:
    """Draw the timeline of an ordinary generation.

    Three numbers are drawn whatever the settings are, so that two services of one seed differ
    only in what their settings say.
    """
    spread, queueing, luck = chance.gauss(0.0, 1.0), chance.random(), chance.random()
    duration = settings.median_seconds * math.exp(settings.sigma * spread)
    failed = luck < settings.failure_rate
    return (
        PENDING,
        Moment(duration * queueing * 0.2, "processing"),
        Moment(duration, FAILED if failed else COMPLETED),
    )
