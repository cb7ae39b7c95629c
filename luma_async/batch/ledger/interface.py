"""The interface of the stores that keep the records of a batch."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from luma_async.batch.ledger.sansio.transaction import LedgerTransaction

T = TypeVar("T")


class Ledger(Protocol):
    """A store of orders with one operation, a transaction.

    `luma_async.batch.ledger.sansio.transitions` has what transactions do, for all stores.
    """

    async def transact(self, work: Callable[[LedgerTransaction], T], *, name: str) -> T:
        """Run `work` in a transaction; return when its changes are durable.

        A cancellation of the caller is raised after the transaction has ended. A store may call
        `work` again if the transaction has to be repeated.

        Args:
            work: What to do. What it raises rolls the transaction back, and is raised.
            name: Names the transaction in messages, as ``"submitted"``.

        Raises:
            LedgerError: The transaction failed and was rolled back.
        """
