"""Many orders through a few slots. In virtual time."""
# ruff: noqa: ASYNC110, PERF401, PT012

import asyncio
import gc
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import anyio
import pytest

from luma_async import (
    AuthenticationError,
    BadRequestError,
    Budget,
    BudgetExceededError,
    ClientStateError,
    ConfigurationError,
    GenerationFailedError,
    LumaClient,
    Order,
    Outcome,
    OutOfCreditsError,
    SubmissionUnknownError,
)
from luma_async.emulator import Emulator, Fault
from tests.support.clients import posts, tasks_of_ours, virtual_client

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]


def prompts(number: int) -> list[str]:
    """Think of some videos."""
    return [f"A jellyfish, take {n}" for n in range(number)]


class Endless:
    """A source of orders without end, which tells how many were read."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.read += 1
        return f"A jellyfish, take {self.read}"


async def test_every_order_has_one_outcome(luma: LumaClient, emulator: Emulator) -> None:
    """A hundred orders, text and more than text, end in a hundred videos, each paid once."""
    emulator.place("parent", "The parent")
    orders: list[Order | str] = [*prompts(99), Order("A hat", aspect_ratio="1:1", extends="parent")]
    outcomes = [outcome async for outcome in luma.generate_many(orders)]

    made = [outcome.order.user_prompt for outcome in outcomes]
    assert sorted([*prompts(99), "A hat"]) == sorted(made)
    assert all(one.generation is not None and one.generation.is_completed for one in outcomes)
    assert [None] * 100 == [one.error for one in outcomes]
    assert 100 == emulator.billed == posts(emulator)
    assert () == luma.unclaimed()


async def test_the_source_is_read_no_faster_than_slots_free_up(luma: LumaClient) -> None:
    """Nothing is paid for a consumer that has stopped consuming."""
    source = Endless()
    async with aclosing(luma.generate_many(source, max_in_flight=5)) as outcomes:
        taken = 0
        async for outcome in outcomes:
            assert outcome.error is None
            taken += 1
            assert source.read <= 5 + taken
            await anyio.sleep(600.0)
            assert source.read <= 5 + taken
            if taken == 20:
                break
    assert source.read <= 25


async def test_creates_are_bounded_without_a_bound_of_its_own(luma: LumaClient) -> None:
    """A source that is endless is read only as fast as creates are answered."""
    source = Endless()
    async with aclosing(luma.generate_many(source)) as outcomes:
        async for _ in outcomes:
            break
    assert source.read < 2000


async def test_a_source_may_be_asynchronous(luma: LumaClient) -> None:
    """Orders may come from an async generator, at its own pace."""

    async def source() -> AsyncGenerator[Order | str]:
        for prompt in prompts(3):
            await anyio.sleep(100.0)
            yield prompt

    outcomes = [outcome async for outcome in luma.generate_many(source(), max_in_flight=1)]
    assert prompts(3) == [outcome.order.user_prompt for outcome in outcomes]


async def test_no_orders_are_no_outcomes(luma: LumaClient, emulator: Emulator) -> None:
    """An empty source ends at once."""
    assert [] == [outcome async for outcome in luma.generate_many([])]
    assert () == emulator.requests


async def test_one_that_fails_does_not_hold_up_the_others(
    luma: LumaClient, emulator: Emulator
) -> None:
    """A refused order, a bad one, one of unknown outcome, and a failed video: the rest goes on."""
    emulator.inject(Fault(route="create", prompt="refused", status=400))
    emulator.inject(Fault(route="create", prompt="unknown", drop="after"))
    emulator.script("failing", [(10.0, "failed")])
    orders = ["refused", "unknown", "", "failing", "fine"]
    ended = {one.order.user_prompt: one async for one in luma.generate_many(orders)}

    assert {
        "refused": BadRequestError,
        "unknown": SubmissionUnknownError,
        "": ConfigurationError,
        "failing": GenerationFailedError,
        "fine": type(None),
    } == {prompt: type(outcome.error) for prompt, outcome in ended.items()}
    failed = ended["failing"].generation
    assert failed is not None
    assert failed.is_failed
    assert ended["refused"].generation is None


HOPELESS = {
    "H13-401": ({"status": 401}, AuthenticationError),
    "H14-403": ({"status": 403}, OutOfCreditsError),
}


@pytest.mark.parametrize("max_in_flight", [1, 4, None])
@pytest.mark.parametrize(("fault", "kind"), HOPELESS.values(), ids=HOPELESS)
async def test_an_error_of_the_account_stops_the_reading(
    luma: LumaClient,
    emulator: Emulator,
    fault: dict[str, int],
    kind: type[Exception],
    max_in_flight: int | None,
) -> None:
    """A wrong key meets every order: what runs is finished, the rest is not even read."""
    emulator.inject(Fault(route="create", skip=5, times=None, status=fault["status"]))
    source = Endless()
    outcomes: list[Outcome] = []
    with pytest.raises(kind):
        async for outcome in luma.generate_many(source, max_in_flight=max_in_flight):
            outcomes.append(outcome)

    assert source.read == len(outcomes) <= 5 + 8
    assert 5 == sum(outcome.error is None for outcome in outcomes) == emulator.billed


async def test_p43_the_budget_stops_the_reading(emulator: Emulator) -> None:
    """Three orders fit into the budget: three are paid, and the error says so."""
    async with virtual_client(emulator, budget=Budget(tokens=1_500_000)) as luma:
        outcomes = []
        with pytest.raises(BudgetExceededError):
            async for outcome in luma.generate_many(Endless(), max_in_flight=2):
                outcomes.append(outcome)
    assert 3 == emulator.billed == sum(outcome.error is None for outcome in outcomes)


async def test_p42_three_unknown_outcomes_in_a_row_stop_the_reading(
    luma: LumaClient, emulator: Emulator
) -> None:
    """A service that eats its answers is not fed on."""
    emulator.inject(Fault(route="create", skip=2, times=2, drop="after"))
    emulator.inject(Fault(route="create", skip=3, times=None, drop="after"))
    outcomes = []
    with pytest.raises(SubmissionUnknownError):
        async for outcome in luma.generate_many(Endless(), max_in_flight=1):
            outcomes.append(outcome)
    # Two, answered ones between them, and three that are not.
    assert [True, True, False, False, True] == [one.error is None for one in outcomes[:5]]
    assert len(outcomes) == posts(emulator) == emulator.billed <= 9


@pytest.mark.parametrize("error", [ValueError("bad line"), GeneratorExit(), KeyError("x")])
async def test_an_error_of_the_source_is_raised_when_all_others_have_ended(
    luma: LumaClient, error: BaseException
) -> None:
    """The input breaks after two orders: both have their video before the caller hears of it."""

    class Source:
        def __init__(self) -> None:
            self.given = iter(prompts(2))

        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            for prompt in self.given:
                return prompt
            raise error

    outcomes = []
    with pytest.raises(type(error)):
        async for outcome in luma.generate_many(Source()):
            outcomes.append(outcome)
    assert [None, None] == [outcome.error for outcome in outcomes]


async def test_a_source_that_is_cancelled_by_itself_does_not_end_in_silence(
    luma: LumaClient,
) -> None:
    """Orders that were never read are not passed over as if there had been no more."""

    async def source() -> AsyncGenerator[Order | str]:
        yield "A jellyfish"
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        _ = [outcome async for outcome in luma.generate_many(source())]


async def test_a_key_that_cannot_be_had_does_not_stall(emulator: Emulator) -> None:
    """The caller's own function fails for every order: each has its outcome, and none hangs."""

    def key() -> str:
        raise OSError("the vault is sealed")

    async with virtual_client(emulator) as luma:
        other = LumaClient(key, base_url="http://localhost", session=luma._engine.session)
        async with other:
            outcomes = [one async for one in other.generate_many(prompts(5), max_in_flight=1)]
    assert [ConfigurationError] * 5 == [type(outcome.error) for outcome in outcomes]
    assert 0 == posts(emulator)


@pytest.mark.parametrize("way", ["break", "cancel", "scope", "garbage"])
async def test_an_iteration_left_early_tells_what_was_paid(
    luma: LumaClient, emulator: Emulator, way: str
) -> None:
    """What runs is not lost: all that was paid is among what was taken, or unclaimed."""
    emulator.inject(Fault(route="create", skip=7, times=3, delay=30.0))
    heard: list[str] = []

    async def consume() -> None:
        outcomes = luma.generate_many(Endless(), max_in_flight=10)
        async for outcome in outcomes:
            assert outcome.generation is not None
            heard.append(outcome.generation.id)
            if way in ("break", "garbage") and len(heard) == 5:
                if way == "break":
                    await outcomes.aclose()
                break

    if way == "cancel":
        task = asyncio.create_task(consume())
        await anyio.sleep(61.0)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    elif way == "scope":
        with anyio.move_on_after(61.0):
            await consume()
    else:
        await consume()
        gc.collect()
    with anyio.move_on_after(100.0):
        while tasks_of_ours():
            await anyio.sleep(1.0)

    unclaimed = [outcome.generation for outcome in luma.unclaimed()]
    told = [*heard, *(generation.id for generation in unclaimed if generation is not None)]
    assert sorted(bill.id for bill in emulator.ledger) == sorted(told)
    assert [] == tasks_of_ours()


async def test_what_was_refused_is_not_unclaimed(luma: LumaClient, emulator: Emulator) -> None:
    """An outcome that nobody took is told of only if it may be paid."""
    emulator.inject(Fault(route="create", times=None, status=400))
    async with aclosing(luma.generate_many(prompts(2))) as outcomes:
        assert isinstance((await anext(outcomes)).error, BadRequestError)
        await anyio.sleep(60.0)
    assert 2 == posts(emulator)
    assert () == luma.unclaimed()


async def test_closing_ends_the_iteration_and_tells_what_was_paid(
    luma: LumaClient, emulator: Emulator
) -> None:
    """The client is closed while orders run: each of them has an outcome that names its video."""
    outcomes = []

    async def consume() -> None:
        async for outcome in luma.generate_many(prompts(30), max_in_flight=10):
            outcomes.append(outcome)

    consumer = asyncio.create_task(consume())
    await anyio.sleep(20.0)
    await luma.close()
    with pytest.raises(ClientStateError):
        await consumer
    ids = [one.generation.id for one in outcomes if one.generation is not None]
    assert sorted(bill.id for bill in emulator.ledger) == sorted(ids)


async def test_generating_after_the_end_is_refused(emulator: Emulator) -> None:
    """A closed client takes no orders."""
    async with virtual_client(emulator) as luma:
        pass
    with pytest.raises(ClientStateError):
        luma.generate_many(prompts(1))
