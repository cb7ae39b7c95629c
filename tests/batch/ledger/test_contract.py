"""What every store of a ledger has to keep to, whichever it is."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from attrs import evolve

from luma_async.batch.ledger.interface import Ledger
from luma_async.batch.ledger.sansio.record import Record, Run
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.batch.ledger.sqlite import SqliteLedger
from luma_async.errors import LedgerError
from luma_async.models import Order
from tests.support.memory_ledger import MemoryLedger

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left_behind")]

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
FOX = Record(order_id="fox", number=1, order=Order("A fox"))
FULL = Record(
    order_id="hare",
    number=2,
    order=Order(
        "A h\u00e4re\nwith \u2028 and \U0001f98a",
        aspect_ratio="9:21",
        expand_prompt=False,
        image_url="https://example.org/a.png",
        image_end_url="https://example.org/b.png",
        extends="g-0",
    ),
    source="prompts.txt:7",
    state="done",
    attempts=3,
    run=1,
    tokens=500_000,
    generation_id="g-1",
    adopted=True,
    reason="none",
    sent_at=AT,
    unknown_at=AT,
    submitted_at=AT,
    completed_at=AT,
    done_at=AT,
    file="videos/0002-g-1.mp4",
    size=2**40,
    sha256="ab" * 32,
)


@pytest.fixture(params=["sqlite", "memory"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Open one store after the other."""
    if request.param == "memory":
        yield MemoryLedger()
        return
    async with aclosing(SqliteLedger(tmp_path / "orders.sqlite")) as ledger:
        await ledger.open(lambda salt: "account")
        yield ledger


async def put(ledger: Ledger, *records: Record) -> None:
    """Write some records."""

    def write(transaction: LedgerTransaction) -> None:
        for record in records:
            transaction.write(record)

    await ledger.transact(write, name="test")


async def records(ledger: Ledger) -> list[Record]:
    """Read all records."""
    return await ledger.transact(lambda transaction: transaction.records(), name="read")


async def count(ledger: Ledger) -> int:
    """Read what `increment` has counted."""
    return (await records(ledger))[0].attempts


def increment(transaction: LedgerTransaction) -> int:
    """Read and write, so that a transaction that is not alone loses something."""
    (record,) = transaction.records()
    transaction.write(evolve(record, attempts=record.attempts + 1))
    return record.attempts + 1


async def test_a_new_ledger_is_empty(ledger: Ledger) -> None:
    """Nothing is known, and nothing was spent."""

    def look(transaction: LedgerTransaction) -> list[object]:
        return [
            transaction.find("fox"),
            transaction.holder("g-1"),
            transaction.records(),
            transaction.spent(),
            transaction.runs(),
        ]

    assert [None, None, [], 0, []] == await ledger.transact(look, name="look")
    assert {} == await ledger.transact(lambda transaction: transaction.seen(), name="look")


async def test_a_record_comes_back_as_it_was(ledger: Ledger) -> None:
    """Each field is kept to the microsecond and to the last character."""
    await ledger.transact(lambda transaction: transaction.write_run(Run(number=1)), name="run")
    await put(ledger, FOX, FULL)
    assert [FOX, FULL] == await records(ledger)
    assert FULL == await ledger.transact(lambda transaction: transaction.find("hare"), name="find")
    assert FULL == await ledger.transact(lambda transaction: transaction.holder("g-1"), name="find")
    assert None is await ledger.transact(lambda transaction: transaction.holder("g-0"), name="find")


async def test_records_are_in_the_order_of_their_numbers(ledger: Ledger) -> None:
    """However they were written."""
    some = [evolve(FOX, order_id=f"fox {number}", number=number) for number in (3, 10, 1, 2)]
    await put(ledger, *some)
    await put(ledger, evolve(some[2], reason="later"))
    assert [1, 2, 3, 10] == [record.number for record in await records(ledger)]


async def test_writing_replaces(ledger: Ledger) -> None:
    """The newest record of an order is the one that counts."""
    await put(ledger, FOX)
    changed = evolve(FOX, state="submitted", generation_id="g-7", tokens=5, sent_at=AT)
    await put(ledger, changed, evolve(changed, generation_id="g-8"))
    assert [evolve(changed, generation_id="g-8")] == await records(ledger)
    assert None is await ledger.transact(lambda transaction: transaction.holder("g-7"), name="find")


async def test_what_was_spent_is_the_sum(ledger: Ledger) -> None:
    """The tokens of each order count, whatever became of it."""
    await put(ledger, evolve(FOX, tokens=3), evolve(FOX, order_id="b", number=2, tokens=2**40))
    assert 2**40 + 3 == await ledger.transact(lambda transaction: transaction.spent(), name="spent")


async def test_runs_are_kept_in_their_order(ledger: Ledger) -> None:
    """A run that got its baseline takes the place of what it was before."""

    def work(transaction: LedgerTransaction) -> list[Run]:
        for run in (Run(number=2), Run(number=1), Run(number=1, has_baseline=True)):
            transaction.write_run(run)
        return transaction.runs()

    assert [Run(number=1, has_baseline=True), Run(number=2)] == await ledger.transact(
        work, name="run"
    )


async def test_a_generation_is_of_the_run_that_saw_it_first(ledger: Ledger) -> None:
    """Seen again it stays what it was."""

    def work(transaction: LedgerTransaction) -> None:
        transaction.write_run(Run(number=1))
        transaction.write_run(Run(number=2))
        transaction.see(["g-1", "g-2"], 1)
        transaction.see(iter(["g-2", "g-3"]), 2)

    await ledger.transact(work, name="see")
    seen = await ledger.transact(lambda transaction: dict(transaction.seen()), name="look")
    assert {"g-1": 1, "g-2": 1, "g-3": 2} == seen


async def test_a_transaction_sees_what_it_has_done_itself(ledger: Ledger) -> None:
    """Rules build on each other within one."""

    def work(transaction: LedgerTransaction) -> tuple[Record | None, int]:
        transaction.write(evolve(FOX, tokens=7, generation_id="g-1"))
        return transaction.holder("g-1"), transaction.spent()

    found, spent = await ledger.transact(work, name="test")
    assert ("fox", 7) == (found and found.order_id, spent)


async def test_what_raises_is_undone(ledger: Ledger) -> None:
    """Of all that a transaction did nothing is left, and its error is the caller's."""
    await put(ledger, FOX)

    def work(transaction: LedgerTransaction) -> None:
        transaction.write(evolve(FOX, tokens=7))
        transaction.write(evolve(FOX, order_id="b", number=2))
        transaction.write_run(Run(number=1))
        transaction.see(["g-1"], 1)
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        await ledger.transact(work, name="test")
    assert [FOX] == await records(ledger)
    left = await ledger.transact(
        lambda transaction: (transaction.runs(), dict(transaction.seen())), name="look"
    )
    assert ([], {}) == left
    await put(ledger, evolve(FOX, tokens=8))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(evolve(FOX, number=2), id="of one name"),
        pytest.param(evolve(FULL, run=None), id="s23 of one generation"),
    ],
)
async def test_two_records_cannot_be_taken_for_each_other(ledger: Ledger, other: Record) -> None:
    """The second one is refused, with all that came along with it."""
    await put(ledger, evolve(FOX, generation_id="g-1"))
    with pytest.raises(LedgerError):
        await put(ledger, evolve(FOX, order_id="third", number=3), other)
    assert [evolve(FOX, generation_id="g-1")] == await records(ledger)


async def test_transactions_are_serial(ledger: Ledger) -> None:
    """Fifty tasks count to fifty together, and each has a number of its own."""
    await put(ledger, FOX)
    numbers = await asyncio.gather(*(ledger.transact(increment, name="test") for _ in range(50)))
    assert list(range(1, 51)) == sorted(numbers)
    assert 50 == await count(ledger)


async def test_p34_a_cancelled_caller_does_not_undo_it(ledger: Ledger) -> None:
    """The work is done once and wholly, and the caller is cancelled behind it."""
    await put(ledger, FOX)
    tasks = [asyncio.ensure_future(ledger.transact(increment, name="test")) for _ in range(5)]
    await asyncio.sleep(0)
    for _ in range(2):
        for task in tasks:
            task.cancel("mine")
        await asyncio.sleep(0)
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [asyncio.CancelledError] * 5 == [type(one) for one in done]
    assert 5 == await count(ledger)


async def test_p36_a_cancelled_scope_does_not_undo_it(ledger: Ledger) -> None:
    """A time limit that is over, before or meanwhile, leaves nothing by halves."""
    await put(ledger, FOX)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await ledger.transact(increment, name="test")
    assert 1 == await count(ledger)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: ledger.transact(increment, name="test"))
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert 2 == await count(ledger)


async def test_p34_work_that_fails_behind_a_cancelled_caller_is_undone(ledger: Ledger) -> None:
    """Nobody is left to hear of the error, and nothing is left of the work."""
    await put(ledger, FOX)

    def work(transaction: LedgerTransaction) -> None:
        transaction.write(evolve(FOX, tokens=7))
        raise ZeroDivisionError

    task = asyncio.ensure_future(ledger.transact(work, name="test"))
    await asyncio.sleep(0)
    task.cancel()
    assert [True] == [
        isinstance(one, asyncio.CancelledError)
        for one in await asyncio.gather(task, return_exceptions=True)
    ]
    assert [FOX] == await records(ledger)


async def test_sqlite_works_in_a_thread_of_its_own(tmp_path: Path) -> None:
    """Always in the same one, and never in that of the event loop."""
    async with aclosing(SqliteLedger(tmp_path / "orders.sqlite")) as ledger:
        await ledger.open(lambda salt: "account")
        names = {
            await ledger.transact(lambda transaction: threading.get_ident(), name="test")
            for _ in range(5)
        }
    assert 1 == len(names)
    assert threading.get_ident() not in names
