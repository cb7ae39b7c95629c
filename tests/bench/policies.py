"""The ways to wait that are compared, each over the same durations, in virtual time."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

import anyio
from attrs import evolve, frozen

from luma_async import Generation, Limits, PollPolicy
from luma_async._tracking.waits import wait_for_one
from luma_async.emulator import VirtualTimeLoop
from tests.support.pretended import Pretended, completed, pending

NO_PACE = Limits(requests_per_second=10_000, concurrent_requests=1000)
IDS_PER_REQUEST = NO_PACE.ids_per_request


@frozen
class Job:
    """Generations to wait for: when each is ordered, and how long it takes, in seconds."""

    starts: Sequence[float]
    durations: Sequence[float]

    @classmethod
    def burst(cls, durations: Sequence[float]) -> "Job":
        """Order all at once."""
        return cls([0.0] * len(durations), durations)

    @classmethod
    def stream(cls, durations: Sequence[float], per_second: float, chance: random.Random) -> "Job":
        """Order one after the other, at random times."""
        now, starts = 0.0, []
        for _ in durations:
            now += chance.expovariate(per_second)
            starts.append(now)
        return cls(starts, durations)


@frozen
class Result:
    """What a way to wait took: requests, and the delay of each generation in seconds."""

    requests: int
    delays: Sequence[float]
    policy: PollPolicy | None = None

    @property
    def per_generation(self) -> float:
        """Requests for each generation."""
        return self.requests / len(self.delays)

    @property
    def mean_delay(self) -> float:
        """Seconds from the end of a generation to when its waiter goes on."""
        return sum(self.delays) / len(self.delays)

    @property
    def p99_delay(self) -> float:
        """The delay that one of a hundred exceeds."""
        return sorted(self.delays)[math.ceil(0.99 * len(self.delays)) - 1]


def together(results: Sequence[Result]) -> Result:
    """Add up several runs."""
    delays = [delay for result in results for delay in result.delays]
    return Result(sum(result.requests for result in results), delays, results[-1].policy)


def luma_async(job: Job, policy: PollPolicy, limits: Limits = NO_PACE) -> Result:
    """Let the package's own tracker wait, over a service that answers in no time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_luma_async(job, policy, limits))


async def _luma_async(job: Job, policy: PollPolicy, limits: Limits) -> Result:
    ends: dict[str, float] = {}

    def state(name: str, now: float) -> Generation:
        return completed(name) if now >= ends[name] else pending(name)

    service = Pretended(state, limits=limits, polling=policy, latency=0.0)
    delays = []

    async def one(number: int, start: float, duration: float) -> None:
        await anyio.sleep(start - anyio.current_time())
        generation = pending(f"g-{number}")
        ends[generation.id] = anyio.current_time() + duration
        service.tracker.record_start(generation, "create")
        await wait_for_one(service.tracker, generation, math.inf)
        delays.append(anyio.current_time() - ends[generation.id])

    async with asyncio.TaskGroup() as group:
        for number, (start, duration) in enumerate(zip(job.starts, job.durations, strict=True)):
            group.create_task(one(number, start, duration))
    learned = service.tracker.planner.durations.learned
    return Result(len(service.asked), delays, evolve(policy, learned=learned))


def get_per_id(job: Job, interval: float = 3.0) -> Result:
    """Ask for each generation by itself, every few seconds."""
    snapshots = [math.ceil(duration / interval) for duration in job.durations]
    pairs = zip(snapshots, job.durations, strict=True)
    return Result(sum(snapshots), [look * interval - duration for look, duration in pairs])


def backoff_per_id(job: Job, first: float = 1.0, factor: float = 1.5, cap: float = 20.0) -> Result:
    """Ask for each generation by itself, at intervals that grow by half, up to 20 seconds."""
    requests, delays = 0, []
    for duration in job.durations:
        now, interval = 0.0, first
        while now < duration:
            now += interval
            interval = min(interval * factor, cap)
            requests += 1
        delays.append(now - duration)
    return Result(requests, delays)


def batched_loop(job: Job, interval: float = 3.0) -> Result:
    """Ask for all that are pending, 20 at a time, every few seconds."""
    ends = [start + duration for start, duration in zip(job.starts, job.durations, strict=True)]
    heard = [math.ceil(end / interval) for end in ends]
    changes: Counter[int] = Counter()
    for start, tick in zip(job.starts, heard, strict=True):
        changes[math.floor(start / interval) + 1] += 1
        changes[tick + 1] -= 1
    waiting = requests = 0
    for tick in range(1, max(heard) + 1):
        waiting += changes[tick]
        requests += math.ceil(waiting / IDS_PER_REQUEST)
    pairs = zip(heard, ends, strict=True)
    return Result(requests, [tick * interval - end for tick, end in pairs])


def at_requests(way: Callable[[float], Result], requests: float) -> Result:
    """Find the interval at which a way to wait makes so many requests a generation."""
    shortest, longest = 0.02, 600.0
    for _ in range(40):
        middle = math.sqrt(shortest * longest)
        if way(middle).per_generation > requests:
            shortest = middle
        else:
            longest = middle
    return way(longest)
