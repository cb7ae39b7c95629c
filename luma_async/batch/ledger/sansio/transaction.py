"""What a ledger offers within one transaction, whatever it is stored in."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from luma_async.batch.ledger.sansio.record import Record, Run


class LedgerTransaction(Protocol):
    """A ledger as one transaction sees it."""

    def find(self, order_id: str) -> Record | None:
        """Return the record of an order."""

    def holder(self, generation_id: str) -> Record | None:
        """Return the record that a generation belongs to."""

    def records(self) -> list[Record]:
        """Return all records by their numbers."""

    def write(self, record: Record) -> None:
        """Put a record in the place of the one before, or add it."""

    def spent(self) -> int:
        """Return the tokens that were paid, or may have been."""

    def runs(self) -> list[Run]:
        """Return all runs, the first one first."""

    def write_run(self, run: Run) -> None:
        """Put a run in the place of the one before, or add it."""

    def seen(self) -> Mapping[str, int]:
        """Return the foreign generations of the account, each with the run that first saw it."""

    def see(self, generation_ids: Iterable[str], run: int) -> None:
        """Note generations that were in the account when a run began."""
