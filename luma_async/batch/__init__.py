"""Durable batches: orders in, videos out, nothing paid twice."""

from luma_async.batch.account_list import AccountList
from luma_async.batch.batch import Batch
from luma_async.batch.ledger.interface import Ledger
from luma_async.batch.ledger.sansio.record import (
    NewOrder,
    OrderState,
    Record,
    Run,
)
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.batch.ledger.sansio.transitions import OnUnknown
from luma_async.batch.options import BatchOptions
from luma_async.batch.order_run import BatchOutcome, run_unit
from luma_async.batch.status import BatchStatus, HeldOrder

__all__ = [
    "AccountList",
    "Batch",
    "BatchOptions",
    "BatchOutcome",
    "BatchStatus",
    "HeldOrder",
    "Ledger",
    "LedgerTransaction",
    "NewOrder",
    "OnUnknown",
    "OrderState",
    "Record",
    "Run",
    "run_unit",
]
