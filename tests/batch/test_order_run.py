"""One order, from wherever it is to its video, as a task queue would run it. In virtual time."""
# ruff: noqa: ASYNC110

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PosixPath
from typing import Any, TypeVar

import anyio
import pytest

from luma_async import (
    ClientStateError,
    DownloadError,
    GenerationFailedError,
    LedgerError,
    LumaClient,
    LumaError,
    OutOfCreditsError,
    SubmissionUnknownError,
)
from luma_async.batch import BatchOptions, Ledger, NewOrder, Record, run_unit
from luma_async.batch.account_list import AccountList
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.batch.ledger.sqlite import SqliteLedger
from luma_async.emulator import Emulator, Fault
from luma_async.models import Order
from tests.support.batches import requests, studio
from tests.support.clients import posts

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left_behind")]

T = TypeVar("T")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """Open a ledger with one order in it."""
    (tmp_path / "videos").mkdir()
    async with aclosing(SqliteLedger(tmp_path / "orders.sqlite")) as ledger:
        await ledger.open(lambda _: "an account")
        order = NewOrder(Order("A fox"), order_id="fox")
        await ledger.transact(lambda transaction: rules.plan(transaction, [order]), name="add")
        yield ledger


class Deaf:
    """A ledger that dies at a transaction: it is carried out or not, and nobody hears of it."""

    def __init__(self, ledger: Ledger, name: str, *, after: bool) -> None:
        self._ledger = ledger
        self._name = name
        self._after = after

    async def transact(self, work: Callable[[LedgerTransaction], T], *, name: str) -> T:
        """Do some work, or die."""
        if name == self._name:
            if self._after:
                await self._ledger.transact(work, name=name)
            raise ZeroDivisionError
        return await self._ledger.transact(work, name=name)


async def look(ledger: Ledger) -> Record:
    """Read the one record."""
    return await ledger.transact(
        lambda transaction: rules.get_record(transaction, "fox"), name="look"
    )


STEPS = ["submitting", "submitted", "completed", "downloading", "done"]


@pytest.mark.parametrize("death", [(step, after) for step in STEPS for after in (False, True)])
async def test_it_goes_on_wherever_it_was_left(
    luma: LumaClient,
    ledger: SqliteLedger,
    emulator: Emulator,
    tmp_path: Path,
    death: tuple[str, bool],
) -> None:
    """It dies before or after each of its notes: run again it pays once, and is done once."""
    step, after = death
    go = partial(run_unit, "fox", luma=luma, folder=tmp_path)
    with pytest.raises(ZeroDivisionError):
        await go(ledger=Deaf(ledger, step, after=after))
    outcome = await go(ledger=ledger)
    if (step, after) in (("submitting", True), ("submitted", False)):
        # It may have been on its way, and nobody knows.
        assert "unknown" == outcome.record.state
        assert isinstance(outcome.error, SubmissionUnknownError)
        assert outcome == await go(ledger=ledger) or "unknown" == (await look(ledger)).state
    else:
        assert ("done", None) == (outcome.record.state, outcome.error)
        before = len(emulator.requests)
        assert outcome.record == (await go(ledger=ledger)).record
        assert before == len(emulator.requests)
    assert posts(emulator) <= 1


async def test_what_is_at_its_end_stays_there(
    luma: LumaClient, ledger: SqliteLedger, emulator: Emulator, tmp_path: Path
) -> None:
    """Rejected and failed orders say why, without a request."""
    emulator.inject(Fault(route="create", status=400))
    outcome = await run_unit("fox", ledger, luma, folder=tmp_path)
    assert ("rejected", "400") == (outcome.record.state, str(outcome.error)[5:8])
    again = await run_unit("fox", ledger, luma, folder=tmp_path)
    assert (outcome.record, str(outcome.error)) == (again.record, str(again.error))

    await ledger.transact(lambda transaction: rules.retry(transaction, ["fox"]), name="retry")
    emulator.script(None, [(5.0, "failed")])
    outcome = await run_unit("fox", ledger, luma, folder=tmp_path)
    assert isinstance(outcome.error, GenerationFailedError)
    again = await run_unit("fox", ledger, luma, folder=tmp_path)
    assert (outcome.record, LumaError) == (again.record, type(again.error))
    assert 2 == posts(emulator)


async def test_what_is_everybodys_trouble_is_raised(
    luma: LumaClient, ledger: SqliteLedger, emulator: Emulator, tmp_path: Path
) -> None:
    """Out of credits: the order stays planned, for a queue to try again."""
    emulator.inject(Fault(route="create", status=403))
    with pytest.raises(OutOfCreditsError):
        await run_unit("fox", ledger, luma, folder=tmp_path)
    record = await look(ledger)
    assert ("planned", 1, 0) == (record.state, record.attempts, record.tokens)
    assert "done" == (await run_unit("fox", ledger, luma, folder=tmp_path)).record.state


async def test_an_order_that_is_not_there_is_an_error(
    luma: LumaClient, ledger: SqliteLedger, emulator: Emulator, tmp_path: Path
) -> None:
    """Nothing is sent for a name that the ledger does not know."""
    with pytest.raises(LedgerError, match="no order 'hare'"):
        await run_unit("hare", ledger, luma, folder=tmp_path)
    assert () == emulator.requests


async def test_it_is_held_without_a_run_to_judge_by(
    luma: LumaClient, ledger: SqliteLedger, emulator: Emulator, tmp_path: Path
) -> None:
    """Nobody has listed the account before it was sent: nothing is adopted, and it says so."""
    emulator.inject(Fault(route="create", drop="after"))
    options = BatchOptions(on_unknown="resubmit")
    outcome = await run_unit("fox", ledger, luma, folder=tmp_path, options=options)
    assert "unknown" == outcome.record.state
    assert "could not be listed" in str(outcome.error)
    assert ["create", "list", "list"] == requests(emulator)


async def test_it_is_absent_and_to_be_sent_anew(
    luma: LumaClient, ledger: SqliteLedger, emulator: Emulator, tmp_path: Path
) -> None:
    """The list proves it twice: it is planned anew, and the caller says when it is sent."""
    run = await ledger.transact(rules.begin_run, name="run")
    await ledger.transact(
        lambda transaction: rules.set_baseline(transaction, run, []), name="baseline"
    )
    emulator.inject(Fault(route="create", drop="before"))
    options = BatchOptions(on_unknown="resubmit", list_delay=0.0)

    async def order_another() -> None:
        """Let the list show an order that was accepted later."""
        while posts(emulator) < 1 or (await look(ledger)).state != "unknown":
            await anyio.sleep(0.001)
        hare = NewOrder(Order("A hare"), order_id="hare")
        await ledger.transact(lambda transaction: rules.plan(transaction, [hare]), name="add")
        await run_unit("hare", ledger, luma, folder=tmp_path)

    emulator.inject(Fault(route="list", times=None, delay=3.0))
    other = asyncio.create_task(order_another())
    outcome = await run_unit("fox", ledger, luma, folder=tmp_path, options=options)
    await other
    assert ("unknown", 1) == (outcome.record.state, outcome.record.attempts)
    outcome = await run_unit("fox", ledger, luma, folder=tmp_path, options=options)
    assert ("planned", 0) == (outcome.record.state, outcome.record.tokens)
    assert isinstance(outcome.error, SubmissionUnknownError)
    outcome = await run_unit("fox", ledger, luma, folder=tmp_path, options=options)
    assert ("done", 2) == (outcome.record.state, outcome.record.attempts)


async def test_a_closed_client_is_told_at_every_step(
    emulator: Emulator, ledger: SqliteLedger, tmp_path: Path
) -> None:
    """It is a mistake of the caller, and the order stays where it is."""
    options = BatchOptions(on_unknown="reconcile", list_delay=0.0)
    go = partial(run_unit, "fox", ledger, folder=tmp_path, options=options)
    async with studio(emulator) as closed:
        pass
    at = datetime.now(UTC)
    ways: list[tuple[str, Callable[[LedgerTransaction], object]]] = [
        ("planned", lambda transaction: None),
        (
            "unknown",
            lambda transaction: (
                rules.mark_submitting(transaction, "fox", at=at, price=1, budget=None),
                rules.mark_unknown(transaction, "fox", reason="lost", at=at),
            ),
        ),
        ("submitted", lambda transaction: rules.adopt(transaction, "fox", "parent", at=at)),
        ("downloading", lambda transaction: rules.complete(transaction, "fox", at=at)),
    ]
    for state, way in ways:
        await ledger.transact(way, name="test")
        with pytest.raises(ClientStateError):
            await go(luma=closed)
        assert state == (await look(ledger)).state
    emulator.place("parent", "A fox")
    async with studio(emulator) as luma:
        assert "done" == (await go(luma=luma)).record.state


class Unreadable(PosixPath):
    """A folder on a disk that is failing."""

    def open(self, *_: Any, **__: Any) -> Any:
        """Read nothing."""
        raise OSError(5, "Input/output error")


async def test_a_disk_that_cannot_be_read_is_told(
    luma: LumaClient, ledger: SqliteLedger, emulator: Emulator, tmp_path: Path
) -> None:
    """The video is there, and it cannot be looked at: it stays paid, and is looked at again."""
    outcome = await run_unit("fox", ledger, luma, folder=Unreadable(tmp_path))
    assert "downloading" == outcome.record.state
    assert isinstance(outcome.error, DownloadError)
    assert "Input/output error" in str(outcome.error)
    assert "done" == (await run_unit("fox", ledger, luma, folder=tmp_path)).record.state
    assert 1 == posts(emulator)


class Vanishing(PosixPath):
    """A folder in which a file is gone as soon as it is looked at."""

    def is_file(self, **_: Any) -> bool:
        """Find nothing."""
        return False


async def test_a_video_that_is_removed_at_once_is_told(
    luma: LumaClient, ledger: SqliteLedger, emulator: Emulator, tmp_path: Path
) -> None:
    """Somebody takes the file away as soon as it is there: it is not noted as done."""
    outcome = await run_unit("fox", ledger, luma, folder=Vanishing(tmp_path))
    assert "downloading" == outcome.record.state
    assert "no longer a whole video" in str(outcome.error)
    assert "done" == (await run_unit("fox", ledger, luma, folder=tmp_path)).record.state
    assert 1 == posts(emulator)


async def test_those_who_look_at_the_same_time_share_one_list(
    luma: LumaClient, emulator: Emulator
) -> None:
    """Fifty orders in doubt make one request or two, and each list began after it was asked for."""
    account_list = AccountList(luma)
    emulator.inject(Fault(route="list", times=None, delay=5.0))
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(account_list.fetch)
        await anyio.sleep(1.0)
        emulator.place("late", "A fox")
        for _ in range(50):
            group.start_soon(account_list.fetch)
    assert 2 == requests(emulator).count("list")
    assert ["late"] == [one.id for one in await account_list.fetch()]
    assert 3 == requests(emulator).count("list")
