"""Checked by mypy and pyright, never run: what editors and type checkers know of the client."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import assert_type

from luma_async import (
    Durations,
    Generation,
    GenerationSummary,
    Learned,
    Limits,
    LumaClient,
    Order,
    Outcome,
    PollPolicy,
    Statistics,
    UploadedImage,
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


async def mistakes(luma: LumaClient) -> None:
    """A wrong option is an error in the editor."""
    await luma.create("a", aspect_ratio="2:1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await luma.create("a", "16:9")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await luma.create("a", loop=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Limits(8)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
