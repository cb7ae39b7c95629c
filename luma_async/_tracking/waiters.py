"""Coroutines that wait for updates of generations."""

import asyncio

from attrs import define, field

from luma_async._tracking.sansio.updates import Subscriber, Update


@define(eq=False)
class Waiter(Subscriber):
    """A subscriber whose updates a coroutine awaits."""

    # A bare future: thousands wait, and an event would cost each of them more.
    _wake: "asyncio.Future[None] | None" = field(default=None, init=False)

    async def receive(self) -> Update | None:
        """Wait for the next update; None once there is none left to come.

        Raises:
            ClientStateError: The client was closed.
        """
        while not self.inbox and self.pending:
            if self.failure is not None:
                raise self.failure
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        return self.receive_nowait()

    def receive_nowait(self) -> Update | None:
        """Return an update that is there already."""
        return self.inbox.pop(0) if self.inbox else None

    def wake_up(self) -> None:
        """Let the coroutine go on."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
