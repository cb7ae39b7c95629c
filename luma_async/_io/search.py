"""Looking in the account's list for an order whose answer was lost, outside of any batch."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import anyio

from luma_async._io.engine import Engine
from luma_async._sansio import requests
from luma_async._sansio.ledger import Record, Run
from luma_async._sansio.reconciliation import candidates, reconcile
from luma_async._sansio.responses import read_summaries
from luma_async.errors import SubmissionUnknownError
from luma_async.models import Generation, GenerationSummary

_TOLERANCE = timedelta(seconds=10.0)


async def search(engine: Engine, error: SubmissionUnknownError, settle: float) -> Generation:
    """Return the generation that an order became.

    Raises:
        SubmissionUnknownError: The same error, with a note why it cannot be told.
        LumaError: The service could not be asked.
    """
    since = (datetime.now(UTC) - error.sent_at).total_seconds()
    # The clock may have been set meanwhile.
    await anyio.sleep(min(max(settle - since, 0.0), settle))
    listed = await engine.fetcher.fetch(requests.list_all(), read_summaries)
    receipts = [*engine.submitter.receipts]
    unknown = Record(
        order_id="unknown",
        number=0,
        order=error.order,
        state="unknown",
        run=1,
        sent_at=error.sent_at,
        unknown_at=datetime.now(UTC),
    )
    names = candidates(unknown, receipts, listed)
    latest = [one.order_id for one in receipts if not one.adopted][-1:]
    found = await engine.get_many([*names, *latest])
    others = _made_at_another_time(listed, found, receipts, error.sent_at, engine.paid_timeout)
    verdict = reconcile(
        [*receipts, unknown],
        listed,
        runs=[Run(number=1, has_baseline=True)],
        seen=dict.fromkeys(others, 1),
    )
    name = verdict.found.get("unknown")
    if name is None or name not in found:
        why = verdict.doubts.get("unknown", "the account's list does not show it")
        looked = f"; it may be {', '.join(names)}" if names else ""
        error.add_note(f"Looked for in the account's list: {why}{looked}.")
        raise error
    engine.submitter.note_receipt(error.order, name, adopted=True)
    return found[name]


def _made_at_another_time(
    listed: Sequence[GenerationSummary],
    found: dict[str, Generation],
    receipts: Sequence[Record],
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
