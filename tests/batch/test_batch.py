"""Batches as their users know them: what they give, what they find, and what they are told.

In virtual time.
"""
# ruff: noqa: ASYNC110

import asyncio
import gc
import json
import logging
from collections import Counter
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from luma_async import (
    AuthenticationError,
    Budget,
    BudgetExceededError,
    ClientStateError,
    ConfigurationError,
    ConnectError,
    DownloadError,
    GenerationFailedError,
    LedgerError,
    LumaClient,
    LumaError,
    NotFoundError,
    Order,
    OutOfCreditsError,
    PermissionDeniedError,
    RateLimitError,
    SubmissionUnknownError,
    Timeouts,
    WaitTimeoutError,
)
from luma_async.batch import Batch, BatchOptions, NewOrder, OnUnknown, Record
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.emulator import Emulator, Fault, Moment
from tests.support.batches import (
    bills_match,
    cable,
    one_run,
    requests,
    results,
    run,
    run_in_vain,
    states,
    studio,
    videos,
)
from tests.support.clients import posts, tasks_of_ours

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left_behind")]

PRICE = 500_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name the folder of a batch that is not there yet."""
    return tmp_path / "lives" / "still"


def foxes(number: int) -> list[str]:
    """Think of some videos."""
    return [f"A fox, take {n}" for n in range(1, number + 1)]


def lose_answer(emulator: Emulator, prompt: str, **fault: Any) -> None:
    """Let an order be accepted and billed, and its answer get lost."""
    emulator.inject(Fault(route="create", prompt=prompt, **{"drop": "after", **fault}))


FILES = {
    "text": ("foxes.txt", "A red fox\n\nA blue fox\n"),
    "jsonl": ("foxes.jsonl", '{"prompt": "A red fox"}\n{"prompt": "A blue fox"}\n'),
    "csv": ("foxes.csv", "prompt\nA red fox\nA blue fox\n"),
}


class TestFromPromptsToVideos:
    """What goes in, and what comes out."""

    async def test_prompts_become_videos_a_page_and_a_record(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Ten prompts are ten files, ten lines for programs, a page, and one record of it all."""
        outcomes = await one_run(folder, luma, foxes(10))

        assert ["done"] * 10 == states(outcomes)
        assert [None] * 10 == [outcome.error for outcome in outcomes]
        lines = results(folder)
        assert foxes(10) == [line["prompt"] for line in lines]
        assert list(range(1, 11)) == [line["number"] for line in lines]
        assert videos(folder) == [Path(line["file"]).name for line in lines]
        assert all((folder / line["file"]).stat().st_size == line["bytes"] for line in lines)
        assert {0.25} == {line["usd"] for line in lines}
        assert all(line["seconds"] is not None for line in lines)
        assert "A fox, take 10" in (folder / "index.html").read_text()
        assert {"index.html", "orders.sqlite", "orders.sqlite.lock", "results.jsonl", "videos"} == {
            path.name for path in folder.iterdir()
        }
        assert Counter(foxes(10)) == Counter(bill.prompt for bill in emulator.ledger)

    async def test_p33_a_finished_batch_sends_no_request(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The same lines again: nothing is asked, nothing is paid, there is nothing to tell."""
        await one_run(folder, luma, foxes(3))
        before = len(emulator.requests)
        assert [] == await one_run(folder, luma, foxes(3))
        assert before == len(emulator.requests)
        assert 3 == len(results(folder))

    async def test_no_orders_are_no_requests(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """A batch without orders ends at once."""
        assert [] == await one_run(folder, luma)
        assert () == emulator.requests

    async def test_adding_the_same_again_adds_nothing(self, luma: LumaClient, folder: Path) -> None:
        """Equal prompts of one call are as many videos; those of a later call are the same ones."""
        async with Batch.open(folder, luma) as batch:
            assert 3 == await batch.add(["A fox", "A fox", "A hare"])
            assert 0 == await batch.add(["A fox", "A fox", "A hare"])
            assert 1 == await batch.add(["A fox"] * 3)
            assert 1 == await batch.add([NewOrder(Order("A fox"), order_id="one more")])
            assert 0 == await batch.add([NewOrder(Order("A fox"), order_id="one more")])
            with pytest.raises(ConfigurationError, match="another order"):
                await batch.add(["A lynx", NewOrder(Order("A wolf"), order_id="one more")])
            assert 5 == (await batch.status()).orders

    @pytest.mark.parametrize(("name", "text"), FILES.values(), ids=FILES)
    async def test_orders_come_from_files(
        self, luma: LumaClient, tmp_path: Path, folder: Path, name: str, text: str
    ) -> None:
        """A file of any kind, added twice, is two orders that know their lines."""
        path = tmp_path / name
        path.write_text(text)
        async with Batch.open(folder, luma) as batch:
            assert 2 == await batch.add_file(path)
            assert 0 == await batch.add_file(str(path))
            records = await batch.records()
        assert ["A red fox", "A blue fox"] == [one.order.user_prompt for one in records]
        assert all((one.source or "").startswith(f"{name}:") for one in records)

    async def test_one_bad_line_refuses_the_whole_file(
        self, luma: LumaClient, emulator: Emulator, tmp_path: Path, folder: Path
    ) -> None:
        """The mistake is named by its line, and not even the good lines are added."""
        path = tmp_path / "foxes.jsonl"
        path.write_text('{"prompt": "A red fox"}\n{"prompt": ""}\n')
        async with Batch.open(folder, luma) as batch:
            with pytest.raises(ConfigurationError, match=r"foxes\.jsonl:2"):
                await batch.add_file(path)
            assert [] == await run(batch)
        assert () == emulator.requests

    @pytest.mark.parametrize("orders", ["A fox", Order("A fox"), 5, ["A fox", ""], ["A fox", 5]])
    async def test_what_cannot_be_ordered_is_refused_before_anything_is_noted(
        self, luma: LumaClient, folder: Path, orders: Any
    ) -> None:
        """A lone prompt would be taken for one order a letter; and one bad order refuses all."""
        async with Batch.open(folder, luma) as batch:
            with pytest.raises(ConfigurationError):
                await batch.add(orders)
            assert [] == await batch.records()

    async def test_extensions_are_orders_like_others(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """A video of yesterday is continued, in another shape."""
        emulator.place("parent", "The parent")
        order = Order("It puts on a hat", aspect_ratio="1:1", extends="parent")
        assert ["done", "done"] == states(await one_run(folder, luma, ["A fox", order]))
        assert ("extend", "parent") == (emulator.ledger[1].route, emulator.ledger[1].parent)
        assert ["parent"] == [one["extends"] for one in results(folder) if one["extends"]]

    @pytest.mark.parametrize("name", ["../../etc:passwd", "a" * 300, ".."])
    async def test_a_name_that_the_service_gives_does_not_lead_anywhere(
        self, luma: LumaClient, emulator: Emulator, folder: Path, name: str
    ) -> None:
        """An id that is no id is taken for no answer; there is no file of that name."""
        emulator.inject(
            Fault(route="create", body={"id": name, "state": "pending", "prompt": "A fox"})
        )
        (outcome,) = await one_run(folder, luma, ["A fox"])
        assert outcome.record.file in (None, f"videos/0001-{name}.mp4")
        assert [] == videos(folder)

    async def test_a_file_is_named_by_number_and_id_alone(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The longest id with a colon becomes a name that every file system takes."""
        name = "a:" + "b" * 254
        emulator.place(name, "A fox")
        emulator.inject(Fault(route="create", body={"id": name, "state": "pending"}))
        (outcome,) = await one_run(folder, luma, ["../../A fox"])
        assert f"videos/0001-a_{'b' * 118}.mp4" == outcome.record.file
        assert ["done"] == states([outcome])


class TestAtTheService:
    """How much is asked of it at a time."""

    @pytest.mark.parametrize("fault", [None, 429, "lost"])
    async def test_no_more_run_at_the_service_than_was_said(
        self, luma: LumaClient, emulator: Emulator, folder: Path, fault: object
    ) -> None:
        """Four at once, however many there are, and although some are told to come back later."""
        if fault == 429:
            later = {"Retry-After": "20"}
            emulator.inject(Fault(route="create", skip=1, times=5, status=429, headers=later))
        if fault == "lost":
            lose_answer(emulator, "A fox, take 7")
        most = 0

        def look(_: object) -> None:
            nonlocal most
            running = [one for one in emulator.generations.values() if one.state != "completed"]
            most = max(most, len(running))

        outcomes = await one_run(
            folder, luma, foxes(20), max_in_flight=4, on_change=look, on_unknown="reconcile"
        )
        assert ["done"] * 20 == states(outcomes)
        # One whose answer was lost runs on beside the others until it is found.
        assert 4 + (fault == "lost") == most
        assert 20 == emulator.billed

    async def test_a_batch_that_goes_on_counts_what_runs_already(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Three run from the last time, and one more may be sent."""
        async with Batch.open(folder, luma) as batch:
            await batch.add(foxes(3))
            async with aclosing(batch.run()) as outcomes:
                with anyio.move_on_after(5.0):
                    await anext(outcomes)
        assert 3 == posts(emulator)
        emulator.script(None, [(0.0, "pending"), (1000.0, "completed")])
        async with Batch.open(folder, luma, max_in_flight=3) as batch:
            await batch.add(foxes(5))
            async with aclosing(batch.run()) as outcomes:
                assert 3 == posts(emulator)
                await anext(outcomes)
                assert posts(emulator) <= 4


class TestLeaving:
    """Stopping in the middle, in every way that there is."""

    async def test_stop_ends_the_run_soon_and_the_next_one_goes_on(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """What runs is recorded, what is planned stays planned, and nothing is paid twice."""
        async with Batch.open(folder, luma, max_in_flight=4) as batch:
            await batch.add(foxes(12))
            batch.stop()
            async for _ in batch.run():
                batch.stop()
            assert bills_match(emulator, await batch.records())
            assert emulator.billed <= 6
            records = await batch.records()
            assert {"planned", "submitted", "done"} == set(states(records))
            await run(batch)
            assert {"done"} == set(states(await batch.records()))
        assert Counter(foxes(12)) == Counter(bill.prompt for bill in emulator.ledger)
        assert 12 == posts(emulator)

    async def test_a_run_that_is_stopped_as_it_begins_sends_nothing(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Whoever is called off before the first order does not send it."""
        async with Batch.open(folder, luma) as batch:
            await batch.add(foxes(3))
            running = asyncio.create_task(run(batch))
            while not tasks_of_ours():
                batch.stop()
                await asyncio.sleep(0)
            assert [] == await running
            assert 0 == posts(emulator)
            assert 3 == len(await run(batch))

    @pytest.mark.parametrize("way", ["close", "break", "cancel", "scope", "exit", "garbage"])
    @pytest.mark.parametrize("seconds", [0.0, 5.0, 30.0])
    async def test_an_iteration_left_early_sees_its_payments_through(
        self, luma: LumaClient, emulator: Emulator, folder: Path, way: str, seconds: float
    ) -> None:
        """The service takes its time to answer, and nobody waits for it: it is recorded though."""
        emulator.script("A fox, take 1", [(5.0, "completed")])
        emulator.inject(Fault(route="create", skip=2, times=None, delay=20.0))

        async def use() -> None:
            async with Batch.open(folder, luma, max_in_flight=5) as batch:
                await batch.add(foxes(12))
                outcomes = batch.run()
                async for _ in outcomes:
                    if way not in ("cancel", "scope"):
                        break
                if way == "close":
                    await outcomes.aclose()
                elif way == "garbage":
                    del outcomes
                    gc.collect()
                elif way == "exit":
                    heard.append(outcomes)

        heard: list[object] = []
        user = asyncio.create_task(use())
        if way == "cancel":
            await anyio.sleep(seconds)
            user.cancel()
            await anyio.sleep(1.0)
            user.cancel()
            await asyncio.wait([user])
        elif way == "scope":
            user.cancel()
            await asyncio.wait([user])
            with anyio.move_on_after(seconds):
                await use()
        else:
            await user
        emulator.clear_faults()
        paid = emulator.billed
        heard.clear()
        async with Batch.open(folder, luma) as batch:
            assert bills_match(emulator, await batch.records())
            assert "submitting" not in states(await batch.records())
            assert paid == sum(one.attempts > 0 for one in await batch.records())
            await batch.add(foxes(12))
            await run(batch)
            assert (await batch.status()).is_finished
        assert 12 == emulator.billed == posts(emulator)

    async def test_closing_the_client_under_a_run_ends_it(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The client is closed by somebody else: the run says so, and the record is whole."""
        async with Batch.open(folder, luma, max_in_flight=2) as batch:
            await batch.add(foxes(5))
            running = asyncio.create_task(run_in_vain(batch))
            await anyio.sleep(10.0)
            await luma.close()
            _, error = await running
            assert isinstance(error, ClientStateError)
            assert bills_match(emulator, await batch.records())
        async with studio(emulator) as other:
            assert 5 == len(await one_run(folder, other))
        assert 5 == emulator.billed

    @pytest.mark.parametrize("what", ["unknown", "downloading"])
    async def test_closing_the_client_in_later_steps_ends_the_run_as_well(
        self, luma: LumaClient, emulator: Emulator, folder: Path, what: str
    ) -> None:
        """It was looking in the list, or fetching a video: the order stays where it is."""
        if what == "unknown":
            lose_answer(emulator, "A fox")
            emulator.inject(Fault(route="list", skip=1, times=None, delay=5.0))
        else:
            emulator.inject(Fault(route="video", times=None, drip=1.0))
        async with Batch.open(folder, luma, on_unknown="reconcile") as batch:
            await batch.add(["A fox"])
            running = asyncio.create_task(run_in_vain(batch))
            while states(await batch.records()) != [what]:
                await anyio.sleep(1.0)
            if what == "unknown":
                await anyio.sleep(60.0)
            await luma.close()
            _, error = await running
            assert isinstance(error, ClientStateError) or what == "downloading"
            assert [what] == states(await batch.records())


HOPELESS: dict[str, tuple[dict[str, Any], type[LumaError]]] = {
    "H13-401": ({"status": 401}, AuthenticationError),
    "H14-403": ({"status": 403}, OutOfCreditsError),
    "H15-403": ({"status": 403, "body": "<html>Blocked</html>"}, PermissionDeniedError),
    "P42": ({"drop": "after"}, SubmissionUnknownError),
}


class TestWhatStopsIt:
    """What would meet every further order as well."""

    @pytest.mark.parametrize(("fault", "kind"), HOPELESS.values(), ids=HOPELESS)
    async def test_no_more_is_sent_and_what_is_paid_is_fetched(
        self,
        luma: LumaClient,
        emulator: Emulator,
        folder: Path,
        fault: dict[str, Any],
        kind: type[LumaError],
    ) -> None:
        """Four are paid when it happens: they are fetched, the others wait for the next run."""
        emulator.inject(Fault(route="create", skip=4, times=None, **fault))
        async with Batch.open(folder, luma, max_in_flight=2) as batch:
            await batch.add(foxes(40))
            outcomes, error = await run_in_vain(batch)
            assert kind is type(error)
            assert 4 == states(outcomes).count("done")
            counts = (await batch.status()).counts
            assert bills_match(emulator, await batch.records())
            assert 40 == counts["planned"] + counts["done"] + counts.get("unknown", 0)
            assert counts.get("unknown", 0) <= 3 + 16
            emulator.clear_faults()
            await run(batch)
            assert 40 == emulator.billed
            counts = (await batch.status()).counts
            assert 40 == counts["done"] + counts.get("unknown", 0)

    async def test_a_wrong_key_is_found_before_anything_is_sent(
        self, emulator: Emulator, folder: Path
    ) -> None:
        """The account cannot even be listed: no order leaves."""
        emulator = Emulator(api_key="sk-another")
        async with studio(emulator) as luma, Batch.open(folder, luma) as batch:
            await batch.add(foxes(3))
            outcomes, error = await run_in_vain(batch)
            assert ([], AuthenticationError) == (outcomes, type(error))
            assert ["planned"] * 3 == states(await batch.records())
        assert 0 == posts(emulator)

    async def test_p43_the_budget_holds_over_all_runs(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Three orders fit; the next run knows what the last one paid."""
        budget = Budget(tokens=3 * PRICE)
        async with Batch.open(folder, luma, budget=budget) as batch:
            await batch.add(foxes(5))
            for done in (3, 0):
                outcomes, error = await run_in_vain(batch)
                assert isinstance(error, BudgetExceededError)
                assert done == len(outcomes)
            status = await batch.status()
            assert (3 * PRICE, 3 * PRICE, 2 * PRICE) == (
                status.tokens,
                status.budget,
                status.to_pay,
            )
            assert not status.is_finished
        assert 3 == posts(emulator)
        assert 2 == len(await one_run(folder, luma, budget=Budget(tokens=5 * PRICE)))

    async def test_the_budget_of_the_client_stops_it_as_well(
        self, emulator: Emulator, folder: Path
    ) -> None:
        """The client may spend less than the batch."""
        async with (
            studio(emulator, budget=Budget(tokens=PRICE)) as luma,
            Batch.open(folder, luma) as batch,
        ):
            await batch.add(foxes(2))
            outcomes, error = await run_in_vain(batch)
            assert (["done"], BudgetExceededError) == (states(outcomes), type(error))

    @pytest.mark.parametrize("skip", [0, 1, 3])
    async def test_a_service_out_of_reach_for_a_while_is_tried_again(
        self, luma: LumaClient, emulator: Emulator, folder: Path, skip: int
    ) -> None:
        """The network is gone for five minutes, and nobody has to do anything about it."""
        async with Batch.open(folder, luma, max_in_flight=2) as batch:
            await batch.add(foxes(6))
            running = asyncio.create_task(run(batch))
            while posts(emulator) < skip:
                await anyio.sleep(1.0)
            cable(luma).is_cut = True
            await anyio.sleep(300.0)
            cable(luma).is_cut = False
            assert ["done"] * 6 == states(await running)
        assert 6 == posts(emulator) == emulator.billed

    @pytest.mark.parametrize("skip", [0, 1])
    async def test_a_service_out_of_reach_for_long_ends_the_run(
        self, luma: LumaClient, emulator: Emulator, folder: Path, skip: int
    ) -> None:
        """After ten minutes the run ends, with all orders as they were."""
        async with Batch.open(folder, luma, max_in_flight=1, timeout=600.0) as batch:
            await batch.add(foxes(3))
            running = asyncio.create_task(run_in_vain(batch))
            while posts(emulator) < skip:
                await anyio.sleep(1.0)
            cable(luma).is_cut = True
            _, error = await running
            assert isinstance(error, ConnectError)
            assert anyio.current_time() < 1800.0
            assert 3 - skip == states(await batch.records()).count("planned")
            cable(luma).is_cut = False
            assert 3 == len(await run(batch))
        assert 3 == posts(emulator)

    @pytest.mark.parametrize("route", ["list", "create"])
    @pytest.mark.parametrize("forever", [False, True])
    async def test_h24_a_service_that_is_busy_is_tried_again(
        self, luma: LumaClient, emulator: Emulator, folder: Path, route: Any, forever: bool
    ) -> None:
        """429 for minutes only takes time; for longer than the patience, it ends the run."""
        times = None if forever else 30
        later = {"Retry-After": "60"}
        busy = Fault(route=route, times=times, status=429, headers=later)
        emulator.inject(busy)
        async with Batch.open(folder, luma, outage_timeout=7200.0) as batch:
            await batch.add(foxes(3))
            if forever:
                outcomes, error = await run_in_vain(batch)
                assert ([], RateLimitError) == (outcomes, type(error))
                assert ["planned"] * 3 == states(await batch.records())
                emulator.clear_faults()
            assert ["done"] * 3 == states(await run(batch))
        assert 3 == emulator.billed

    async def test_an_account_that_cannot_be_listed_is_served_all_the_same(
        self,
        luma: LumaClient,
        emulator: Emulator,
        folder: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Only that an order whose answer gets lost is held then, and the log says so."""
        emulator.inject(Fault(route="list", times=4, status=500))
        lose_answer(emulator, "A fox, take 2")
        outcomes = await one_run(folder, luma, foxes(3), on_unknown="reconcile")
        assert {"done": 2, "unknown": 1} == Counter(states(outcomes))
        assert "could not be listed before it was sent" in str(outcomes[-1].error)
        assert "cannot be listed" in caplog.text
        # The next run finds it in its own list, and yet cannot know that it was not there before.
        assert ["unknown"] == states(await one_run(folder, luma, on_unknown="reconcile"))

    async def test_h22_too_early_is_not_the_fault_of_the_order(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """425 asks to come back: the order is sent again, and stays planned if that is in vain."""
        emulator.inject(Fault(route="create", times=2, status=425))
        emulator.inject(Fault(route="create", skip=1, times=4, status=425))
        async with Batch.open(folder, luma, max_in_flight=1) as batch:
            await batch.add(foxes(2))
            outcomes, error = await run_in_vain(batch)
            assert (["done"], 425) == (states(outcomes), getattr(error, "status", None))
            assert ["done", "planned"] == states(await batch.records())
            assert ["done"] == states(await run(batch))


class TestOneOrderAlone:
    """What concerns one order, and holds up no other."""

    async def test_refused_and_failed_ones_do_not_hold_up_the_others(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """A refused order cost nothing, a failed one did; the next run leaves both alone."""
        emulator.inject(Fault(route="create", prompt="A fox, take 2", status=400))
        emulator.script("A fox, take 3", [(10.0, "failed")])
        emulator.script("A fox, take 4", [(10.0, "completed", False)])
        async with Batch.open(folder, luma) as batch:
            await batch.add(foxes(5))
            ended = {one.record.number: one for one in await run(batch)}
            assert ["done", "rejected", "failed", "submitted", "done"] == [
                ended[number].record.state for number in range(1, 6)
            ]
            assert "400" in str(ended[2].error)
            assert isinstance(ended[3].error, GenerationFailedError)
            assert isinstance(ended[4].error, GenerationFailedError)
            assert [PRICE, 0, PRICE, PRICE, PRICE] == [one.tokens for one in await batch.records()]
            assert [4] == [one.record.number for one in await run(batch)]
            assert 5 == posts(emulator)

            name = ended[2].record.order_id
            (planned,) = await batch.retry([name])
            assert ("planned", 1) == (planned.state, planned.attempts)
            with pytest.raises(LedgerError):
                await batch.retry([ended[3].record.order_id, ended[1].record.order_id])
            emulator.script("A fox, take 3", [(10.0, "completed")])
            await batch.retry([ended[3].record.order_id])
            assert {2, 3, 4} == {one.record.number for one in await run(batch)}
            assert 2 * PRICE == (await batch.records())[2].tokens
        assert 7 == posts(emulator)

    async def test_a_failure_without_a_reason_is_a_failure(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The service does not say why; the record says that."""

        def silent(answer: Any) -> Any:
            return [{"id": one["id"], "state": "failed"} for one in answer]

        emulator.inject(Fault(route="get", times=None, shape=silent))
        (outcome,) = await one_run(folder, luma, ["A fox"])
        assert ("failed", "no reason given") == (outcome.record.state, outcome.record.reason)

    async def test_a_wait_that_takes_too_long_is_taken_up_again(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The video takes two hours; the third run of an hour has it."""
        emulator.script(None, [(0.0, "pending"), (7500.0, "completed")])
        for _ in range(2):
            (outcome,) = await one_run(folder, luma, ["A fox"], timeout=3600.0)
            assert "submitted" == outcome.record.state
            assert isinstance(outcome.error, WaitTimeoutError)
            assert "3600" in (outcome.record.reason or "")
        (outcome,) = await one_run(folder, luma, ["A fox"], timeout=3600.0)
        assert ("done", None) == (outcome.record.state, outcome.record.reason)
        assert 1 == posts(emulator)

    async def test_a_generation_that_the_service_has_lost_stays_paid(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Its id is not known any more: that is told, and it is not ordered anew."""
        emulator.inject(Fault(route="get", times=None, shape="missing"))
        (outcome,) = await one_run(folder, luma, ["A fox"])
        assert ("submitted", PRICE) == (outcome.record.state, outcome.record.tokens)
        emulator.clear_faults()
        assert ["done"] == states(await one_run(folder, luma, ["A fox"]))
        assert 1 == posts(emulator)

    async def test_a_download_that_fails_is_taken_up_again(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The host of the videos is down: they are paid, and fetched the next time."""
        emulator.inject(Fault(route="video", times=None, status=500))
        outcomes = await one_run(folder, luma, foxes(2))
        assert ["downloading"] * 2 == states(outcomes)
        assert all(isinstance(outcome.error, DownloadError) for outcome in outcomes)
        assert [None, None] == [line["file"] for line in results(folder)]
        emulator.clear_faults()
        assert ["done"] * 2 == states(await one_run(folder, luma, foxes(2)))
        assert 2 == posts(emulator) == len(videos(folder))

    async def test_a_file_that_is_there_is_not_fetched_again(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """A program died after it had stored the video, and before it could note that."""
        emulator.inject(Fault(route="video", times=None, status=500))
        (outcome,) = await one_run(folder, luma, ["A fox"])
        emulator.clear_faults()
        name = outcome.record.generation_id or ""
        await luma.download(name, folder / (outcome.record.file or ""))
        before = requests(emulator).count("video")
        assert ["done"] == states(await one_run(folder, luma))
        assert before == requests(emulator).count("video")

    @pytest.mark.parametrize("what", ["half", "link", "folder", "loop", "gone"])
    async def test_what_stands_in_the_place_of_a_file(
        self, luma: LumaClient, emulator: Emulator, folder: Path, what: str
    ) -> None:
        """Half a file is replaced; what is no file is left and told, and nothing is paid again."""
        emulator.inject(Fault(route="video", times=None, status=500))
        (outcome,) = await one_run(folder, luma, ["A fox"])
        emulator.clear_faults()
        path = folder / (outcome.record.file or "")
        if what == "half":
            path.write_bytes(b"half of it")
        elif what == "link":
            path.symlink_to(folder / "orders.sqlite")
        elif what == "folder":
            path.mkdir()
        elif what == "loop":
            path.symlink_to(path)
        else:
            for one in path.parent.iterdir():
                one.unlink()
            path.parent.rmdir()
        (outcome,) = await one_run(folder, luma, ["A fox"])
        if what in ("folder", "link", "loop"):
            assert "downloading" == outcome.record.state
            assert isinstance(outcome.error, DownloadError)
            if what == "folder":
                path.rmdir()
            else:
                path.unlink()
            (outcome,) = await one_run(folder, luma, ["A fox"])
        assert ("done", None) == (outcome.record.state, outcome.record.reason)
        assert outcome.record.size == path.stat().st_size
        assert 1 == posts(emulator)

    async def test_a_folder_that_vanishes_during_a_run_is_told(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """A user has removed the folder of the videos: they are paid, and fetched the next time."""
        async with Batch.open(folder, luma) as batch:
            (folder / "videos").rmdir()
            await batch.add(["A fox"])
            (outcome,) = await run(batch)
            assert ("downloading", True) == (
                outcome.record.state,
                isinstance(outcome.error, DownloadError),
            )
        assert ["done"] == states(await one_run(folder, luma, ["A fox"]))
        assert 1 == posts(emulator)

    async def test_a_file_that_a_user_has_deleted_is_not_paid_again(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """What is done is done: whoever wants it again downloads it by its id."""
        (outcome,) = await one_run(folder, luma, ["A fox"])
        path = folder / (outcome.record.file or "")
        path.unlink()
        assert [] == await one_run(folder, luma, ["A fox"])
        await luma.download(outcome.record.generation_id or "", path)
        assert (1, True) == (posts(emulator), path.exists())


class TestInDoubt:
    """Orders of which nobody knows whether they were accepted."""

    async def test_it_is_held_and_told_in_each_run(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Nothing is asked or sent for it until somebody says so."""
        lose_answer(emulator, "A fox")
        for turn in range(3):
            before = len(emulator.requests)
            (outcome,) = await one_run(folder, luma, ["A fox"])
            assert "unknown" == outcome.record.state
            assert isinstance(outcome.error, SubmissionUnknownError)
            assert "A fox" == outcome.error.order.user_prompt
            assert turn == 0 or before == len(emulator.requests)
        assert (1, PRICE) == (posts(emulator), outcome.record.tokens)

    async def test_a_person_looks_and_says_what_it_became(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The review names the one generation that it may be; adopted, it is fetched and done."""
        lose_answer(emulator, "A fox, take 1")
        async with Batch.open(folder, luma) as batch:
            await batch.add(foxes(2))
            assert [] == await batch.review()
            assert {"done", "unknown"} == set(states(await run(batch)))
            (held,) = await batch.review()
            (name,) = held.candidates
            other = (await batch.records())[1]
            with pytest.raises(LedgerError, match="order 2 became"):
                await batch.adopt(held.record.order_id, other.generation_id or "")
            emulator.place("another", "Another fox")
            with pytest.raises(LedgerError, match="not in doubt"):
                await batch.adopt(other.order_id, "another")
            with pytest.raises(NotFoundError):
                await batch.adopt(held.record.order_id, "unheard-of")
            with pytest.raises(LedgerError, match="no order"):
                await batch.adopt("nobody", name)
            with pytest.raises(ConfigurationError):
                await batch.adopt(held.record.order_id, "../..")
            record = await batch.adopt(held.record.order_id, name)
            assert ("submitted", True) == (record.state, record.adopted)
            assert ["done"] == states(await run(batch))
            assert [] == await batch.review()
        assert 2 == posts(emulator)

    async def test_what_a_failed_look_says_does_not_hide_that_an_id_was_given_twice(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Whether an order may ever be taken for absent is in its reason."""
        async with Batch.open(folder, luma, on_unknown="resubmit") as batch:
            await batch.add(foxes(2))
            twice = json.dumps({"id": "g-1", "state": "completed"}).encode()
            emulator.inject(Fault(route="create", times=2, status=201, body=twice))
            emulator.inject(Fault(route="list", skip=1, times=None, status=400))
            await run(batch)
            (held,) = [one for one in await batch.records() if one.state == "unknown"]
            assert (held.reason or "").startswith(rules.GIVEN_TWICE)
            assert "looked for: HTTP 400" in (held.reason or "")

    async def test_a_person_gives_it_up_or_orders_it_anew(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Dismissed, it is left alone and stays counted as paid; planned anew, it is paid again."""
        for prompt in foxes(2):
            lose_answer(emulator, prompt)
        async with Batch.open(folder, luma) as batch:
            await batch.add(foxes(2))
            first, second = (one.record.order_id for one in await run(batch))
            record = await batch.dismiss(first)
            assert ("rejected", PRICE) == (record.state, record.tokens)
            assert (record.reason or "").startswith("dismissed")
            with pytest.raises(LedgerError):
                await batch.dismiss(first)
            await batch.retry([second])
            (outcome,) = await run(batch)
            assert ("done", 2 * PRICE) == (outcome.record.state, outcome.record.tokens)
            assert [] == await run(batch)
        assert 3 == posts(emulator)

    async def test_an_order_on_its_way_is_not_to_be_decided_on(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """While its answer is awaited, nobody can plan it anew, dismiss it or give it an id."""
        emulator.inject(Fault(route="create", delay=20.0))
        async with Batch.open(folder, luma) as batch:
            await batch.add(["A fox"])
            running = asyncio.create_task(run(batch))
            await anyio.sleep(10.0)
            (held,) = await batch.review()
            name = held.record.order_id
            for decision in (
                batch.adopt(name, emulator.ledger[0].id),
                batch.dismiss(name),
                batch.retry([name]),
            ):
                with pytest.raises(LedgerError, match="in progress"):
                    await decision
            assert ["done"] == states(await running)
            with pytest.raises(LedgerError, match="is done"):
                await batch.retry([name])
        assert 1 == emulator.billed

    async def test_one_that_has_failed_is_planned_anew_within_the_iteration(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Its outcome was heard, so that it may be decided on; the next run sends it."""
        emulator.script("A fox, take 1", [(10.0, "failed")])
        async with Batch.open(folder, luma) as batch:
            await batch.add(foxes(2))
            async for outcome in batch.run():
                if outcome.error is not None:
                    await batch.retry([outcome.record.order_id])
            assert ["planned", "done"] == states(await batch.records())
        assert 2 == posts(emulator)

    async def test_it_is_found_in_the_list_and_never_sent_again(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """After a minute the list shows one generation of that prompt, and it is adopted."""
        lose_answer(emulator, "A fox, take 2")
        outcomes = await one_run(folder, luma, foxes(4), on_unknown="reconcile")
        assert ["done"] * 4 == states(outcomes)
        assert [False, True, False, False] == [
            record.adopted for record in sorted((o.record for o in outcomes), key=_number)
        ]
        assert 4 == posts(emulator) == len(videos(folder))
        assert anyio.current_time() >= 60.0

    async def test_equal_prompts_are_told_apart_by_what_is_known(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Two of five equal ones are lost: the two that belong to no order are theirs."""
        lose_answer(emulator, "A fox", times=2)
        outcomes = await one_run(folder, luma, ["A fox"] * 5 + ["A hare"], on_unknown="reconcile")
        assert ["done"] * 6 == states(outcomes)
        assert 6 == posts(emulator) == len({one.record.generation_id for one in outcomes})

    async def test_a_list_that_lags_leaves_it_in_doubt(self, folder: Path) -> None:
        """The list does not show what is known to be there: it says nothing of this one either."""
        emulator = Emulator(list_lag_seconds=3600.0)
        lose_answer(emulator, "A fox, take 2")
        async with studio(emulator) as luma:
            outcomes = await one_run(folder, luma, foxes(3), on_unknown="resubmit")
            assert {"done": 2, "unknown": 1} == Counter(states(outcomes))
            assert "looked for" in str(outcomes[-1].error)
            await anyio.sleep(3600.0)
            assert ["done"] == states(await one_run(folder, luma, on_unknown="resubmit"))
        assert 3 == posts(emulator)

    async def test_a_list_that_cannot_be_had_leaves_it_in_doubt(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The service fails when it is asked for the list: the order is held until it does not."""
        lose_answer(emulator, "A fox, take 2")
        emulator.inject(Fault(route="list", skip=1, times=None, status=500))
        outcomes = await one_run(folder, luma, foxes(3), on_unknown="reconcile")
        assert {"done": 2, "unknown": 1} == Counter(states(outcomes))
        emulator.clear_faults()
        assert ["done"] == states(await one_run(folder, luma, on_unknown="reconcile"))
        assert 3 == posts(emulator)

    @pytest.mark.parametrize("on_unknown", ["hold", "reconcile", "resubmit"])
    async def test_it_is_sent_again_only_where_that_is_asked_for_and_proven(
        self, luma: LumaClient, emulator: Emulator, folder: Path, on_unknown: OnUnknown
    ) -> None:
        """The connection broke before the service took it, as the list shows, twice."""
        lose_answer(emulator, "A fox, take 1", drop="before")
        async with Batch.open(folder, luma, on_unknown=on_unknown, max_in_flight=1) as batch:
            await batch.add(foxes(3))
            counts = Counter(states(await run(batch)))
            (first, *_) = await batch.records()
        if on_unknown == "resubmit":
            assert {"done": 3} == counts
            assert (2, PRICE) == (first.attempts, first.tokens)
            assert 4 == posts(emulator)
        else:
            assert {"done": 2, "unknown": 1} == counts
            assert 3 == posts(emulator)
        assert len(emulator.ledger) == 3 - (on_unknown != "resubmit")

    async def test_one_look_that_proves_nothing_and_one_that_does_are_not_two(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The first list was broken: the second one alone does not make anybody pay again."""
        lose_answer(emulator, "A fox, take 1", drop="before")
        emulator.inject(Fault(route="list", skip=1, shape=lambda _: []))
        async with Batch.open(folder, luma, on_unknown="resubmit", max_in_flight=1) as batch:
            await batch.add(foxes(3))
            assert {"done": 2, "unknown": 1} == Counter(states(await run(batch)))
            assert 3 == posts(emulator)
            assert ["done"] == states(await run(batch))
        assert 4 == posts(emulator)

    async def test_another_programs_generation_of_the_same_prompt_is_not_adopted(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Two generations may be the one: a person is to look."""
        lose_answer(emulator, "A fox, take 2")
        async with Batch.open(folder, luma, on_unknown="resubmit") as batch:
            await batch.add(foxes(3))
            running = asyncio.create_task(run(batch))
            await anyio.sleep(5.0)
            emulator.place("foreign", "A fox, take 2")
            outcomes = await running
            assert {"done": 2, "unknown": 1} == Counter(states(outcomes))
            assert "2 generations" in str(outcomes[-1].error)
            (held,) = await batch.review()
            assert "foreign" in held.candidates
            assert 2 == len(held.candidates)
        assert 3 == posts(emulator)

    async def test_what_was_there_before_the_run_is_nobody_of_ours(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """An older generation with the same prompt is not taken for the order."""
        emulator.place("older", "A fox, take 2")
        lose_answer(emulator, "A fox, take 2")
        outcomes = await one_run(folder, luma, foxes(3), on_unknown="reconcile")
        assert ["done"] * 3 == states(outcomes)
        assert "older" not in [outcome.record.generation_id for outcome in outcomes]

    @pytest.mark.parametrize("on_unknown", ["hold", "reconcile"])
    async def test_an_id_that_another_order_has_is_no_answer(
        self, luma: LumaClient, emulator: Emulator, folder: Path, on_unknown: OnUnknown
    ) -> None:
        """The service gives one id twice: the second order is in doubt, and is not mixed up."""
        emulator.inject(
            Fault(
                route="create",
                skip=1,
                shape=lambda answer: {**answer, "id": emulator.ledger[0].id},
            )
        )
        async with Batch.open(folder, luma, on_unknown=on_unknown, max_in_flight=1) as batch:
            await batch.add(foxes(3))
            outcomes = await run(batch)
            records = await batch.records()
        if on_unknown == "hold":
            assert ["done", "unknown", "done"] == states(records)
            (held,) = [one for one in outcomes if one.error is not None]
            assert isinstance(held.error, SubmissionUnknownError)
            assert "order 1 as well" in str(held.error)
        else:
            assert ["done"] * 3 == states(records)
            assert [bill.id for bill in emulator.ledger] == [one.generation_id for one in records]
            # Each file shows what was ordered.
            assert 3 == len({one.sha256 for one in records})
        assert 3 == posts(emulator)

    async def test_what_a_dead_program_was_sending_is_in_doubt(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Its record says that the order was on its way; the next run finds what it became."""
        async with Batch.open(folder, luma) as batch:
            await batch.add(foxes(2))
            await run(batch)
            await batch.add(["A hare"])
            await _die_while_sending(batch, luma)
            assert ["done", "done", "submitting"] == states(await batch.records())
            (held,) = await batch.review()
            assert emulator.ledger[-1].id in held.candidates
            (outcome,) = await run(batch)
            assert "unknown" == outcome.record.state
            assert "unknown" == results(folder)[2]["state"]
        assert 3 == posts(emulator)


async def _die_while_sending(batch: Batch, luma: LumaClient) -> None:
    """Leave behind what a killed program leaves: a paid order that is noted as on its way."""
    ledger = batch._open_ledger()
    record = (await batch.records())[-1]
    await ledger.transact(
        lambda transaction: rules.mark_submitting(
            transaction, record.order_id, at=datetime.now(UTC), price=PRICE, budget=None
        ),
        name="test",
    )
    await luma.create(record.order.user_prompt)


BAD: dict[str, dict[str, Any]] = {
    "on_unknown": {"on_unknown": "guess"},
    "max_in_flight": {"max_in_flight": 0},
    "max_in_flight_true": {"max_in_flight": True},
    "timeout": {"timeout": -1},
    "list_delay": {"list_delay": -1.0},
    "outage_timeout": {"outage_timeout": "long"},
    "budget": {"budget": 5},
}


class TestTheOneOwner:
    """Whose batch it is, and when it can be used."""

    async def test_a_batch_is_used_while_it_is_open(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """Before and afterwards it says so."""
        batch = Batch.open(folder, luma)
        for _ in range(2):
            batch.stop()
            for use in (
                batch.add(["A fox"]),
                run(batch),
                batch.records(),
                batch.status(),
                batch.review(),
                batch.adopt("a", "b"),
                batch.dismiss("a"),
                batch.retry(["a"]),
            ):
                with pytest.raises(ClientStateError, match="open the batch first"):
                    await use
            async with batch:
                await batch.add(["A fox"])
        await batch.__aexit__(None, None, None)
        assert () == emulator.requests

    async def test_it_wants_an_open_client(self, emulator: Emulator, folder: Path) -> None:
        """A client that is closed has no account."""
        async with studio(emulator) as luma:
            pass
        with pytest.raises(ClientStateError):
            async with Batch.open(folder, luma):
                pass
        assert not folder.exists()

    async def test_it_runs_once_at_a_time(self, luma: LumaClient, folder: Path) -> None:
        """A second run beside the first is refused, and does not disturb it."""
        async with Batch.open(folder, luma) as batch:
            await batch.add(foxes(2))
            running = asyncio.create_task(run(batch))
            await anyio.sleep(1.0)
            with pytest.raises(ClientStateError, match="running already"):
                await run(batch)
            assert 2 == len(await running)

    async def test_a_batch_belongs_to_one_program(
        self, luma: LumaClient, emulator: Emulator, folder: Path
    ) -> None:
        """The second one is told at once, before any request."""
        async with Batch.open(folder, luma):
            with pytest.raises(LedgerError, match="locked by another process"):
                async with Batch.open(folder, luma):
                    pass
        assert () == emulator.requests
        async with Batch.open(folder, luma):
            pass

    async def test_a_batch_belongs_to_one_account(self, emulator: Emulator, folder: Path) -> None:
        """With another key it is refused, unless somebody says that it is the same account."""
        async with studio(emulator) as luma, Batch.open(folder, luma) as batch:
            await batch.add(["A fox"])
            assert ["done"] == states(await run(batch))
        async with studio(emulator, api_key="sk-another-key-of-mine") as luma:
            with pytest.raises(LedgerError, match="another key"):
                async with Batch.open(folder, luma):
                    pass
            async with Batch.open(folder, luma, accept_new_key=True) as batch:
                assert [] == await run(batch)

    async def test_a_folder_that_cannot_be_made_is_told(
        self, luma: LumaClient, tmp_path: Path
    ) -> None:
        """There is a file in its place."""
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(LedgerError, match="cannot be made"):
            async with Batch.open(tmp_path / "file" / "batch", luma):
                pass

    async def test_the_key_is_in_no_file(self, emulator: Emulator, folder: Path) -> None:
        """Not in the record, not in the page, not in the lines for programs."""
        key = "sk-CANARY-of-a-batch-0123456789"
        emulator.inject(Fault(route="create", status=400, body={"message": f"no {key}"}))
        async with studio(emulator, api_key=key) as luma, Batch.open(folder, luma) as batch:
            await batch.add(foxes(3))
            await run(batch)
            held = [path for path in folder.rglob("*") if path.is_file()]
            assert len(held) > 5
            assert [] == [path for path in held if key.encode() in path.read_bytes()]
        held = [path for path in folder.rglob("*") if path.is_file()]
        assert [] == [path for path in held if key.encode() in path.read_bytes()]

    @pytest.mark.parametrize("options", BAD.values(), ids=BAD)
    async def test_an_option_that_cannot_work_is_refused(
        self, luma: LumaClient, folder: Path, options: dict[str, Any]
    ) -> None:
        """It is named before anything is made."""
        with pytest.raises(ConfigurationError):
            Batch.open(folder, luma, **options)
        assert not folder.exists()

    async def test_no_time_limit_is_fine(self, luma: LumaClient, folder: Path) -> None:
        """A wait may take as long as it takes."""
        assert ["done"] == states(await one_run(folder, luma, ["A fox"], timeout=None))
        assert None is BatchOptions(timeout=None).timeout


class TestTelling:
    """What others are told while it runs."""

    async def test_every_change_is_told(self, luma: LumaClient, folder: Path) -> None:
        """An order that goes well has these states, one after the other."""
        told: list[Record] = []
        await one_run(folder, luma, ["A fox"], on_change=told.append)
        seen = list(dict.fromkeys(record.state for record in told))
        assert ["submitting", "submitted", "completed", "downloading", "done"] == seen

    async def test_a_display_that_fails_does_not_stop_paid_work(
        self, luma: LumaClient, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """That is logged once, and the videos are there."""

        def broken(_: Record) -> None:
            raise ValueError("no display")

        outcomes = await one_run(folder, luma, foxes(3), on_change=broken)
        assert ["done"] * 3 == states(outcomes)
        assert 1 == caplog.text.count("on_change failed")

    async def test_a_report_that_cannot_be_written_does_not_stop_it(
        self, luma: LumaClient, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """There is a folder in its place: that is logged once, and the videos are there."""
        (folder / "results.jsonl").mkdir(parents=True)
        with caplog.at_level(logging.WARNING, "luma_async"):
            assert ["done"] * 3 == states(await one_run(folder, luma, foxes(3)))
        assert 1 == caplog.text.count("report cannot be written")
        assert 3 == len(videos(folder))

    async def test_the_report_is_kept_up_to_date(self, luma: LumaClient, folder: Path) -> None:
        """Whoever looks while it runs sees how far it is, and a page that reloads itself."""
        async with Batch.open(folder, luma, max_in_flight=1) as batch:
            await batch.add(foxes(3))
            seen = []
            async for _ in batch.run():
                await anyio.sleep(10.0)
                seen.append([line["state"] for line in results(folder)])
                assert '"running":true' in (folder / "index.html").read_text()
            assert '"running":false' in (folder / "index.html").read_text()
        assert "done" == seen[0][0]
        assert ["done"] * 3 == seen[-1]

    async def test_a_service_that_hangs_is_left_by_its_own_time(
        self, emulator: Emulator, folder: Path
    ) -> None:
        """An order without an answer is in doubt after the time that an order may take."""
        emulator.inject(Fault(route="create", delay=3600.0))
        async with studio(emulator, timeouts=Timeouts(paid=30.0)) as luma:
            (outcome,) = await one_run(folder, luma, ["A fox"])
            assert ("unknown", PRICE) == (outcome.record.state, outcome.record.tokens)
            assert anyio.current_time() < 60.0


def _number(record: Record) -> int:
    return record.number


@pytest.mark.parametrize(
    "order",
    [
        NewOrder(Order("A fox"), order_id=5),  # type: ignore[arg-type]
        NewOrder(Order("A fox"), order_id=""),
        NewOrder(Order("A fox"), order_id="\ud800"),
        NewOrder(Order("A fox"), source=7),  # type: ignore[arg-type]
    ],
)
async def test_names_that_no_ledger_could_hold_are_refused(
    luma: LumaClient, folder: Path, order: NewOrder
) -> None:
    """What got in would keep the whole batch from being opened."""
    async with Batch.open(folder, luma) as batch:
        with pytest.raises(ConfigurationError):
            await batch.add([order])
        with pytest.raises(LedgerError):
            await batch.add([NewOrder(Order("A fox"), "half a \ud800")])
        assert [] == await batch.records()


async def test_a_reason_that_is_no_text_concerns_its_order_alone(
    luma: LumaClient, emulator: Emulator, folder: Path
) -> None:
    """Half a character from the service is written down as what it is."""
    emulator.script(
        "A fox, take 1", [Moment(0.0, "pending"), Moment(1.0, "failed", False, "no \ud800")]
    )
    outcomes = await one_run(folder, luma, foxes(2))
    assert {"failed", "done"} == set(states(outcomes))
    (reason,) = [one.record.reason for one in outcomes if one.record.state == "failed"]
    assert "no \\ud800" == reason
