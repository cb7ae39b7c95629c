"""Processes to be killed: forked from one that has imported everything and started nothing.

A fork takes a few milliseconds. Whoever forks must have no threads and no event loop.
"""

import asyncio
import gc
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from luma_async import Limits, LumaError, Order
from luma_async.batch import Batch
from luma_async.emulator import Emulator
from tests.support.account_books import Account
from tests.support.clients import quick_client

_FORK = multiprocessing.get_context("fork")


def get_ready() -> None:
    """Import now what a client imports late, and let forks share the memory of all that is."""

    async def ask_nobody() -> None:
        async with quick_client("http://127.0.0.1:9") as luma:
            with suppress(LumaError):
                await luma.list()

    asyncio.run(ask_nobody())
    gc.freeze()


def fork(work: Callable[..., None], *args: object) -> BaseProcess:
    """Do some work in a new process, which ends with this one."""
    process = _FORK.Process(target=work, args=args, daemon=True)
    process.start()
    return process


@contextmanager
def emulator_process(**settings: Any) -> Iterator[Account]:
    """Serve an emulator from a process of its own."""
    here, there = _FORK.Pipe()
    process = fork(_serve, settings, there)
    try:
        yield Account(here.recv())
    finally:
        process.kill()
        process.join()
        process.close()


def _serve(settings: dict[str, Any], pipe: Connection) -> None:
    async def serve() -> None:
        async with Emulator(**settings) as emulator:
            pipe.send(emulator.base_url)
            await asyncio.Event().wait()

    asyncio.run(serve())


async def run_batch(
    folder: Path, url: str, orders: Sequence[Order], options: dict[str, Any]
) -> None:
    """Run a batch once, from the first to the last line that a program has for it."""
    limits = Limits(concurrent_requests=16, requests_per_second=10_000)
    async with (
        quick_client(url, limits=limits) as luma,
        Batch.open(folder, luma, **options) as batch,
    ):
        await batch.add(orders)
        async for _ in batch.run():
            pass
