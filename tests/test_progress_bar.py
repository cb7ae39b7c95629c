"""Progress bars of tqdm over what the client iterates over, as the how-to shows them."""

import io
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from tqdm.asyncio import tqdm

from luma_async import Budget, BudgetExceededError, LumaClient, PollPolicy
from luma_async.emulator import Emulator

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]

PROMPTS = [f"A fox, take {take}" for take in range(1, 5)]


@pytest.fixture
async def luma(luma_emulator: Emulator) -> AsyncGenerator[LumaClient]:
    """Connect a client that may pay for four videos."""
    async with LumaClient(
        "any",
        base_url=luma_emulator.base_url,
        polling=PollPolicy(min_interval=0.02, max_interval=0.2),
        budget=Budget(tokens=2_000_000),
    ) as client:
        yield client


async def test_a_bar_counts_what_has_ended(luma: LumaClient) -> None:
    """Of videos to be made, and of those that exist already."""
    made, waited = io.StringIO(), io.StringIO()
    async with aclosing(luma.generate_many(PROMPTS)) as outcomes:
        with tqdm(outcomes, total=4, file=made) as bar:
            ids = [outcome.generation.id async for outcome in bar]
    async with aclosing(luma.as_completed(ids)) as generations:
        with tqdm(generations, total=4, file=waited) as bar:
            assert 4 == len([generation async for generation in bar])

    assert "| 4/4 [" in made.getvalue()
    assert "| 4/4 [" in waited.getvalue()


async def test_a_loop_that_is_left_ends_bar_and_iteration(luma: LumaClient) -> None:
    """What was paid and not seen is unclaimed at once, and nobody waits any more."""
    async with aclosing(luma.generate_many(PROMPTS, max_in_flight=4)) as outcomes:
        with tqdm(outcomes, total=4, file=io.StringIO()) as bar:
            async for _ in bar:
                break

    assert bar.disable  # so says a bar that was closed
    assert 0 == luma.statistics().waiting
    assert luma.statistics().tokens_spent == 500_000 * (1 + len(luma.unclaimed()))


async def test_an_error_passes_through_a_bar(luma: LumaClient) -> None:
    """It ends where the client ends, with what was made."""
    screen = io.StringIO()
    async with aclosing(luma.generate_many([*PROMPTS, "too many"])) as outcomes:
        with tqdm(outcomes, total=5, file=screen) as bar, pytest.raises(BudgetExceededError):
            _ = [outcome async for outcome in bar]

    assert "| 5/5 [" in screen.getvalue()
