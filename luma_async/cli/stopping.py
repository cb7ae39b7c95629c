"""Ending a batch when a person, or the machine, asks for it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from attrs import define

from luma_async.cli.exits import Exit
from luma_async.cli.output import note

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR = "\x1b[?25h"


@define
class Stop:
    """Whether the end was asked for."""

    is_asked: bool = False


@contextmanager
def stopping(stop: Callable[[], None], again: str) -> Iterator[Stop]:
    """Stop in an orderly way at the first signal, and leave at once at the second.

    Leaving at once is safe, as the ledger is: what was under way is held by the next run.

    Args:
        stop: What ends the batch.
        again: The command that goes on.
    """
    loop, asked = asyncio.get_running_loop(), Stop()

    def handle() -> None:
        # The terminal may be gone, and the reason for the signal.
        with suppress(OSError):
            if asked.is_asked:
                note(f"left at once; go on with: {again}")
                if sys.stderr.isatty():
                    os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
            else:
                note("stopping: payments under way are seen through; once more leaves at once")
        if asked.is_asked:
            os._exit(Exit.INTERRUPTED)
        asked.is_asked = True
        stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, handle)
    try:
        yield asked
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
