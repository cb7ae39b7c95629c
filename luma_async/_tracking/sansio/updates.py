"""What those who wait for generations receive."""

from collections.abc import Iterable
from copy import copy

from attrs import define, field, frozen

from luma_async._api.sansio.retry import Attempts, is_transient
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


@frozen
class Ended:
    """The end of a generation that somebody waited for, for logs and metrics.

    Attributes:
        id: Which one.
        result: The generation, or why it will not be waited for any longer.
        delay: The seconds since its end, as far as they can be estimated.
    """

    id: str
    result: Generation | LumaError
    delay: float | None


def _ordered(ids: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(ids)


@define(eq=False)
class Subscriber:
    """One call that waits for some generations to end, or for a snapshot of them.

    Attributes:
        pending: The ids whose last update has not been delivered, in the order asked.
        every_change: Whether it wants changes before the end as well.
        attempts: Set for a snapshot, which ends with the next response for each id, whatever the
            state. It survives no more failures than any other free request.
        inbox: The updates that were delivered and not received.
        failure: Why the wait as a whole has failed; the inbox comes first.
    """

    pending: dict[str, None] = field(converter=_ordered)
    every_change: bool = field(default=False, kw_only=True)
    attempts: Attempts | None = field(default=None, kw_only=True)
    inbox: list[Update] = field(factory=list, init=False)
    failure: LumaError | None = field(default=None, init=False)
    _failed_at: float = field(default=float("-inf"), init=False)

    def deliver(self, update: Update, *, is_last: bool = False) -> None:
        """Take an update; the last one ends the wait for its id."""
        if is_last:
            self.pending.pop(update.id, None)
        self.inbox.append(update)
        self.wake_up()

    def fail(self, error: LumaError) -> None:
        """End the wait as a whole."""
        self.failure = own(error)
        self.wake_up()

    def request_failed(self, error: LumaError, *, asked_at: float, now: float) -> None:
        """Count a request that failed; those that were under way together count once."""
        if self.attempts is None or asked_at < self._failed_at:
            return
        self._failed_at = now
        if not is_transient(error) or self.attempts.delay_after(error, now) is None:
            self.fail(error)

    def wake_up(self) -> None:
        """Let the call go on: something has come."""


def own(error: LumaError) -> LumaError:
    """Copy an error for one of many who will raise it.

    Raising writes into an error; shared, it would keep the frames of all who did.
    """
    copied = copy(error)
    copied.__cause__ = error.__cause__
    return copied
