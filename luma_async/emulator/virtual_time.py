"""An event loop with virtual time."""

import asyncio
import selectors
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

_LOOPBACK_SECONDS = 0.001
_MAX_THREAD_SECONDS = 2.0
_POLL_SECONDS = 0.01


class _VirtualTimeSelector(selectors.DefaultSelector):
    """Advances the clock where an ordinary loop would sleep."""

    now = 0.0

    def __init__(
        self,
        has_busy_threads: Callable[[], bool],
        real_timeout: Callable[[float], tuple[float, bool]],
    ) -> None:
        super().__init__()
        self._has_busy_threads = has_busy_threads
        self._real_timeout = real_timeout

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            # Only a thread or a signal can wake the loop.
            return super().select(None)
        give_up_at = time.monotonic() + max(timeout, _MAX_THREAD_SECONDS)
        while not events and self._has_busy_threads() and time.monotonic() < give_up_at:
            # Poll, because an AnyIO thread becomes idle a moment after it has answered. Give up
            # eventually, because a thread may itself wait for a timer.
            events = super().select(_POLL_SECONDS)
        if events:
            return events
        real_timeout, clock_runs = self._real_timeout(timeout)
        started_at = time.monotonic()
        events = super().select(real_timeout)
        # Without this, a program that sends all the time would keep every timer from expiring.
        elapsed = min(time.monotonic() - started_at, timeout) if clock_runs else 0.0
        self.now += elapsed if events else timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop in which hours of waiting pass in milliseconds.

    Its clock stands still while anything can run, and jumps to the next timer when nothing can.
    No test waits, and no timer fires late. Pass the class as the loop factory to whatever runs the
    loop, and serve the `Emulator` in it with `async with`.

    What runs in the loop takes no time, including connections to servers of the same loop. Timers
    take real time while a subprocess runs, while a connection to another server is open, and while
    a thread works for `run_in_executor`, `asyncio.to_thread` or `anyio.to_thread` (the clock stands
    still until the timer expires). The loop does not see threads that were started in another way,
    nor sockets that were connected before asyncio received them. `time.sleep`, `time.time` and
    `datetime.now` are not changed.
    """

    def __init__(self) -> None:
        self._own_servers: set[object] = set()
        self._busy_executor_threads = 0
        self._subprocesses: list[asyncio.SubprocessTransport] = []
        self._external_sockets = weakref.WeakSet[socket.socket]()
        self._virtual_clock = _VirtualTimeSelector(self._has_busy_threads, self._real_timeout)
        super().__init__(self._virtual_clock)
        # After some months floats are too coarse for asyncio's nanosecond: no timer would expire.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the virtual time in seconds; it starts at 0."""
        return self._virtual_clock.now

    def _real_timeout(self, timeout: float) -> tuple[float, bool]:
        """Return how long to wait for events, and whether the clock runs meanwhile."""
        if any(child.get_returncode() is None for child in self._subprocesses) or any(
            connection.fileno() >= 0 for connection in self._external_sockets
        ):
            return timeout, True
        # Data sent to a local port usually arrives at once, but not always.
        has_port = any(isinstance(server, int) for server in self._own_servers)
        return (_LOOPBACK_SECONDS if has_port else 0.0), False

    def _has_busy_threads(self) -> bool:
        threads = threading.enumerate()
        return self._busy_executor_threads > 0 or any(map(self._is_busy_anyio_thread, threads))

    def _is_busy_anyio_thread(self, thread: threading.Thread) -> bool:
        # AnyIO has no API for this, but the queue of a worker thread shows it.
        queue = getattr(thread, "queue", None) if getattr(thread, "loop", None) is self else None
        return getattr(queue, "unfinished_tasks", 0) > 0

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect, and remember connections to servers of other loops."""
        if _server_key(address) not in self._own_servers:
            self._external_sockets.add(sock)
        await super().sock_connect(sock, address)

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Serve on a port; connections to it take no time."""
        return self._add_server(await super().create_server(*args, **options))

    async def create_unix_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Serve on a socket file; connections to it take no time."""
        return self._add_server(await super().create_unix_server(*args, **options))

    def _add_server(self, server: asyncio.Server) -> asyncio.Server:
        self._own_servers |= {_server_key(item.getsockname()) for item in server.sockets}
        return server

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        """Run a program; timers take real time until it ends."""
        return self._add_subprocess(await super().subprocess_exec(*args, **options))

    async def subprocess_shell(self, *args: Any, **options: Any) -> Any:
        """Run a command; timers take real time until it ends."""
        return self._add_subprocess(await super().subprocess_shell(*args, **options))

    def _add_subprocess(self, created: Any) -> Any:
        self._subprocesses.append(created[0])
        return created

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """Run a function in a thread; the clock stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._busy_executor_threads += 1
        future.add_done_callback(self._release_thread)
        return future

    def _release_thread(self, _: object) -> None:
        self._busy_executor_threads -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads without a limit; this takes no virtual time."""
        self._busy_executor_threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._busy_executor_threads -= 1


def _server_key(address: tuple[Any, ...] | str) -> object:
    """Return the port, or the path of the socket file, of a local server."""
    return address[1] if isinstance(address, tuple) else address
