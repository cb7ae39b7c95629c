"""Who waits for which generations, and what answers mean for them."""

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from attrs import define, evolve, field, frozen

from luma_async._api.sansio.responses import States
from luma_async._runtime import clock, telemetry
from luma_async._tracking.sansio.duration_models import Kind
from luma_async._tracking.sansio.poll_planner import Cadence
from luma_async._tracking.sansio.progress import Progress, has_ended
from luma_async._tracking.waiters import Listener, Look, News, own
from luma_async.errors import GenerationFailedError, LumaError
from luma_async.models import Generation
from luma_async.settings import PollPolicy

_OLDEST = 86_400.0
_MOST_ORDERED = 100_000


@frozen
class Beginning:
    """What was ordered through this client, when, how long it was to take, and the latest of it."""

    kind: Kind
    time: float
    estimate: float | None
    latest: Generation


@define(eq=False)
class Track:
    """One generation that is followed, and who follows it.

    Attributes:
        heard_at: When the question was asked whose answer is the latest that counts.
    """

    progress: Progress
    heard_at: float
    listeners: dict[Listener, None] = field(factory=dict, init=False)
    looks: dict[Look, None] | None = field(default=None, init=False)


@define(eq=False)
class Tracks:
    """The generations that somebody waits for.

    Attributes:
        finished: How many were followed to their end.
        delays: The sum of the seconds after which that was probably heard, and of how many.
    """

    _policy: PollPolicy
    _cadence: Cadence
    finished: int = field(default=0, init=False)
    delays: tuple[float, int] = field(default=(0.0, 0), init=False)
    _ordered: dict[str, Beginning] = field(factory=dict, init=False)
    _tracks: dict[str, Track] = field(factory=dict, init=False)

    def __len__(self) -> int:
        return len(self._tracks)

    def ordered(self, generation: Generation, kind: Kind, *, age: float = 0.0) -> None:
        """Remember when a generation began, so that its age is known once somebody waits for it.

        One that is done already is asked for anew.
        """
        if generation.is_done:
            return
        began, estimate = clock.now() - age, generation.estimate_wait_seconds
        self._ordered[generation.id] = Beginning(kind, began, estimate, generation)
        if len(self._ordered) > _MOST_ORDERED:
            # Those that nobody has waited for until their end.
            del self._ordered[next(iter(self._ordered))]

    def latest(self, name: str) -> Generation | None:
        """Return what the latest answer said of an id that somebody waits for."""
        track = self._tracks.get(name)
        return track.progress.latest if track is not None else None

    def join(self, listener: Listener, known: Mapping[str, Generation], now: float) -> None:
        """Let a listener hear of its pending ids.

        Args:
            listener: Whom to tell.
            known: What the caller knows of them already, by id.
            now: The time.
        """
        for name in listener.pending:
            self._join(listener, name, known.get(name), now)

    def leave(self, listener: Listener) -> None:
        """Tell a listener no more."""
        for name in listener.pending:
            self._leave(listener, name)

    def take_in(self, states: States, asked_at: float) -> None:
        """Let the waiting hear what the answer to a question says that was asked at a time."""
        now = clock.now()
        # Where an answer contradicts itself, the video counts.
        for generation in sorted(states.generations, key=lambda one: not one.is_completed):
            self._remember(generation)
            track = self._tracks.get(generation.id)
            if track is None:
                continue
            if generation is track.progress.latest and not track.looks:
                # Read of words that were read before: nothing is new but the time.
                track.heard_at = max(track.heard_at, asked_at)
                track.progress.repeated()
                self._cadence.unfinished(generation.id, asked_at)
            else:
                self._seen(track, generation, asked_at, now, states.date)

    def _remember(self, generation: Generation) -> None:
        """Keep the latest of what was ordered here, for those who begin to watch it by its id."""
        if (beginning := self._ordered.get(generation.id)) is None:
            return
        if generation.is_done:
            del self._ordered[generation.id]
        elif generation is not beginning.latest:
            self._ordered[generation.id] = evolve(beginning, latest=generation)

    def missed(self, names: Iterable[str], now: float, *, alone: bool) -> None:
        """Note that an answer does not hold some ids, or the one that was asked for alone."""
        for name in names:
            self._missed(name, now, alone=alone)

    def refused(self, name: str, error: LumaError, now: float) -> None:
        """Note that a question for an id alone failed because of that id."""
        track = self._tracks[name]
        track.progress.refused(error, now)
        self._conclude(name, track)

    def looks_failed(self, names: Iterable[str], error: LumaError, asked_at: float) -> None:
        """Let those who want the next answer know that a question for these ids failed.

        Who waits is not told: a wait outlasts failures.
        """
        now = clock.now()
        for name in names:
            track = self._tracks.get(name)
            if track is not None and track.looks:
                for look in track.looks:
                    look.request_failed(error, asked_at=asked_at, now=now)
                self._cadence.hasten(name, now)

    def fail_all(self, error: LumaError) -> None:
        """End all waits."""
        for track in self._tracks.values():
            for listener in (*track.listeners, *(track.looks or ())):
                listener.fail(error)

    def _join(self, listener: Listener, name: str, known: Generation | None, now: float) -> None:
        if known is None and name in self._ordered:
            known = self._ordered[name].latest
        if known is not None and known.is_completed:
            # Its video was not there yet; that is as good as to know nothing.
            known = None
        track = self._tracks.get(name)
        if track is None:
            track = self._tracks[name] = Track(Progress(name, self._policy, known), now)
            telemetry.measure("generations.waiting", 1)
            self._plan(name, known, now)
        if isinstance(listener, Look):
            track.looks = {**(track.looks or {}), listener: None}
            self._cadence.hasten(name, now)
            return
        track.listeners[listener] = None
        if listener.every_change and track.progress.latest is not None:
            listener.tell(self._news(track.progress.latest))

    def _plan(self, name: str, known: Generation | None, now: float) -> None:
        beginning = self._ordered.get(name)
        if beginning is not None:
            self._cadence.add(
                name,
                now,
                age=now - beginning.time,
                certain=True,
                kind=beginning.kind,
                estimate=beginning.estimate,
            )
        elif known is not None:
            # By this machine's clock, until an answer brings the service's own.
            age = _age(known, datetime.now(UTC)) or 0.0
            self._cadence.add(name, now, age=age, estimate=known.estimate_wait_seconds)
        elif self._cadence.add(name, now):
            # It may have been finished for long.
            self._cadence.hasten(name, now)

    def _leave(self, listener: Listener, name: str) -> None:
        if (track := self._tracks.get(name)) is None:
            return
        if isinstance(listener, Look):
            track.looks = {look: None for look in track.looks or () if look is not listener}
        else:
            track.listeners.pop(listener, None)
        self._drop_if_unwanted(name, track)

    def _drop_if_unwanted(self, name: str, track: Track) -> None:
        if not track.listeners and not track.looks:
            del self._tracks[name]
            self._cadence.discard(name)
            telemetry.measure("generations.waiting", -1)

    def _seen(
        self,
        track: Track,
        generation: Generation,
        asked_at: float,
        now: float,
        date: datetime | None,
    ) -> None:
        name = generation.id
        if track.looks:
            self.settle_looks(name, News(name, generation))
        over = has_ended(generation)
        # Otherwise what was asked for later has been answered sooner.
        if over or asked_at >= track.heard_at:
            track.heard_at = asked_at
            moved = track.progress.seen(generation, now)
            if over:
                self._ended(name, now)
            elif generation.is_completed:
                self._cadence.videoless(name, now)
            else:
                age = None if date is None else _age(generation, date)
                estimate = generation.estimate_wait_seconds
                self._cadence.unfinished(name, asked_at, age=age, estimate=estimate)
            if moved and not over:
                self._tell(track, generation)
        self._conclude(name, track)

    def _ended(self, name: str, now: float) -> None:
        delay = self._cadence.finished(name, now)
        if delay is not None:
            self.delays = self.delays[0] + delay, self.delays[1] + 1
            telemetry.measure("generation.delay", delay)

    def _tell(self, track: Track, generation: Generation) -> None:
        watching = [listener for listener in track.listeners if listener.every_change]
        if watching:
            news = self._news(generation)
            for listener in watching:
                listener.tell(news)

    def _news(self, generation: Generation) -> News:
        left = self._cadence.seconds_left(generation.id, clock.now())
        return News(generation.id, evolve(generation, seconds_left=left))

    def _missed(self, name: str, now: float, *, alone: bool) -> None:
        if (track := self._tracks.get(name)) is None:
            return
        self.settle_looks(name, News(name))
        track.progress.missed(now, alone=alone)
        if track.progress.is_overdue and track.progress.ending is None:
            self._cadence.isolate(name, now)
        self._conclude(name, track)

    def _conclude(self, name: str, track: Track) -> None:
        """Tell all who wait how it ended, if it has, and forget what nobody waits for."""
        ending = track.progress.ending
        if ending is not None:
            if isinstance(ending, Generation):
                news = News(name, ending)
            elif isinstance(ending, GenerationFailedError):
                news = News(name, ending.generation, ending)
            else:
                news = News(name, error=ending)
            for listener in track.listeners:
                listener.settle(news if news.error is None else evolve(news, error=own(news.error)))
            if track.listeners:
                self.finished += 1
                _log_end(name, ending)
            track.listeners.clear()
            self._ordered.pop(name, None)
        self._drop_if_unwanted(name, track)

    def settle_looks(self, name: str, news: News) -> None:
        """Tell those who want the next answer for an id, and them alone."""
        if (track := self._tracks.get(name)) is not None:
            for look in track.looks or ():
                look.settle(news)
            track.looks = None


def _log_end(name: str, ending: Generation | LumaError) -> None:
    facts: telemetry.Attributes
    if isinstance(ending, Generation):
        facts = {telemetry.STATE: telemetry.state_of(ending)}
    else:
        facts = telemetry.describe(ending)
    telemetry.log(
        logging.INFO,
        "generation.ended",
        {telemetry.GENERATION: name, **facts},
        "generation %s ended: %s",
        name,
        next(iter(facts.values())),
    )


def _age(generation: Generation, date: datetime) -> float | None:
    """Return how old a generation is at a date; None where the clocks make no sense."""
    if generation.created_at is None or generation.created_at.tzinfo is None:
        return None
    seconds = (date - generation.created_at).total_seconds()
    return seconds if 0 <= seconds <= _OLDEST else None
