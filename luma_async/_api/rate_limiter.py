"""Where every request to the API waits for its slot."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from attrs import define, field

from luma_async._runtime import clock, telemetry
from luma_async.errors import ClientStateError
from luma_async.settings import Limits


@define(eq=False)
class Channel:
    """Requests of one kind: a semaphore, and a time before which none is made."""

    slots: anyio.Semaphore
    not_before: float = 0.0


@define(eq=False)
class RateLimiter:
    """Keeps the requests of a client within its `Limits`.

    Paid and free requests have a semaphore each, as slow creates must not hold up polls, and one
    pace together. The pace is the generic cell rate algorithm (ITU-T I.371) without a
    burst: requests start at least ``1 / requests_per_second`` seconds apart.
    """

    _limits: Limits
    free: Channel = field(init=False)
    paid: Channel = field(init=False)
    in_flight: int = field(default=0, init=False)
    _pace_lock: anyio.Lock = field(factory=lambda: anyio.Lock(fast_acquire=True), init=False)
    _next_start: float = field(default=0.0, init=False)
    _closed: anyio.Event = field(factory=anyio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        slots = self._limits.concurrent_requests
        self.free = Channel(anyio.Semaphore(slots, fast_acquire=True))
        self.paid = Channel(anyio.Semaphore(slots, fast_acquire=True))

    @asynccontextmanager
    async def slot(self, channel: Channel) -> AsyncGenerator[None]:
        """Hold a place among the requests under way, from the time when one may start.

        Raises:
            ClientStateError: The client was closed meanwhile.
        """
        async with channel.slots:
            await self._wait_until(channel)
            self.in_flight += 1
            telemetry.measure("requests.active", 1)
            try:
                yield
            finally:
                self.in_flight -= 1
                telemetry.measure("requests.active", -1)

    async def _wait_until(self, channel: Channel) -> None:
        pace = 1 / self._limits.requests_per_second
        started = False
        while not started:
            await self.pause(channel.not_before - clock.now())
            # A lock lets them through in the order in which they came, and a start is claimed
            # only when it is made, and one who gives up takes nobody's place.
            async with self._pace_lock:
                await self.pause(self._next_start - clock.now())
                now = clock.now()
                # The channel may have been delayed meanwhile, by a request that started earlier.
                started = channel.not_before <= now
                self._next_start = max(now, self._next_start) + (pace if started else 0.0)

    def delay_until(self, channel: Channel, time: float) -> None:
        """Start no request of a channel before a time: the service has asked for a pause."""
        channel.not_before = max(channel.not_before, time)

    async def pause(self, seconds: float) -> None:
        """Sleep, unless the client is closed.

        Raises:
            ClientStateError: The client was closed meanwhile.
        """
        if seconds > 0:
            with anyio.move_on_after(seconds):
                await self._closed.wait()
        if self._closed.is_set():
            raise ClientStateError("the client was closed")

    def close(self) -> None:
        """Let nobody pass any more, and let those in the queue know."""
        self._closed.set()
        for channel in (self.free, self.paid):
            for _ in range(channel.slots.statistics().tasks_waiting):
                channel.slots.release()
