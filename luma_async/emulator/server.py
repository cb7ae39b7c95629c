"""The public class `Emulator`: serves the API and the videos on two ports."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

from aiohttp import web
from anyio.from_thread import start_blocking_portal

from luma_async.emulator import cdn, control, routes
from luma_async.emulator.clock import Clock
from luma_async.emulator.faults import Fault
from luma_async.emulator.request_log import WireRequest
from luma_async.emulator.service import Service
from luma_async.emulator.settings import Settings
from luma_async.emulator.timeline import DONE, MomentLike
from luma_async.emulator.world import Bill, KnownGeneration

_SHUTDOWN_SECONDS = 0.2


class Emulator:
    """An emulator of the service, with the API on one local port and the videos on another.

    Serve with `async with emulator` in the running event loop, or with
    `emulator.running_in_thread()` next to synchronous code. Everything else may be called from any
    thread. The account survives a stop, and the next start uses the same ports.

    - `host`, `port`, `cdn_port`: where to listen; port 0 is any free port.
    - `api_key`: the only key that is accepted; None accepts any key, but not a missing one.
    - `seed`: the seed of random ids, durations and failures. The same seed and the same sequence
      of orders repeat a run.
    - `median_seconds`, `sigma`: the lognormal distribution of the time that generations take.
    - `time_scale`: how many of those seconds pass in a real second. It shortens generations,
      scripts and estimates; all other options count real seconds.
    - `failure_rate`: the share of generations that fail, from 0 to 1. They are billed as well.
    - `estimates`: whether `estimate_wait_seconds` is the real seconds left; otherwise it is null.
    - `credits`: the tokens on the account. Each create and extend costs 500,000; if they do not
      suffice, the response is a 403. None is no limit.
    - `requests_per_second`: the API's rate limit, which allows bursts of one second's worth. Above
      it the response is a 429 with `Retry-After` in whole seconds. None is no limit.
    - `list_lag_seconds`: how long the list does not show a new generation.
    - `url_lifetime_seconds`: how long a `download_url` works; `url` does not expire.
    - `video_padding_bytes`: bytes to add to every video, for tests of large downloads. They use no
      memory here.
    - `clock`: a function that returns seconds; None is the time of the event loop.
    - `started_at`: the date, with its time zone, when serving starts; None is now.

    An invalid value is a `ValueError`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        cdn_port: int = 0,
        api_key: str | None = None,
        seed: int = 0,
        median_seconds: float = 60.0,
        sigma: float = 0.5,
        time_scale: float = 1.0,
        failure_rate: float = 0.0,
        estimates: bool = False,
        credits: int | None = None,  # noqa: A002
        requests_per_second: float | None = None,
        list_lag_seconds: float = 0.0,
        url_lifetime_seconds: float = 3600.0,
        video_padding_bytes: int = 0,
        clock: Callable[[], float] | None = None,
        started_at: datetime | None = None,
    ) -> None:
        settings = Settings(
            api_key=api_key,
            seed=seed,
            median_seconds=median_seconds,
            sigma=sigma,
            time_scale=time_scale,
            failure_rate=failure_rate,
            estimates=estimates,
            credits=credits,
            requests_per_second=requests_per_second,
            list_lag_seconds=list_lag_seconds,
            url_lifetime_seconds=url_lifetime_seconds,
            video_padding_bytes=video_padding_bytes,
        )
        self._host = host
        self._ports = [port, cdn_port]
        self._service = Service(settings, Clock(clock, started_at))
        self._running: AsyncExitStack | None = None

    @property
    def base_url(self) -> str:
        """The URL of the API; `RuntimeError` before the first start."""
        return self._url(0)

    @property
    def cdn_url(self) -> str:
        """The URL of the host of the videos; `RuntimeError` before the first start."""
        return self._url(1)

    @property
    def ledger(self) -> tuple[Bill, ...]:
        """Every paid order, the oldest first."""
        with self._service.lock:
            return self._service.world.bills

    @property
    def billed(self) -> int:
        """How many orders were paid."""
        return len(self.ledger)

    @property
    def tokens_billed(self) -> int:
        """How many tokens the paid orders cost."""
        return sum(bill.tokens for bill in self.ledger)

    @property
    def requests(self) -> tuple[WireRequest, ...]:
        """Every request that reached either host, in order."""
        with self._service.lock:
            return self._service.request_log.requests

    @property
    def generations(self) -> Mapping[str, KnownGeneration]:
        """What the service knows about each generation now, by id."""
        with self._service.lock:
            return self._service.world.describe(self._service.clock.now())

    def inject(self, fault: Fault) -> Fault:
        """Apply a fault to the requests that match it, and return it."""
        with self._service.lock:
            self._service.faults.add(fault)
        return fault

    def clear_faults(self, *faults: Fault) -> None:
        """Remove these faults; without arguments, remove all faults."""
        with self._service.lock:
            self._service.faults.clear(faults)

    def script(self, key: str | None, moments: Iterable[MomentLike]) -> None:
        """Set the states that a generation enters, and when.

        `key` is the id of a generation, or the prompt of future orders, or None for all future
        orders without a script. The moments are `Moment`s, or tuples of their first fields
        (seconds since the order, state, whether there is a video). Raises `ValueError` if there
        are none or if they are not in the order of their seconds.
        """
        with self._service.lock:
            self._service.world.script(key, moments)

    def place(self, generation_id: str, prompt: str, moments: Iterable[MomentLike] = DONE) -> None:
        """Add a generation to the account without billing it; by default it is completed."""
        with self._service.lock:
            now = self._service.clock.now()
            self._service.world.place(generation_id, prompt, moments, now)

    def forget(self, generation_id: str) -> None:
        """Remove a generation, which stays billed; `KeyError` if the id is unknown."""
        with self._service.lock:
            self._service.world.forget(generation_id)

    def applications(self) -> tuple[web.Application, web.Application]:
        """Return new applications of the API and of the host of the videos, bound to no port.

        They share this emulator's account. Unless the emulator has been started as well, the URLs
        of videos have no port.
        """
        api = web.Application(client_max_size=routes.MAX_BODY_BYTES)
        videos = web.Application()
        control.add_routes(api, self._service)
        routes.add_routes(api, self._service)
        cdn.add_routes(videos, self._service)
        for app in (api, videos):
            app.on_startup.append(self._start_clock)
            app.on_cleanup.append(self._stop_clock)
        return api, videos

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise RuntimeError("this emulator is serving already")
        async with AsyncExitStack() as stack:
            for index, app in enumerate(self.applications()):
                self._ports[index] = await _serve(app, self._host, self._ports[index], stack)
            self._service.cdn_url = self.cdn_url
            self._running = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.aclose()

    @contextmanager
    def running_in_thread(self) -> Iterator[Self]:
        """Serve from another thread, with a separate event loop, until the block ends."""
        with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(self):
            yield self

    async def _start_clock(self, _: web.Application) -> None:
        self._service.clock.start(asyncio.get_running_loop().time)

    async def _stop_clock(self, _: web.Application) -> None:
        self._service.clock.stop()

    def _url(self, index: int) -> str:
        if not self._ports[index]:
            raise RuntimeError("the emulator has no URL before it is started")
        return f"http://{self._host}:{self._ports[index]}"


async def _serve(app: web.Application, host: str, port: int, stack: AsyncExitStack) -> int:
    """Serve an application until the stack is closed, and return its port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return int(runner.addresses[0][1])
