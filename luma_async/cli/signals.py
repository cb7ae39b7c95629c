"""Ending a batch when a person, or the machine, asks for it."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from attrs import define
from rich.console import Console

from luma_async.cli.exit_codes import ExitCode
from luma_async.cli.output import note

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@define
class Shutdown:
    """Whether the end was asked for."""

    is_requested: bool = False


@contextmanager
def graceful_shutdown(
    stop: Callable[[], None], again: str, *, leave: Callable[[int], object] = os._exit
) -> Iterator[Shutdown]:
    """Stop in an orderly way at the first signal, and leave at once at the second.

    Leaving at once is safe, as the ledger is: what was under way is held by the next run.

    Args:
        stop: What ends the batch.
        again: The command that goes on.
        leave: What ends the process on the spot.
    """
    loop, asked = asyncio.get_running_loop(), Shutdown()

    def handle() -> None:
        again_asked, asked.is_requested = asked.is_requested, True
        # The terminal may be gone, and the reason for the signal.
        with suppress(OSError):
            if again_asked:
                note(f"left at once; go on with: {again}")
                Console(stderr=True).show_cursor()
            else:
                note("stopping: payments under way are seen through; once more leaves at once")
        if again_asked:
            leave(ExitCode.INTERRUPTED)
        else:
            stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, handle)
    try:
        yield asked
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
