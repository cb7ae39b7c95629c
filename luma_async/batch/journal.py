"""The one way in which an order of a batch changes: in the ledger first, then for observers."""

import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from attrs import define, field

from luma_async._runtime import telemetry
from luma_async.batch.ledger.interface import Ledger
from luma_async.batch.ledger.sansio.record import Record
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction

P = ParamSpec("P")
Rule = Callable[Concatenate[LedgerTransaction, str, P], Record]
Observer = Callable[[Record], None]


@define(eq=False)
class Journal:
    """Changes orders in a ledger, and notifies observers of each change.

    Attributes:
        ledger: Where the orders are recorded.
        observers: Called with each changed record; they must not raise.
    """

    ledger: Ledger
    observers: list[Observer]
    _on_change: Observer | None = None
    _has_failed: bool = field(default=False, init=False)

    async def update(
        self, name: str, rule: Rule[P], order_id: str, /, *args: P.args, **options: P.kwargs
    ) -> Record:
        """Apply a rule to an order in a transaction of that name, and notify the observers."""
        record = await self.ledger.transact(
            lambda transaction: rule(transaction, order_id, *args, **options), name=name
        )
        self.notify(record)
        return record

    def notify(self, record: Record) -> None:
        """Call the observers, and the caller's function last; what that raises is logged once."""
        for observer in self.observers:
            observer(record)
        if self._on_change is None:
            return
        try:
            self._on_change(record)
        except Exception as error:  # noqa: BLE001 - a display that fails stops no paid work
            if not self._has_failed:
                telemetry.log(
                    logging.ERROR,
                    "batch.callback_failed",
                    telemetry.describe(error),
                    "on_change failed; the batch goes on, and later failures are not logged",
                    error=error,
                )
            self._has_failed = True
