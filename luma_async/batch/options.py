"""What a batch may do, checked when it is opened."""

from datetime import datetime
from typing import get_args

from attrs import Attribute, field, frozen

from luma_async._api.sansio.validation import check_kinds, check_timeout
from luma_async.batch.ledger.sansio.record import Record
from luma_async.batch.ledger.sansio.transitions import OnUnknown
from luma_async.errors import ConfigurationError
from luma_async.settings import Budget, number


def _check_on_unknown(_: object, __: "Attribute[OnUnknown]", value: object) -> None:
    known = get_args(OnUnknown)
    if value not in known:
        raise ConfigurationError(f"on_unknown={value!r}: expected one of {', '.join(known)}")


@frozen(kw_only=True)
class BatchOptions:
    """What a batch may do.

    Attributes:
        on_unknown: What to do with an order that may have been accepted, though nobody knows.
            ``"hold"`` leaves it for a person. ``"reconcile"`` looks in the account's list, adopts
            the generation that it became where there is no doubt, and holds it otherwise.
            ``"resubmit"`` also pays again for one that the list proves twice not to be there.
        max_in_flight: The generations that run at the service at once.
        budget: What the batch may spend in all its runs together; what may have been paid counts.
        timeout: The seconds to wait for one video in a run; None waits for as long as it takes.
        list_delay: How long after an order became unknown the list is given to show it.
        look_interval: The seconds between the two looks at the list.
        outage_timeout: The seconds for which orders are held back and tried again while the service
            is out of reach or takes no more.
    """

    on_unknown: OnUnknown = field(default="hold", validator=_check_on_unknown)
    max_in_flight: int = field(default=50, validator=number(minimum=1, whole=True))
    budget: Budget = field(factory=Budget)
    timeout: float | None = field(default=3600.0)
    list_delay: float = field(default=60.0, validator=number(minimum=0.0))
    look_interval: float = field(default=10.0, validator=number(minimum=0.0))
    outage_timeout: float = field(default=600.0, validator=number(minimum=0.0))

    def __attrs_post_init__(self) -> None:
        check_timeout(self.timeout)
        check_kinds(budget=(self.budget, Budget))

    @property
    def price(self) -> int:
        """The tokens that one order costs."""
        return self.budget.per_create

    def list_delay_left(self, record: Record, now: datetime) -> float:
        """Return for how many seconds an unknown order is to be left alone still."""
        since = record.unknown_at or record.sent_at or now
        passed = (now - since).total_seconds()
        # The clock may have been set meanwhile, by hours.
        return min(max(self.list_delay - passed, 0.0), self.list_delay)
