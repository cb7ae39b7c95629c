"""What those who wait for generations are sent."""

from copy import copy
from typing import Protocol

from attrs import frozen

from luma_async.errors import LumaError
from luma_async.models import Generation


@frozen
class Update:
    """What a subscriber learns of one generation.

    Attributes:
        id: Which one.
        generation: Its state; None where the service does not know it.
        error: Why it will not be waited for any longer.
    """

    id: str
    generation: Generation | None = None
    error: LumaError | None = None


class Subscriber(Protocol):
    """One call that wants updates of some generations."""

    @property
    def pending(self) -> dict[str, None]:
        """The ids whose last update has not been delivered, in the order asked."""

    @property
    def every_change(self) -> bool:
        """Whether it wants changes before the end as well."""

    @property
    def is_snapshot(self) -> bool:
        """Whether it wants the next response for each id, whatever the state."""

    def gives_up(self, error: LumaError, *, asked_at: float, now: float) -> bool:
        """Count a failed request; return whether a snapshot ends with this failure."""

    def deliver(self, update: Update, *, is_last: bool) -> None:
        """Take an update."""

    def fail(self, error: LumaError) -> None:
        """End the wait as a whole, after the updates that came before."""


@frozen
class Delivered:
    """An update is to be delivered to a subscriber; the last one ends its wait for that id."""

    subscriber: Subscriber
    update: Update
    is_last: bool = False


@frozen
class Failed:
    """A subscriber's wait has failed as a whole."""

    subscriber: Subscriber
    error: LumaError


@frozen
class Ended:
    """A generation that somebody waited for has ended.

    Attributes:
        id: Which one.
        result: The generation, or why it will not be waited for any longer.
        delay: The seconds since its end, as far as they can be estimated.
    """

    id: str
    result: Generation | LumaError
    delay: float | None


Event = Delivered | Failed | Ended


def own(error: LumaError) -> LumaError:
    """Copy an error for one of many who will raise it.

    Raising writes into an error; shared, it would keep the frames of all who did.
    """
    copied = copy(error)
    copied.__cause__ = error.__cause__
    return copied
