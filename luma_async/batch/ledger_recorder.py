"""Records a paid request in the ledger before it is sent, and its outcome."""

import logging
from datetime import UTC, datetime

import anyio
from attrs import define

from luma_async._payments.sansio.circuit_breaker import ACCOUNT_ERRORS
from luma_async._runtime import telemetry
from luma_async._runtime.failpoints import failpoint
from luma_async.batch.journal import Journal
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import Record
from luma_async.batch.options import BatchOptions
from luma_async.errors import (
    APIError,
    LedgerError,
    LumaError,
    RateLimitError,
    SubmissionUnknownError,
)
from luma_async.models import Generation

_TRIES = 3
_PAUSE_SECONDS = 0.5
_TOO_EARLY = 425


@define(eq=False)
class LedgerRecorder:
    """Records one order in a ledger.

    Attributes:
        record: Its record in the ledger.
    """

    record: Record
    _journal: Journal
    _options: BatchOptions

    async def sending(self) -> None:
        """Record the intent; if that fails, or exceeds the budget, nothing is sent."""
        options = self._options
        self.record = await self._journal.update(
            "submitting",
            rules.mark_submitting,
            self.record.order_id,
            at=_now(),
            price=options.price,
            budget=options.budget.tokens,
        )

    async def sent(self, result: Generation | LumaError) -> None:
        """Record the outcome.

        Raises:
            LedgerError: It could not be recorded. The id of what was paid is in the message and the
                log; the order stays as one that may have been paid.
        """
        failpoint("answer: before it is noted")
        order_id, price, at = self.record.order_id, self._options.price, _now()
        if isinstance(result, Generation):
            self.record = await self._accept(result, at)
        elif isinstance(result, SubmissionUnknownError):
            self.record = await self._journal.update(
                "unknown", rules.mark_unknown, order_id, reason=result.reason, at=at
            )
        else:
            refuses = _refuses_the_order(result)
            self.record = await self._journal.update(
                "rejected" if refuses else "withdrawn",
                rules.reject if refuses else rules.mark_planned,
                order_id,
                reason=str(result),
                price=price,
            )

    async def _accept(self, generation: Generation, at: datetime) -> Record:
        """Record the id of what was paid, with retries in case the disk refuses."""
        order_id = self.record.order_id
        tries = _TRIES
        while True:
            tries -= 1
            try:
                return await self._journal.update(
                    "submitted", rules.accept, order_id, generation.id, at=at
                )
            except LedgerError as error:
                telemetry.log(
                    logging.CRITICAL,
                    "batch.unrecorded",
                    {telemetry.GENERATION: generation.id, "luma_async.order": order_id},
                    "order %s was accepted as generation %s and is PAID, and the ledger cannot "
                    "note it: %s. Write the id down",
                    self.record.number,
                    generation.id,
                    error,
                )
                if not tries:
                    raise LedgerError(
                        f"order {self.record.number} is paid as generation {generation.id}, and "
                        f"that could not be noted: {error}"
                    ) from None
                await anyio.sleep(_PAUSE_SECONDS)


def _refuses_the_order(error: LumaError) -> bool:
    if isinstance(error, (*ACCOUNT_ERRORS, RateLimitError)):
        return False
    return isinstance(error, APIError) and error.status != _TOO_EARLY


def _now() -> datetime:
    return datetime.now(UTC)
