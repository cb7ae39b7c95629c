"""Looking for one order whose answer was lost. In virtual time."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from luma_async import (
    AuthenticationError,
    ConfigurationError,
    Generation,
    LumaClient,
    Order,
    SubmissionUnknownError,
    Timeouts,
)
from luma_async.emulator import Emulator, Fault
from luma_async.models import AspectRatio
from tests.support.batches import studio
from tests.support.clients import posts

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]


@pytest.fixture
async def luma(emulator: Emulator) -> AsyncIterator[LumaClient]:
    """Open a client that has been given a generation before."""
    async with studio(emulator) as luma:
        await luma.create("A hare")
        yield luma


async def lose(
    luma: LumaClient, emulator: Emulator, drop: str = "after", shape: AspectRatio = "16:9"
) -> SubmissionUnknownError:
    """Order a fox, and lose the answer."""
    fault: dict[str, Any] = {"status": 500, "accept": True} if drop == "after" else {"status": 500}
    emulator.inject(Fault(route="create", **fault))
    with pytest.raises(SubmissionUnknownError) as raised:
        await luma.create("A fox", aspect_ratio=shape)
    return raised.value


async def look(luma: LumaClient, error: SubmissionUnknownError) -> str:
    """Look for an order in vain, and return what is said of it."""
    with pytest.raises(SubmissionUnknownError) as again:
        await luma.reconcile(error)
    assert again.value is error
    return error.__notes__[-1]


async def test_it_is_found(luma: LumaClient, emulator: Emulator) -> None:
    """One generation of that prompt is there that was made while it was on its way."""
    error = await lose(luma, emulator)
    found = await luma.reconcile(error)
    assert emulator.ledger[1].id == found.id
    assert 59.0 <= anyio.current_time() <= 70.0
    assert (2, 1_000_000) == (posts(emulator), luma.statistics().tokens_spent)
    # What was found is known: whoever looks again finds the same.
    assert found.id == (await luma.reconcile(error)).id


async def test_it_is_found_by_an_error_that_was_stored(
    luma: LumaClient, emulator: Emulator
) -> None:
    """The error went through a queue of tasks, and is the same order."""
    error = pickle.loads(pickle.dumps(await lose(luma, emulator)))
    assert emulator.ledger[1].id == (await luma.reconcile(error, list_delay=0)).id
    assert anyio.current_time() < 10.0


async def test_it_was_not_accepted(luma: LumaClient, emulator: Emulator) -> None:
    """Nothing of that prompt is there: that is said, and nothing is paid."""
    note = await look(luma, await lose(luma, emulator, drop="before"))
    assert "list" in note
    assert "may be" not in note
    assert 1 == emulator.billed


async def test_a_client_without_any_generation_can_tell_nothing(emulator: Emulator) -> None:
    """It does not know what the list is worth."""
    async with studio(emulator) as luma:
        note = await look(luma, await lose(luma, emulator))
    assert "shows no order that is known to be accepted" in note
    assert emulator.ledger[0].id in note


async def test_a_list_that_lags_tells_nothing() -> None:
    """What was accepted before is not shown either; later, both are."""
    emulator = Emulator(list_lag_seconds=300.0)
    async with studio(emulator) as luma:
        await luma.create("A hare")
        error = await lose(luma, emulator)
        assert "shows no order" in await look(luma, error)
        await anyio.sleep(300.0)
        assert emulator.ledger[1].id == (await luma.reconcile(error)).id


async def test_two_that_it_may_be_are_for_a_person(luma: LumaClient, emulator: Emulator) -> None:
    """Another program has ordered the same at the same time: the note names both."""
    emulator.place("foreign", "A fox")
    note = await look(luma, await lose(luma, emulator))
    assert "2 generations" in note
    assert "foreign" in note
    assert emulator.ledger[1].id in note


async def test_one_that_was_made_before_is_not_it(emulator: Emulator) -> None:
    """An older generation of the same prompt is told apart by when it was made."""
    emulator.place("older", "A fox")
    async with studio(emulator) as luma:
        await anyio.sleep(100.0)
        await luma.create("A hare")
        error = await lose(luma, emulator)
        assert emulator.ledger[1].id == (await luma.reconcile(error)).id


async def test_one_without_a_time_is_not_it(luma: LumaClient, emulator: Emulator) -> None:
    """The service does not say when it was made: nobody can say that it is the one."""

    def timeless(answer: list[dict[str, object]]) -> object:
        return [{**one, "created_at": None} for one in answer]

    error = await lose(luma, emulator)
    emulator.inject(Fault(route="get", times=None, shape=timeless))
    assert emulator.ledger[1].id in await look(luma, error)


async def test_one_of_ours_is_not_it(luma: LumaClient, emulator: Emulator) -> None:
    """The same prompt was ordered twice, and one answer came: the other one is it."""
    known = await luma.create("A fox")
    error = await lose(luma, emulator)
    found = await luma.reconcile(error)
    assert {known.id, found.id} == {bill.id for bill in emulator.ledger[1:]}


async def test_one_whose_caller_is_gone_is_not_it(luma: LumaClient, emulator: Emulator) -> None:
    """It was accepted while its caller was cancelled: it is unclaimed, and no other's."""
    emulator.inject(Fault(route="create", delay=5.0))
    with anyio.move_on_after(1.0):
        await luma.create("A fox")
    error = await lose(luma, emulator, drop="before")
    (outcome,) = luma.unclaimed()
    assert outcome.generation is not None
    assert "may be" not in await look(luma, error)


async def test_two_unknown_ones_that_differ_in_nothing_are_both_found(
    luma: LumaClient, emulator: Emulator
) -> None:
    """Each of them is one of the two, and it does not matter which."""
    first, second = await lose(luma, emulator), await lose(luma, emulator)
    found = {(await luma.reconcile(first)).id, (await luma.reconcile(second)).id}
    assert {bill.id for bill in emulator.ledger[1:]} == found


async def test_two_that_are_looked_for_at_once_are_not_given_the_same(
    luma: LumaClient, emulator: Emulator
) -> None:
    """One was accepted, and both are looked for: one of them is found."""
    errors = [await lose(luma, emulator), await lose(luma, emulator, drop="before")]
    found = await asyncio.gather(*map(luma.reconcile, errors), return_exceptions=True)
    assert 1 == sum(isinstance(one, Generation) for one in found)
    assert 1 == sum(isinstance(one, SubmissionUnknownError) for one in found)


async def test_one_that_the_list_proves_to_be_absent(luma: LumaClient, emulator: Emulator) -> None:
    """The list shows an order that was accepted later, and not this one."""
    error = await lose(luma, emulator, drop="before")
    search = asyncio.create_task(luma.reconcile(error))
    await anyio.sleep(30.0)
    await luma.create("A lynx")
    with pytest.raises(SubmissionUnknownError):
        await search
    assert "the account's list does not show it" in error.__notes__[0]


async def test_two_unknown_ones_of_which_one_was_accepted(
    luma: LumaClient, emulator: Emulator
) -> None:
    """The one that is looked for first has the video, the other one is not there."""
    first, second = await lose(luma, emulator), await lose(luma, emulator, drop="before")
    assert emulator.ledger[1].id == (await luma.reconcile(second)).id
    assert "list" in await look(luma, first)


async def test_two_unknown_ones_of_other_shapes_are_not_mixed_up(
    luma: LumaClient, emulator: Emulator
) -> None:
    """The list does not show shapes: the square one is not taken for the wide one."""
    wide = await lose(luma, emulator, drop="before")
    square = await lose(luma, emulator, shape="1:1")
    assert "other options" in await look(luma, wide)
    assert "other options" in await look(luma, square)


async def test_a_clock_that_was_set_back_does_not_make_it_wait_for_ever(
    emulator: Emulator,
) -> None:
    """The order is of tomorrow, by our clock: it is looked for after the usual time."""
    async with studio(emulator, timeouts=Timeouts(paid=5.0)) as luma:
        await luma.create("A hare")
        error = await lose(luma, emulator)
        error.sent_at = error.sent_at.replace(year=error.sent_at.year + 1)
        assert emulator.ledger[1].id in await look(luma, error)
        assert anyio.current_time() < 70.0


async def test_the_service_may_not_be_there(luma: LumaClient, emulator: Emulator) -> None:
    """That is an error of its own, and looking again later is fine."""
    error = await lose(luma, emulator)
    emulator.inject(Fault(route="list", status=401))
    with pytest.raises(AuthenticationError):
        await luma.reconcile(error)
    assert emulator.ledger[1].id == (await luma.reconcile(error)).id


async def test_what_is_no_such_error_is_refused(luma: LumaClient) -> None:
    """There is nothing to look for."""
    with pytest.raises(ConfigurationError):
        await luma.reconcile(ValueError("A fox"))  # type: ignore[arg-type]
    error = SubmissionUnknownError(order=Order("A fox"), sent_at=datetime.now(UTC), reason="lost")
    with pytest.raises(ConfigurationError):
        await luma.reconcile(error, list_delay=-1.0)
