"""Finds out from the account's list what became of an order whose outcome is unknown."""

from collections.abc import Sequence
from datetime import datetime

from luma_async._payments.sansio.receipt import Receipt
from luma_async._payments.sansio.reconciliation import reconcile
from luma_async.batch.ledger.sansio.record import Record
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.batch.ledger.sansio.transitions import GIVEN_TWICE, accept, get_record, set_reason
from luma_async.models import GenerationSummary

_LOOKED_FOR = "; looked for: "


def resolve_unknown(
    transaction: LedgerTransaction,
    order_id: str,
    listed: Sequence[GenerationSummary],
    *,
    at: datetime,
) -> tuple[Record, bool]:
    """Adopt the generation that an unknown order became, if there is no doubt.

    Returns:
        Its record, and whether it is certain that the order was not accepted.
    """
    record = get_record(transaction, order_id)
    if record.state != "unknown":
        return record, False
    verdict = reconcile(
        [receipt_of(one) for one in transaction.records()],
        listed,
        with_baseline=frozenset(run.number for run in transaction.runs() if run.has_baseline),
        seen=transaction.seen(),
    )
    if (found := verdict.found.get(order_id)) is not None:
        return accept(transaction, order_id, found, at=at, adopted=True), False
    why = verdict.doubts.get(order_id, "it is not in the account's list")
    record = set_reason(transaction, order_id, add_search_result(record, why))
    return record, order_id in verdict.absent


def add_search_result(record: Record, why: str) -> str:
    """Return the reason of an unknown order with the result of the last search in the list."""
    return f"{(record.reason or '').partition(_LOOKED_FOR)[0]}{_LOOKED_FOR}{why}"


def receipt_of(record: Record) -> Receipt:
    """Return the payment part of a record."""
    is_open = record.state in ("submitting", "unknown")
    was_lost = record.generation_id is None or record.attempts > 1
    return Receipt(
        order_id=record.order_id,
        order=record.order,
        state=record.state if is_open else "known",  # type: ignore[arg-type]  # one of the two
        generation_id=record.generation_id,
        adopted=record.adopted,
        run=record.run,
        sent_at=record.sent_at,
        unknown_at=record.unknown_at,
        submitted_at=record.submitted_at,
        may_be_lost=record.state == "unknown" or (record.tokens > 0 and was_lost),
        id_clashed=(record.reason or "").startswith(GIVEN_TWICE),
    )
