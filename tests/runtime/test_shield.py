"""Work that is seen through, although the one who waits for it is cancelled."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from luma_async._runtime.shield import in_executor, in_thread, run_to_completion, wait_shielded

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]


class RateLimiter:
    """Blocking work that ends when it is let go."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self.has_video_or_failed = False
        self.thread = ""

    def work(self, result: object = 7) -> object:
        """Wait to be let go; an error that is to be returned is raised."""
        self.thread = threading.current_thread().name
        self.has_begun.set()
        assert self.may_end.wait(10)
        self.has_video_or_failed = True
        if isinstance(result, Exception):
            raise result
        return result

    async def began(self) -> None:
        """Wait until the work has begun."""
        await asyncio.to_thread(self.has_begun.wait, 10)


@pytest.fixture
def rate_limiter() -> Iterator[RateLimiter]:
    """Let go whatever a test has left in there."""
    rate_limiter = RateLimiter()
    yield rate_limiter
    rate_limiter.may_end.set()


async def settle() -> None:
    """Let everything happen that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_work_in_a_thread_has_a_result(rate_limiter: RateLimiter) -> None:
    """And arguments; it is not the thread of the event loop."""
    rate_limiter.may_end.set()
    assert 8 == await in_thread(rate_limiter.work, 8)
    assert 9 == await in_thread(rate_limiter.work, result=9)
    assert threading.current_thread().name != rate_limiter.thread


async def test_work_may_be_done_in_a_certain_pool(rate_limiter: RateLimiter) -> None:
    """As that of a ledger, which has one thread."""
    rate_limiter.may_end.set()
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as pool:
        assert 7 == await in_executor(pool, rate_limiter.work)
    assert rate_limiter.thread.startswith("mine")


async def test_the_error_of_the_work_is_the_callers(rate_limiter: RateLimiter) -> None:
    """It is raised as it is."""
    rate_limiter.may_end.set()
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as raised:
        await in_thread(rate_limiter.work, error)
    assert error is raised.value


@pytest.mark.parametrize("result", [7, ValueError("nobody hears of it")], ids=["good", "bad"])
@pytest.mark.parametrize("times", [1, 3])
async def test_p34_a_cancelled_caller_leaves_when_the_work_is_done(
    rate_limiter: RateLimiter, times: int, result: object
) -> None:
    """However often it is cancelled: nobody goes on at a file that is being closed."""
    task = asyncio.ensure_future(in_thread(rate_limiter.work, result))
    await rate_limiter.began()
    for number in range(times):
        task.cancel(f"cancelled {number}")
        await settle()
        assert not task.done()
    rate_limiter.may_end.set()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    assert rate_limiter.has_video_or_failed
    assert (f"cancelled {times - 1}",) == raised.value.args


async def test_p36_a_scope_that_is_over_does_not_cut_it_off(rate_limiter: RateLimiter) -> None:
    """The caller leaves at the next opportunity behind it."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        rate_limiter.may_end.set()
        assert 7 == await in_thread(rate_limiter.work)
        await anyio.lowlevel.checkpoint()
        raise AssertionError("the caller was not cancelled")
    assert rate_limiter.has_video_or_failed


async def test_p36_a_timeout_of_asyncio_waits_for_it(rate_limiter: RateLimiter) -> None:
    """It is raised as a timeout all the same."""

    async def let_go() -> None:
        await rate_limiter.began()
        rate_limiter.may_end.set()

    letting = asyncio.ensure_future(let_go())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await in_thread(rate_limiter.work)
    assert rate_limiter.has_video_or_failed
    await letting


async def test_a_coroutine_is_seen_through() -> None:
    """With its result, or its error."""

    async def fail() -> None:
        raise ValueError("mine")

    assert "x" == await run_to_completion(asyncio.sleep(0, "x"))
    with pytest.raises(ValueError, match="mine"):
        await run_to_completion(fail())


@pytest.mark.parametrize("fails", [False, True])
async def test_p34_a_coroutine_outlasts_its_caller(fails: bool) -> None:
    """It ends in its own time, and its error is no news to anybody."""
    event, ended = asyncio.Event(), []

    async def work() -> None:
        await event.wait()
        ended.append(True)
        if fails:
            raise ValueError("nobody hears of it")

    task = asyncio.ensure_future(run_to_completion(work()))
    await settle()
    task.cancel()
    await settle()
    assert (False, []) == (task.done(), ended)
    event.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [True] == ended


async def test_a_coroutine_that_is_cancelled_itself_ends_it() -> None:
    """As one of anyio that has met the end of its scope."""

    async def work() -> None:
        raise asyncio.CancelledError("inside")

    with pytest.raises(asyncio.CancelledError):
        await run_to_completion(work())

    event = asyncio.Event()

    async def late() -> None:
        await event.wait()
        raise asyncio.CancelledError("inside")

    task = asyncio.ensure_future(run_to_completion(late()))
    await settle()
    task.cancel("outside")
    await settle()
    event.set()
    with pytest.raises(asyncio.CancelledError) as raised:
        await task
    assert ("outside",) == raised.value.args


async def test_what_is_done_already_is_not_waited_for() -> None:
    """The caller keeps its turn."""
    future = asyncio.get_running_loop().create_future()
    future.set_result(None)
    assert None is await wait_shielded(future)
