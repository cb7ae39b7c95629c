"""What the record of a batch means: the life of an order, and what is left to do for it.

::

    planned ── submitting ── submitted ── completed ── downloading ── done
       ^         │  │  └──── unknown         └── failed
       └─────────┘  └─────── rejected

``submitting`` is durable before the first byte of the request leaves, and the id of the generation
before anybody sees it. So whatever moment a program dies at, each order is known to be unpaid, or
known to be paid under an id, or one of the few that were under way: those become ``unknown``.

The rules here are plain functions that work on a `LedgerTransaction` of any store.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

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
"""The states in which an order takes up a place at the service."""

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
"""Which state may follow on which; any state may also follow on itself, with another reason."""

GIVEN_TWICE = "an id given twice: "
"""How the reason of an order begins that was accepted under the id of another one."""


def next_step(record: Record, on_unknown: OnUnknown) -> Step | None:
    """Say what is to be done for an order; None if nothing is, or nothing may be."""
    match record.state:
        case "planned":
            return "submit"
        case "submitting":
            # Whoever sent it is gone: this is asked between steps only.
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

    An order without a key of its own is named by what is ordered, and by how many equal ones come
    before it among `orders`. So the same file twice adds nothing, and two equal lines are two
    orders.

    Raises:
        ConfigurationError: A key stands for something else in the ledger.
    """
    equals: Counter[str] = Counter()
    number = max((record.number for record in transaction.records()), default=0)
    added = 0
    for new in orders:
        name = new.key
        if name is None:
            digest = order_digest(new.order)
            equals[digest] += 1
            name = hashlib.sha256(f"{digest}:{equals[digest]}".encode()).hexdigest()[:16]
        known = transaction.find(name)
        if known is None:
            added += 1
            transaction.write(
                Record(order_id=name, number=number + added, order=new.order, source=new.source)
            )
        elif known.order != new.order:
            raise ConfigurationError(
                f"{new.source or 'an order'}: {name!r} stands for another order in this batch "
                f"already, that of {known.source or 'an earlier call'}"
            )
    return added


def begin_run(transaction: LedgerTransaction) -> Run:
    """Note that a run begins; what was under way when the last one died is unknown from now on."""
    runs = transaction.runs()
    run = Run(number=len(runs) + 1)
    transaction.write_run(run)
    return run


def set_baseline(transaction: LedgerTransaction, run: Run, generation_ids: Iterable[str]) -> None:
    """Note which generations are no result of what a run sends."""
    claimed = {record.generation_id for record in transaction.records()}
    known = transaction.seen()
    transaction.see(
        [name for name in generation_ids if name not in claimed and name not in known], run.number
    )
    transaction.write_run(evolve(run, has_baseline=True))


def mark_submitting(
    transaction: LedgerTransaction, order_id: str, *, at: datetime, price: int, budget: int | None
) -> Record:
    """Note that an order is about to be sent. Only when that is durable it may be.

    Raises:
        BudgetExceededError: The batch may not spend so much.
        LedgerError: The order is not to be sent.
    """
    record = _expect(transaction, order_id, "submitting")
    spent = transaction.spent()
    if budget is not None and spent + price > budget:
        raise BudgetExceededError(budget=budget, committed=spent, needed=price)
    runs = transaction.runs()
    return _write(
        transaction,
        evolve(
            record,
            state="submitting",
            attempts=record.attempts + 1,
            run=runs[-1].number if runs else None,
            tokens=record.tokens + price,
            reason=None,
            sent_at=at,
            unknown_at=None,
        ),
    )


def accept(
    transaction: LedgerTransaction,
    order_id: str,
    generation_id: str,
    *,
    at: datetime,
    adopted: bool = False,
) -> Record:
    """Note the id that the service gave an order.

    An id that belongs to another order already is taken for no answer at all: nobody knows then
    which of the two it stands for.
    """
    record = _expect(transaction, order_id, "submitted")
    other = transaction.holder(generation_id)
    if other is not None:
        clash = f"{GIVEN_TWICE}the service gave {generation_id} to order {other.number} as well"
        _write(transaction, evolve(other, reason=f"order {record.number} was given this id, too"))
        return mark_unknown(transaction, order_id, reason=clash, at=at)
    return _write(
        transaction,
        evolve(
            record,
            state="submitted",
            generation_id=generation_id,
            adopted=adopted,
            reason=None,
            submitted_at=at,
        ),
    )


def adopt(
    transaction: LedgerTransaction, order_id: str, generation_id: str, *, at: datetime
) -> Record:
    """Note what a person says that an order became, or did become after all.

    Raises:
        LedgerError: It is not in doubt, or the generation is another order's.
    """
    record = get_record(transaction, order_id)
    if (other := transaction.holder(generation_id)) is not None:
        raise LedgerError(f"{generation_id} is what order {other.number} became")
    if record.state == "submitted" and record.adopted:
        return _write(transaction, evolve(record, generation_id=generation_id, submitted_at=at))
    if record.state not in ("unknown", "submitting"):
        raise LedgerError(f"order {record.number} is {record.state}, and not in doubt")
    return accept(transaction, order_id, generation_id, at=at, adopted=True)


def mark_planned(
    transaction: LedgerTransaction, order_id: str, *, reason: str, price: int
) -> Record:
    """Note that an order was not accepted, through no fault of its own; it is still to be sent."""
    record = _expect(transaction, order_id, "planned")
    return _write(transaction, evolve(_unpaid(record, price), state="planned", reason=reason))


def reject(transaction: LedgerTransaction, order_id: str, *, reason: str, price: int) -> Record:
    """Note that the service refused an order for what it is; nothing was paid."""
    record = _expect(transaction, order_id, "rejected")
    return _write(transaction, evolve(_unpaid(record, price), state="rejected", reason=reason))


def mark_unknown(
    transaction: LedgerTransaction, order_id: str, *, reason: str, at: datetime
) -> Record:
    """Note that nobody knows what became of an order."""
    record = _expect(transaction, order_id, "unknown")
    return _write(transaction, evolve(record, state="unknown", reason=reason, unknown_at=at))


def set_reason(transaction: LedgerTransaction, order_id: str, reason: str) -> Record:
    """Note why an order is still where it is."""
    record = get_record(transaction, order_id)
    return _write(transaction, evolve(record, reason=reason))


def complete(transaction: LedgerTransaction, order_id: str, *, at: datetime) -> Record:
    """Note that a video is there."""
    record = _expect(transaction, order_id, "completed")
    return _write(transaction, evolve(record, state="completed", completed_at=at, reason=None))


def fail(transaction: LedgerTransaction, order_id: str, *, reason: str, at: datetime) -> Record:
    """Note that the service ended a generation without a video."""
    record = _expect(transaction, order_id, "failed")
    return _write(transaction, evolve(record, state="failed", reason=reason, completed_at=at))


def begin_download(transaction: LedgerTransaction, order_id: str, *, file: str) -> Record:
    """Note where the video is about to be stored."""
    record = get_record(transaction, order_id)
    if record.state != "downloading":
        record = _expect(transaction, order_id, "downloading")
    return _write(transaction, evolve(record, state="downloading", file=file))


def finish(
    transaction: LedgerTransaction, order_id: str, *, size: int, sha256: str, at: datetime
) -> Record:
    """Note that the file is there, complete and durable."""
    record = _expect(transaction, order_id, "done")
    return _write(
        transaction, evolve(record, state="done", size=size, sha256=sha256, done_at=at, reason=None)
    )


def retry(transaction: LedgerTransaction, order_ids: Iterable[str]) -> list[Record]:
    """Plan orders anew that were rejected, failed or given up. Each will be paid once more.

    Raises:
        LedgerError: One of them is in another state.
    """
    return [
        _plan_anew(transaction, _expect(transaction, order_id, "planned")) for order_id in order_ids
    ]


def dismiss(transaction: LedgerTransaction, order_id: str) -> Record:
    """Note that an unknown order is not to be looked for any more; it stays counted as paid."""
    record = _expect(transaction, order_id, "rejected")
    reason = f"dismissed; {record.reason or 'nobody knows what became of it'}"
    return _write(transaction, evolve(record, state="rejected", reason=reason))


def get_record(transaction: LedgerTransaction, order_id: str) -> Record:
    """Return the record of an order.

    Raises:
        LedgerError: There is none.
    """
    record = transaction.find(order_id)
    if record is None:
        raise LedgerError(f"there is no order {order_id!r} in this batch")
    return record


def _plan_anew(transaction: LedgerTransaction, record: Record) -> Record:
    runs = transaction.runs()
    if record.generation_id is not None and runs:
        # It was of this order, and is not to be taken for what became of an equal one.
        transaction.see([record.generation_id], runs[0].number)
    return _write(
        transaction,
        evolve(
            record,
            state="planned",
            generation_id=None,
            adopted=False,
            file=None,
            submitted_at=None,
            completed_at=None,
            unknown_at=None,
        ),
    )


def _unpaid(record: Record, price: int) -> Record:
    # The price may have been another one when it was sent.
    return evolve(record, tokens=max(record.tokens - price, 0))


def _expect(transaction: LedgerTransaction, order_id: str, state: OrderState) -> Record:
    record = get_record(transaction, order_id)
    if state not in FOLLOWING[record.state]:
        raise LedgerError(f"order {record.number} is {record.state}, and cannot become {state}")
    return record


def _write(transaction: LedgerTransaction, record: Record) -> Record:
    transaction.write(record)
    return record
