"""The emulator as its users hold it: two ports, one service behind them."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

from aiohttp import web
from anyio.from_thread import start_blocking_portal

from luma_async.emulator import cdn, control, routes, timeline
from luma_async.emulator.clock import Clock
from luma_async.emulator.faults import Fault
from luma_async.emulator.orders import Order
from luma_async.emulator.request_log import WireRequest
from luma_async.emulator.service import Service
from luma_async.emulator.settings import Settings
from luma_async.emulator.timeline import Sketch
from luma_async.emulator.world import Bill, Generation, KnownGeneration

_SHUTDOWN_SECONDS = 0.2


class Emulator:
    """The service in a box: its API on one loopback port, its videos on another.

    Serve with `async with emulator` in the running event loop, or with
    `emulator.running_in_thread()` beside synchronous code; everything else may be called from any
    thread. The account outlives a stop, and a second start takes the same ports again.

    - `host`, `port`, `cdn_port`: where to listen; port 0 takes any free one.
    - `api_key`: the only key that is accepted; None accepts any, though not none at all.
    - `seed`: the chance behind ids, durations and failures. The same seed and the same orders in
      the same sequence repeat a run.
    - `median_seconds`, `sigma`: how long generations take, which is lognormal.
    - `time_scale`: how many of those seconds pass in a real one. It shortens generations, scripts
      and estimates, and nothing else: every other number of seconds here is real.
    - `failure_rate`: the share of generations that fail, from 0 to 1. They are billed as well.
    - `estimates`: whether `estimate_wait_seconds` tells the real seconds that are left; else null.
    - `credits`: the tokens on the account, of which each create and extend takes 500,000. When
      they do not suffice, the answer is a 403. None never ends.
    - `requests_per_second`: the API's rate limit, with one second's worth at once. Beyond it the
      answer is a 429 with `Retry-After` in whole seconds. None is no limit.
    - `list_lag_seconds`: how long the list does not show a new generation.
    - `url_lifetime_seconds`: how long a `download_url` works; `url` does for ever.
    - `video_padding_bytes`: bytes that every video gets beyond its own size, for tests of
      downloads. They cost no memory here.
    - `clock`: a function that returns seconds; None is the event loop's own time.
    - `started_at`: the date, with its time zone, when serving starts; None is now.

    A value that makes no sense is a `ValueError`.
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
        """The address of the API; `RuntimeError` before the first start."""
        return self._address(0)

    @property
    def cdn_url(self) -> str:
        """The address of the videos' host; `RuntimeError` before the first start."""
        return self._address(1)

    @property
    def ledger(self) -> tuple[Bill, ...]:
        """Every paid order, the oldest first; it alone says what was paid."""
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
            return self._service.wire.requests

    @property
    def generations(self) -> Mapping[str, KnownGeneration]:
        """What the service knows of each generation at this moment, by id."""
        with self._service.lock:
            return self._service.world.describe(self._service.clock.now())

    def inject(self, fault: Fault) -> Fault:
        """Let a fault strike the requests that it describes, and return it."""
        with self._service.lock:
            self._service.desk.inject(fault)
        return fault

    def clear_faults(self, *faults: Fault) -> None:
        """Remove these faults, or every fault when none is named."""
        with self._service.lock:
            self._service.desk.clear(faults)

    def script(self, key: str | None, moments: Sketch) -> None:
        """Say what becomes of a generation, and when.

        `key` is the id of a generation, or the prompt of orders to come, or None for all orders to
        come that no other script names. The moments are `Moment`s, or tuples of their first fields
        (seconds since the order, state, whether there is a video). Raises `ValueError` when there
        is none or when they run backwards.
        """
        with self._service.lock:
            self._service.world.script(key, moments)

    def place(self, generation_id: str, prompt: str, moments: Sketch = timeline.DONE) -> None:
        """Put a generation into the account that nobody is billed for; by default it is done."""
        with self._service.lock:
            self._service.world.place(
                Generation(
                    id=generation_id,
                    order=Order(prompt=prompt),
                    parent=None,
                    created_at=self._service.clock.now(),
                    timeline=timeline.read(moments),
                )
            )

    def forget(self, generation_id: str) -> None:
        """Let the service lose a generation, which stays billed; `KeyError` if it has none."""
        with self._service.lock:
            self._service.world.forget(generation_id)

    def applications(self) -> tuple[web.Application, web.Application]:
        """Return new applications of the API and of the videos' host, bound to no port.

        They share this emulator's account. Addresses of videos bear the host alone unless the
        emulator serves on ports as well.
        """
        api = web.Application(client_max_size=routes.LONGEST_BODY)
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
            for place, app in enumerate(self.applications()):
                self._ports[place] = await _serve(app, self._host, self._ports[place], stack)
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
        """Serve from a thread with an event loop of its own until the block is left."""
        with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(self):
            yield self

    async def _start_clock(self, _: web.Application) -> None:
        self._service.clock.start(asyncio.get_running_loop().time)

    async def _stop_clock(self, _: web.Application) -> None:
        self._service.clock.stop()

    def _address(self, place: int) -> str:
        if not self._ports[place]:
            raise RuntimeError("the emulator has no address before it has been started")
        return f"http://{self._host}:{self._ports[place]}"


async def _serve(app: web.Application, host: str, port: int, stack: AsyncExitStack) -> int:
    """Serve an application until the stack is closed, and return its port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return int(runner.addresses[0][1])
