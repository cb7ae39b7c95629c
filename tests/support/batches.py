"""Batches for tests: in virtual time, with the videos at hand, and with a look at what is left."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from aiohttp import web

from luma_async import LumaClient, LumaError
from luma_async.batch import Batch, BatchOutcome, Record
from luma_async.emulator import Emulator
from tests.support.clients import KEY


class Cable(aiohttp.UnixConnector):
    """Leads to a server, unless it was cut; `seconds` is how long a connection takes."""

    is_cut = False
    seconds = 0.0

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Connect, or refuse to."""
        await asyncio.sleep(self.seconds)
        if self.is_cut:
            raise aiohttp.ClientConnectionError("the cable is cut")
        return await super().connect(*args, **options)


@asynccontextmanager
async def studio(
    emulator: Emulator, *, api_key: str = KEY, base_url: str = "http://localhost", **options: Any
) -> AsyncIterator[LumaClient]:
    """Open a client of an emulator in virtual time that can download its videos as well."""
    api, videos = emulator.applications()
    hosts = web.Application(client_max_size=200_000)
    hosts.add_domain("localhost", api)
    hosts.add_domain("127.0.0.1", videos)
    runner = web.AppRunner(hosts, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        with TemporaryDirectory(prefix="luma") as folder:
            path = str(Path(folder) / "s")
            await web.UnixSite(runner, path).start()
            async with (
                aiohttp.ClientSession(
                    connector=Cable(path), cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                LumaClient(api_key, base_url=base_url, session=session, **options) as luma,
            ):
                yield luma
    finally:
        await runner.cleanup()


def cable(luma: LumaClient) -> Cable:
    """Return what leads a client of `studio` to its server."""
    session = luma._engine.session
    assert session is not None
    assert isinstance(session.connector, Cable)
    return session.connector


async def run(batch: Batch) -> list[BatchOutcome]:
    """Run a batch to its end."""
    return [outcome async for outcome in batch.run()]


async def run_in_vain(batch: Batch) -> tuple[list[BatchOutcome], LumaError]:
    """Run a batch that ends in an error, and return both."""
    outcomes: list[BatchOutcome] = []
    try:
        async for outcome in batch.run():
            outcomes.append(outcome)  # noqa: PERF401 - what came before the error is wanted
    except LumaError as error:
        return outcomes, error
    raise AssertionError("the run ended well")


async def one_run(
    folder: Path, luma: LumaClient, prompts: Iterable[Any] = (), **options: Any
) -> list[BatchOutcome]:
    """Do all that a program does for a batch."""
    async with Batch.open(folder, luma, **options) as batch:
        await batch.add(prompts)
        return await run(batch)


def states(records: Iterable[Record | BatchOutcome]) -> list[str]:
    """Return how far orders are."""
    return [one.record.state if isinstance(one, BatchOutcome) else one.state for one in records]


def results(folder: Path) -> list[dict[str, Any]]:
    """Read ``results.jsonl``."""
    lines = (folder / "results.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def videos(folder: Path) -> list[str]:
    """Name the files that a batch has made."""
    return sorted(path.name for path in (folder / "videos").iterdir())


def requests(emulator: Emulator) -> list[str]:
    """Return the route of each request that reached an emulator."""
    return [request.route for request in emulator.requests]


def bills_match(emulator: Emulator, records: Sequence[Record]) -> bool:
    """Whether each bill for what they order is one order's, or stands for one in doubt."""
    prompts = {record.order.user_prompt for record in records}
    bills = [bill for bill in emulator.ledger if bill.prompt in prompts]
    claimed = [record.generation_id for record in records if record.generation_id is not None]
    in_doubt = Counter(
        record.order.user_prompt for record in records if record.state in ("unknown", "submitting")
    )
    left = Counter(bill.prompt for bill in bills if bill.id not in claimed)
    attempts = Counter[str]()
    for record in records:
        attempts[record.order.user_prompt] += record.attempts
    return (
        len(claimed) == len(set(claimed))
        and left <= in_doubt
        and Counter(bill.prompt for bill in bills) <= attempts
    )
