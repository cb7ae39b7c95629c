"""The caller's function that hears of every change of an order."""

import logging
from collections.abc import Callable

from attrs import define, field

from luma_async._runtime import telemetry
from luma_async.batch.ledger.sansio.record import Record


@define(eq=False)
class Callback:
    """Calls it, if there is one; what it raises is logged, the first time."""

    _function: Callable[[Record], None] | None
    _has_failed: bool = field(default=False, init=False)

    def __call__(self, record: Record) -> None:
        """Tell of a change."""
        if self._function is None:
            return
        try:
            self._function(record)
        except Exception as error:  # noqa: BLE001 - a display that fails stops no paid work
            if not self._has_failed:
                telemetry.log(
                    logging.ERROR,
                    "batch.callback_failed",
                    telemetry.describe(error),
                    "on_change failed; the batch goes on, and this is said once",
                    error=error,
                )
            self._has_failed = True
