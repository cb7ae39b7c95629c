"""What is known of the orders and runs of a batch."""

from datetime import datetime
from typing import Literal

from attrs import field, frozen

from luma_async.models import Order

OrderState = Literal[
    "planned",
    "submitting",
    "submitted",
    "completed",
    "downloading",
    "done",
    "rejected",
    "failed",
    "unknown",
]
"""How far an order is."""


@frozen(kw_only=True)
class Record:
    """The state of one order of a batch.

    Attributes:
        order_id: Its id in the batch: the caller's own, or one derived from what is ordered.
        number: Its position in the batch, from 1.
        order: What is ordered.
        source: Where it comes from, as in ``"prompts.txt:7"``.
        state: How far it is.
        attempts: How often it was sent, or may have been.
        run: The run of the batch in which it was last sent; None before.
        tokens: What was paid for it, or may have been.
        generation_id: The id of the generation that it became.
        adopted: Whether the generation was found in the account's list, as the answer was lost.
        reason: Why there is no video, or none yet.
        sent_at: When it was last sent, or was about to be.
        unknown_at: When its outcome became unknown.
        submitted_at: When its generation became known.
        completed_at: When the service had made the video.
        done_at: When the file was complete.
        file: The file, relative to the folder of the batch.
        size: The size of the file in bytes.
        sha256: The SHA-256 of the file in hexadecimal digits.
    """

    order_id: str
    number: int
    order: Order
    source: str | None = None
    state: OrderState = "planned"
    attempts: int = 0
    run: int | None = None
    tokens: int = 0
    generation_id: str | None = None
    adopted: bool = False
    reason: str | None = None
    sent_at: datetime | None = None
    unknown_at: datetime | None = None
    submitted_at: datetime | None = None
    completed_at: datetime | None = None
    done_at: datetime | None = None
    file: str | None = None
    size: int | None = None
    sha256: str | None = None

    @property
    def may_be_paid(self) -> bool:
        """Whether it may have been paid without a known generation; `Batch.review` helps then."""
        dismissed = self.state == "rejected" and self.tokens > 0
        return self.state in ("submitting", "unknown") or dismissed

    @property
    def is_final(self) -> bool:
        """Whether a run has nothing more to do for it."""
        return self.state in ("done", "rejected", "failed")


@frozen(kw_only=True)
class Run:
    """One run of a batch.

    Attributes:
        number: The first is 1.
        has_baseline: Whether the account was listed before anything was sent.
    """

    number: int
    has_baseline: bool = False


@frozen
class NewOrder:
    """An order to be added to a batch.

    Attributes:
        order: What is ordered.
        source: Where it comes from, as in ``"prompts.txt:7"``.
        order_id: The caller's own id for it; None derives one from what is ordered.
    """

    order: Order
    source: str | None = None
    order_id: str | None = field(default=None, kw_only=True)
