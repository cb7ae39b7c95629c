"""An event loop whose clock stands still while anything can run, and jumps when nothing can."""

import asyncio
import selectors
from typing import Any


class _JumpingSelector(selectors.DefaultSelector):
    """Never sleeps: where the loop would, its clock is put forward instead."""

    jumped = 0.0
    threads_at_work = 0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None or self.threads_at_work:
            # Nothing will happen by itself; wait for a thread or a signal.
            return super().select(None)
        self.jumped += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs hours of waiting in milliseconds.

    Sockets within this process are fine, as what one end writes is there for the other at once.
    While a thread works that was given work by `run_in_executor`, the clock stands still. Other
    threads are not: the clock would run away while they work.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """Let a thread work, and the clock stand still meanwhile."""
        work = super().run_in_executor(executor, func, *args)
        self._jumping.threads_at_work += 1
        work.add_done_callback(self._worked)
        return work

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads; their end takes no virtual time, and needs no limit."""
        self._jumping.threads_at_work += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._jumping.threads_at_work -= 1

    def _worked(self, _: object) -> None:
        self._jumping.threads_at_work -= 1

    def time(self) -> float:
        """Return the virtual time in seconds; it begins at 0."""
        return self._jumping.jumped


VIRTUAL_TIME = ("asyncio", {"loop_factory": VirtualTimeLoop})
"""What a module returns from its `anyio_backend` fixture to run its tests in virtual time."""
