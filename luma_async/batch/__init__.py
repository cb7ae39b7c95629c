"""Durable batches: orders in, videos out, nothing paid twice."""

from luma_async._io.ledger import Ledger
from luma_async._sansio.ledger import OnUnknown
from luma_async._sansio.record import NewOrder, OrderState, Record
from luma_async.batch.batch import Batch
from luma_async.batch.options import BatchOptions
from luma_async.batch.status import BatchStatus, HeldOrder
from luma_async.batch.unit import BatchOutcome, run_unit

__all__ = [
    "Batch",
    "BatchOptions",
    "BatchOutcome",
    "BatchStatus",
    "HeldOrder",
    "Ledger",
    "NewOrder",
    "OnUnknown",
    "OrderState",
    "Record",
    "run_unit",
]
