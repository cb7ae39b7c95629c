"""The seam between a payment and a record of it."""

from typing import Protocol

from luma_async.errors import LumaError
from luma_async.models import Generation


class Recorder(Protocol):
    """Keeps a record of one order that outlives the program.

    A record that is durable before a paid request leaves, and that learns how it ended before
    anybody else does, makes sure of what a process that died has spent. `luma_async.batch` has one.
    """

    async def sending(self) -> None:
        """Record that the order is about to be sent; when this raises, it is not."""

    async def sent(self, result: Generation | LumaError) -> None:
        """Record how that ended; called once for each `sending` that returned or was cancelled.

        A `Generation` is paid; a `SubmissionUnknownError` says that it may be; with any other error
        nothing was paid, and the order may be sent once more, after another `sending`.
        """
