"""The life of a client: opened once, used while open, closed for good."""
# ruff: noqa: PT031

import asyncio
import gc
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.lowlevel
import pytest
import uvloop
from anyio import to_thread

from luma_async import ClientStateError, ConfigurationError, LumaClient
from luma_async.emulator import Emulator, Fault
from tests.support.clients import KEY, quick_client, tasks_of_ours

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

CALLS: dict[str, Callable[[LumaClient], Any]] = {
    "create": lambda luma: luma.create("A jellyfish"),
    "extend": lambda luma: luma.extend("a", "A jellyfish"),
    "get": lambda luma: luma.get("a"),
    "get_many": lambda luma: luma.get_many(["a"]),
    "list": lambda luma: luma.list(),
    "upload_image": lambda luma: luma.upload_image("https://a.example/b.png"),
    "wait_until_done": lambda luma: luma.wait_until_done("a"),
    "as_completed": lambda luma: luma.as_completed(["a"]),
    "watch": lambda luma: luma.watch("a"),
    "generate": lambda luma: luma.generate("A jellyfish"),
    "generate_many": lambda luma: luma.generate_many(["A jellyfish"]),
    "download": lambda luma: luma.download("a", Path("a.mp4")),
}


async def call(luma: LumaClient, name: str) -> None:
    """Make a call of either kind."""
    called = CALLS[name](luma)
    if inspect.isawaitable(called):
        await called


@pytest.mark.parametrize("name", CALLS)
async def test_p39_a_client_is_used_while_it_is_open(name: str) -> None:
    """Before and after, every call says so, and nothing is sent."""
    async with Emulator() as emulator:
        luma = quick_client(emulator.base_url)
        with pytest.raises(ClientStateError, match="open the client first"):
            await call(luma, name)
        async with luma:
            assert repr(luma).endswith(" open>")
        assert repr(luma).endswith(" closed>")
        with pytest.raises(ClientStateError, match="closed"):
            await call(luma, name)
        assert () == emulator.requests


async def test_a_client_is_opened_once() -> None:
    """Opening twice, or again after the end, is refused."""
    luma = LumaClient(KEY)
    await luma.close()
    async with luma:
        with pytest.raises(ClientStateError, match="once"):
            await luma.__aenter__()
    with pytest.raises(ClientStateError, match="once"):
        await luma.__aenter__()
    await luma.close()


async def test_p39_another_loop_and_no_loop_are_refused() -> None:
    """A client belongs to the event loop that opened it."""

    async def elsewhere() -> None:
        await luma.list()

    def use_in_another_loop() -> None:
        asyncio.run(elsewhere())

    def use_without_a_loop() -> None:
        luma.watch("a")

    async with LumaClient(KEY) as luma:
        with pytest.raises(ClientStateError, match="another event loop"):
            await to_thread.run_sync(use_in_another_loop)
        with pytest.raises(ClientStateError, match="outside of an event loop"):
            await to_thread.run_sync(use_without_a_loop)


async def test_the_callers_own_errors_pass_as_they_are() -> None:
    """A KeyError within the block is a KeyError outside of it, and the client is closed."""
    with pytest.raises(KeyError, match="mine"):
        async with LumaClient(KEY) as luma:
            raise KeyError("mine")
    assert repr(luma).endswith(" closed>")


async def test_a_client_may_be_opened_and_closed_in_different_tasks() -> None:
    """Web frameworks do that."""
    luma = LumaClient(KEY)
    await asyncio.create_task(luma.__aenter__())
    await asyncio.create_task(luma.close())
    assert [] == tasks_of_ours()


async def test_p38_closing_with_thousands_waiting_ends_within_half_a_second() -> None:
    """All waits end with an error, and nothing of the client is left."""
    async with Emulator() as emulator, quick_client(emulator.base_url) as luma:
        for number in range(1000):
            emulator.place(f"g-{number}", "Endless", [(0.0, "pending")])

        async def wait(number: int) -> type[BaseException]:
            try:
                await luma.wait_until_done(f"g-{number % 1000}")
            except ClientStateError as error:
                return type(error)
            raise AssertionError

        waits = [asyncio.create_task(wait(number)) for number in range(3000)]
        await anyio.sleep(0.05)
        assert len(emulator.requests) >= 20
        before = anyio.current_time()
        await luma.close()
        assert anyio.current_time() - before < 0.5
        assert {ClientStateError} == set(await asyncio.gather(*waits))
        assert 0 == luma.statistics().waiting
        assert [] == tasks_of_ours()


def test_p40_a_client_that_is_not_closed_is_noticed() -> None:
    """A program that forgets to close hears so from Python, without a storm of tracebacks."""

    async def forget() -> None:
        async with Emulator() as emulator:
            luma = await quick_client(emulator.base_url).__aenter__()
            await luma.list()

    with pytest.warns(ResourceWarning, match="Unclosed"):
        asyncio.run(forget())
        gc.collect()


def test_no_key_is_an_error_that_says_where_to_put_it() -> None:
    """The name of the variable is in the message."""
    with pytest.raises(ConfigurationError, match="AIML_API_KEY"):
        LumaClient()


async def test_p38_a_cancelled_close_still_learns_what_was_paid() -> None:
    """A deadline around the client does not cut off an order that is on its way."""
    async with Emulator() as emulator:
        emulator.inject(Fault(route="create", delay=0.3))
        with anyio.move_on_after(0.1) as scope:
            async with quick_client(emulator.base_url) as luma:
                order = asyncio.create_task(luma.create("A jellyfish"))
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert emulator.ledger[0].id == (await order).id
        assert [] == tasks_of_ours()


async def test_p38_whoever_closes_again_waits_for_the_same_end() -> None:
    """A second close does not come back while an order is still on its way."""
    async with Emulator() as emulator:
        emulator.inject(Fault(route="create", delay=0.2))
        async with quick_client(emulator.base_url) as luma:
            order = asyncio.create_task(luma.create("A jellyfish"))
            while emulator.billed == 0:
                await anyio.lowlevel.checkpoint()
            async with anyio.create_task_group() as group:
                group.start_soon(luma.close)
                group.start_soon(luma.close)
            assert order.done()
            assert emulator.ledger[0].id == order.result().id


async def test_a_session_that_was_closed_early_ends_the_waits() -> None:
    """Nobody waits for a session that will not come back."""
    async with Emulator() as emulator, aiohttp.ClientSession() as session:
        async with quick_client(emulator.base_url, session=session) as luma:
            generation = await luma.create("A jellyfish")
            await session.close()
            with pytest.raises(ClientStateError, match="session"):
                await luma.wait_until_done(generation)
            with pytest.raises(ClientStateError, match="session"):
                await luma.create("Another")
        with pytest.raises(ClientStateError, match="closed"):
            quick_client(emulator.base_url, session=session)


def test_uvloop_serves_as_well() -> None:
    """The whole way on the other loop, with two who wait at once."""

    async def way() -> list[str]:
        async with Emulator(time_scale=3000) as emulator, quick_client(emulator.base_url) as luma:
            one, other = await luma.create("A"), await luma.create("B")
            ends = await asyncio.gather(
                *(luma.wait_until_done(each) for each in (one.id, other.id, one, other))
            )
            return [end.state for end in ends]

    assert ["completed"] * 4 == uvloop.run(way())
