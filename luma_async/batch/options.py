"""The options of a batch, validated."""

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
    """The options of `Batch.open`, which describes them, for `run_unit`.

    Attributes:
        on_unknown: What to do with an order whose outcome is unknown.
        max_in_flight: The generations that run at the service at once.
        budget: What the batch may spend in all its runs together.
        timeout: The seconds to wait for one video in a run; None waits without a limit.
        list_delay: The seconds after which the account's list is expected to show an order.
        look_interval: The seconds between the two requests for the list.
        outage_timeout: The seconds for which orders are held back during an outage.
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
        """The price of one order in tokens."""
        return self.budget.per_create

    def list_delay_left(self, record: Record, now: datetime) -> float:
        """Return the seconds until the list is expected to show an unknown order."""
        since = record.unknown_at or record.sent_at or now
        passed = (now - since).total_seconds()
        # The clock may have been set meanwhile, by hours.
        return min(max(self.list_delay - passed, 0.0), self.list_delay)
