"""Checked by mypy and pyright, never run: what editors and type checkers know of the package.

Where a mistake is expected, it is an error to ignore it in vain.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import assert_type

import aiohttp

from luma_async import (
    Account,
    Budget,
    Durations,
    Generation,
    GenerationSummary,
    Learned,
    Limits,
    LumaClient,
    LumaError,
    Order,
    Outcome,
    PollPolicy,
    RetryPolicy,
    Statistics,
    SubmissionUnknownError,
    Timeouts,
    UploadedImage,
    WaitErrorGroup,
    WaitTimeoutError,
)
from luma_async.batch import (
    Batch,
    BatchOutcome,
    BatchStatus,
    HeldOrder,
    Ledger,
    OrderState,
    Record,
    run_unit,
)
from luma_async.emulator import (
    Bill,
    Emulator,
    Fault,
    KnownGeneration,
    Moment,
    VirtualTimeLoop,
    WireRequest,
)


async def calls(luma: LumaClient, one: Generation, many: list[Generation]) -> None:
    """Each call says what it returns."""
    assert_type(await luma.create("a", aspect_ratio="9:16"), Generation)
    assert_type(await luma.extend(one, "b"), Generation)
    assert_type(await luma.get("id"), Generation)
    assert_type(await luma.get_many(["id"]), dict[str, Generation])
    assert_type(await luma.list(), list[GenerationSummary])
    assert_type(await luma.upload_image("https://example.com/a.png"), UploadedImage)
    assert_type(await luma.generate("a", timeout=5), Generation)
    assert_type(await luma.download(one, "a.mp4"), Path)
    assert_type(luma.statistics(), Statistics)
    assert_type(luma.statistics().durations["create"], Durations)
    assert_type(luma.polling, PollPolicy)
    assert_type(luma.polling.at_speed(60), PollPolicy)
    assert_type(PollPolicy.from_json(luma.polling.to_json()).learned, Learned | None)
    assert_type(luma.unclaimed(), tuple[Outcome, ...])
    assert_type(await luma.account(), Account)
    assert_type(await luma.get_many(many), dict[str, Generation])
    assert_type(await luma.download("id", Path("a.mp4"), overwrite=True), Path)
    assert_type(await luma.open(), LumaClient)
    assert_type(await luma.close(), None)


async def options(session: aiohttp.ClientSession) -> None:
    """A key is text or a function, and every option has a type of its own."""

    async def key() -> str:
        return "key"

    async with LumaClient() as luma:
        assert_type(luma, LumaClient)
    LumaClient("key", base_url="http://127.0.0.1:8787", budget=None)
    LumaClient(lambda: "key", limits=Limits(), polling=PollPolicy(), retries=RetryPolicy())
    LumaClient(key, timeouts=Timeouts(), budget=Budget(tokens=500_000), session=session)


async def waits(luma: LumaClient, one: Generation, many: list[Generation]) -> None:
    """One generation gives one back, many give a list."""
    assert_type(await luma.wait_until_done(one), Generation)
    assert_type(await luma.wait_until_done("id", timeout=1.5), Generation)
    assert_type(await luma.wait_until_done(many), list[Generation])
    assert_type(await luma.wait_until_done(["id", one]), list[Generation])
    assert_type(await luma.wait_until_done({"id"}), list[Generation])
    assert_type(await luma.wait_until_done({"id": one}), list[Generation])
    assert_type(await luma.wait_until_done(one.id for one in many), list[Generation])
    assert_type(await luma.wait_until_done(iter(many), timeout=1), list[Generation])
    assert_type(luma.as_completed(many), AsyncGenerator[Generation, None])
    assert_type(luma.watch(one), AsyncGenerator[Generation, None])
    assert_type(luma.generate_many(["a", Order("b")]), AsyncGenerator[Outcome, None])
    async for seen in luma.watch("id"):
        assert_type(seen, Generation)
        assert_type(seen.seconds_left, float | None)


async def both_ways_to_order(
    luma: LumaClient, lazy: Iterator[str], endless: AsyncIterator[Order]
) -> None:
    """Orders may be prompts or values, and come from anywhere."""
    assert_type(luma.generate_many("a fox" for _ in range(3)), AsyncGenerator[Outcome, None])
    assert_type(luma.generate_many(lazy), AsyncGenerator[Outcome, None])
    assert_type(luma.generate_many(endless, max_in_flight=3), AsyncGenerator[Outcome, None])
    async for outcome in luma.generate_many({"a", "b"}):
        assert_type(outcome.order, Order)
        assert_type(outcome.error, LumaError | None)
        if outcome.generation is not None:
            assert_type(outcome.generation, Generation)


async def tasks(luma: LumaClient) -> None:
    """A call is a coroutine, for tasks and `asyncio.gather`."""
    task = asyncio.create_task(luma.generate("a"))
    assert_type(await task, Generation)
    async with asyncio.TaskGroup() as group:
        assert_type(group.create_task(luma.list()).result(), list[GenerationSummary])
    red, listed = await asyncio.gather(luma.create("a"), luma.list())
    assert_type(red, Generation)
    assert_type(listed, list[GenerationSummary])


async def errors(luma: LumaClient) -> None:
    """An error holds what to go on with."""
    try:
        await luma.wait_until_done(["id"], timeout=1)
    except WaitTimeoutError as error:
        assert_type(error.pending, tuple[str, ...])
    except WaitErrorGroup as group:
        assert_type(group.completed, tuple[Generation, ...])
        assert_type(group.exceptions[0], LumaError | ExceptionGroup[LumaError])


class PrintedRecord:
    """A record of payments that anybody can write."""

    async def sending(self) -> None:
        """Record that an order is about to be sent."""

    async def sent(self, result: Generation | LumaError) -> None:
        """Record how that ended."""


async def payments(luma: LumaClient, error: SubmissionUnknownError) -> None:
    """An order as a value, with a record of its own."""
    assert_type(await luma.submit(Order("a"), recorder=PrintedRecord()), Generation)
    assert_type(await luma.reconcile(error, list_delay=5), Generation)


async def batches(luma: LumaClient, ledger: Ledger) -> None:
    """A batch says what it holds."""
    async with Batch.open("folder", luma, on_unknown="reconcile", budget=Budget()) as batch:
        assert_type(batch, Batch)
        assert_type(await batch.add(["a", Order("b")]), int)
        assert_type(batch.run(), AsyncGenerator[BatchOutcome, None])
        assert_type(await batch.records(), list[Record])
        assert_type(await batch.status(), BatchStatus)
        assert_type(await batch.review(), list[HeldOrder])
        assert_type(await batch.retry(["a"]), list[Record])
        assert_type(await batch.add_file("orders.csv"), int)
        assert_type(await batch.adopt("a", "id"), Record)
        assert_type(await batch.dismiss("a"), Record)
        assert_type(batch.stop(), None)
        assert_type((await batch.status()).counts, Mapping[OrderState, int])
    outcome = await run_unit("a", ledger, luma, folder=Path("folder"))
    assert_type(outcome, BatchOutcome)
    assert_type(outcome.error, LumaError | None)
    Batch.open("folder", luma, on_unknown="guess")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def emulators(emulator: Emulator) -> None:
    """The emulator tells what it was asked, and what it would have billed."""
    assert_type(emulator.billed, int)
    assert_type(emulator.tokens_billed, int)
    assert_type(emulator.ledger, tuple[Bill, ...])
    assert_type(emulator.requests, tuple[WireRequest, ...])
    assert_type(emulator.generations, Mapping[str, KnownGeneration])
    assert_type(emulator.inject(Fault(route="get", times=None, status=503)), Fault)
    assert_type(emulator.clear_faults(), None)
    assert_type(emulator.script(None, [(0, "queued"), Moment(60, "completed")]), None)
    assert_type(emulator.place("id", "a fox"), None)
    assert_type(emulator.forget("id"), None)
    with emulator.running_in_thread() as served:
        assert_type(served, Emulator)
        assert_type(served.base_url, str)


async def emulators_in_the_loop() -> None:
    """It is served in the running loop, too, which may be one of virtual time."""
    async with Emulator(time_scale=60) as emulator:
        assert_type(emulator, Emulator)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert_type(runner.run(asyncio.sleep(60, "slept")), str)


async def mistakes(luma: LumaClient, one: Generation) -> None:
    """A mistake is an error in the editor."""
    await luma.create("a", aspect_ratio="2:1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await luma.create("a", "16:9")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await luma.create("a", loop=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await luma.create()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await luma.create(Order("a"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await luma.extend(one)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await luma.submit("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await luma.submit(Order("a"), recorder=print)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await luma.wait_until_done(one, 60)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await luma.wait_until_done(7)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await luma.download(one)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await luma.download(one, b"a.mp4")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    one.state = "completed"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    str(one.video.url)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]


async def mistaken_settings() -> None:
    """Settings are given by name, and of the right kind."""
    Limits(8)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Limits(requests=8)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Timeouts(paid="60")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Order("a", "16:9")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Order("a", aspect_ratio="2:1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    LumaClient("key", "http://127.0.0.1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    LumaClient(timeout=60)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    LumaClient(timeouts=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    LumaClient(lambda: 7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Fault(route="poll")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Fault(drop="never")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Emulator("127.0.0.1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def mistaken_awaits(luma: LumaClient) -> None:
    """What is awaited and what is iterated over are told apart, and nothing is forgotten."""
    luma.create("a")  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
    await luma.statistics()  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    await luma.generate_many(["a"])  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    async for _ in luma.wait_until_done(["id"]):  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        pass
    for _ in luma.watch("id"):  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        pass
    with LumaClient():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
