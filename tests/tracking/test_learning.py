"""What the tracker learns of how long generations take, and what it makes of it. Virtual time."""

import asyncio
import math
import random
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from attrs import evolve

from luma_async import Generation, PollPolicy, Video
from luma_async._api.sansio.responses import StatusResult
from luma_async._tracking.sansio.known_starts import KnownStarts
from luma_async._tracking.waits import wait_for_all, wait_for_one, watch
from luma_async.emulator import Emulator
from tests.support.clients import virtual_client
from tests.support.pretended import Pretended, completed, done_after, pending

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]


async def burst(policy: PollPolicy, seed: int, many: int = 300) -> tuple[float, float, PollPolicy]:
    """Wait for generations of about 100 s; return requests, mean delay, and what was learned."""
    chance = random.Random(seed)
    start = anyio.current_time()
    ends = {f"g-{n}": start + 100.0 * math.exp(0.2 * chance.gauss(0, 1)) for n in range(many)}
    delays = []
    service = Pretended(
        lambda name, now: completed(name) if now >= ends[name] else pending(name), polling=policy
    )

    async def one(name: str) -> None:
        service.tracker.record_start(pending(name), "create")
        await wait_for_one(service.tracker, pending(name), math.inf)
        delays.append(anyio.current_time() - ends[name])

    async with anyio.create_task_group() as group:
        for name in ends:
            group.start_soon(one, name)
    learned = service.tracker.planner.durations.learned
    return len(service.asked) / many, sum(delays) / many, evolve(policy, learned=learned)


@pytest.mark.protocol
async def test_a_process_that_starts_warm_needs_fewer_requests_for_the_same_delay() -> None:
    """What one client has learned is kept as text, and the next one begins with it."""
    requests, delay, policy = await burst(PollPolicy(), seed=1)
    kept = PollPolicy.from_json(policy.to_json())
    later_requests, later_delay, _ = await burst(kept, seed=2)
    assert later_requests * later_delay < 0.95 * requests * delay


async def test_what_a_client_has_learned_is_given_to_the_next() -> None:
    """The policy of a closed client still has it, and its statistics say what it is."""
    emulator = Emulator(median_seconds=30.0, sigma=0.1)
    async with virtual_client(emulator) as luma:
        assert luma.polling.learned is not None
        for _ in range(20):
            await luma.generate("A fox")
        learned = luma.statistics().durations["create"]
        delay = luma.statistics().mean_delay_seconds
    assert 20 == learned.seen
    assert 26.0 <= learned.median_seconds <= 34.0 <= learned.p90_seconds + 4.0
    assert delay is not None
    assert 0 < delay < 5.0
    async with virtual_client(emulator, polling=luma.polling) as luma:
        assert {} == luma.statistics().durations
        assert luma.polling.learned is not None
        assert any(finished for finished, _ in luma.polling.learned.create)


async def test_extends_are_learned_apart_from_creates() -> None:
    """They take three times as long here, and neither is mistaken for the other."""
    emulator = Emulator(median_seconds=30.0, sigma=0.1)
    async with virtual_client(emulator) as luma:
        parent = await luma.generate("A fox")
        for _ in range(15):
            await luma.generate("A fox")
            emulator.script("It goes on", [(0, "pending"), (90, "completed")])
            child = await luma.extend(parent, "It goes on")
            await luma.wait_until_done(child)
        durations = luma.statistics().durations
    assert durations["create"].median_seconds < 40.0
    assert 75.0 <= durations["extend"].median_seconds <= 105.0


async def test_the_estimates_of_a_service_are_used_and_their_quality_is_learned() -> None:
    """A service that tells how long it takes is asked when it has passed."""
    asked, delays = [], []
    emulator = Emulator(median_seconds=60.0, sigma=0.8, estimates=True)
    async with virtual_client(emulator) as luma:
        for _ in range(30):
            before = luma.statistics().requests.get("get", 0)
            made = await luma.create("A fox")
            end = anyio.current_time() + (made.estimate_wait_seconds or 0.0)
            await luma.wait_until_done(made)
            asked.append(luma.statistics().requests["get"] - before)
            delays.append(anyio.current_time() - end)
    assert sum(asked[:10]) / 10 <= 6
    assert sum(delays) / 30 <= 2.5


@pytest.mark.parametrize("late", [0.0, 5.0, 600.0])
async def test_a_wait_that_begins_late_ends_at_once(late: float) -> None:
    """A caller who does something else first hears soon of what was ready long before."""
    async with virtual_client(Emulator(estimates=True)) as luma:
        made = await luma.create("A fox")
        await anyio.sleep((made.estimate_wait_seconds or 0.0) + late)
        start = anyio.current_time()
        await luma.wait_until_done(made)
        assert anyio.current_time() - start <= 2.5


async def test_watching_tells_the_expected_time_left() -> None:
    """What is left becomes less as time passes, and a finished one has nothing left."""
    start = anyio.current_time()

    def state(name: str, now: float) -> Generation:
        if now >= start + 120.0:
            return completed(name)
        return pending(name, state="queued" if now < start + 60.0 else "dreaming")

    service = Pretended(state)
    service.tracker.record_start(pending("a"), "create")
    seen = [
        (one.state, one.seconds_left)
        async for one in watch(service.tracker, pending("a", state="queued"))
    ]
    assert ["queued", "dreaming", "completed"] == [state for state, _ in seen]
    first, second, last = (left for _, left in seen)
    assert first is not None
    assert second is not None
    assert 40.0 <= first <= 50.0
    assert 0.0 < second
    assert last is None


async def test_s10_s24_news_that_are_older_than_what_is_known_do_not_count() -> None:
    """A question that was asked earlier is answered later: nobody sees a step back."""
    service = Pretended(lambda name, now: pending(name, state="dreaming"))
    seen: list[str] = []

    async def listen() -> None:
        seen.extend([one.state async for one in watch(service.tracker, "a")])

    start = anyio.current_time()
    waiter = asyncio.create_task(listen())
    await anyio.sleep(1.0)
    # Asked for before the question that brought "dreaming".
    service.tracker.receive(StatusResult(generations=[pending("a", state="queued")]), start - 1.0)
    service.tracker.receive(StatusResult(generations=[completed("a")]), start - 1.0)
    await waiter
    assert ["dreaming", "completed"] == seen


async def test_a_generation_that_is_resumed_by_its_id_is_as_old_as_the_service_says() -> None:
    """Its date of creation counts, against the service's own clock, and it teaches from then."""
    start, midnight = anyio.current_time(), datetime(2026, 1, 1, tzinfo=UTC)
    born = midnight - timedelta(seconds=100)

    def state(name: str, now: float) -> Generation:
        if now >= start + 20.0:
            return completed(name, created_at=born)
        return pending(name, created_at=born)

    service = Pretended(state)
    service.date = lambda: midnight + timedelta(seconds=anyio.current_time() - start)
    await wait_for_one(service.tracker, "a", math.inf)
    learned = service.tracker.planner.durations.durations["create"]
    assert 1 == learned.seen
    occurred = service.tracker.planner.durations.learned.create
    assert math.isclose(1.0, sum(finished for finished, _ in occurred), abs_tol=0.01)
    # About 25 seconds were lived through before the eyes of this client, in units of 45.
    assert 0.2 <= sum(lived for _, lived in occurred) <= 1.0


@pytest.mark.parametrize("hours", [-1, 48], ids=["from the future", "of the day before yesterday"])
async def test_h47_dates_that_make_no_sense_are_not_learned_from(hours: int) -> None:
    """A clock that is wrong by days makes nobody wait longer, and teaches nothing."""
    start, midnight = anyio.current_time(), datetime(2026, 1, 1, tzinfo=UTC)
    service = Pretended(
        lambda name, now: (completed if now >= start + 60.0 else pending)(name, created_at=midnight)
    )
    service.date = lambda: midnight + timedelta(hours=hours)
    await wait_for_one(service.tracker, "a", math.inf)
    assert anyio.current_time() - start <= 75.0
    assert {} == service.tracker.planner.durations.durations


async def test_a_generation_of_some_time_ago_is_asked_for_at_once() -> None:
    """Whoever comes back to a generation of five minutes ago is not made to wait for its news."""
    service = Pretended(lambda name, now: completed(name))
    old = pending("a", created_at=datetime.now(UTC) - timedelta(minutes=5))
    start = anyio.current_time()
    await wait_for_one(service.tracker, old, math.inf)
    assert anyio.current_time() - start < 0.2


async def test_a_video_that_is_published_late_is_looked_for_steadily() -> None:
    """S11: completed at 60 s, with its video 20 s later: it is heard of within a few seconds."""
    start = anyio.current_time()

    def state(name: str, now: float) -> Generation:
        video = Video(url="https://videos.example/1.mp4") if now >= start + 80.0 else None
        return completed(name, video=video) if now >= start + 60.0 else pending(name)

    service = Pretended(state)
    service.tracker.record_start(pending("a"), "create")
    await wait_for_one(service.tracker, pending("a"), math.inf)
    assert anyio.current_time() - start <= 84.0
    assert 1 == service.tracker.planner.durations.durations["create"].seen


async def test_n34_p37_a_clock_that_jumps_makes_no_burst_and_fails_nobody() -> None:
    """The laptop was closed, or the event loop was blocked, for ten minutes."""
    loop = asyncio.get_running_loop()
    service = Pretended(done_after(anyio.current_time() + 900.0))
    names = [f"g-{number}" for number in range(100)]
    wait = asyncio.create_task(wait_for_all(service.tracker, names, math.inf))
    await anyio.sleep(120.0)
    asked = len(service.asked)
    loop._virtual_clock.now += 600.0  # type: ignore[attr-defined]
    await anyio.sleep(1.0)
    assert len(service.asked) - asked <= 5
    assert all(isinstance(end, Generation) for end in (await wait).values())


@pytest.mark.protocol
async def test_ten_thousand_come_and_go_while_requests_are_under_way() -> None:
    """Most leave before their video is there; the others get theirs, and nothing is left."""
    chance = random.Random(3)
    service = Pretended(done_after(anyio.current_time() + 40.0), latency=2.0)

    async def one(number: int) -> bool:
        await anyio.sleep(chance.uniform(0.0, 50.0))
        with anyio.move_on_after(chance.choice([0.0, 1.0, 5.0, 1000.0])):
            done = await wait_for_one(service.tracker, pending(f"g-{number}"), math.inf)
            assert f"g-{number}" == done.id
            return True
        return False

    stayed = await asyncio.gather(*(one(number) for number in range(10_000)))
    assert 1_000 < sum(stayed) < 9_000
    assert 0 == len(service.tracker.subscriptions)
    asked = len(service.asked)
    await anyio.sleep(600.0)
    assert asked == len(service.asked)


async def test_what_was_ordered_and_never_waited_for_is_forgotten_in_the_end() -> None:
    """A program that only ever creates does not grow for ever."""
    starts = KnownStarts()
    for number in range(100_002):
        starts.record(Generation(id=f"g-{number}", state="queued"), "create", 0.0)
    assert starts.find("g-1") is None
    assert starts.find("g-2") is not None
