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
def transaction() -> Iterator[SqliteTransaction]:
    """Three orders, of which two are equal, and a run that begins in an empty account."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(
        resources.files("luma_async.batch.ledger").joinpath("schema.sql").read_text()
    )
    transaction = SqliteTransaction(connection)
    rules.plan(
        transaction,
        [
            NewOrder(FOX, order_id="first"),
            NewOrder(FOX, order_id="second"),
            NewOrder(OTHER, order_id="other"),
        ],
    )
    begin_run(transaction)
    yield transaction
    connection.close()


def begin_run(transaction: SqliteTransaction, *listed: str) -> None:
    """Begin a run in an account in which the list shows these."""
    rules.set_baseline(transaction, rules.begin_run(transaction), listed)


def at(seconds: float) -> datetime:
    """Return a moment of the day of these tests."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def send(transaction: SqliteTransaction, name: str, seconds: float) -> None:
    """Note that an order is sent."""
    rules.mark_submitting(transaction, name, at=at(seconds), price=500_000, budget=None)


def shown(**prompts: str) -> list[GenerationSummary]:
    """Return a list of the account."""
    return [GenerationSummary(id=name, prompt=prompt) for name, prompt in prompts.items()]


def test_no_order_is_sent_again_while_the_list_may_hide_that_of_an_equal_one(
    transaction: SqliteTransaction,
) -> None:
    """Two of my equal orders are paid, the list is late with one, and neither is paid again."""
    send(transaction, "first", -5)
    begin_run(transaction)
    rules.mark_unknown(transaction, "first", reason="the program ended", at=at(0))
    send(transaction, "other", 4)
    rules.accept(transaction, "other", "of-other", at=at(5))
    send(transaction, "second", 55)
    rules.mark_unknown(transaction, "second", reason="the connection broke", at=at(57))
    # What became of the second is not listed yet; what became of the first may be the second's.
    listed = shown(**{"of-other": OTHER.user_prompt, "of-first": FOX.user_prompt})
    _, is_absent = resolve_unknown(transaction, "first", listed, at=at(60))
    assert not is_absent
    rules.accept(transaction, "second", "of-first", at=at(117), adopted=True)
    listed += shown(**{"of-second": FOX.user_prompt})
    record, _ = resolve_unknown(transaction, "first", listed, at=at(120))
    assert "of-second" == record.generation_id


def test_a_failed_generation_that_is_paid_anew_is_not_taken_for_an_equal_order(
    transaction: SqliteTransaction,
) -> None:
    """The failed video of an order that I retried does not become another order's of mine."""
    for name in ("first", "second", "other"):
        send(transaction, name, 0)
    rules.accept(transaction, "first", "failed-one", at=at(1))
    rules.fail(transaction, "first", reason="no reason given", at=at(5))
    rules.mark_unknown(transaction, "second", reason="the connection broke", at=at(2))
    rules.accept(transaction, "other", "of-other", at=at(3))
    rules.retry(transaction, ["first"])
    begin_run(transaction, "failed-one", "of-other")
    listed = shown(**{"failed-one": FOX.user_prompt, "of-other": OTHER.user_prompt})
    record, _ = resolve_unknown(transaction, "second", listed, at=at(100))
    assert ("unknown", None) == (record.state, record.generation_id)


def test_orders_without_a_run_can_be_planned_anew(transaction: SqliteTransaction) -> None:
    """An order that failed in my task queue, which has no runs, is planned anew."""
    transaction._connection.execute("DELETE FROM runs")
    send(transaction, "first", 0)
    rules.accept(transaction, "first", "failed-one", at=at(1))
    rules.fail(transaction, "first", reason="no reason given", at=at(5))
    assert ["planned"] == [record.state for record in rules.retry(transaction, ["first"])]
    assert {} == transaction.seen()
