"""Requests and delay in virtual time: our policy, others, and the bound that nobody can beat."""

import random
from collections.abc import Callable, Iterator, Sequence

from attrs import evolve, frozen

from luma_async import Limits, PollPolicy
from tests.bench.durations import LONG_TAIL, TWO_PEAKS, Durations, lognormal
from tests.bench.policies import (
    Job,
    Result,
    at_requests,
    backoff_per_id,
    batched_loop,
    get_per_id,
    luma_async,
    together,
)
from tests.bench.tables import Table

WORTHS = {0.2: (15.0, 1.6, 0.55, 0.14), 0.5: (36.0, 3.6, 1.3, 0.33), 0.9: (70.0, 6.5, 2.3, 0.55)}
"""By sigma: what a request has to be worth for about 0.2, 0.6, 1 and 2 of them a generation."""


@frozen
class Scale:
    """How much the benchmark does.

    Attributes:
        repetitions: How often each burst of 1,000 is drawn.
        largest: The most generations at once.
        singles: How many generations are waited for one after the other.
    """

    repetitions: int = 12
    largest: int = 10_000
    singles: int = 1500


def cold_and_warm(
    durations: Durations, policy: PollPolicy, scale: Scale, many: int = 1000
) -> tuple[Result, Result]:
    """Wait for a burst with a client that has seen none, and for another with what it learned."""
    cold, warm = [], []
    for seed in range(scale.repetitions):
        chance = random.Random(seed)
        first = luma_async(Job.burst(durations.draw(many, chance)), policy)
        assert first.policy is not None
        cold.append(first)
        warm.append(luma_async(Job.burst(durations.draw(many, chance)), first.policy))
    return together(cold), together(warm)


def ratios(scale: Scale) -> Table:
    """Compare the delay with the bound at the same number of requests: bursts of 1,000."""
    table = Table(
        "Bursts of 1,000: mean delay, and how much it is of the bound at as many requests",
        ["durations", "worth of a request", "", "requests each", "delay", "bound", "of bound"],
    )
    goals = {
        ("0.5", "cold"): 1.2,
        ("0.5", "warm"): 1.08,
        ("0.2", "cold"): 1.35,
        ("0.2", "warm"): 1.15,
    }
    for sigma, worths in WORTHS.items():
        durations = lognormal(sigma)
        for worth in worths:
            policy = PollPolicy(request_worth=worth, min_interval=0.25)
            for name, result in zip(
                ("cold", "warm"), cold_and_warm(durations, policy, scale), strict=True
            ):
                table.add(
                    durations.name,
                    worth,
                    name,
                    *_against_bound(durations, result),
                    goal=goals.get((f"{sigma:g}", name)),
                )
    return table


def _against_bound(durations: Durations, result: Result) -> tuple[float, float, float, float]:
    bound = durations.bound(result.per_generation)
    return result.per_generation, result.mean_delay, bound, result.mean_delay / bound


def odd_services(scale: Scale) -> Table:
    """Wait on services that are not what was expected."""
    table = Table(
        "Bursts of 1,000 on services that are not as expected: a second burst",
        ["service", "worth of a request", "requests each", "delay", "bound", "of bound"],
    )
    usual = lognormal(0.5)
    cases: list[tuple[str, Durations, float]] = [
        ("expected 4 times too long", usual, 240.0),
        ("expected 4 times too short", usual, 15.0),
        ("two peaks, at 30 s and 120 s", TWO_PEAKS, 45.0),
        ("long tail: 10 % at 240 s", LONG_TAIL, 45.0),
    ]
    for name, durations, expected in cases:
        policy = PollPolicy(request_worth=1.3, expected_seconds=expected)
        _, warm = cold_and_warm(durations, policy, scale)
        goal = 1.2 if durations is usual else None
        table.add(name, policy.request_worth, *_against_bound(durations, warm), goal=goal)
    return table


def slower_service(scale: Scale) -> Table:
    """Wait on a service that takes twice as long from one burst to the next."""
    table = Table(
        "A service that becomes slower: 60 s, then 120 s; bursts of 1,000 one after the other",
        ["burst", "median", "requests each", "delay", "bound", "of bound"],
    )
    fast, slow = lognormal(0.5), lognormal(0.5, 120.0)
    results: list[list[Result]] = [[] for _ in range(4)]
    for seed in range(scale.repetitions):
        chance = random.Random(seed)
        policy = PollPolicy(request_worth=1.3)
        for number, durations in enumerate((fast, slow, slow, slow)):
            result = luma_async(Job.burst(durations.draw(1000, chance)), policy)
            assert result.policy is not None
            policy = result.policy
            results[number].append(result)
    for number, durations in enumerate((fast, slow, slow, slow)):
        row = _against_bound(durations, together(results[number]))
        table.add(number + 1, "60 s" if durations is fast else "120 s", *row)
    return table


def ways(job: Job) -> dict[str, Callable[[], Result]]:
    """Name the ways to wait, as their users have them."""
    return {
        "luma_async": lambda: luma_async(job, PollPolicy(), Limits()),
        "luma_async, no pace limit": lambda: luma_async(job, PollPolicy()),
        "batched loop, every 3 s": lambda: batched_loop(job),
        "GET per id, every 3 s": lambda: get_per_id(job),
        "backoff per id, 1 s x 1.5 to 20 s": lambda: backoff_per_id(job),
    }


def sizes(scale: Scale) -> Table:
    """Compare the ways to wait, from one generation to ten thousand."""
    table = Table(
        "As they come: default settings, sigma 0.5",
        ["generations", "way to wait", "requests each", "mean delay", "p99 delay"],
    )
    usual = lognormal(0.5)
    for many in (1, 10, 100, 1000, 10_000):
        if many > scale.largest:
            break
        runs = max(1, min(100, 1000 // many) * scale.repetitions // 12)
        for name in ways(Job([], [])):
            results = []
            for seed in range(runs):
                job = Job.burst(usual.draw(many, random.Random(seed)))
                results.append(ways(job)[name]())
            _add(table, f"{many:,} at once", name, together(results))
    for per_second in (1.0, 5.0):
        chance = random.Random(0)
        many = int(min(2000, scale.largest) * min(1.0, per_second / 2))
        job = Job.stream(usual.draw(many, chance), per_second, chance)
        for name, way in ways(job).items():
            _add(table, f"{per_second:g} a second", name, way())
    return table


def _add(table: Table, what: str, name: str, result: Result) -> None:
    table.add(what, name, result.per_generation, result.mean_delay, result.p99_delay)


def one_after_the_other(scale: Scale) -> Table:
    """Compare single generations with the best fixed interval at as many requests."""
    table = Table(
        "One generation at a time: a client that has seen none before, and one that goes on",
        ["durations", "", "requests each", "delay", "fixed interval", "of fixed"],
    )
    for sigma in (0.2, 0.5, 0.9):
        drawn = lognormal(sigma).draw(scale.singles, random.Random(1))
        for name, learns in (("cold", False), ("warm", True)):
            result = together(list(_singly(drawn, learns=learns)))
            fixed = at_requests(
                lambda interval, drawn=drawn: get_per_id(Job.burst(drawn), interval),  # type: ignore[misc]
                result.per_generation,
            )
            ratio = result.mean_delay / fixed.mean_delay
            row = (result.per_generation, result.mean_delay, fixed.mean_delay, ratio)
            table.add(f"sigma {sigma:g}", name, *row, goal=1.0)
    return table


def _singly(durations: Sequence[float], *, learns: bool) -> Iterator[Result]:
    policy = PollPolicy()
    for duration in durations:
        result = luma_async(Job.burst([duration]), policy)
        yield result
        if learns and result.policy is not None:
            policy = result.policy


def for_a_delay(scale: Scale, delay: float = 1.5) -> Table:
    """Count what a mean delay of 1.5 s costs a cold client with 1,000 generations."""
    table = Table(
        f"Requests for 1,000 generations at a mean delay of {delay:g} s",
        ["way to wait", "mean delay", "requests each"],
    )
    usual = lognormal(0.5)
    worth = 1.9
    cold, warm = cold_and_warm(usual, PollPolicy(request_worth=worth), scale)
    for name, result in (("luma_async, cold", cold), ("luma_async, warm", warm)):
        # Requests times delay hardly depends on the worth of a request.
        requests = result.per_generation * result.mean_delay / delay
        table.add(name, delay, requests, goal=0.95)
    job = Job.burst([one for n in range(8) for one in usual.draw(125, random.Random(n))])
    table.add("batched loop", delay, batched_loop(job, 2 * delay).per_generation)
    table.add("GET per id", delay, get_per_id(job, 2 * delay).per_generation)
    table.add("bound", delay, usual.bound(1.0) / delay)
    return table


def curves(scale: Scale) -> dict[str, list[tuple[float, float]]]:
    """Return requests a generation and mean delay of the ways to wait, for the plot."""
    usual = lognormal(0.5)
    drawn: dict[str, list[tuple[float, float]]] = {
        "luma_async, cold": [],
        "luma_async, warm": [],
    }
    for worth in (20.0, 8.0, 3.6, 1.8, 1.0, 0.5, 0.33):
        policy = PollPolicy(request_worth=worth)
        fewer = evolve(scale, repetitions=max(1, scale.repetitions // 2))
        for name, result in zip(drawn, cold_and_warm(usual, policy, fewer), strict=True):
            drawn[name].append((result.per_generation, result.mean_delay))
    job = Job.burst(usual.draw(1000, random.Random(0)))
    loops = [batched_loop(job, interval) for interval in (20, 10, 5, 3, 2, 1.4, 1.0)]
    drawn["batched loop"] = [(one.per_generation, one.mean_delay) for one in loops]
    drawn["bound"] = [(r, usual.bound(r)) for r in (0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.2)]
    return drawn
