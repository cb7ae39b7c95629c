"""What SIGINT, SIGTERM and SIGHUP do to an order and to a batch: nothing paid is lost."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from attrs import define
from rich.console import Console

from luma_async.cli.exit_codes import ExitCode
from luma_async.cli.output import note


@contextmanager
def cancel_on_signals() -> Iterator[None]:
    """Cancel this task at each SIGINT and SIGTERM, and say why the command still waits.

    By default a second one would end the program at once, and the id of the order would be lost.
    """
    loop = asyncio.get_running_loop()
    cancel_task = asyncio.current_task().cancel  # type: ignore[union-attr]  # in a coroutine

    def cancel() -> None:
        note("waiting up to a minute for the response, which contains the id of the order")
        cancel_task()

    def handle(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(cancel)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [(number, signal.signal(number, handle)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@define
class Shutdown:
    """Whether a signal has asked for the end."""

    is_requested: bool = False


@contextmanager
def graceful_shutdown(
    stop: Callable[[], None],
    resume_command: str,
    *,
    leave: Callable[[int], object] = os._exit,
) -> Iterator[Shutdown]:
    """Stop a batch at the first signal, and end the process at the second.

    Ending it is safe because the ledger is: the next run holds the orders that were in flight.

    Args:
        stop: Stops the batch.
        resume_command: The command that resumes it.
        leave: Ends the process.
    """
    loop, shutdown = asyncio.get_running_loop(), Shutdown()

    def handle() -> None:
        is_second, shutdown.is_requested = shutdown.is_requested, True
        # The terminal may be gone, and the reason for the signal.
        with suppress(OSError):
            if is_second:
                note(f"quitting now; resume with: {resume_command}")
                Console(stderr=True).show_cursor()
            else:
                note("waiting for orders in flight; press Ctrl-C again to quit now")
        if is_second:
            leave(ExitCode.INTERRUPTED)
        else:
            stop()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, handle)
    try:
        yield shutdown
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
