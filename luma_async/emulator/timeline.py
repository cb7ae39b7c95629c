"""The states that a generation enters, and when."""

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

    `time_scale` shortens the seconds. `video=False` makes a completed generation without a video.
    `failure_reason` is the reason that a failed generation gives; None gives a general one.
    """

    seconds: float = attrs.field(validator=ge(0))
    state: str
    video: bool = True
    failure_reason: str | None = None

    @property
    def has_video(self) -> bool:
        """Whether a video can be downloaded in this state."""
        return self.video and self.state == COMPLETED

    @property
    def is_last(self) -> bool:
        """Whether this is a final state of an ordinary generation."""
        return self.state in {COMPLETED, FAILED}


Timeline = tuple[Moment, ...]
MomentLike = Moment | tuple[float, str] | tuple[float, str, bool]

PENDING = Moment(0.0, "pending")
DONE = (Moment(0.0, COMPLETED),)


def to_timeline(items: Iterable[MomentLike]) -> Timeline:
    """Convert moments, or tuples of their first two or three fields, to a timeline.

    Raises `ValueError` if there are none or if they are not in the order of their seconds. States
    may come in any order: a generation can fall back or complete twice.
    """
    moments = tuple(item if isinstance(item, Moment) else Moment(*item) for item in items)
    if not moments:
        raise ValueError("a timeline needs at least one moment")
    if any(later.seconds < earlier.seconds for earlier, later in itertools.pairwise(moments)):
        raise ValueError("the moments of a timeline have to be in the order of their seconds")
    return moments


def moment_at(timeline: Sequence[Moment], seconds: float) -> Moment:
    """Return the last moment reached by `seconds`; before the first, a generation is pending."""
    reached = [moment for moment in timeline if moment.seconds <= seconds]
    return reached[-1] if reached else PENDING


def seconds_left(timeline: Sequence[Moment], seconds: float) -> float | None:
    """Return the seconds until the final state; None if it is reached or never will be."""
    if moment_at(timeline, seconds).is_last:
        return None
    ends = [moment.seconds for moment in timeline if moment.is_last and moment.seconds > seconds]
    return ends[0] - seconds if ends else None


def random_timeline(settings: Settings, rng: random.Random) -> Timeline:
    """Return the timeline of an ordinary generation.

    It draws three numbers for any settings, which keeps two services of one seed
    comparable.
    """
    normal, queue_share, luck = rng.gauss(0.0, 1.0), rng.random(), rng.random()
    duration = settings.median_seconds * math.exp(settings.sigma * normal)
    has_failed = luck < settings.failure_rate
    return (
        PENDING,
        Moment(duration * queue_share * 0.2, "processing"),
        Moment(duration, FAILED if has_failed else COMPLETED),
    )
