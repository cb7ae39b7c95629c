"""Clients for tests: with short waits on a real port, or with long ones in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from aiohttp import web

from luma_async import Limits, LumaClient, PollPolicy, RetryPolicy, Timeouts
from luma_async.emulator import Emulator

KEY = "sk-CANARY-5f0c1ab2-never-to-be-seen"

QUICK_LIMITS = Limits(requests_per_second=10_000)
QUICK_POLLING = PollPolicy(
    request_worth=0.005,
    min_interval=0.005,
    max_interval=0.05,
    expected_seconds=0.2,
    missing_grace=0.02,
    video_grace=0.02,
)
QUICK_RETRIES = RetryPolicy(first_delay=0.001, max_delay=0.005, deadline=5.0)
QUICK_TIMEOUTS = Timeouts(connect=2.0, free=2.0, paid=2.0)


def quick_client(base_url: str, **options: Any) -> LumaClient:
    """Make a client that loses no time, for a server on a real port."""
    return LumaClient(
        options.pop("api_key", KEY),
        base_url=base_url,
        **{
            "limits": QUICK_LIMITS,
            "polling": QUICK_POLLING,
            "retries": QUICK_RETRIES,
            "timeouts": QUICK_TIMEOUTS,
            **options,
        },
    )


@asynccontextmanager
async def unix_session(application: web.Application) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve an application without a port, where virtual time can pass, and lead a session to it.

    Whatever address a request has, it goes to this application.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        with TemporaryDirectory(prefix="luma") as folder:
            # Addresses of sockets are short, and those of pytest's folders may be long.
            path = str(Path(folder) / "s")
            await web.UnixSite(runner, path).start()
            async with aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path), cookie_jar=aiohttp.DummyCookieJar()
            ) as session:
                yield session
    finally:
        await runner.cleanup()


@asynccontextmanager
async def virtual_client(emulator: Emulator, **options: Any) -> AsyncIterator[LumaClient]:
    """Open a client of an emulator in virtual time, with the client's own settings."""
    async with unix_session(emulator.applications()[0]) as session:
        luma = LumaClient(KEY, base_url="http://localhost", session=session, **options)
        async with luma:
            yield luma


def tasks_of_ours() -> list[str]:
    """Name the tasks of the client that still run."""
    return sorted(
        task.get_name()
        for task in asyncio.all_tasks()
        if task.get_name().startswith("luma_async") and not task.done()
    )


def posts(emulator: Emulator) -> int:
    """Count the paid requests that reached an emulator."""
    return sum(request.route in ("create", "extend") for request in emulator.requests)
