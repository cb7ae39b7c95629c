"""The gate where requests wait for their turn. In virtual time."""

import asyncio
from itertools import pairwise

import anyio
import anyio.lowlevel
import pytest

from luma_async import ClientStateError, Limits
from luma_async._api.rate_limiter import Channel, RateLimiter

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def pass_through(rate_limiter: RateLimiter, channel: Channel, lasting: float = 0.0) -> float:
    """Make a pretended request; return when it started."""
    async with rate_limiter.slot(channel):
        start = anyio.current_time()
        await anyio.sleep(lasting)
    return start


async def test_requests_start_evenly_spaced() -> None:
    """Ten a second means one every tenth of a second, without a burst."""
    rate_limiter = RateLimiter(Limits(concurrent_requests=100))
    begun = anyio.current_time()
    starts = await asyncio.gather(
        *(pass_through(rate_limiter, rate_limiter.free) for _ in range(20))
    )
    assert [round(n / 10, 6) for n in range(20)] == [round(at - begun, 6) for at in sorted(starts)]
    assert 0 == rate_limiter.in_flight


async def test_orders_do_not_hold_up_questions() -> None:
    """All seats for orders are taken for a minute, and a question goes out all the same."""
    rate_limiter = RateLimiter(Limits(concurrent_requests=2))
    begun = anyio.current_time()
    orders = [
        asyncio.create_task(pass_through(rate_limiter, rate_limiter.paid, 60.0)) for _ in range(3)
    ]
    await anyio.sleep(1.0)
    assert 2 == rate_limiter.in_flight
    assert await pass_through(rate_limiter, rate_limiter.free) - begun < 1.2
    starts = await asyncio.gather(*orders)
    assert [0, 0, 60] == [int(at - begun) for at in starts]


async def test_h26_a_lane_that_is_held_lets_nobody_pass_before_its_time() -> None:
    """Told to come back in thirty seconds, also those who were about to go wait for them."""
    rate_limiter = RateLimiter(Limits())
    begun = anyio.current_time()
    waiting = [asyncio.create_task(pass_through(rate_limiter, rate_limiter.paid)) for _ in range(5)]
    await anyio.sleep(0.05)
    rate_limiter.delay_until(rate_limiter.paid, anyio.current_time() + 30.0)
    rate_limiter.delay_until(rate_limiter.paid, anyio.current_time() + 10.0)
    free = await pass_through(rate_limiter, rate_limiter.free)
    starts = sorted([at - begun for at in await asyncio.gather(*waiting)])

    assert 0.0 == starts[0]
    assert free - begun < 1.0
    assert 30.0 <= starts[1]
    # They do not all come at once then.
    assert min(b - a for a, b in pairwise(starts)) > 0.099


async def test_nobody_passes_a_closed_gate() -> None:
    """Closing ends the wait of everybody who stands before the gate."""
    rate_limiter = RateLimiter(Limits(concurrent_requests=3, requests_per_second=0.01))
    await pass_through(rate_limiter, rate_limiter.free)
    waiting = [asyncio.create_task(pass_through(rate_limiter, rate_limiter.free)) for _ in range(9)]
    await anyio.sleep(1.0)
    before = anyio.current_time()
    rate_limiter.close()
    ended = await asyncio.gather(*waiting, return_exceptions=True)

    assert {ClientStateError} == {type(error) for error in ended}
    assert before == anyio.current_time()
    with pytest.raises(ClientStateError):
        await rate_limiter.pause(0.0)


async def test_a_request_that_is_given_up_gives_its_seat_back() -> None:
    """Whoever is cancelled before or during the turn leaves nothing taken."""
    rate_limiter = RateLimiter(Limits(concurrent_requests=1))
    for lasting in (0.05, 100.0):
        with anyio.move_on_after(0.2):
            await asyncio.gather(pass_through(rate_limiter, rate_limiter.free, lasting))
    assert 0 == rate_limiter.in_flight
    with anyio.fail_after(1.0):
        await pass_through(rate_limiter, rate_limiter.free)


async def test_p38_those_in_the_queue_hear_at_once_that_the_client_is_closed() -> None:
    """An order that waits behind one that hangs does not hang with it."""
    rate_limiter = RateLimiter(Limits(concurrent_requests=1))
    begun = anyio.current_time()
    first = asyncio.create_task(pass_through(rate_limiter, rate_limiter.paid, 60.0))
    await anyio.sleep(1.0)
    queue = [asyncio.create_task(pass_through(rate_limiter, rate_limiter.paid)) for _ in range(3)]
    await anyio.sleep(1.0)
    rate_limiter.close()
    ends = await asyncio.gather(*queue, return_exceptions=True)
    assert 2.0 == anyio.current_time() - begun
    assert [ClientStateError] * 3 == [type(end) for end in ends]
    assert begun == await first


async def test_those_who_give_up_take_nobody_s_place() -> None:
    """Twenty questions with a short deadline do not delay the next one by twenty places."""
    rate_limiter = RateLimiter(Limits(requests_per_second=1, concurrent_requests=100))
    await pass_through(rate_limiter, rate_limiter.free)
    begun = anyio.current_time()
    for _ in range(20):
        with anyio.move_on_after(0.01):
            await pass_through(rate_limiter, rate_limiter.free)
    assert await pass_through(rate_limiter, rate_limiter.free) - begun <= 1.0


async def test_a_question_is_not_overtaken_by_orders_that_came_later() -> None:
    """However many orders crowd at the gate, each takes its turn."""
    rate_limiter = RateLimiter(Limits(concurrent_requests=50))
    orders = [asyncio.create_task(pass_through(rate_limiter, rate_limiter.paid)) for _ in range(20)]
    await anyio.sleep(0.05)
    question = asyncio.create_task(pass_through(rate_limiter, rate_limiter.free))
    await anyio.lowlevel.checkpoint()
    orders += [
        asyncio.create_task(pass_through(rate_limiter, rate_limiter.paid)) for _ in range(20)
    ]
    starts = await asyncio.gather(*orders)
    asked = await question
    assert 20 == sum(start < asked for start in starts)
