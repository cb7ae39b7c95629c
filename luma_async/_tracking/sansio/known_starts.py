"""When generations were ordered through this client: their age is known once somebody waits."""

from attrs import define, evolve, field, frozen

from luma_async._tracking.sansio.duration_models import Kind
from luma_async.models import Generation

_MAX_STARTS = 100_000


@frozen
class KnownStart:
    """One generation that was ordered here and is not known to be done.

    Attributes:
        kind: What was ordered.
        time: When it was ordered.
        estimate: How many seconds the service expected it to take.
        latest: What was received of it last.
    """

    kind: Kind
    time: float
    estimate: float | None
    latest: Generation


@define(eq=False)
class KnownStarts:
    """The generations that were ordered here; of those that nobody waits for, the newest."""

    _starts: dict[str, KnownStart] = field(factory=dict, init=False)

    def record(self, generation: Generation, kind: Kind, now: float) -> None:
        """Remember a new generation; one that is done already is asked for anew."""
        if generation.is_done:
            return
        estimate = generation.estimate_wait_seconds
        self._starts[generation.id] = KnownStart(kind, now, estimate, generation)
        if len(self._starts) > _MAX_STARTS:
            self.forget(next(iter(self._starts)))

    def find(self, generation_id: str) -> KnownStart | None:
        """Return when a generation was ordered, if that is known."""
        return self._starts.get(generation_id)

    def update(self, generation: Generation) -> None:
        """Keep the latest of what was ordered here, for those who begin to watch it by its id."""
        if (start := self._starts.get(generation.id)) is None:
            return
        if generation.is_done:
            self.forget(generation.id)
        elif generation is not start.latest:
            self._starts[generation.id] = evolve(start, latest=generation)

    def forget(self, generation_id: str) -> None:
        """Forget a generation, if it is known."""
        self._starts.pop(generation_id, None)
