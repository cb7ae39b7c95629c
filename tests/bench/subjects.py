"""One way to wait, in a process of its own: CPU, memory and requests on real sockets.

Run as ``python -m tests.bench.subjects NAME ADDRESS SPEED MANY``; prints one line of JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from attrs import evolve

from luma_async import Limits, LumaClient, PollPolicy

HEADERS = {"Authorization": "Bearer any-key"}
Wait = Callable[[str, float, Sequence[str]], Awaitable[int]]


async def luma_async(base_url: str, speed: float, ids: Sequence[str]) -> int:
    """Wait with the package, one coroutine for each generation."""
    limits = evolve(Limits(), requests_per_second=10_000)
    policy = PollPolicy(request_worth=WORTH).at_speed(speed)
    async with LumaClient("any-key", base_url=base_url, limits=limits, polling=policy) as luma:
        await asyncio.gather(*(luma.wait_until_done(name) for name in ids))
        return luma.statistics().requests["get"]


WORTH = 1.3
"""Seconds: about as many requests as the batched loop makes at half its mean delay."""


class Loop:
    """What a hand-written loop does: ask for all that are pending, 20 at a time."""

    def __init__(self, base_url: str, interval: float, size: int, *, spread: bool = False) -> None:
        self.address = f"{base_url}/luma-ai/generation"
        self.interval = interval
        self.size = size
        self.spread = spread
        self.requests = 0
        self.pending: dict[str, asyncio.Future[Any]] = {}

    async def wait(self, name: str) -> Any:
        """Wait for one generation."""
        self.pending[name] = asyncio.get_running_loop().create_future()
        return await self.pending[name]

    async def run(self, ids: Sequence[str]) -> int:
        """Ask until all are done."""
        loop = asyncio.get_running_loop()
        waiting = [asyncio.create_task(self.wait(name)) for name in ids]
        await asyncio.sleep(0)
        at_once = asyncio.Semaphore(8)
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            while self.pending:
                due = loop.time() + self.interval
                names = list(self.pending)
                chunks = [names[k : k + self.size] for k in range(0, len(names), self.size)]
                pause = self.interval / len(chunks) if self.spread else 0.0
                async with asyncio.TaskGroup() as group:
                    for chunk in chunks:
                        group.create_task(self.ask(session, at_once, chunk))
                        await asyncio.sleep(pause)
                await asyncio.sleep(max(0.0, due - loop.time()))
        await asyncio.gather(*waiting)
        return self.requests

    async def ask(
        self, session: aiohttp.ClientSession, at_once: asyncio.Semaphore, names: Sequence[str]
    ) -> None:
        """Ask for some of them."""
        query = {f"ids[{k}]": name for k, name in enumerate(names)}
        async with at_once, session.get(self.address, params=query) as response:
            self.requests += 1
            for generation in await response.json():
                if generation["state"] in ("completed", "failed"):
                    self.pending.pop(generation["id"]).set_result(generation)


async def batched_loop(base_url: str, speed: float, ids: Sequence[str]) -> int:
    """Wait with a loop that asks for all, 20 at a time, every three seconds."""
    return await Loop(base_url, 3.0 / speed, 20).run(ids)


async def spread_loop(base_url: str, speed: float, ids: Sequence[str]) -> int:
    """Wait with the same loop, whose requests are spread over the three seconds."""
    return await Loop(base_url, 3.0 / speed, 20, spread=True).run(ids)


async def get_per_id(base_url: str, speed: float, ids: Sequence[str]) -> int:
    """Wait with a loop that asks for each by itself, every three seconds."""
    return await Loop(base_url, 3.0 / speed, 1).run(ids)


WAYS: dict[str, Wait] = {
    "luma_async": luma_async,
    "batched loop": batched_loop,
    "batched loop, spread": spread_loop,
    "GET per id": get_per_id,
}


async def _measure(wait: Wait, base_url: str, speed: float, many: int) -> dict[str, float]:
    # What is imported and opened once is not for the waiting.
    await wait(base_url, speed, await _create(base_url, 1))
    ids = await _create(base_url, many)
    idle, began = _memory(), time.process_time()
    requests = await wait(base_url, speed, ids)
    seconds = time.process_time() - began
    return {"requests": requests, "seconds": seconds, "mebibytes": _memory() - idle}


async def _create(base_url: str, many: int) -> Sequence[str]:
    address, at_once = f"{base_url}/luma-ai/generations", asyncio.Semaphore(20)
    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def create(number: int) -> str:
            order = {"user_prompt": f"A fox, take {number}"}
            async with at_once, session.post(address, json=order) as response:
                return str((await response.json())["id"])

        return await asyncio.gather(*(create(number) for number in range(many)))


def _memory() -> float:
    """Return the most memory that this process has had, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    _, name, base_url, speed, many = sys.argv
    print(json.dumps(asyncio.run(_measure(WAYS[name], base_url, float(speed), int(many)))))
