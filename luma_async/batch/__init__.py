"""Durable batches: orders in, videos out, nothing paid twice."""

from luma_async.batch.account_list import Lookout
from luma_async.batch.batch import Batch
from luma_async.batch.ledger.interface import Ledger
from luma_async.batch.ledger.sansio.record import Book, NewOrder, OrderState, Record, Run
from luma_async.batch.ledger.sansio.transitions import OnUnknown
from luma_async.batch.options import BatchOptions
from luma_async.batch.order_run import BatchOutcome, run_unit
from luma_async.batch.status import BatchStatus, HeldOrder

__all__ = [
    "Batch",
    "BatchOptions",
    "BatchOutcome",
    "BatchStatus",
    "Book",
    "HeldOrder",
    "Ledger",
    "Lookout",
    "NewOrder",
    "OnUnknown",
    "OrderState",
    "Record",
    "Run",
    "run_unit",
]
