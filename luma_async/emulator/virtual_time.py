"""An event loop whose clock stands still while anything can run, and jumps when nothing can."""

import asyncio
import selectors
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

_SETTLE = 0.001
_PATIENCE = 2.0
_GLANCE = 0.01


class _JumpingSelector(selectors.DefaultSelector):
    """Puts the clock forward where an ordinary loop would sleep."""

    jumped = 0.0

    def __init__(
        self, threads_work: Callable[[], bool], patience: Callable[[float], tuple[float, bool]]
    ) -> None:
        super().__init__()
        self._threads_work = threads_work
        self._patience = patience

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            # Only a thread or a signal can go on from here.
            return super().select(None)
        gives_up_at = time.monotonic() + max(timeout, _PATIENCE)
        while not events and self._threads_work() and time.monotonic() < gives_up_at:
            # By glances, as a thread of AnyIO is done a moment after it has answered; and not for
            # ever, as a thread may wait for a timer itself.
            events = super().select(_GLANCE)
        if events:
            return events
        patience, is_shared = self._patience(timeout)
        began = time.monotonic()
        events = super().select(patience)
        # Else a program that talks all the time would keep every timer from being due.
        passed = min(time.monotonic() - began, timeout) if is_shared else 0.0
        self.jumped += passed if events else timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop in which hours of waiting pass in milliseconds.

    Its clock stands still while anything can run, and jumps to the next timer when nothing can, so
    that a test waits for nothing and no timer fires late. Give it to whatever runs the loop as its
    loop factory, and serve the `Emulator` in it with `async with`.

    What happens inside of the loop takes no time, and neither do its connections to its own
    servers. Where others are at work, a timer takes as long as it does in reality: while a thread
    works for `run_in_executor`, `asyncio.to_thread` or `anyio.to_thread` (until then the clock
    stands still), while a subprocess runs, and while a connection leads to a server elsewhere.
    Threads that were started in another way are not seen, nor are sockets that were connected
    before asyncio got them. `time.sleep`, `time.time` and `datetime.now` go on as ever.
    """

    def __init__(self) -> None:
        self._served: set[object] = set()
        self._threads_at_work = 0
        self._children: list[asyncio.SubprocessTransport] = []
        self._outward = weakref.WeakSet[socket.socket]()
        self._jumping = _JumpingSelector(self._threads_work, self._patience)
        super().__init__(self._jumping)
        # With asyncio's nanosecond no timer would be due after some months: floats are too coarse.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the virtual time in seconds; it begins at 0."""
        return self._jumping.jumped

    def _patience(self, timeout: float) -> tuple[float, bool]:
        """Return how long to look out before the clock jumps, and whether it goes on meanwhile."""
        if any(child.get_returncode() is None for child in self._children) or any(
            connection.fileno() >= 0 for connection in self._outward
        ):
            return timeout, True
        # What is sent to a port of this machine is as a rule there at once, but need not be.
        return (_SETTLE if any(isinstance(name, int) for name in self._served) else 0.0), False

    def _threads_work(self) -> bool:
        workers = threading.enumerate()
        return self._threads_at_work > 0 or any(map(self._works_for_anyio, workers))

    def _works_for_anyio(self, thread: threading.Thread) -> bool:
        # AnyIO tells nobody which of its threads are at work, but their queues do.
        queue = getattr(thread, "queue", None) if getattr(thread, "loop", None) is self else None
        return getattr(queue, "unfinished_tasks", 0) > 0

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect, and remember a connection that leads out of this loop."""
        if _name(address) not in self._served:
            self._outward.add(sock)
        await super().sock_connect(sock, address)

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Serve on a port, whose connections take no time."""
        return self._note_server(await super().create_server(*args, **options))

    async def create_unix_server(self, *args: Any, **options: Any) -> asyncio.Server:
        """Serve on a socket file, whose connections take no time."""
        return self._note_server(await super().create_unix_server(*args, **options))

    def _note_server(self, server: asyncio.Server) -> asyncio.Server:
        self._served |= {_name(listening.getsockname()) for listening in server.sockets}
        return server

    async def subprocess_exec(self, *args: Any, **options: Any) -> Any:
        """Run a program, in whose time the clock goes on."""
        return self._note_child(await super().subprocess_exec(*args, **options))

    async def subprocess_shell(self, *args: Any, **options: Any) -> Any:
        """Run a command, in whose time the clock goes on."""
        return self._note_child(await super().subprocess_shell(*args, **options))

    def _note_child(self, made: Any) -> Any:
        self._children.append(made[0])
        return made

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """Let a thread work, and the clock stand still meanwhile."""
        work = super().run_in_executor(executor, func, *args)
        self._threads_at_work += 1
        work.add_done_callback(self._worked)
        return work

    def _worked(self, _: object) -> None:
        self._threads_at_work -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads; their end takes no virtual time, and needs no limit."""
        self._threads_at_work += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._threads_at_work -= 1


def _name(address: tuple[Any, ...] | str) -> object:
    """Return what tells the servers of this machine apart: a port, or the path of a socket file."""
    return address[1] if isinstance(address, tuple) else address
