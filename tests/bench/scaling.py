"""What a decision costs when many wait, and how fast many are resumed or sent home."""

import asyncio
import gc
import math
import random
import time
from collections.abc import Sequence
from itertools import count

import anyio

from luma_async import Generation, Learned, PollPolicy
from luma_async._api.sansio.responses import StatusResult
from luma_async._tracking.waits import wait_for_one
from luma_async.emulator import VirtualTimeLoop
from tests.bench.durations import lognormal
from tests.bench.policies import NO_PACE, Job, luma_async
from tests.bench.tables import Table
from tests.support.pretended import Pretended, completed, pending

USUAL = lognormal(0.5)


def per_request(sizes: Sequence[int], requests: int = 2000) -> Table:
    """Measure the CPU of a request while few or many wait."""
    table = Table(
        "CPU of a request, without the wire, by how many wait",
        ["waiting", "microseconds to join", "microseconds a request", "of the least"],
    )
    minimum = math.inf
    first = luma_async(Job.burst(USUAL.draw(1000, random.Random(0))), PollPolicy())
    learned = first.policy.learned if first.policy is not None else None
    for many in sizes:
        gc.collect()
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            join, request = runner.run(_follow(many, requests, learned))
        minimum = min(minimum, request)
        goal = 2.0 if many == 100_000 else None
        table.add(many, join, request, request / minimum, goal=goal)
    return table


async def _follow(many: int, requests: int, learned: Learned | None) -> tuple[float, float]:
    """Keep so many waiting: whenever a generation ends, its waiter goes on to another."""
    chance = random.Random(1)
    ends: dict[str, float] = {}

    def state(name: str, now: float) -> Generation:
        return completed(name) if now >= ends[name] else pending(name)

    polling = PollPolicy(learned=learned)
    service = Pretended(state, polling=polling, limits=NO_PACE, latency=0.0)
    subscriptions = service.tracker.subscriptions

    async def one(number: int) -> None:
        for turn in count():
            generation = pending(f"g-{number}-{turn}")
            (duration,) = USUAL.draw(1, chance)
            # Those of the beginning have been running for a while.
            age = chance.random() * duration if turn == 0 else 0.0
            ends[generation.id] = anyio.current_time() + duration - age
            subscriptions.starts.record(generation, "create", anyio.current_time() - age)
            await wait_for_one(service.tracker, generation, math.inf)
            del ends[generation.id]

    began = time.process_time()
    waiting = [asyncio.create_task(one(number)) for number in range(many)]
    await asyncio.sleep(0)
    join = (time.process_time() - began) / many
    # All of the beginning are asked for at least once before it counts.
    await _until(service, requests // 4 + 2 * many // NO_PACE.ids_per_request)
    # What the garbage collector takes to walk over 100,000 tasks is for whoever made them.
    gc.freeze()
    asked, began = len(service.asked), time.process_time()
    await _until(service, asked + requests)
    seconds = (time.process_time() - began) / (len(service.asked) - asked)
    gc.unfreeze()
    await service.tracker.close()
    await asyncio.gather(*waiting, return_exceptions=True)
    return join * 1e6, seconds * 1e6


async def _until(service: Pretended, asked: int) -> None:
    enough = asyncio.Event()

    def look(found: Sequence[Generation]) -> Sequence[Generation]:
        if len(service.asked) >= asked:
            enough.set()
        return found

    service.shape = look
    await enough.wait()


def endings(many: int = 10_000) -> Table:
    """Measure how long it takes to resume many waiters, and to send them home by closing."""
    table = Table("Endings, in real time", ["waiters", "what happens", "left behind", "seconds"])
    for name in ("all are done", "the client is closed"):
        gc.collect()
        seconds, left = asyncio.run(_end(many, closing=name == "the client is closed"))
        table.add(many, name, left, seconds, goal=0.5)
    return table


async def _end(many: int, *, closing: bool) -> tuple[float, int]:
    service = Pretended(lambda name, now: pending(name), limits=NO_PACE, latency=0.0)
    names = [f"g-{number}" for number in range(many)]
    waits = [wait_for_one(service.tracker, pending(name), math.inf) for name in names]
    waiting = [asyncio.create_task(wait) for wait in waits]
    await asyncio.sleep(0.01)
    began = time.perf_counter()
    if closing:
        await service.tracker.close()
    else:
        now = anyio.current_time()
        service.tracker.receive(StatusResult(generations=[completed(n) for n in names]), now)
    await asyncio.gather(*waiting, return_exceptions=True)
    seconds = time.perf_counter() - began
    return seconds, len(service.tracker.subscriptions) + len(asyncio.all_tasks()) - 1
