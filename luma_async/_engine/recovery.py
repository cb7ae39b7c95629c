"""Looking in the account's list for an order whose answer was lost, outside of any batch."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import anyio
from attrs import evolve

from luma_async._engine.engine import Engine
from luma_async._payments.sansio.receipt import Receipt
from luma_async._payments.sansio.reconciliation import candidates, reconcile
from luma_async._payments.submitter import unknown_receipt
from luma_async.errors import SubmissionUnknownError
from luma_async.models import Generation, GenerationSummary

_TOLERANCE = timedelta(seconds=10.0)
_SOUGHT = "sought"


async def search(engine: Engine, error: SubmissionUnknownError, list_delay: float) -> Generation:
    """Return the generation that an order became.

    Raises:
        SubmissionUnknownError: The same error, with a note that says what is in doubt.
        LumaError: The service could not be asked.
    """
    unknown = evolve(unknown_receipt(error.order, error.sent_at), order_id=_SOUGHT)
    for receipt in engine.submitter.receipts:
        if _is_same(receipt, unknown):
            # It was found before.
            return await engine.get(receipt.order_id)
    since = (datetime.now(UTC) - error.sent_at).total_seconds()
    # The clock may have been set meanwhile.
    await anyio.sleep(min(max(list_delay - since, 0.0), list_delay))
    listed = await engine.list_generations()
    receipts = engine.submitter.receipts
    claimed = {one.generation_id for one in receipts}
    ids = candidates(error.order.user_prompt, claimed, listed)
    latest = [one.order_id for one in receipts if not one.adopted][-1:]
    found = await engine.get_many([*ids, *latest])
    # From here on nothing is waited for: another search may have taken one of them meanwhile.
    rivals = _sent_meanwhile(unknown, engine.submitter.unknown, engine.timeouts.paid)
    others = _made_at_another_time(listed, found, receipts, error.sent_at, engine.timeouts.paid)
    verdict = reconcile(
        # Of orders that differ in nothing, the one looked for is given what there is.
        [*receipts, unknown, *rivals],
        listed,
        with_baseline={1},
        seen=dict.fromkeys(others, 1),
    )
    generation_id = verdict.found.get(_SOUGHT)
    if generation_id is None:
        why = verdict.doubts.get(_SOUGHT, "the account's list does not show it")
        looked = ""
        if ids:
            which = ", ".join(ids)
            looked = f" It may be {which}: compare prompt and time, and wait for it if it is yours."
        error.add_note(f"Looked for in the account's list: {why}.{looked}")
        raise error
    engine.submitter.add_receipt(error.order, generation_id, found_for=error.sent_at)
    for one in [one for one in engine.submitter.unknown if _is_same(one, unknown)]:
        engine.submitter.unknown.remove(one)
    return found[generation_id]


def _is_same(one: Receipt, other: Receipt) -> bool:
    return (one.order, one.sent_at) == (other.order, other.sent_at)


def _sent_meanwhile(
    unknown: Receipt, others: Sequence[Receipt], paid_timeout: float
) -> list[Receipt]:
    """Return the other orders of that prompt and unknown outcome that were on their way as well."""
    reach = timedelta(seconds=paid_timeout) + 2 * _TOLERANCE
    return [
        evolve(one, order_id=f"{_SOUGHT} too: {index}")
        for index, one in enumerate(others)
        if one.order.user_prompt == unknown.order.user_prompt
        and not _is_same(one, unknown)
        and one.sent_at is not None
        and unknown.sent_at is not None
        and abs(one.sent_at - unknown.sent_at) <= reach
    ]


def _made_at_another_time(
    listed: Sequence[GenerationSummary],
    found: dict[str, Generation],
    receipts: Sequence[Receipt],
    sent_at: datetime,
    paid_timeout: float,
) -> list[str]:
    """Name the generations that were not made while the order was on its way.

    The service's clock is compared with ours by the latest order that it accepted.
    """
    ahead = timedelta()
    for receipt in receipts:
        made = found.get(receipt.order_id)
        if made is not None and made.created_at is not None and receipt.submitted_at is not None:
            ahead = made.created_at - receipt.submitted_at
    earliest = sent_at + ahead - _TOLERANCE
    latest = sent_at + ahead + timedelta(seconds=paid_timeout) + _TOLERANCE
    others = []
    for one in listed:
        made = found.get(one.id)
        if made is None or made.created_at is None or not earliest <= made.created_at <= latest:
            others.append(one.id)
    return others
