"""What an interruption does to a paid order: it waits for the answer."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from luma_async.cli.exit_codes import InterruptedCommandError
from luma_async.cli.output import note
from luma_async.client import LumaClient
from luma_async.errors import LumaError
from luma_async.models import Generation, Order
from luma_async.outcome import Outcome

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def pay(luma: LumaClient, order: Order) -> Generation:
    """Order a video; an interruption waits for the answer, however often it is repeated.

    Raises:
        InterruptedCommandError: It was interrupted; the text says what was paid.
        LumaError: The order failed, or an interrupted one may have been paid.
    """
    with _signals_held_back():
        try:
            return await luma.submit(order)
        except asyncio.CancelledError:
            raise _what_was_paid(luma) from None


def resume_command(ids: list[str], options: str = "") -> str:
    """Write the command that goes on waiting."""
    return f"`luma-async wait {' '.join(ids)}{options}`"


def _what_was_paid(luma: LumaClient) -> Exception:
    match luma.unclaimed():
        case (Outcome(generation=Generation(id=name)), *_):
            again = resume_command([name])
            return InterruptedCommandError(f"{name} was accepted and is paid; go on with {again}")
        case (Outcome(error=LumaError() as error), *_):
            return error
    return InterruptedCommandError("nothing was ordered, and nothing is paid")


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Have an interruption cancel this task, the second one as well, and say why that takes time.

    By itself a second one would end the program on the spot, and the id of the order would be lost.
    """
    loop = asyncio.get_running_loop()
    cancel_task = asyncio.current_task().cancel  # type: ignore[union-attr]  # in a coroutine

    def cancel() -> None:
        note("waiting for the answer to the order, a minute at most, so that its id is not lost")
        cancel_task()

    def handle(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(cancel)

    before = [(number, signal.signal(number, handle)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
