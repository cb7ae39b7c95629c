"""Checked by mypy and pyright, never run: what editors and type checkers know of the client."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import assert_type

from luma_async import (
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
    Statistics,
    SubmissionUnknownError,
    UploadedImage,
)
from luma_async.batch import (
    Batch,
    BatchOutcome,
    BatchStatus,
    HeldOrder,
    Ledger,
    Record,
    run_unit,
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


async def waits(luma: LumaClient, one: Generation, many: list[Generation]) -> None:
    """One generation gives one back, many give a list."""
    assert_type(await luma.wait_until_done(one), Generation)
    assert_type(await luma.wait_until_done("id", timeout=1.5), Generation)
    assert_type(await luma.wait_until_done(many), list[Generation])
    assert_type(await luma.wait_until_done(["id", one]), list[Generation])
    assert_type(luma.as_completed(many), AsyncGenerator[Generation, None])
    assert_type(luma.watch(one), AsyncGenerator[Generation, None])
    assert_type(luma.generate_many(["a", Order("b")]), AsyncGenerator[Outcome, None])


class PrintedRecord:
    """A record of payments that anybody can write."""

    async def sending(self) -> None:
        """Record that an order is about to be sent."""

    async def sent(self, result: Generation | LumaError) -> None:
        """Record how that ended."""


async def payments(luma: LumaClient, error: SubmissionUnknownError) -> None:
    """An order as a value, with a record of its own."""
    assert_type(await luma.submit(Order("a"), recorder=PrintedRecord()), Generation)
    assert_type(await luma.reconcile(error, settle=5), Generation)


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
    outcome = await run_unit("a", ledger, luma, folder=Path("folder"))
    assert_type(outcome, BatchOutcome)
    assert_type(outcome.error, LumaError | None)
    Batch.open("folder", luma, on_unknown="guess")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def mistakes(luma: LumaClient) -> None:
    """A wrong option is an error in the editor."""
    await luma.create("a", aspect_ratio="2:1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await luma.create("a", "16:9")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await luma.create("a", loop=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Limits(8)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
