"""A disk that is full when a payment is to be noted. In virtual time."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from luma_async import LedgerError, LumaClient, LumaError
from luma_async.batch import Batch, BatchOptions, BatchOutcome, Ledger
from luma_async.batch.journal import Journal
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.batch.ledger.sqlite import SqliteLedger
from luma_async.batch.ledger.sqlite_rows import SqliteTransaction
from luma_async.batch.runner import Runner
from luma_async.emulator import Emulator, Fault
from tests.support.batches import bills_match, run, states
from tests.support.clients import posts

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left_behind")]

T = TypeVar("T")


class FullDisk:
    """A ledger whose disk is full when certain changes are to be noted."""

    def __init__(self, ledger: SqliteLedger, *names: str, times: int = 1_000_000) -> None:
        self._ledger = ledger
        self._names = names
        self._times = times

    async def transact(self, work: Callable[[LedgerTransaction], T], *, name: str) -> T:
        """Do some work; with no room for it, SQLite says so, and undoes all of it."""
        if name not in self._names or not self._times:
            return await self._ledger.transact(work, name=name)
        self._times -= 1

        def fail(transaction: LedgerTransaction) -> T:
            assert isinstance(transaction, SqliteTransaction)
            (pages,) = transaction._connection.execute("PRAGMA max_page_count = 1").fetchone()
            result = work(transaction)
            transaction._connection.execute(
                "INSERT INTO ledger VALUES ('filling', ?)", ("x" * 4096 * (pages + 1),)
            )
            return result

        try:
            return await self._ledger.transact(fail, name=name)
        finally:
            await self._ledger.transact(_make_room, name="make room")


def _make_room(transaction: LedgerTransaction) -> None:
    assert isinstance(transaction, SqliteTransaction)
    transaction._connection.execute("PRAGMA max_page_count = 1000000")


async def run_on(
    ledger: Ledger, luma: LumaClient, folder: Path, options: BatchOptions
) -> tuple[list[BatchOutcome], LumaError | None]:
    """Run a batch whose ledger it is."""
    outcomes: list[BatchOutcome] = []
    try:
        async for outcome in Runner(Journal(ledger, []), luma, folder, options).outcomes():
            outcomes.append(outcome)  # noqa: PERF401 - what came before the error is wanted
    except LumaError as error:
        return outcomes, error
    return outcomes, None


async def test_p20_nothing_is_sent_that_cannot_be_noted(
    luma: LumaClient, emulator: Emulator, tmp_path: Path
) -> None:
    """The disk is full before the first order: none leaves, and the next run sends them all."""
    async with Batch.open(tmp_path, luma) as batch:
        await batch.add(["A fox", "A hare", "A lynx"])
        full = FullDisk(batch._open_ledger(), "submitting")
        outcomes, error = await run_on(full, luma, tmp_path, BatchOptions())
        assert [] == outcomes
        assert isinstance(error, LedgerError)
        assert "disk is full" in str(error)
        assert ["planned"] * 3 == states(await batch.records())
        assert 0 == posts(emulator)
        assert ["done"] * 3 == states(await run(batch))
    assert 3 == posts(emulator)


async def test_p21_an_id_that_cannot_be_noted_is_told_loudly(
    luma: LumaClient, emulator: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk fills up while an order is paid: its id is in the log, the error, and unclaimed.

    No more is sent. The next run holds the order, and it is adopted by the id that was told.
    """
    async with Batch.open(tmp_path, luma) as batch:
        await batch.add(["A fox", "A hare", "A lynx"])
        full = FullDisk(batch._open_ledger(), "submitted")
        one = BatchOptions(max_in_flight=1)
        outcomes, error = await run_on(full, luma, tmp_path, one)
        (bill,) = emulator.ledger
        assert [] == outcomes
        assert isinstance(error, LedgerError)
        assert bill.id in str(error)
        loud = [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert 3 == len(loud)
        assert all(bill.id in record.getMessage() for record in loud)
        (unclaimed,) = luma.unclaimed()
        assert unclaimed.generation is not None
        assert bill.id == unclaimed.generation.id
        assert ["submitting", "planned", "planned"] == states(await batch.records())

        outcomes = await run(batch)
        assert {"done": 2, "unknown": 1} == Counter(states(outcomes))
        (held,) = await batch.review()
        assert (bill.id,) == held.candidates
        await batch.adopt(held.record.order_id, bill.id)
        assert ["done"] == states(await run(batch))
        assert 1_500_000 == (await batch.status()).tokens
    assert 3 == posts(emulator)


async def test_a_disk_that_is_full_for_a_moment_costs_nothing(
    luma: LumaClient, emulator: Emulator, tmp_path: Path
) -> None:
    """The second attempt to note the id succeeds: the batch goes on."""
    async with Batch.open(tmp_path, luma) as batch:
        await batch.add(["A fox", "A hare"])
        full = FullDisk(batch._open_ledger(), "submitted", times=1)
        outcomes, error = await run_on(full, luma, tmp_path, BatchOptions())
        assert (["done", "done"], None) == (states(outcomes), error)
    assert 2 == posts(emulator)


@pytest.mark.parametrize("name", ["run", "baseline", "completed", "downloading", "done", "unknown"])
async def test_a_full_disk_later_on_ends_the_run_and_loses_nothing(
    luma: LumaClient, emulator: Emulator, tmp_path: Path, name: str
) -> None:
    """Whichever change cannot be noted: with room again, the next run has the video."""
    emulator.inject(Fault(route="create", prompt="A hare", drop="after"))
    async with Batch.open(tmp_path, luma, on_unknown="reconcile") as batch:
        await batch.add(["A fox", "A hare"])
        full = FullDisk(batch._open_ledger(), name)
        _, error = await run_on(full, luma, tmp_path, BatchOptions())
        assert isinstance(error, LedgerError)
        await run(batch)
        assert (await batch.status()).is_finished
        assert bills_match(emulator, await batch.records())
    assert 2 == posts(emulator)
