"""A ledger in memory: the second store, which shows what a ledger is without SQLite."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import anyio
from attrs import define, field

from luma_async._runtime.shield import run_to_completion
from luma_async.batch.ledger.sansio.record import Record, Run
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.errors import LedgerError

T = TypeVar("T")


@define(eq=False)
class MemoryTransaction:
    """What a ledger holds; a transaction works on a copy of it."""

    _records: dict[int, Record] = field(factory=dict)
    _runs: dict[int, Run] = field(factory=dict)
    _seen: dict[str, int] = field(factory=dict)

    def find(self, order_id: str) -> Record | None:
        """Return the record of an order."""
        return next((one for one in self.records() if one.order_id == order_id), None)

    def holder(self, generation_id: str) -> Record | None:
        """Return the record that a generation belongs to."""
        return next((one for one in self.records() if one.generation_id == generation_id), None)

    def records(self) -> list[Record]:
        """Return all records by their numbers."""
        return [self._records[number] for number in sorted(self._records)]

    def write(self, record: Record) -> None:
        """Put a record in the place of the one before; no two have a name or a generation alike."""
        for one in self._records.values():
            same_name = one.order_id == record.order_id
            same_generation = record.generation_id and one.generation_id == record.generation_id
            if one.number != record.number and (same_name or same_generation):
                raise LedgerError(f"order {record.number} is not the only one")
        self._records[record.number] = record

    def spent(self) -> int:
        """Return the tokens that were paid, or may have been."""
        return sum(one.tokens for one in self._records.values())

    def runs(self) -> list[Run]:
        """Return all runs, the first one first."""
        return [self._runs[number] for number in sorted(self._runs)]

    def write_run(self, run: Run) -> None:
        """Put a run in the place of the one before, or add it."""
        self._runs[run.number] = run

    def seen(self) -> Mapping[str, int]:
        """Return the foreign generations of the account."""
        return dict(self._seen)

    def see(self, generation_ids: Iterable[str], run: int) -> None:
        """Note generations that were in the account when a run began."""
        for name in generation_ids:
            self._seen.setdefault(name, run)

    def copy(self) -> "MemoryTransaction":
        """Return what a transaction may spoil."""
        return MemoryTransaction(dict(self._records), dict(self._runs), dict(self._seen))


@define(eq=False)
class MemoryLedger:
    """A ledger that forgets everything when it goes."""

    _book: MemoryTransaction = field(factory=MemoryTransaction, init=False)
    _turn: anyio.Lock = field(factory=anyio.Lock, init=False)

    async def transact(self, work: Callable[[LedgerTransaction], T], *, name: str) -> T:
        """Do some work on a copy, and keep the copy if it went well."""
        return await run_to_completion(self._transact(work, name))

    async def _transact(self, work: Callable[[LedgerTransaction], T], name: str) -> T:
        async with self._turn:
            # A store takes a moment, in which others get their turn.
            await anyio.lowlevel.checkpoint()
            copy = self._book.copy()
            result = work(copy)
            await anyio.lowlevel.checkpoint()
            self._book = copy
            return result
