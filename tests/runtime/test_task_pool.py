"""Tasks that hand over results, as the orders of a fan-out and of a batch do. In virtual time."""

import asyncio
from contextvars import ContextVar, copy_context

import anyio
import pytest

from luma_async._runtime.task_pool import TaskPool
from tests.support.clients import tasks_of_ours

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

VARIABLE = ContextVar("variable", default="none")


def pool() -> TaskPool[int]:
    """Make a pool."""
    return TaskPool("luma_async test", lambda: None)


async def put(pool: TaskPool[int], number: int) -> None:
    """Take as many seconds as the number says, and put it."""
    await anyio.sleep(number)
    pool.put(number)


async def test_results_are_read_as_they_come_until_the_last_task_ends() -> None:
    """A task may spawn another, and has no result of necessity."""
    numbers = pool()

    async def first() -> None:
        numbers.spawn(put(numbers, 2))
        numbers.spawn(put(numbers, 1))

    numbers.spawn(first())
    assert [1, 2] == [number async for number in numbers]
    assert (0, None) == (len(numbers), numbers.failure)


async def test_a_failure_is_kept_and_ends_no_other_task() -> None:
    """Who owns the pool decides what follows; the first failure counts."""
    seen: list[BaseException | None] = []
    numbers: TaskPool[int] = TaskPool("luma_async test", lambda: seen.append(numbers.failure))

    async def fail(seconds: float, error: BaseException) -> None:
        await anyio.sleep(seconds)
        raise error

    first = asyncio.CancelledError()
    numbers.spawn(put(numbers, 3))
    numbers.spawn(fail(1.0, first))
    numbers.spawn(fail(2.0, ValueError("later")))
    assert [3] == [number async for number in numbers]
    assert isinstance(numbers.failure, asyncio.CancelledError)
    assert [numbers.failure] * 3 == seen


async def test_closing_waits_for_tasks_that_take_long_to_end() -> None:
    """However often the caller is cancelled meanwhile; what nobody has read can still be read."""
    numbers = pool()

    async def slow() -> None:
        try:
            await anyio.sleep(100.0)
        except asyncio.CancelledError:
            await anyio.sleep(5.0)
            numbers.put(5)
            raise

    numbers.spawn(slow())
    await anyio.sleep(1.0)
    closing = asyncio.create_task(numbers.close())
    for _ in range(3):
        await anyio.sleep(1.0)
        closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert numbers.cancelled()
    assert (0, None) == (len(numbers), numbers.failure)
    for unread in ([5], []):
        assert unread == [number async for number in numbers]
    assert [] == tasks_of_ours()
    await numbers.close()


async def test_a_task_may_run_in_a_context() -> None:
    """Without one it has a copy of its caller's."""
    found: list[str] = []

    async def look() -> None:
        found.append(VARIABLE.get())

    numbers = pool()
    context = copy_context()
    context.run(VARIABLE.set, "given")
    VARIABLE.set("caller's")
    numbers.spawn(look())
    numbers.spawn(look(), context)
    assert [] == [number async for number in numbers]
    assert ["caller's", "given"] == found
