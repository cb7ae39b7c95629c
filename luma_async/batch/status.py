"""The status of a whole batch."""

from collections import Counter
from collections.abc import Iterable, Mapping

from attrs import frozen

from luma_async.batch.ledger.sansio.record import OrderState, Record
from luma_async.settings import Budget


@frozen(kw_only=True)
class BatchStatus:
    """How far a batch is.

    Attributes:
        counts: How many orders there are of each state.
        tokens: What was paid, or may have been.
        budget: What may be spent in all; None without a limit.
        to_pay: The tokens that the planned orders will cost.
    """

    counts: Mapping[OrderState, int]
    tokens: int
    budget: int | None
    to_pay: int

    @property
    def orders(self) -> int:
        """The number of all orders."""
        return sum(self.counts.values())

    @property
    def is_finished(self) -> bool:
        """Whether every video is on disk."""
        return self.counts.get("done", 0) == self.orders


@frozen(kw_only=True)
class HeldOrder:
    """An order that may have been paid, and the generations of the account that it may be."""

    record: Record
    candidates: tuple[str, ...]


def status_of(records: Iterable[Record], budget: Budget) -> BatchStatus:
    """Count orders, and what they cost."""
    records = list(records)
    counts = Counter(record.state for record in records)
    return BatchStatus(
        counts=counts,
        tokens=sum(record.tokens for record in records),
        budget=budget.tokens,
        to_pay=counts["planned"] * budget.per_create,
    )
