"""Seeing a piece of work through, although the one who waits for it is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from functools import partial
from typing import Any, ParamSpec, TypeVar

import anyio

P = ParamSpec("P")
T = TypeVar("T")


async def wait_shielded(work: "asyncio.Future[Any]") -> asyncio.CancelledError | None:
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


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do blocking work in a thread, to its end even where the caller is cancelled meanwhile.

    If the caller left, the thread would go on at a file that is being closed.
    """
    return await in_executor(None, partial(work, *args, **kwargs))


async def in_executor(executor: Executor | None, work: Callable[[], T]) -> T:
    """Do blocking work in a thread of a certain pool, likewise to its end."""
    future = asyncio.get_running_loop().run_in_executor(executor, work)
    cancellation = await wait_shielded(future)
    if cancellation is None:
        return future.result()
    future.exception()  # or asyncio would report that nobody looked at it
    raise cancellation


async def run_to_completion(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; a cancellation of the caller is raised behind it."""
    task = asyncio.ensure_future(work)
    cancellation = await wait_shielded(task)
    if cancellation is None:
        return task.result()
    if not task.cancelled():
        task.exception()
    raise cancellation
