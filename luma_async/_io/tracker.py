"""Many waiters, few requests.

One tracker serves all coroutines of a client that wait. Each generation is asked for once,
however many wait for it, and together with the others, in requests of up to
`Limits.ids_per_request` ids, at the times that `luma_async._sansio.cadence` decides.

Between requests nothing runs but a timer of the event loop, and that only while somebody waits.
When it is time, a request is made in a task that lives as long as the request does and belongs
to no waiter. So a waiter can be cancelled, time out or fail at any instant without a request
being broken off or a duty being left undone: there is no duty to hand on.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from types import MappingProxyType
from typing import TypeVar

import anyio
from attrs import define, evolve, field

from luma_async._io.limits import Gate
from luma_async._io.listeners import Listener, Look, News, own
from luma_async._sansio.cadence import Cadence
from luma_async._sansio.progress import Progress
from luma_async._sansio.responses import States
from luma_async._sansio.retry import blames_content
from luma_async.errors import (
    APIError,
    ClientStateError,
    GenerationFailedError,
    LumaError,
    NotFoundError,
    RateLimitError,
    ResponseFormatError,
)
from luma_async.models import Generation
from luma_async.settings import Limits, PollPolicy

_LOG = logging.getLogger("luma_async")
_REMEMBERED_DURATIONS = 1000

L = TypeVar("L", bound=Listener)


@define(eq=False)
class _Track:
    """One generation that is followed, and who follows it."""

    progress: Progress
    since: float
    listeners: dict[Listener, None] = field(factory=dict, init=False)
    looks: dict[Look, None] = field(factory=dict, init=False)


@define(eq=False)
class Tracker:
    """Asks for all generations that anybody waits for, and tells their listeners.

    Attributes:
        durations: For how long the generations that finished last had been followed, in seconds.
    """

    _ask: Callable[[Sequence[str]], Awaitable[States]]
    _gate: Gate
    _limits: Limits
    _policy: PollPolicy
    durations: deque[float] = field(factory=lambda: deque(maxlen=_REMEMBERED_DURATIONS), init=False)
    _cadence: Cadence = field(init=False)
    _tracks: dict[str, _Track] = field(factory=dict, init=False)
    _timer: asyncio.Handle | None = field(default=None, init=False)
    # Not every loop's handle can tell it.
    _timer_due: float = field(default=0.0, init=False)
    _requests: set["asyncio.Task[None]"] = field(factory=set, init=False)
    _chooser: "asyncio.Task[None] | None" = field(default=None, init=False)
    _closed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._cadence = Cadence(self._policy, self._limits.ids_per_request)

    @property
    def waiting(self) -> int:
        """How many ids somebody waits for."""
        return len(self._tracks)

    @contextmanager
    def listening(
        self, listener: L, known: Mapping[str, Generation] = MappingProxyType({})
    ) -> Generator[L]:
        """Let a listener hear of its pending ids for as long as the context lasts.

        Args:
            listener: Whom to tell.
            known: What the caller knows of them already, by id.
        """
        now = anyio.current_time()
        try:
            if self._closed:
                listener.fail(_closed())
            else:
                for name in listener.pending:
                    self._join(listener, name, known.get(name), now)
                self._arm()
            yield listener
        finally:
            for name in listener.pending:
                self._leave(listener, name)

    def take_in(self, generations: Sequence[Generation]) -> None:
        """Let the waiting hear what another request has brought."""
        now = anyio.current_time()
        for generation in generations:
            self._seen(generation, now)

    async def close(self) -> None:
        """End all waits with `ClientStateError` and leave nothing behind."""
        self._closed = True
        self._fail_all(_closed())
        self._disarm()
        for request in self._requests:
            request.cancel()
        if self._requests:
            await asyncio.wait(self._requests)

    def _join(self, listener: Listener, name: str, known: Generation | None, now: float) -> None:
        track = self._tracks.get(name)
        if known is not None and known.is_completed:
            # Its video was not there yet; that is as good as to know nothing.
            known = None
        if track is None:
            track = self._tracks[name] = _Track(Progress(name, self._policy, known), now)
            self._cadence.add(name, now, estimate=known.estimate_wait_seconds if known else None)
            if known is None:
                # It may have been finished for long.
                self._cadence.hasten(name, now)
        if isinstance(listener, Look):
            track.looks[listener] = None
            self._cadence.hasten(name, now)
            return
        track.listeners[listener] = None
        if listener.every_change and track.progress.latest is not None:
            listener.tell(News(name, track.progress.latest))

    def _leave(self, listener: Listener, name: str) -> None:
        if (track := self._tracks.get(name)) is None:
            return
        if isinstance(listener, Look):
            track.looks.pop(listener, None)
        else:
            track.listeners.pop(listener, None)
        self._drop_if_unwanted(name, track)

    def _drop_if_unwanted(self, name: str, track: _Track) -> None:
        if not track.listeners and not track.looks:
            self._tracks.pop(name, None)
            self._cadence.discard(name)
            if not self._tracks:
                self._disarm()

    def _arm(self) -> None:
        """Set the timer for the next request, unless one is about to choose its ids anyway."""
        due = self._cadence.next_request()
        busy = len(self._requests) >= self._limits.concurrent_requests
        if due is None or busy or self._closed or self._chooser is not None:
            return
        if self._timer is not None and self._timer_due <= due:
            return
        self._disarm()
        self._timer_due = due
        self._timer = asyncio.get_running_loop().call_at(due, self._start)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        self._timer = None
        # An empty context: what is bound in the context of one waiter is not for the others.
        self._chooser = asyncio.get_running_loop().create_task(
            self._request(), name="luma_async get", context=Context()
        )
        self._requests.add(self._chooser)
        self._chooser.add_done_callback(self._ended)

    def _ended(self, request: "asyncio.Task[None]") -> None:
        self._requests.discard(request)
        if self._chooser is request:
            self._chooser = None
        if not request.cancelled() and (error := request.exception()) is not None:
            # Without this the waiting would wait for ever.
            _LOG.error("The tracker failed, and with it all waits", exc_info=error)
            failure = LumaError(f"the tracker failed: {type(error).__name__}")
            failure.__cause__ = error
            self._fail_all(failure)
        self._arm()

    def _fail_all(self, error: LumaError) -> None:
        for track in self._tracks.values():
            for listener in (*track.listeners, *track.looks):
                listener.fail(error)

    async def _request(self) -> None:
        async with self._gate.turn(self._gate.free):
            asked_at = anyio.current_time()
            # Chosen only now that the request can go out, so that all who came while it waited
            # for its turn are in it.
            names = self._cadence.take(asked_at)
            self._chooser = None
            self._arm()
            if not names:
                return
            try:
                states = await self._states_of(names)
                self._answered(names, states, asked_at)
            except LumaError as error:
                self._failed(names, error, asked_at)
            except BaseException:
                # Cancelled by somebody, or a mistake of ours: they are to be asked for again.
                self._cadence.failed(names, asked_at=asked_at, now=anyio.current_time())
                raise

    async def _states_of(self, names: Sequence[str]) -> States:
        try:
            return await self._ask(names)
        except NotFoundError:
            if len(names) > 1:
                raise
            return States(generations=())

    def _answered(self, names: Sequence[str], states: States, asked_at: float) -> None:
        now = anyio.current_time()
        _LOG.debug("asked for %d ids, %d answered", len(names), len(states.generations))
        # Where an answer contradicts itself, the video counts.
        self.take_in(sorted(states.generations, key=lambda one: not one.is_completed))
        absent = set(names).difference(generation.id for generation in states.generations)
        if states.problems:
            # What could not be read may have been one of these.
            error = ResponseFormatError(states.problems)
            _LOG.warning("%s", error)
            self._looks_failed(absent, error, asked_at)
        else:
            for name in absent:
                self._missed(name, now)
        self._cadence.answered(names, now)

    def _failed(self, names: Sequence[str], error: LumaError, asked_at: float) -> None:
        self._cadence.failed(
            names,
            asked_at=asked_at,
            now=anyio.current_time(),
            limited=isinstance(error, RateLimitError),
            spoiled=blames_content(error),
            retry_after=error.retry_after if isinstance(error, APIError) else None,
        )
        self._looks_failed(names, error, asked_at)
        if isinstance(error, ClientStateError):
            # The caller's session is closed, and will not open again.
            self._fail_all(error)
        _LOG.warning("asked for %d ids in vain: %s", len(names), error)

    def _looks_failed(self, names: Iterable[str], error: LumaError, asked_at: float) -> None:
        now = anyio.current_time()
        for name in names:
            track = self._tracks.get(name)
            if track is not None and track.looks:
                for look in track.looks:
                    look.request_failed(error, asked_at=asked_at, now=now)
                self._cadence.hasten(name, now)

    def _seen(self, generation: Generation, now: float) -> None:
        if (track := self._tracks.get(generation.id)) is None:
            return
        before = track.progress.latest
        moved = track.progress.seen(generation, now)
        news = News(generation.id, generation)
        self._settle_looks(track, news)
        estimate = generation.estimate_wait_seconds
        if moved or (before is not None and estimate != before.estimate_wait_seconds):
            self._cadence.changed(generation.id, now, estimate=estimate)
        if track.progress.ending is not None:
            self._finish(generation.id, track, now)
        elif moved:
            for listener in track.listeners:
                if listener.every_change:
                    listener.tell(news)
        self._drop_if_unwanted(generation.id, track)

    def _missed(self, name: str, now: float) -> None:
        if (track := self._tracks.get(name)) is None:
            return
        track.progress.missed(now)
        self._settle_looks(track, News(name))
        if track.progress.ending is not None:
            self._finish(name, track, now)
        self._drop_if_unwanted(name, track)

    def _finish(self, name: str, track: _Track, now: float) -> None:
        ending = track.progress.ending
        if isinstance(ending, Generation):
            news = News(name, ending)
            self.durations.append(now - track.since)
        else:
            generation = ending.generation if isinstance(ending, GenerationFailedError) else None
            news = News(name, generation, ending)
        for listener in track.listeners:
            listener.settle(news if news.error is None else evolve(news, error=own(news.error)))
        track.listeners.clear()

    def _settle_looks(self, track: _Track, news: News) -> None:
        for look in track.looks:
            look.settle(news)
        track.looks.clear()


def _closed() -> ClientStateError:
    return ClientStateError("the client was closed during a wait")
