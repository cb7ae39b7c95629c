"""What a batch leaves to look at: ``results.jsonl`` and ``index.html``, kept up to date."""

import asyncio
import json
import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio
from attrs import define, field

from luma_async._runtime import clock, telemetry
from luma_async._runtime.failpoints import failpoint
from luma_async._runtime.shield import in_thread, run_to_completion
from luma_async.batch.gallery import page
from luma_async.batch.ledger.sansio.record import Record
from luma_async.settings import TOKENS_PER_USD

_MIN_SECONDS = 2.0
# A report that takes long to write is written more rarely: it takes 5 % of the time at most.
_PAUSE_FACTOR = 20.0


@define(eq=False)
class Report:
    """Writes the state of a batch into its folder, at most every two seconds.

    It is for people and for other programs; the ledger alone says what is so. Where it cannot be
    written, the batch goes on without.
    """

    _folder: Path
    _records: dict[str, Record] = field(factory=dict, init=False)
    _changed: anyio.Event = field(factory=anyio.Event, init=False)
    _has_failed: bool = field(default=False, init=False)
    _writing: "asyncio.Task[None]" = field(init=False)

    def note(self, record: Record) -> None:
        """Take in how far an order is; written soon."""
        self._records[record.order_id] = record
        self._changed.set()

    def start(self) -> None:
        """Write what has changed from now on."""
        self._writing = asyncio.create_task(self._keep(), name="luma_async batch report")

    async def finish(self) -> None:
        """Write everything for the last time."""
        self._writing.cancel()
        await run_to_completion(self._write_last())

    async def _write_last(self) -> None:
        await asyncio.wait([self._writing])
        await self._write(running=False)

    async def _keep(self) -> None:
        while True:
            await self._changed.wait()
            self._changed = anyio.Event()
            began = clock.now()
            await self._write(running=True)
            took = clock.now() - began
            await anyio.sleep(max(_MIN_SECONDS, _PAUSE_FACTOR * took))

    async def _write(self, *, running: bool) -> None:
        records = sorted(self._records.values(), key=lambda record: record.number)
        try:
            await in_thread(_write, self._folder, records, running=running)
        except OSError as error:
            if not self._has_failed:
                telemetry.log(
                    logging.WARNING,
                    "batch.report_failed",
                    {telemetry.FILE: str(self._folder), **telemetry.describe(error)},
                    "%s: the report cannot be written: %s",
                    self._folder,
                    error,
                )
            self._has_failed = True


def result(record: Record) -> dict[str, object]:
    """Return what ``results.jsonl`` says of an order."""
    seconds = None
    if record.completed_at is not None and record.sent_at is not None:
        seconds = round((record.completed_at - record.sent_at).total_seconds(), 1)
    return {
        "order": record.order_id,
        "number": record.number,
        "state": record.state,
        "prompt": record.order.user_prompt,
        "aspect_ratio": record.order.aspect_ratio,
        "extends": record.order.extends,
        "generation_id": record.generation_id,
        "file": record.file if record.state == "done" else None,
        "bytes": record.size,
        "sha256": record.sha256,
        "tokens": record.tokens,
        "usd": record.tokens / TOKENS_PER_USD,
        "seconds": seconds,
        "reason": record.reason,
        "source": record.source,
        "sent_at": None if record.sent_at is None else record.sent_at.isoformat(),
    }


def _write(folder: Path, records: Sequence[Record], *, running: bool) -> None:
    results = [result(record) for record in records]
    lines = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in results)
    html = page(folder.absolute().name, results, running=running, made_at=datetime.now(UTC))
    failpoint("report: before")
    _replace(folder / "results.jsonl", lines)
    failpoint("report: between")
    _replace(folder / "index.html", html)
    failpoint("report: after")


def _replace(path: Path, text: str) -> None:
    """Exchange a file in one step, so that nobody ever reads half of one."""
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    new.replace(path)
