"""Cancel a coroutine exactly at its n-th suspension."""

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


class Watched:
    """Drives a coroutine step by step, and does something to it where it suspends.

    Attributes:
        suspensions: How often it has suspended.
    """

    def __init__(self, work: Coroutine[Any, Any, T], at: int, act: Callable[[], object]) -> None:
        self._work = work
        self._at = at
        self._act = act
        self.suspensions = 0

    @types.coroutine
    def run(self) -> Generator[Any, Any, Any]:
        """Return what the coroutine returns."""
        steps = self._work.__await__()
        error: BaseException | None = None
        while True:
            try:
                future = steps.throw(error) if error is not None else next(steps)
            except StopIteration as end:
                return end.value
            error = None
            self.suspensions += 1
            if self.suspensions == self._at and self._act() is not None:
                # The coroutine is told, while what it waited for goes on.
                error = asyncio.CancelledError()
                if future is not None:
                    future._asyncio_future_blocking = False
                continue
            try:
                yield future
            except BaseException as thrown:  # noqa: BLE001 - passed on as it is
                error = thrown


async def thrown(work: Coroutine[Any, Any, Any], at: int) -> tuple[bool, Any]:
    """Throw `CancelledError` into the coroutine itself."""
    return await _outcome(Watched(work, at, lambda: True).run())


async def task_cancelled(work: Coroutine[Any, Any, Any], at: int) -> tuple[bool, Any]:
    """Cancel the task, once, as `asyncio.timeout` does."""

    async def run() -> Any:
        task = asyncio.current_task()
        assert task is not None
        return await Watched(work, at, lambda: task.cancel() and None).run()

    return await _outcome(asyncio.create_task(run()))


async def scope_cancelled(work: Coroutine[Any, Any, Any], at: int) -> tuple[bool, Any]:
    """Cancel an anyio scope, which cancels whatever is awaited within it from then on."""

    async def run() -> Any:
        with anyio.CancelScope() as scope:
            return await Watched(work, at, scope.cancel).run()
        raise asyncio.CancelledError

    return await _outcome(asyncio.create_task(run()))


async def _outcome(work: Awaitable[Any]) -> tuple[bool, Any]:
    """Tell whether the work was cancelled, and what it returned or raised."""
    try:
        return False, await work
    except asyncio.CancelledError as cancellation:
        return True, cancellation
    except Exception as error:  # noqa: BLE001 - the test judges it
        return False, error


WAYS: dict[str, Callable[[Coroutine[Any, Any, Any], int], Awaitable[tuple[bool, Any]]]] = {
    "thrown": thrown,
    "task": task_cancelled,
    "scope": scope_cancelled,
}
