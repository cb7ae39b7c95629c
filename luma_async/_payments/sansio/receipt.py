"""What is known of one paid order, by which the account's list is judged."""

import hashlib
import json
from datetime import datetime
from typing import Literal

from attrs import asdict, frozen

from luma_async.models import Order


@frozen(kw_only=True)
class Receipt:
    """One order that was sent, or may have been.

    Attributes:
        order_id: What distinguishes it from the other orders.
        order: What is ordered.
        state: Whether it is on its way, has an unknown outcome, or neither.
        generation_id: The generation that it became; None where that is not known.
        adopted: Whether that id was found in the account's list, as the response was lost.
        run: The run of a batch that sent it last.
        sent_at: When it was sent last, or was about to be.
        unknown_at: When its outcome was found to be unknown.
        submitted_at: When its id was known.
        may_be_lost: Whether it may have become a generation that is not noted.
        id_clashed: Whether its response named the generation of another order.
    """

    order_id: str
    order: Order
    state: Literal["submitting", "unknown", "known"]
    generation_id: str | None = None
    adopted: bool = False
    run: int | None = None
    sent_at: datetime | None = None
    unknown_at: datetime | None = None
    submitted_at: datetime | None = None
    may_be_lost: bool = False
    id_clashed: bool = False


def order_digest(order: Order) -> str:
    """Return a SHA-256 of all that is ordered: equal orders have equal digests."""
    text = json.dumps(asdict(order), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
