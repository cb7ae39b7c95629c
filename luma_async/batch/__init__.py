"""Durable batches: orders in, videos out, nothing paid twice."""

from luma_async._io.ledger import Ledger
from luma_async._sansio.ledger import OnUnknown
from luma_async._sansio.record import Book, NewOrder, OrderState, Record, Run
from luma_async.batch.batch import Batch
from luma_async.batch.lookout import Lookout
from luma_async.batch.options import BatchOptions
from luma_async.batch.status import BatchStatus, HeldOrder
from luma_async.batch.unit import BatchOutcome, run_unit

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
