"""Waiters that come and are cancelled at random: nobody who stays may be forgotten.

``nox -s stall -- --trials 10000`` is the long run.
"""

import argparse
import asyncio
import logging
import math
import random
import time

import anyio

from luma_async import DisconnectedError, PollPolicy
from luma_async._tracking.waits import wait_for_one
from luma_async.emulator import VirtualTimeLoop
from tests.support.clients import tasks_of_ours
from tests.support.pretended import Pretended, completed, pending

HOUR = 3600.0


async def one_trial(seed: int, many: int) -> int:
    """Let waiters for shared ids come and be cancelled at random; return how many stayed."""
    chance = random.Random(seed)
    ends = {
        f"g-{n}": chance.uniform(0.0, 9.0) for n in range(chance.choice([1, many // 7 or 2, many]))
    }
    start = anyio.current_time()
    service = Pretended(
        lambda name, now: completed(name) if now - start >= ends[name] else pending(name),
        # Asked for often while they are cancelled.
        polling=PollPolicy(expected_seconds=4.0, request_worth=0.1),
        latency=chance.choice([0.0, 0.1, 5.0]),
    )
    service.failure = lambda: DisconnectedError("cut") if chance.random() < 0.2 else None
    names = list(ends)
    waiters = {}
    for _ in range(many):
        name = chance.choice(names)
        waiters[asyncio.create_task(wait_for_one(service.tracker, name, math.inf))] = name
    victims = [task for task in waiters if chance.random() < 0.5]
    # Some are cancelled together, so that few instants suffice for many.
    for moment in sorted(chance.uniform(0.0, 12.0) for _ in range(4)):
        await anyio.sleep(start + moment - anyio.current_time())
        for _ in range(len(victims) // 4):
            victims.pop().cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    with anyio.fail_after(HOUR):
        await asyncio.wait(waiters)
    stayed = {task: name for task, name in waiters.items() if not task.cancelled()}
    assert list(stayed.values()) == [task.result().id for task in stayed]
    assert 0 == len(service.tracker.subscriptions)
    await service.tracker.close()
    return len(stayed)


async def _trials(first: int, many: int, waiters: int) -> int:
    stalls = 0
    for seed in range(first, first + many):
        try:
            await one_trial(seed, waiters)
        except TimeoutError:
            stalls += 1
            print(f"stalled with seed {seed}", flush=True)
        assert [] == tasks_of_ours()
    return stalls


def main() -> None:
    """Run trials, and print how many stalled."""
    parser = argparse.ArgumentParser(prog="stall", description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--waiters", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the first trial")
    arguments = parser.parse_args()
    # Failed polls are warned of, and here they are plenty.
    logging.getLogger("luma_async").setLevel(logging.CRITICAL)
    began = time.monotonic()
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        stalls = runner.run(_trials(arguments.seed, arguments.trials, arguments.waiters))
    seconds = time.monotonic() - began
    print(f"{arguments.trials} trials of {arguments.waiters} waiters in {seconds:.0f} s: ", end="")
    print(f"{stalls} stalls")
    raise SystemExit(stalls > 0)


if __name__ == "__main__":
    main()
