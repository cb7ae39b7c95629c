"""Writes into the ledger what becomes of a paid request, before and behind it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

import anyio
from attrs import define

from luma_async._payments.sansio.circuit_breaker import ACCOUNT_ERRORS
from luma_async._runtime import telemetry
from luma_async._runtime.failpoints import failpoint
from luma_async.batch.ledger.interface import Ledger
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import Record
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
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
        record: What the ledger says of it.
    """

    record: Record
    _ledger: Ledger
    _options: BatchOptions
    _changed: Callable[[Record], None]

    async def sending(self) -> None:
        """Note the intent; when that cannot be made durable, or is too dear, nothing is sent."""
        options, name = self._options, self.record.order_id
        await self._note(
            "submitting",
            lambda transaction: rules.mark_submitting(
                transaction, name, at=_now(), price=options.price, budget=options.budget.tokens
            ),
        )

    async def sent(self, result: Generation | LumaError) -> None:
        """Note the outcome.

        Raises:
            LedgerError: It could not be noted. The id of what was paid is in the message and the
                log; the order stays as one that may have been paid.
        """
        failpoint("answer: before it is noted")
        name, price, at = self.record.order_id, self._options.price, _now()
        if isinstance(result, Generation):
            await self._keep(result, at)
        elif isinstance(result, SubmissionUnknownError):
            await self._note(
                "unknown",
                lambda transaction: rules.mark_unknown(
                    transaction, name, reason=result.reason, at=at
                ),
            )
        else:
            refuses = _refuses_the_order(result)
            rule = rules.reject if refuses else rules.mark_planned
            reason = str(result)
            await self._note(
                "rejected" if refuses else "withdrawn",
                lambda transaction: rule(transaction, name, reason=reason, price=price),
            )

    async def _keep(self, generation: Generation, at: datetime) -> None:
        """Note an id; it is money, so that a disk that refuses is asked more than once."""
        order_id = self.record.order_id
        tries = _TRIES
        while True:
            tries -= 1
            try:
                await self._note(
                    "submitted",
                    lambda transaction: rules.accept(transaction, order_id, generation.id, at=at),
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
            else:
                return

    async def _note(self, name: str, rule: Callable[[LedgerTransaction], Record]) -> None:
        self.record = await self._ledger.transact(rule, name=name)
        self._changed(self.record)


def _refuses_the_order(error: LumaError) -> bool:
    if isinstance(error, (*ACCOUNT_ERRORS, RateLimitError)):
        return False
    return isinstance(error, APIError) and error.status != _TOO_EARLY


def _now() -> datetime:
    return datetime.now(UTC)
