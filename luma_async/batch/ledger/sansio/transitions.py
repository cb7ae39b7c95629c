"""The states of an order, the transitions between them, and the next step for each state.

::

    planned ── submitting ── submitted ── completed ── downloading ── done
       ^         │  │  └──── unknown         └── failed
       └─────────┘  └─────── rejected

``submitting`` is durable before the first byte of the request leaves, and the id of the generation
before any caller sees it. Whenever a program dies, each order is therefore known to be unpaid,
known to be paid under an id, or one of the few in flight: those become ``unknown``.

The rules are plain functions on a `LedgerTransaction` of any store.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from attrs import evolve

from luma_async._payments.sansio.receipt import order_digest
from luma_async.batch.ledger.sansio.record import (
    NewOrder,
    OrderState,
    Record,
    Run,
)
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.errors import BudgetExceededError, ConfigurationError, LedgerError

OnUnknown = Literal["hold", "reconcile", "resubmit"]
"""What to do with an order that may have been paid."""

Step = Literal["submit", "give up", "wait", "download", "resolve"]

AT_SERVICE: frozenset[OrderState] = frozenset({"submitting", "submitted"})
"""The states in which an order occupies a slot at the service."""

FOLLOWING: Mapping[OrderState, frozenset[OrderState]] = {
    "planned": frozenset({"submitting"}),
    "submitting": frozenset({"planned", "submitted", "rejected", "unknown"}),
    "submitted": frozenset({"completed", "failed"}),
    "completed": frozenset({"downloading"}),
    "downloading": frozenset({"done"}),
    "done": frozenset(),
    "rejected": frozenset({"planned"}),
    "failed": frozenset({"planned"}),
    "unknown": frozenset({"planned", "submitted", "rejected"}),
}
"""The states that may follow each state; each may also follow itself, with another reason."""

GIVEN_TWICE = "an id given twice: "
"""The prefix of the reason of an order that was given the id of another order."""


def next_step(record: Record, on_unknown: OnUnknown) -> Step | None:
    """Return the next step for an order; None if there is none, or none is allowed."""
    match record.state:
        case "planned":
            return "submit"
        case "submitting":
            # Its sender is gone, as this is asked between steps only.
            return "give up"
        case "unknown":
            return None if on_unknown == "hold" else "resolve"
        case "submitted":
            return "wait"
        case "completed" | "downloading":
            return "download"
    return None


def plan(transaction: LedgerTransaction, orders: Sequence[NewOrder]) -> int:
    """Add the orders that are not there yet, and return how many were added.

    An order without an id gets one derived from what is ordered, and from how many equal orders
    come before it in `orders`. So the same file twice adds nothing, and two equal lines are two
    orders.

    Raises:
        ConfigurationError: An id belongs to a different order in the ledger.
    """
    equals: Counter[str] = Counter()
    number = max((record.number for record in transaction.records()), default=0)
    added = 0
    for new in orders:
        order_id = new.order_id
        if order_id is None:
            digest = order_digest(new.order)
            equals[digest] += 1
            order_id = hashlib.sha256(f"{digest}:{equals[digest]}".encode()).hexdigest()[:16]
        known = transaction.find(order_id)
        if known is None:
            added += 1
            transaction.write(
                Record(order_id=order_id, number=number + added, order=new.order, source=new.source)
            )
        elif known.order != new.order:
            raise ConfigurationError(
                f"{new.source or 'an order'}: the id {order_id!r} belongs to another order in "
                f"this batch already, from {known.source or 'an earlier call'}"
            )
    return added


def begin_run(transaction: LedgerTransaction) -> Run:
    """Record that a run begins."""
    run = Run(number=len(transaction.runs()) + 1)
    transaction.write_run(run)
    return run


def set_baseline(transaction: LedgerTransaction, run: Run, generation_ids: Iterable[str]) -> None:
    """Record the generations that no order of this run can have become."""
    claimed = {record.generation_id for record in transaction.records()}
    known = transaction.seen()
    foreign = [one for one in generation_ids if one not in claimed and one not in known]
    transaction.see(foreign, run.number)
    transaction.write_run(evolve(run, has_baseline=True))


def mark_submitting(
    transaction: LedgerTransaction, order_id: str, *, at: datetime, price: int, budget: int | None
) -> Record:
    """Record that an order is about to be sent. It may be sent once this is durable.

    Raises:
        BudgetExceededError: The order exceeds the budget of the batch.
        LedgerError: The order cannot be sent in its state.
    """
    record = _expect(transaction, order_id, "submitting")
    spent = transaction.spent()
    if budget is not None and spent + price > budget:
        raise BudgetExceededError(budget=budget, committed=spent, needed=price)
    runs = transaction.runs()
    return _update(
        transaction,
        record,
        state="submitting",
        attempts=record.attempts + 1,
        run=runs[-1].number if runs else None,
        tokens=record.tokens + price,
        reason=None,
        sent_at=at,
        unknown_at=None,
    )


def accept(
    transaction: LedgerTransaction,
    order_id: str,
    generation_id: str,
    *,
    at: datetime,
    adopted: bool = False,
) -> Record:
    """Record the generation that an order became.

    If another order has the same generation, it cannot be known which of the two the id stands
    for, and this order becomes unknown.
    """
    record = _expect(transaction, order_id, "submitted")
    other = transaction.holder(generation_id)
    if other is not None:
        clash = f"{GIVEN_TWICE}the service gave {generation_id} to order {other.number} as well"
        _update(transaction, other, reason=f"order {record.number} was given this id, too")
        return mark_unknown(transaction, order_id, reason=clash, at=at)
    return _update(
        transaction,
        record,
        state="submitted",
        generation_id=generation_id,
        adopted=adopted,
        reason=None,
        submitted_at=at,
    )


def adopt(
    transaction: LedgerTransaction, order_id: str, generation_id: str, *, at: datetime
) -> Record:
    """Record the generation that a person assigns to an order in doubt.

    Raises:
        LedgerError: The order is not in doubt, or the generation belongs to another order.
    """
    record = get_record(transaction, order_id)
    if (other := transaction.holder(generation_id)) is not None:
        raise LedgerError(f"{generation_id} is what order {other.number} became")
    if record.state == "submitted" and record.adopted:
        return _update(transaction, record, generation_id=generation_id, submitted_at=at)
    if record.state not in ("unknown", "submitting"):
        raise LedgerError(f"order {record.number} is {record.state}, and not in doubt")
    return accept(transaction, order_id, generation_id, at=at, adopted=True)


def mark_planned(
    transaction: LedgerTransaction, order_id: str, *, reason: str, price: int
) -> Record:
    """Record that an order was not accepted and can be sent again; nothing was paid."""
    record = _expect(transaction, order_id, "planned")
    return _update(transaction, _unpaid(record, price), state="planned", reason=reason)


def reject(transaction: LedgerTransaction, order_id: str, *, reason: str, price: int) -> Record:
    """Record that the service refused an order for its content; nothing was paid."""
    record = _expect(transaction, order_id, "rejected")
    return _update(transaction, _unpaid(record, price), state="rejected", reason=reason)


def mark_unknown(
    transaction: LedgerTransaction, order_id: str, *, reason: str, at: datetime
) -> Record:
    """Record that the outcome of an order is unknown."""
    record = _expect(transaction, order_id, "unknown")
    return _update(transaction, record, state="unknown", reason=reason, unknown_at=at)


def set_reason(transaction: LedgerTransaction, order_id: str, reason: str) -> Record:
    """Record why an order stays in its state."""
    return _update(transaction, get_record(transaction, order_id), reason=reason)


def complete(transaction: LedgerTransaction, order_id: str, *, at: datetime) -> Record:
    """Record that the service has made the video."""
    record = _expect(transaction, order_id, "completed")
    return _update(transaction, record, state="completed", completed_at=at, reason=None)


def fail(transaction: LedgerTransaction, order_id: str, *, reason: str, at: datetime) -> Record:
    """Record that the service ended a generation without a video."""
    record = _expect(transaction, order_id, "failed")
    return _update(transaction, record, state="failed", reason=reason, completed_at=at)


def begin_download(transaction: LedgerTransaction, order_id: str, *, file: str) -> Record:
    """Record where the video is about to be stored."""
    record = get_record(transaction, order_id)
    if record.state != "downloading":
        record = _expect(transaction, order_id, "downloading")
    return _update(transaction, record, state="downloading", file=file)


def finish(
    transaction: LedgerTransaction, order_id: str, *, size: int, sha256: str, at: datetime
) -> Record:
    """Record that the file is complete and durable."""
    record = _expect(transaction, order_id, "done")
    return _update(
        transaction, record, state="done", size=size, sha256=sha256, done_at=at, reason=None
    )


def retry(transaction: LedgerTransaction, order_ids: Iterable[str]) -> list[Record]:
    """Plan orders again that were rejected, failed or are unknown. Each is paid once more.

    Raises:
        LedgerError: One of them is in another state.
    """
    runs, planned = transaction.runs(), []
    for order_id in order_ids:
        record = _expect(transaction, order_id, "planned")
        if record.generation_id is not None and runs:
            # It belongs to this order: an equal order must not be matched with it later.
            transaction.see([record.generation_id], runs[0].number)
        record = _update(
            transaction,
            record,
            state="planned",
            generation_id=None,
            adopted=False,
            file=None,
            submitted_at=None,
            completed_at=None,
            unknown_at=None,
        )
        planned.append(record)
    return planned


def dismiss(transaction: LedgerTransaction, order_id: str) -> Record:
    """Give up an unknown order; it stays counted as paid."""
    record = _expect(transaction, order_id, "rejected")
    reason = f"dismissed; {record.reason or 'nobody knows what became of it'}"
    return _update(transaction, record, state="rejected", reason=reason)


def get_record(transaction: LedgerTransaction, order_id: str) -> Record:
    """Return the record of an order.

    Raises:
        LedgerError: There is none.
    """
    record = transaction.find(order_id)
    if record is None:
        raise LedgerError(f"there is no order {order_id!r} in this batch")
    return record


def _unpaid(record: Record, price: int) -> Record:
    # The price may have been another one when it was sent.
    return evolve(record, tokens=max(record.tokens - price, 0))


def _expect(transaction: LedgerTransaction, order_id: str, state: OrderState) -> Record:
    record = get_record(transaction, order_id)
    if state not in FOLLOWING[record.state]:
        raise LedgerError(f"order {record.number} is {record.state}, and cannot become {state}")
    return record


def _update(transaction: LedgerTransaction, record: Record, **changes: Any) -> Record:
    record = evolve(record, **changes)
    transaction.write(record)
    return record
