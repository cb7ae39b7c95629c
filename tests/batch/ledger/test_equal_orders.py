"""Orders that are equal, of which some are in doubt: none is taken for another."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources

import pytest

from luma_async import Order
from luma_async.batch import NewOrder
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.settlement import resolve_unknown
from luma_async.batch.ledger.sqlite_rows import SqliteTransaction
from luma_async.models import GenerationSummary

FOX = Order("a red fox")
OTHER = Order("a blue fox")


@pytest.fixture
def book() -> Iterator[SqliteTransaction]:
    """Three orders, of which two are equal, and a run that begins in an empty account."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(
        resources.files("luma_async.batch.ledger").joinpath("schema.sql").read_text()
    )
    book = SqliteTransaction(connection)
    rules.plan(
        book,
        [NewOrder(FOX, key="first"), NewOrder(FOX, key="second"), NewOrder(OTHER, key="other")],
    )
    begin_run(book)
    yield book
    connection.close()


def begin_run(book: SqliteTransaction, *listed: str) -> None:
    """Begin a run in an account in which the list shows these."""
    rules.set_baseline(book, rules.begin_run(book), listed)


def at(seconds: float) -> datetime:
    """Return a moment of the day of these tests."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def send(book: SqliteTransaction, name: str, seconds: float) -> None:
    """Note that an order is sent."""
    rules.mark_submitting(book, name, at=at(seconds), price=500_000, budget=None)


def shown(**prompts: str) -> list[GenerationSummary]:
    """Return a list of the account."""
    return [GenerationSummary(id=name, prompt=prompt) for name, prompt in prompts.items()]


def test_no_order_is_sent_again_while_the_list_may_hide_that_of_an_equal_one(
    book: SqliteTransaction,
) -> None:
    """Two of my equal orders are paid, the list is late with one, and neither is paid again."""
    send(book, "first", -5)
    begin_run(book)
    rules.mark_unknown(book, "first", reason="the program ended", at=at(0))
    send(book, "other", 4)
    rules.accept(book, "other", "of-other", at=at(5))
    send(book, "second", 55)
    rules.mark_unknown(book, "second", reason="the connection broke", at=at(57))
    # What became of the second is not listed yet; what became of the first may be the second's.
    listed = shown(**{"of-other": OTHER.user_prompt, "of-first": FOX.user_prompt})
    _, is_absent = resolve_unknown(book, "first", listed, at=at(60))
    assert not is_absent
    rules.accept(book, "second", "of-first", at=at(117), adopted=True)
    listed += shown(**{"of-second": FOX.user_prompt})
    record, _ = resolve_unknown(book, "first", listed, at=at(120))
    assert "of-second" == record.generation_id


def test_a_failed_generation_that_is_paid_anew_is_not_taken_for_an_equal_order(
    book: SqliteTransaction,
) -> None:
    """The failed video of an order that I retried does not become another order's of mine."""
    for name in ("first", "second", "other"):
        send(book, name, 0)
    rules.accept(book, "first", "failed-one", at=at(1))
    rules.fail(book, "first", reason="no reason given", at=at(5))
    rules.mark_unknown(book, "second", reason="the connection broke", at=at(2))
    rules.accept(book, "other", "of-other", at=at(3))
    rules.retry(book, ["first"])
    begin_run(book, "failed-one", "of-other")
    listed = shown(**{"failed-one": FOX.user_prompt, "of-other": OTHER.user_prompt})
    record, _ = resolve_unknown(book, "second", listed, at=at(100))
    assert ("unknown", None) == (record.state, record.generation_id)


def test_orders_without_a_run_can_be_planned_anew(book: SqliteTransaction) -> None:
    """An order that failed in my task queue, which has no runs, is planned anew."""
    book._connection.execute("DELETE FROM runs")
    send(book, "first", 0)
    rules.accept(book, "first", "failed-one", at=at(1))
    rules.fail(book, "first", reason="no reason given", at=at(5))
    assert ["planned"] == [record.state for record in rules.retry(book, ["first"])]
    assert {} == book.seen()
