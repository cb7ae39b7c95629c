"""Runs one order from the plan to the file; safe to run again at any point."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
from attrs import define, field, frozen

from luma_async._downloads.mp4 import inspect_video
from luma_async._runtime.failpoints import failpoint
from luma_async._runtime.sansio.escaping import printable
from luma_async._runtime.shield import in_thread
from luma_async.batch.account_list import AccountList
from luma_async.batch.journal import Journal
from luma_async.batch.ledger.interface import Ledger
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import Record
from luma_async.batch.ledger.sansio.settlement import add_search_result, resolve_unknown
from luma_async.batch.ledger.sansio.transitions import Step
from luma_async.batch.ledger_recorder import LedgerRecorder
from luma_async.batch.options import BatchOptions
from luma_async.client import LumaClient
from luma_async.errors import (
    ClientStateError,
    DownloadError,
    GenerationFailedError,
    LumaError,
    SubmissionUnknownError,
)
from luma_async.models import Generation

LOST = "the program ended before the answer came"


@frozen
class BatchOutcome:
    """How far an order of a batch got; there is an `error` exactly if its video is not on disk.

    Attributes:
        record: Its record in the ledger.
        error: Why there is no video, or none yet.
    """

    record: Record
    error: LumaError | None = None


async def run_unit(
    order_id: str,
    ledger: Ledger,
    luma: LumaClient,
    *,
    folder: Path,
    options: BatchOptions | None = None,
    account_list: AccountList | None = None,
    changed: Callable[[Record], None] = lambda record: None,
) -> BatchOutcome:
    """Take one order as far as it gets: pay for it, wait, and download its video.

    It continues from the state in the ledger. It may be cancelled or killed at any point and run
    again, here or elsewhere, but never twice at the same time.

    Args:
        order_id: The order in the ledger.
        ledger: Where it is recorded.
        luma: An open client.
        folder: The folder of the batch, with ``videos`` in it.
        options: What to do when its outcome is unknown, and how much may be spent.
        account_list: Pass the same one to several calls to share its requests.
        changed: Called with the record after each change; it must not raise.

    Raises:
        LumaError: The order is where it was. The key, the credits, the network or the ledger would
            fail for every other order as well.
    """
    journal = Journal(ledger, [changed])
    account_list = account_list or AccountList(luma)
    options = options or BatchOptions()
    return await OrderRun(order_id, journal, luma, folder, options, account_list).run()


@define(eq=False)
class OrderRun:
    """One order in one run of a batch; see `run_unit`."""

    _order_id: str
    _journal: Journal
    _luma: LumaClient
    _folder: Path
    _options: BatchOptions
    _account_list: AccountList
    _generation: Generation | None = field(default=None, init=False)

    async def run(self) -> BatchOutcome:
        """Take one step after the other until none is left."""
        record = await self._journal.ledger.transact(
            lambda transaction: rules.get_record(transaction, self._order_id), name="get"
        )
        try:
            while (step := rules.next_step(record, self._options.on_unknown)) is not None:
                record = await _STEPS[step](self, record)
        except OrderHeld as held:
            return BatchOutcome(held.record, held.error)
        return BatchOutcome(record, _error_of(record))

    async def submit(self, record: Record) -> Record:
        """Pay for it."""
        recorder = LedgerRecorder(record, self._journal, self._options)
        failpoint("submit: before")
        try:
            self._generation = await self._luma.submit(record.order, recorder=recorder)
        except LumaError as error:
            state = recorder.record.state
            if state == "unknown" and self._options.on_unknown != "hold":
                return recorder.record
            if state not in ("rejected", "unknown"):
                raise
            raise OrderHeld(recorder.record, error) from None
        failpoint("submit: after")
        return recorder.record

    async def mark_unknown(self, record: Record) -> Record:
        """Record that its sender died before the answer came."""
        return await self._journal.update(
            "lost", rules.mark_unknown, self._order_id, reason=LOST, at=_now()
        )

    async def wait(self, record: Record) -> Record:
        """Wait for the service to make it."""
        try:
            self._generation = await self._luma.wait_until_done(
                self._target(record), timeout=self._options.timeout
            )
        except ClientStateError:
            raise
        except GenerationFailedError as error:
            failpoint("wait: failed")
            if error.generation.is_completed:
                raise await self._held(error) from None
            reason = printable(error.generation.failure_reason or "no reason given")
            failed = await self._journal.update(
                "failed", rules.fail, self._order_id, reason=reason, at=_now()
            )
            raise OrderHeld(failed, error) from None
        except LumaError as error:
            raise await self._held(error) from None
        failpoint("wait: completed")
        return await self._journal.update("completed", rules.complete, self._order_id, at=_now())

    async def download(self, record: Record) -> Record:
        """Store the video in a file."""
        file = file_name(record)
        path = self._folder / file
        await self._journal.update("downloading", rules.begin_download, self._order_id, file=file)
        try:
            # The file is a whole video or missing; the last run may have stored it.
            video = await in_thread(inspect_video, path)
            if video is None:
                await self._luma.download(self._target(record), path, overwrite=True)
                failpoint("download: stored")
                video = await in_thread(inspect_video, path)
            if video is None:
                raise DownloadError(f"{path} is no longer a whole video")
        except ClientStateError:
            raise
        except LumaError as error:
            raise await self._held(error) from None
        except OSError as error:
            raise await self._held(DownloadError(f"cannot read {path}: {error}")) from None
        failpoint("download: measured")
        return await self._journal.update(
            "done", rules.finish, self._order_id, size=video.size, sha256=video.sha256, at=_now()
        )

    async def resolve_unknown(self, record: Record) -> Record:
        """Search the account's list for it, and plan it again if that is asked for and safe."""
        proofs = []
        for pause in (self._options.list_delay_left(record, _now()), self._options.look_interval):
            await anyio.sleep(pause)
            failpoint("resolve: before list")
            try:
                listed = await self._account_list.fetch()
            except ClientStateError:
                raise
            except LumaError as error:
                raise await self._held(error, add_search_result(record, str(error))) from None
            failpoint("resolve: after list")
            record, is_absent = await self._journal.ledger.transact(
                partial(resolve_unknown, order_id=self._order_id, listed=listed, at=_now()),
                name="resolved",
            )
            self._journal.notify(record)
            if record.state != "unknown":
                return record
            proofs.append(is_absent)
        doubt = unknown_error(record)
        if all(proofs) and self._options.on_unknown == "resubmit":
            # The caller decides when it is sent again.
            reason, price = "it was not accepted", self._options.price
            record = await self._journal.update(
                "resubmit", rules.mark_planned, self._order_id, reason=reason, price=price
            )
        raise OrderHeld(record, doubt)

    def _target(self, record: Record) -> Generation | str:
        """Return the generation if it is the recorded one: the service may have reused an id."""
        known = self._generation
        if known is not None and known.id == record.generation_id:
            return known
        return record.generation_id or ""

    async def _held(self, error: LumaError, reason: str | None = None) -> "OrderHeld":
        """Record why it stays in its state."""
        record = await self._journal.update(
            "stuck", rules.set_reason, self._order_id, reason=reason or str(error)
        )
        return OrderHeld(record, error)


class OrderHeld(Exception):  # noqa: N818 - it is control flow, not a mistake
    """An order gets no further in this run."""

    def __init__(self, record: Record, error: LumaError) -> None:
        super().__init__(record, error)
        self.record = record
        self.error = error


_STEPS: Mapping[Step, Callable[[OrderRun, Record], Awaitable[Record]]] = {
    "submit": OrderRun.submit,
    "give up": OrderRun.mark_unknown,
    "wait": OrderRun.wait,
    "download": OrderRun.download,
    "resolve": OrderRun.resolve_unknown,
}


def file_name(record: Record) -> str:
    """Return the path of the file of an order, relative to the folder of its batch.

    The id is the only foreign text in it and holds no separator. Colons are not allowed in all file
    systems, and names are limited to 255 bytes.
    """
    generation_id = (record.generation_id or "").replace(":", "_")[:120]
    return f"videos/{record.number:04}-{generation_id}.mp4"


def unknown_error(record: Record) -> SubmissionUnknownError:
    """Return the error of an order whose outcome is unknown."""
    return SubmissionUnknownError(
        order=record.order,
        sent_at=record.sent_at or _now(),
        reason=record.reason or "no reason is known",
    )


def _error_of(record: Record) -> LumaError | None:
    if record.state == "done":
        return None
    if record.state == "unknown":
        return unknown_error(record)
    return LumaError(record.reason or f"the order is {record.state}")


def _now() -> datetime:
    return datetime.now(UTC)
