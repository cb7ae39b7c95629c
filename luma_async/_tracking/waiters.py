"""Coroutines that wait for updates of generations."""

import asyncio
from collections.abc import Iterable

from attrs import define, field

from luma_async._api.sansio.retry import Attempts, is_transient
from luma_async._tracking.sansio.updates import Update, own
from luma_async.errors import LumaError


def _ordered(ids: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(ids)


@define(eq=False)
class Waiter:
    """One call that waits for some generations to end, or for a snapshot of them.

    Attributes:
        pending: The ids whose last update has not been delivered, in the order asked.
        every_change: Whether it wants changes before the end as well.
        attempts: Set for a snapshot, which ends with the next response for each id, whatever the
            state. It survives no more failures than any other free request.
    """

    pending: dict[str, None] = field(converter=_ordered)
    every_change: bool = field(default=False, kw_only=True)
    attempts: Attempts | None = field(default=None, kw_only=True)
    _failed_at: float = field(default=float("-inf"), init=False)
    _inbox: list[Update] = field(factory=list, init=False)
    _failure: LumaError | None = field(default=None, init=False)
    # A bare future: thousands wait, and an event would cost each of them more.
    _wake: "asyncio.Future[None] | None" = field(default=None, init=False)

    @property
    def is_snapshot(self) -> bool:
        """Whether the next response will do."""
        return self.attempts is not None

    async def receive(self) -> Update | None:
        """Wait for the next update; None once there is none left to come.

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
        """Return an update that is there already."""
        return self._inbox.pop(0) if self._inbox else None

    def deliver(self, update: Update, *, is_last: bool) -> None:
        """Take an update; the last one ends the wait for its id."""
        if is_last:
            self.pending.pop(update.id, None)
        self._inbox.append(update)
        self._wake_up()

    def fail(self, error: LumaError) -> None:
        """End the wait as a whole, after the updates that came before."""
        self._failure = own(error)
        self._wake_up()

    def gives_up(self, error: LumaError, *, asked_at: float, now: float) -> bool:
        """Count a request that failed; those that were under way together count once."""
        if self.attempts is None or asked_at < self._failed_at:
            return False
        self._failed_at = now
        return not is_transient(error) or self.attempts.delay_after(error, now) is None

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
