"""Those who wait for news of generations."""

import asyncio
from collections.abc import Iterable
from copy import copy

from attrs import define, field, frozen

from luma_async._api.sansio.retry import Attempts, is_transient
from luma_async.errors import LumaError
from luma_async.models import Generation


def _ordered(ids: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(ids)


def own(error: LumaError) -> LumaError:
    """Copy an error for one of many who will raise it.

    Raising writes into an error; shared, it would keep the frames of all who did.
    """
    copied = copy(error)
    copied.__cause__ = error.__cause__
    return copied


@frozen
class Update:
    """What a listener hears of one generation.

    Attributes:
        id: Which one.
        generation: Its state; None where the service does not know it.
        error: Why it will not be waited for any longer.
    """

    id: str
    generation: Generation | None = None
    error: LumaError | None = None


@define(eq=False)
class Waiter:
    """One call that waits for some generations to end.

    Attributes:
        pending: The ids whose end it has not heard of, in the order asked.
        every_change: Whether it wants to hear of changes before the end, too.
    """

    pending: dict[str, None] = field(converter=_ordered)
    every_change: bool = False
    _inbox: list[Update] = field(factory=list, init=False)
    _failure: LumaError | None = field(default=None, init=False)
    # A bare future, as thousands wait, and each of them takes what an event does.
    _wake: "asyncio.Future[None] | None" = field(default=None, init=False)

    async def receive(self) -> Update | None:
        """Wait for the next news; None once there is none left to come.

        Raises:
            ClientStateError: The client was closed.
        """
        while not self._inbox and self.pending:
            if self._failure is not None:
                raise self._failure
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        return self.receive_nowait()

    def receive_nowait(self) -> Update | None:
        """Return news that is there already."""
        return self._inbox.pop(0) if self._inbox else None

    def tell(self, update: Update) -> None:
        """Pass on a change; the generation goes on."""
        self._inbox.append(update)
        self._wake_waiter()

    def finish(self, update: Update) -> None:
        """Pass on the last that there is to say of a generation."""
        self.pending.pop(update.id, None)
        self.tell(update)

    def fail(self, error: LumaError) -> None:
        """End the wait as a whole, once the news that came before has been heard."""
        self._failure = own(error)
        self._wake_waiter()

    def _wake_waiter(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


@define(eq=False)
class SnapshotWaiter(Waiter):
    """One call that wants the next answer for some generations, whatever their state.

    Unlike a wait it does not outlast every failure: it ends like any other free request.
    """

    _attempts: Attempts = field(kw_only=True)
    _failed_at: float = field(default=float("-inf"), init=False)

    def request_failed(self, error: LumaError, *, asked_at: float, now: float) -> None:
        """Count a request that failed; those that were under way together count once."""
        if asked_at < self._failed_at:
            return
        self._failed_at = now
        if not is_transient(error) or self._attempts.delay_after(error, now) is None:
            self.fail(error)
