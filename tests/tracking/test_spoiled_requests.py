"""Ids that spoil a request for the others, and requests that are too long. In virtual time."""

import asyncio
import contextlib
import logging
import math
import random
from collections.abc import Callable, Sequence

import anyio
import pytest

from luma_async import (
    APIError,
    BadRequestError,
    DisconnectedError,
    Generation,
    Limits,
    LumaError,
    NotFoundError,
    PollPolicy,
    RequestTimeoutError,
    ResponseFormatError,
    ServerError,
    WaitTimeoutError,
)
from luma_async._tracking.waits import wait_for_all, wait_for_list, wait_for_one
from tests.support.pretended import Pretended, completed, done_after, pending

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]

HOUR = 3600.0
FAILURES: dict[str, Callable[[], LumaError]] = {
    "400": lambda: BadRequestError("what?", status=400),
    "404": lambda: NotFoundError("who?", status=404),
    "500": lambda: ServerError("oops", status=500),
    "hang": lambda: RequestTimeoutError("late"),
    "cut": lambda: DisconnectedError("cut"),
    "unreadable": lambda: ResponseFormatError(["expected JSON at $"]),
}


def choking(service: Pretended, poisons: set[str], failure: Callable[[], LumaError]) -> None:
    """Let the service fail whenever it is asked for one of these ids."""
    service.refusal = lambda names: failure() if poisons & set(names) else None


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("poisons", [{"g-7"}, {"g-0", "g-19"}], ids=["S16-one", "S17-two"])
async def test_only_who_waits_for_a_poisoned_id_fails(
    poisons: set[str], failure: Callable[[], LumaError]
) -> None:
    """The others have their videos at about the usual time; the id itself is given up later."""
    end = anyio.current_time() + 60.0
    service = Pretended(
        lambda name, now: completed(name) if now >= end and name != "endless" else pending(name)
    )
    choking(service, poisons, failure)
    names = [f"g-{number}" for number in range(60)]
    tasks = {name: asyncio.create_task(wait_for_one(service.tracker, name, HOUR)) for name in names}
    await asyncio.wait([task for name, task in tasks.items() if name not in poisons])
    others_done = anyio.current_time()
    # Somebody else goes on waiting, so that the service is known to be well.
    beside = asyncio.create_task(wait_for_one(service.tracker, "endless", HOUR))
    await asyncio.wait([tasks[name] for name in poisons])
    beside.cancel()

    good = {name: task.result().id for name, task in tasks.items() if name not in poisons}
    assert {name: name for name in names if name not in poisons} == good
    assert others_done < 90.0
    assert {type(failure())} == {type(tasks[name].exception()) for name in poisons}
    assert anyio.current_time() < HOUR


async def test_a_poisoned_id_costs_few_extra_requests() -> None:
    """S16: at most 2 * ceil(log2 20) + 1 beyond the one that failed, and then it is alone."""
    service = Pretended(lambda name, now: completed(name))
    choking(service, {"g-13"}, FAILURES["500"])
    names = [f"g-{number}" for number in range(20)]
    waits = [asyncio.create_task(wait_for_one(service.tracker, name, HOUR)) for name in names]
    await asyncio.wait([wait for number, wait in enumerate(waits) if number != 13])

    assert len(service.asked) - 1 <= 2 * math.ceil(math.log2(20)) + 1
    before = len(service.asked)
    await anyio.sleep(600.0)
    assert {("g-13",)} == set(service.asked[before:])
    # Asked alone, less and less often, up to once a minute.
    assert len(service.asked) - before <= 18
    waits[13].cancel()


@pytest.mark.protocol
@pytest.mark.parametrize("failure", ["500", "hang", "cut", "unreadable"])
@pytest.mark.parametrize("many", [1, 20, 1000])
async def test_an_hour_of_outage_fails_nobody(many: int, failure: str) -> None:
    """A service that fails altogether is no reason to blame an id, however long it takes."""
    service = Pretended(done_after(60.0), limits=Limits())
    service.failure = lambda: FAILURES[failure]() if anyio.current_time() < HOUR else None
    names = [f"g-{number}" for number in range(many)]
    ends = await wait_for_list(service.tracker, names, math.inf)

    assert names == [generation.id for generation in ends]
    during = sum(time < HOUR for time in service.times)
    after = len(service.times) - during
    # Once a minute; at the beginning more often, and some that were under way together.
    assert during <= 60 + 20
    assert after <= math.ceil(many / 20) + 20
    assert anyio.current_time() < HOUR + 60.0 * 1.1 + after * 0.1 + 2.0


@pytest.mark.protocol
@pytest.mark.parametrize("share", [0.1, 0.5])
async def test_a_service_that_fails_at_random_loses_nobody_and_stays_fast(share: float) -> None:
    """For twenty minutes one of ten requests fails, or one of two: no id is to blame for that."""
    for seed in range(2):
        chance = random.Random(seed)
        start = anyio.current_time()
        service = Pretended(done_after(start + 1800.0))
        service.failure = lambda chance=chance, start=start: (  # type: ignore[misc]
            FAILURES["500"]()
            if 100 < anyio.current_time() - start < 1300 and chance.random() < share
            else None
        )
        names = [f"g-{number}" for number in range(100)]
        ends = await wait_for_list(service.tracker, names, 2 * HOUR)
        assert names == [generation.id for generation in ends]
        assert 20 == service.tracker.planner.size.limit


@pytest.mark.parametrize(("old", "new", "lag"), [(1, 3, 60.0), (2, 5, 100.0), (5, 15, 20.0)])
async def test_h17_new_ids_that_are_found_late_do_not_shrink_the_requests(
    old: int, new: int, lag: float
) -> None:
    """The service takes a while to find what was just ordered; it takes no fewer ids for that."""
    start = anyio.current_time()
    service = Pretended(
        lambda name, now: (
            None
            if name.startswith("new") and now < start + 50.0 + lag
            else done_after(start + 300.0)(name, now)
        )
    )
    early = [f"old-{number}" for number in range(old)]
    waits = asyncio.create_task(wait_for_list(service.tracker, early, HOUR))
    await anyio.sleep(50.0)
    late = [f"new-{number}" for number in range(new)]
    ends = await wait_for_list(service.tracker, late, HOUR)
    assert late == [generation.id for generation in ends]
    assert early == [generation.id for generation in await waits]
    assert 20 == service.tracker.planner.size.limit


@pytest.mark.parametrize("timeout", [0.2, 1.0, 5.0, 10.0])
@pytest.mark.parametrize("how", ["ordered", "held", "by its id"])
async def test_a_wait_in_many_short_waits_is_as_good_as_a_long_one(
    how: str, timeout: float
) -> None:
    """Neither is the video heard of late, nor is the service asked more often."""
    start = anyio.current_time()
    service = Pretended(done_after(start + 60.0))
    target = "a" if how == "by its id" else pending("a")
    if how == "ordered":
        service.tracker.record_start(pending("a"), "create")
    while anyio.current_time() < start + 600.0:
        with contextlib.suppress(WaitTimeoutError):
            await wait_for_one(service.tracker, target, timeout)
            break
    assert anyio.current_time() - start <= 75.0
    assert len(service.asked) <= 12


async def test_h22_a_request_that_is_too_long_is_halved() -> None:
    """A proxy takes no long addresses: after two refusals no request is longer than it takes."""
    service = Pretended(done_after(60.0))
    service.refusal = lambda names: APIError("too long", status=414) if len(names) > 6 else None
    names = [f"g-{number}" for number in range(30)]
    await wait_for_list(service.tracker, names, HOUR)

    sizes = [len(ids) for ids in service.asked]
    assert [20, 10] == sorted(set(sizes) - set(range(7)), reverse=True)
    assert sum(size > 6 for size in sizes) <= 2 * 8
    assert 5 == service.tracker.planner.size.limit


@pytest.mark.protocol
async def test_s19_a_service_that_answers_the_first_few_is_asked_for_as_many() -> None:
    """Whatever is asked, seven are answered: soon seven are asked for, and nobody is missed."""
    service = Pretended(lambda name, now: completed(name) if now > 900.0 else pending(name))
    service.shape = lambda found: found[:7]
    names = [f"g-{number}" for number in range(100)]
    await wait_for_list(service.tracker, names, HOUR)

    assert 7 == service.tracker.planner.size.limit
    assert max(len(ids) for ids in service.asked[-10:]) <= 7


@pytest.mark.protocol
async def test_s18_a_service_that_takes_fewer_ids_is_found_out() -> None:
    """Told that 40 fit into a request, on a service that refuses more than 20."""
    limits = Limits(ids_per_request=40, requests_per_second=10_000)
    service = Pretended(done_after(60.0), limits=limits)
    service.refusal = lambda names: (
        BadRequestError("ids must be a list", status=400) if len(names) > 20 else None
    )
    names = [f"g-{number}" for number in range(400)]
    ends = await wait_for_list(service.tracker, names, HOUR)

    assert names == [generation.id for generation in ends]
    assert 20 == service.tracker.planner.size.limit


async def test_s18_a_service_that_answers_nothing_to_many_ids_loses_nobody() -> None:
    """Nobody is taken for unknown on an answer to many: it may have been the number of them."""
    limits = Limits(ids_per_request=40, concurrent_requests=1)
    service = Pretended(done_after(60.0), limits=limits)
    service.shape = lambda found: found if len(service.asked[-1]) <= 20 else []
    names = [f"g-{number}" for number in range(80)]
    ends = await wait_for_list(service.tracker, names, HOUR)

    assert names == [generation.id for generation in ends]
    assert service.tracker.planner.size.limit <= 20


async def test_all_that_are_unknown_end_although_nothing_is_ever_found() -> None:
    """Twenty wrong ids, on a service that answers 404: each of them is told so in the end."""
    service = Pretended(lambda name, now: None)
    service.failure = FAILURES["404"]
    ended = await wait_for_all(service.tracker, [f"g-{number}" for number in range(20)], HOUR)
    assert {NotFoundError} == {type(error) for error in ended.values()}


async def test_what_is_asked_and_why_can_be_read_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At DEBUG each request says how many ids it has, of how many, and why it is made now."""
    caplog.set_level(logging.DEBUG, "luma_async")
    service = Pretended(lambda name, now: pending(name))
    choking(service, {"g-1"}, FAILURES["500"])
    names: Sequence[Generation] = [pending(f"g-{number}") for number in range(4)]
    with anyio.move_on_after(300.0):
        await wait_for_list(service.tracker, names, math.inf)

    for line in (
        "asks for 4 of 4 ids, as they have probably waited long enough together",
        "asks for 2 of 4 ids, to find the id that spoils requests",
        "asks for 1 of 4 ids, for that id alone",
        "asked for 3 ids, 3 answered",
    ):
        assert line in caplog.messages


async def test_a_wait_that_nobody_asks_for_is_asked_for_after_the_longest_interval() -> None:
    """Whatever was learned, nobody is left alone for longer."""
    polling = PollPolicy(max_interval=20.0, expected_seconds=10_000.0)
    service = Pretended(done_after(anyio.current_time() + 70.0), polling=polling)
    start = anyio.current_time()
    await wait_for_one(service.tracker, pending("a"), HOUR)
    assert [20, 40, 60, 80] == [round(time - start) for time in service.times]
