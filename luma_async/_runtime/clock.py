"""The time by which everything here is timed."""

import asyncio


def now() -> float:
    """Return the event loop's time in seconds, in tasks and in callbacks alike.

    `anyio.current_time` finds no event loop in a callback where the package sniffio is installed,
    which many others bring along.
    """
    return asyncio.get_running_loop().time()
