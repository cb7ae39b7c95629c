"""Seeing a piece of work through, although the one who waits for it is cancelled."""

import asyncio
from typing import Any

import anyio


async def outlast(work: "asyncio.Future[Any]") -> asyncio.CancelledError | None:
    """Wait for some work to its end, however often the caller is cancelled meanwhile.

    anyio's shield holds off a cancellation by anyio, though not one by asyncio, which has
    ``task.cancel()`` and ``asyncio.timeout``.

    Returns:
        The last cancellation, which the caller owes to whoever asked for it; None without one.
    """
    cancellation = None
    with anyio.CancelScope(shield=True):
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancellation = error
    return cancellation
