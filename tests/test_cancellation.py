"""Cancelling a call at any instant leaves nothing behind and hides no payment.

Each public coroutine is cancelled at its first suspension, then at its second, and so on until it
completes; by throwing into it, by cancelling its task, and by cancelling an anyio scope.
"""
# ruff: noqa: ASYNC110, PERF401

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from luma_async import Generation, LumaClient, LumaError, Outcome, SubmissionUnknownError, Timeouts
from luma_async.emulator import Emulator, Fault
from tests.support.clients import posts, quick_client, tasks_of_ours, virtual_client
from tests.support.raw_server import Caller, http, raw_server
from tests.support.suspensions import WAYS

Call = Callable[[LumaClient], Coroutine[Any, Any, Any]]

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

AN_HOUR = Timeouts(connect=3600.0, free=3600.0, paid=3600.0)


async def as_completed(luma: LumaClient) -> list[Generation]:
    """Iterate over the ends of two generations."""
    return [one async for one in luma.as_completed(["parent", "other"])]


async def watch(luma: LumaClient) -> list[Generation]:
    """Iterate over the changes of a generation."""
    return [one async for one in luma.watch("other")]


HEARD: list[Outcome] = []


async def generate_many(luma: LumaClient) -> None:
    """Order two videos."""
    HEARD.clear()
    async for outcome in luma.generate_many(["A jellyfish", "A crab"]):
        HEARD.append(outcome)


CALLS: dict[str, Call] = {
    "create": lambda luma: luma.create("A jellyfish"),
    "extend": lambda luma: luma.extend("parent", "A jellyfish"),
    "generate": lambda luma: luma.generate("A jellyfish", timeout=600.0),
    "generate_many": generate_many,
    "get": lambda luma: luma.get("parent"),
    "get_many": lambda luma: luma.get_many(["parent", "other", "unknown"]),
    "list": lambda luma: luma.list(),
    "upload_image": lambda luma: luma.upload_image("https://a.example/b.png"),
    "wait_until_done": lambda luma: luma.wait_until_done("other"),
    "wait_for_many": lambda luma: luma.wait_until_done(["parent", "other"]),
    "as_completed": as_completed,
    "watch": watch,
}

SERVICES: dict[str, list[Fault]] = {
    "healthy": [],
    "slow": [Fault(times=None, delay=10.0)],
    "failing": [
        Fault(route="create", times=None, status=500, accept=True),
        Fault(route="extend", times=None, drop="after", reset=True),
        Fault(times=3, status=503, skip=1),
    ],
    "busy": [Fault(times=3, status=429, headers={"Retry-After": "30"})],
}


def ids_in(value: object) -> set[str]:
    """Find the generations that somebody got hold of."""
    if isinstance(value, Generation):
        return {value.id}
    if isinstance(value, Outcome):
        return ids_in(value.generation)
    return {name for one in value for name in ids_in(one)} if isinstance(value, list) else set()


def unknowns_in(value: object) -> int:
    """Count the orders that somebody was told to have an unknown outcome."""
    if isinstance(value, Outcome):
        return unknowns_in(value.error)
    if isinstance(value, (list, tuple)):
        return sum(map(unknowns_in, value))
    return int(isinstance(value, SubmissionUnknownError))


@pytest.mark.protocol
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("service", SERVICES)
async def test_v5_no_cancellation_hides_a_payment_or_leaves_a_task(
    service: str, name: str, way: str
) -> None:
    """After each cancellation every bill has been told of, and the client still works."""
    emulator = Emulator(median_seconds=30.0)
    emulator.place("parent", "The parent")
    emulator.place("other", "The other", [(0.0, "pending"), (20.0, "completed")])
    suspension = 0
    async with virtual_client(emulator) as luma:
        completed = False
        while not completed and suspension < 200:
            suspension += 1
            for fault in SERVICES[service]:
                emulator.inject(fault)
            before, billed, known = posts(emulator), len(emulator.ledger), len(luma.unclaimed())
            cancelled, result = await WAYS[way](CALLS[name](luma), suspension)
            completed = not cancelled
            result = list(HEARD) if name == "generate_many" else result
            emulator.clear_faults()

            bills = {bill.id for bill in emulator.ledger[billed:]}
            unclaimed = luma.unclaimed()[known:]
            told = ids_in(result) | ids_in(list(unclaimed))
            unknown = unknowns_in(result) + unknowns_in(unclaimed)
            assert len(bills - told) <= unknown <= posts(emulator) - before
            assert unknowns_in(result) or told - {"parent", "other"} <= bills
            if unclaimed and cancelled and way != "scope" and name != "generate_many":
                assert "unclaimed" in "".join(getattr(result, "__notes__", []))
            # A question may be under way for nobody; it ends by itself, and no order is.
            assert {"luma_async get"} >= set(tasks_of_ours())
        assert completed
        assert "parent" == (await luma.get("parent")).id
        assert (await luma.create("Another")).id == emulator.ledger[-1].id
        assert luma.statistics().tokens_spent >= emulator.tokens_billed
    assert 500_000 * emulator.billed == emulator.tokens_billed
    assert [] == tasks_of_ours()


async def wait_for_arrival(emulator: Emulator) -> None:
    """Let the others work until an order has arrived."""
    while not posts(emulator):
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", ["asyncio.timeout", "anyio.move_on_after", "anyio.fail_after"])
async def test_p36_time_that_is_over_during_an_order_does_not_hide_it(kind: str) -> None:
    """The limit is held back until the answer is there; the client then holds the video."""
    emulator = Emulator()
    async with virtual_client(emulator) as luma:
        emulator.inject(Fault(route="create", delay=20.0))
        begun = anyio.current_time()
        if kind == "asyncio.timeout":
            with pytest.raises(TimeoutError) as late:
                async with asyncio.timeout(5.0):
                    await luma.create("A jellyfish")
            notes = getattr(late.value.__cause__, "__notes__", [])
            assert emulator.ledger[0].id in notes[0]
        elif kind == "anyio.fail_after":
            with pytest.raises(TimeoutError), anyio.fail_after(5.0):
                await luma.create("A jellyfish")
        else:
            with anyio.move_on_after(5.0) as scope:
                await luma.create("A jellyfish")
            assert scope.cancelled_caught

        (outcome,) = luma.unclaimed()
        assert 20.0 <= anyio.current_time() - begun <= 21.0
        assert outcome.generation is not None
        assert (emulator.ledger[0].id, None) == (outcome.generation.id, outcome.error)
        assert "A jellyfish" == outcome.order.user_prompt
        done = await luma.wait_until_done(outcome.generation)
        assert done.is_completed


async def test_p34_a_cancelled_order_without_an_answer_ends_with_its_own_time() -> None:
    """The service never answers: the cancellation is held back for as long as an order may take."""
    emulator = Emulator()
    async with virtual_client(emulator, timeouts=Timeouts(paid=30.0)) as luma:
        emulator.inject(Fault(route="create", delay=3600.0))
        with anyio.move_on_after(5.0):
            await luma.create("A jellyfish")
        (outcome,) = luma.unclaimed()
        assert 30.0 <= anyio.current_time() <= 31.0
        assert isinstance(outcome.error, SubmissionUnknownError)
        assert 500_000 == luma.statistics().tokens_spent


async def test_a_second_cancellation_does_not_hide_a_payment() -> None:
    """Whoever cancels twice, and again, waits for the answer all the same."""
    emulator = Emulator()
    async with virtual_client(emulator) as luma:
        emulator.inject(Fault(route="create", delay=20.0))
        order = asyncio.create_task(luma.create("A jellyfish"))
        await wait_for_arrival(emulator)
        for _ in range(5):
            order.cancel()
            await anyio.sleep(1.0)
            assert not order.done()
        with pytest.raises(asyncio.CancelledError):
            await order
        assert [emulator.ledger[0].id] == [
            outcome.generation.id for outcome in luma.unclaimed() if outcome.generation
        ]


async def test_an_order_that_is_refused_meanwhile_leaves_nothing_unclaimed() -> None:
    """Cancelled while the service says no: nothing was paid, and there is nothing to tell."""
    emulator = Emulator()
    async with virtual_client(emulator) as luma:
        emulator.inject(Fault(route="create", delay=20.0, status=400))
        with anyio.move_on_after(5.0):
            await luma.create("A jellyfish")
        assert ((), 0) == (luma.unclaimed(), luma.statistics().tokens_spent)


async def test_an_order_that_waits_for_its_turn_is_cancelled_at_once() -> None:
    """Nothing has left, so that nothing needs to be waited for, and nothing is paid."""
    emulator = Emulator()
    async with virtual_client(emulator) as luma:
        emulator.inject(Fault(route="create", delay=50.0, times=8))
        running = [asyncio.create_task(luma.create("A jellyfish")) for _ in range(8)]
        await anyio.sleep(10.0)
        with anyio.move_on_after(5.0):
            await luma.create("A crab")
        assert 15.0 <= anyio.current_time() <= 15.1
        assert 8 == len({one.id for one in await asyncio.gather(*running)}) == emulator.billed
        assert () == luma.unclaimed()


async def test_a_wait_within_generate_that_is_cancelled_leaves_its_video_unclaimed() -> None:
    """The video goes on at the service, and the client says which it is."""
    emulator = Emulator()
    async with virtual_client(emulator) as luma:
        with pytest.raises(TimeoutError) as late:
            async with asyncio.timeout(5.0):
                await luma.generate("A jellyfish")
        (outcome,) = luma.unclaimed()
        assert outcome.generation is not None
        assert emulator.ledger[0].id == outcome.generation.id
        assert emulator.ledger[0].id in "".join(getattr(late.value.__cause__, "__notes__", []))


async def test_a_wait_within_generate_that_the_client_ends_leaves_its_video_unclaimed() -> None:
    """Closing the client ends the wait; what was paid can still be read from the client."""
    emulator = Emulator()
    async with virtual_client(emulator) as luma:
        order = asyncio.create_task(luma.generate("A jellyfish"))
        await anyio.sleep(5.0)
    with pytest.raises(LumaError) as ended:
        await order
    assert emulator.ledger[0].id in "".join(getattr(ended.value, "__notes__", []))
    (outcome,) = luma.unclaimed()
    assert outcome.generation is not None


class TestOnARealPort:
    """Where connecting takes its time."""

    @pytest.fixture
    def anyio_backend(self) -> object:
        """Use the ordinary clock."""
        return "asyncio"

    async def test_an_order_that_is_still_connecting_is_cancelled_at_once(self) -> None:
        """The handshake hangs: nothing was sent, so that the caller gets out at once."""
        greeted = asyncio.Event()

        async def serve(caller: Caller) -> None:
            greeted.set()
            await caller.hang()

        async with (
            raw_server(serve, read_at_most=1) as server,
            quick_client(f"https://127.0.0.1:{server.port}", timeouts=AN_HOUR) as luma,
        ):
            order = asyncio.create_task(luma.create("A jellyfish"))
            await greeted.wait()
            order.cancel()
            with pytest.raises(asyncio.CancelledError):
                await order
            assert ((), 0) == (luma.unclaimed(), luma.statistics().tokens_spent)

    @pytest.mark.parametrize("way", WAYS)
    async def test_v5_an_order_on_a_real_connection(self, way: str) -> None:
        """With a connection of its own each time, no suspension of an order hides a payment."""
        async with Emulator() as emulator, quick_client(emulator.base_url) as luma:
            cancelled, suspension = True, 0
            while cancelled:
                suspension += 1
                known = len(luma.unclaimed())
                billed = emulator.billed
                cancelled, result = await WAYS[way](luma.create("A jellyfish"), suspension)
                told = ids_in(result) | ids_in(list(luma.unclaimed()[known:]))
                assert {bill.id for bill in emulator.ledger[billed:]} == told
            assert suspension > 1
            assert [] == tasks_of_ours()

    async def test_p40_a_program_that_ends_during_an_order_learns_that_it_is_open(self) -> None:
        """All tasks are cancelled, as at the end of `asyncio.run`: the outcome is unknown."""
        arrived = asyncio.Event()

        async def serve(caller: Caller) -> None:
            arrived.set()
            await caller.hang()

        async with raw_server(serve) as server, quick_client(server.base_url) as luma:
            order = asyncio.create_task(luma.create("A jellyfish"))
            await arrived.wait()
            order.cancel()
            for task in asyncio.all_tasks():
                if task.get_name() == "luma_async create":
                    task.cancel()
            with pytest.raises(asyncio.CancelledError) as end:
                await order
            assert "may be paid" in "".join(getattr(end.value, "__notes__", []))
            (outcome,) = luma.unclaimed()
            assert isinstance(outcome.error, SubmissionUnknownError)

    async def test_every_tick_of_the_loop_is_a_good_one_to_cancel_at(self) -> None:
        """Cancelled after so many turns of the event loop, between any two of its callbacks."""

        async def serve(caller: Caller) -> None:
            await caller.send(http(body=b'{"id": "g-%d"}' % caller.turn))

        async with raw_server(serve) as server, quick_client(server.base_url) as luma:
            for ticks in range(60):
                paid, known = server.posts(), len(luma.unclaimed())
                order = asyncio.ensure_future(luma.create("A jellyfish"))
                for _ in range(ticks):
                    await asyncio.sleep(0)
                order.cancel()
                await asyncio.wait([order])
                told = len(luma.unclaimed()) - known + (not order.cancelled())
                assert server.posts() - paid == told
