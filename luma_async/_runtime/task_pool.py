"""Tasks whose results are read as they come."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Generic, Self, TypeVar

from attrs import define, field

from luma_async._runtime.shield import wait_shielded

T = TypeVar("T")


@define(eq=False)
class TaskPool(Generic[T]):
    """Runs tasks that put results, and iterates over the results until the last task has ended.

    A task may spawn others. The pool does not bound their number.

    Attributes:
        failure: The first exception of a task; a cancellation counts unless it is the pool's.
    """

    _name: str
    _on_task_done: Callable[[], None]
    failure: BaseException | None = field(default=None, init=False)
    _is_cancelled: bool = field(default=False, init=False)
    _tasks: set["asyncio.Task[None]"] = field(factory=set, init=False)
    _results: "asyncio.Queue[T | None]" = field(factory=asyncio.Queue, init=False)

    def __len__(self) -> int:
        return len(self._tasks)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        result = await self._results.get()
        if result is None:
            # A later iteration ends as well.
            self._results.put_nowait(None)
            raise StopAsyncIteration
        return result

    def spawn(self, work: Coroutine[None, None, None], context: Context | None = None) -> None:
        """Run a coroutine in a task, by default in a copy of the caller's context."""
        task = asyncio.create_task(work, name=self._name, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def put(self, result: T) -> None:
        """Hand a result to the iteration; None is not a result."""
        self._results.put_nowait(result)

    def cancel(self) -> None:
        """Cancel all tasks."""
        self._is_cancelled = True
        for task in self._tasks:
            task.cancel()

    def cancelled(self) -> bool:
        """Return whether the pool was cancelled."""
        return self._is_cancelled

    async def close(self) -> None:
        """Cancel all tasks and wait for them; a cancellation of the caller is raised after that."""
        self.cancel()
        if self._tasks:
            ended = asyncio.gather(*self._tasks, return_exceptions=True)
            if (cancellation := await wait_shielded(ended)) is not None:
                raise cancellation

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error: BaseException | None = None
        if not task.cancelled():
            error = task.exception()
        elif not self._is_cancelled:
            error = asyncio.CancelledError()
        self.failure = self.failure or error
        self._on_task_done()
        if not self._tasks:
            self._results.put_nowait(None)
