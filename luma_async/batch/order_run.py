"""One order from the plan to the file: one coroutine, safe to run again at any point."""

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
from luma_async.batch.ledger.interface import Ledger
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import Record
from luma_async.batch.ledger.sansio.settlement import after_look, resolve_unknown
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
        record: What the ledger says of it.
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
    """Bring one order as far as it gets: pay for it, wait, and download its video.

    It goes on where the ledger says that the order is, so that it may be cancelled or killed at any
    point, and run again, here or elsewhere; at one place at a time, though.

    Args:
        order_id: Which order of the ledger.
        ledger: Where it is recorded.
        luma: An open client.
        folder: The folder of the batch, with ``videos`` in it.
        options: What to do when it is in doubt, and how much may be spent.
        account_list: Shared by units so that they look at the account's list together.
        changed: Called with the record after each change; it must not raise.

    Raises:
        LumaError: The order is where it was, as the key, the credits, the network or the ledger
            do not serve for any other either.
    """
    unit = _Unit(
        order_id,
        ledger,
        luma,
        folder,
        options or BatchOptions(),
        account_list or AccountList(luma),
        changed,
    )
    return await unit.run()


@define(eq=False)
class _Unit:
    _order_id: str
    _ledger: Ledger
    _luma: LumaClient
    _folder: Path
    _options: BatchOptions
    _account_list: AccountList
    _changed: Callable[[Record], None]
    _generation: Generation | None = field(default=None, init=False)

    async def run(self) -> BatchOutcome:
        """Take one step after the other until none is left."""
        record = await self._ledger.transact(
            lambda transaction: rules.get_record(transaction, self._order_id), name="look"
        )
        try:
            while (step := rules.next_step(record, self._options.on_unknown)) is not None:
                record = await _STEPS[step](self, record)
        except OrderHeld as stuck:
            return BatchOutcome(stuck.record, stuck.error)
        return BatchOutcome(record, _error_of(record))

    async def submit(self, record: Record) -> Record:
        """Pay for it."""
        recorder = LedgerRecorder(record, self._ledger, self._options, self._changed)
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
        """Note that whoever sent it died before the answer came."""
        return await self._note("lost", rules.mark_unknown, reason=LOST, at=_now())

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
                raise await self._stuck(error) from None
            reason = printable(error.generation.failure_reason or "no reason given")
            failed = await self._note("failed", rules.fail, reason=reason, at=_now())
            raise OrderHeld(failed, error) from None
        except LumaError as error:
            raise await self._stuck(error) from None
        failpoint("wait: completed")
        return await self._note("completed", rules.complete, at=_now())

    async def download(self, record: Record) -> Record:
        """Store the video in a file."""
        name = file_name(record)
        path = self._folder / name
        await self._note("downloading", rules.begin_download, file=name)
        try:
            # Under its name there is a whole video or none, which the last run may have stored.
            video = await in_thread(inspect_video, path)
            if video is None:
                await self._luma.download(self._target(record), path, overwrite=True)
                failpoint("download: stored")
                video = await in_thread(inspect_video, path)
            if video is None:
                raise DownloadError(f"{path} was there, and is no whole video any more")
        except ClientStateError:
            raise
        except LumaError as error:
            raise await self._stuck(error) from None
        except OSError as error:
            raise await self._stuck(DownloadError(f"cannot read {path}: {error}")) from None
        failpoint("download: measured")
        return await self._note(
            "done", rules.finish, size=video.size, sha256=video.sha256, at=_now()
        )

    async def resolve_unknown(self, record: Record) -> Record:
        """Find out what became of it, or pay again where that is asked for and safe."""
        proofs = []
        for pause in (self._options.list_delay_left(record, _now()), self._options.look_interval):
            await anyio.sleep(pause)
            failpoint("resolve: before list")
            try:
                listed = await self._account_list.look()
            except ClientStateError:
                raise
            except LumaError as error:
                why = after_look(record, str(error))
                held = await self._note("stuck", rules.set_reason, reason=why)
                raise OrderHeld(held, error) from None
            failpoint("resolve: after list")
            record, is_absent = await self._ledger.transact(
                partial(resolve_unknown, order_id=self._order_id, listed=listed, at=_now()),
                name="resolved",
            )
            self._changed(record)
            if record.state != "unknown":
                return record
            proofs.append(is_absent)
        doubt = unknown_error(record)
        if all(proofs) and self._options.on_unknown == "resubmit":
            # It is for the caller to say when it is sent again.
            reason, price = "it was not accepted", self._options.price
            record = await self._note("resubmit", rules.mark_planned, reason=reason, price=price)
        raise OrderHeld(record, doubt)

    def _target(self, record: Record) -> Generation | str:
        """Return what is known of the generation; the service may have given out another's id."""
        known = self._generation
        if known is not None and known.id == record.generation_id:
            return known
        return record.generation_id or ""

    async def _stuck(self, error: LumaError) -> "OrderHeld":
        """Note why it is still where it is."""
        record = await self._note("stuck", rules.set_reason, reason=str(error))
        return OrderHeld(record, error)

    async def _note(self, name: str, rule: Callable[..., Record], **attributes: object) -> Record:
        record = await self._ledger.transact(
            lambda transaction: rule(transaction, self._order_id, **attributes), name=name
        )
        self._changed(record)
        return record


class OrderHeld(Exception):  # noqa: N818 - it is control flow, not a mistake
    """An order got as far as it does in this run."""

    def __init__(self, record: Record, error: LumaError) -> None:
        super().__init__(record, error)
        self.record = record
        self.error = error


_STEPS: Mapping[Step, Callable[[_Unit, Record], Awaitable[Record]]] = {
    "submit": _Unit.submit,
    "give up": _Unit.mark_unknown,
    "wait": _Unit.wait,
    "download": _Unit.download,
    "resolve": _Unit.resolve_unknown,
}


def file_name(record: Record) -> str:
    """Name the file of an order, relative to the folder of its batch.

    It is made of nothing that a stranger has written but the id, which holds no separator; a colon
    is not allowed in names everywhere, and a name holds 255 bytes at most.
    """
    name = (record.generation_id or "").replace(":", "_")[:120]
    return f"videos/{record.number:04}-{name}.mp4"


def unknown_error(record: Record) -> SubmissionUnknownError:
    """Make the error that an unknown order stands for."""
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
