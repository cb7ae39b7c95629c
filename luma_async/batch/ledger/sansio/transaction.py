"""The operations on a ledger within one transaction, the same for all stores."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from luma_async.batch.ledger.sansio.record import Record, Run


class LedgerTransaction(Protocol):
    """A ledger within one transaction."""

    def find(self, order_id: str) -> Record | None:
        """Return the record of an order."""

    def holder(self, generation_id: str) -> Record | None:
        """Return the record that a generation belongs to."""

    def records(self) -> list[Record]:
        """Return all records by their numbers."""

    def write(self, record: Record) -> None:
        """Add or replace a record."""

    def spent(self) -> int:
        """Return the tokens that were paid, or may have been."""

    def runs(self) -> list[Run]:
        """Return all runs, the first one first."""

    def write_run(self, run: Run) -> None:
        """Add or replace a run."""

    def seen(self) -> Mapping[str, int]:
        """Return the generations that no order became, each with the run that first saw it."""

    def see(self, generation_ids: Iterable[str], run: int) -> None:
        """Record generations that were in the account when a run began."""
