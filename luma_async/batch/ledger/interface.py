"""Where the record of a batch is kept: the seam behind which stores are exchanged."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from luma_async.batch.ledger.sansio.transaction import LedgerTransaction

T = TypeVar("T")


class Ledger(Protocol):
    """A store of orders. All of it is one operation: a transaction.

    `luma_async.batch.ledger.sansio.transitions` has what the transactions do, once for all stores.
    """

    async def transact(self, work: Callable[[LedgerTransaction], T], *, name: str) -> T:
        """Do some work on the book, wholly or not at all; return when it is durable.

        It is carried out even where the caller is cancelled meanwhile, who is cancelled afterwards.
        `work` may be called again where the store could not come to an end of it.

        Args:
            work: What to do; what it raises undoes it, and is raised.
            name: What it is for, as ``"submitted"``.

        Raises:
            LedgerError: It could not be made durable; nothing of it holds.
        """
