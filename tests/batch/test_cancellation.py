"""Cancelling a batch at any instant loses no payment, and leaves nothing behind.

Each coroutine is cancelled at its first suspension, then at its second, and so on until it
completes; in the three ways of `tests.support.suspensions`. In virtual time.
"""

import itertools
from collections.abc import Callable, Coroutine
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from luma_async import LumaClient, LumaError
from luma_async.batch import Batch, BatchOptions, NewOrder, Record, run_unit
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import OrderState
from luma_async.batch.ledger.sqlite import SqliteLedger
from luma_async.emulator import Emulator, Fault
from luma_async.models import Order
from tests.support.batches import bills_match, run, states
from tests.support.clients import tasks_of_ours
from tests.support.suspensions import WAYS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.protocol,
    pytest.mark.usefixtures("nothing_left_behind"),
]

Call = Callable[[Batch, str], Coroutine[Any, Any, Any]]


@pytest.fixture
def emulator() -> Emulator:
    """Make a service whose videos take half a minute."""
    return Emulator(median_seconds=30.0)


SERVICES: dict[str, list[Fault]] = {
    "healthy": [],
    "slow": [Fault(route="create", times=None, delay=10.0)],
    "failing": [
        Fault(route="create", times=None, status=500, accept=True),
        Fault(times=3, status=503, skip=1),
    ],
    "busy": [Fault(route="create", times=3, status=429, headers={"Retry-After": "30"})],
}

CHANGES: dict[str, tuple[Call, OrderState]] = {
    "adopt": (lambda batch, name: batch.adopt(name, "found"), "submitted"),
    "dismiss": (lambda batch, name: batch.dismiss(name), "rejected"),
    "retry": (lambda batch, name: batch.retry([name]), "planned"),
    "add": (lambda batch, name: batch.add(["A lynx"]), "unknown"),
    "review": (lambda batch, name: batch.review(), "unknown"),
    "status": (lambda batch, name: batch.status(), "unknown"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("service", SERVICES)
async def test_v5_a_run_is_cancelled(
    luma: LumaClient, emulator: Emulator, tmp_path: Path, service: str, way: str
) -> None:
    """What was paid is recorded or in doubt; the next program opens it at once and goes on."""
    for suspension in itertools.count(1):
        folder = tmp_path / str(suspension)
        prompts = [f"A fox {suspension}", f"A hare {suspension}", f"A lynx {suspension}"]
        for fault in SERVICES[service]:
            emulator.inject(fault)
        async with Batch.open(folder, luma, max_in_flight=2) as batch:
            await batch.add(prompts)
            cancelled, _ = await WAYS[way](run(batch), suspension)
            assert [] == _beyond_questions(tasks_of_ours())
            assert bills_match(emulator, await batch.records())
            assert "submitting" not in states(await batch.records())
            emulator.clear_faults()
        async with Batch.open(folder, luma) as batch:
            await run(batch)
            records = await batch.records()
            assert {"done", "unknown"} >= set(states(records))
            assert bills_match(emulator, records)
            assert service == "failing" or {"done"} == set(states(records))
        if not cancelled:
            break
        assert suspension < 100
    assert () == luma.unclaimed()
    assert "A crab" == (await luma.create("A crab")).prompt


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_cancelled(
    luma: LumaClient, emulator: Emulator, tmp_path: Path, change: str, way: str
) -> None:
    """It is made wholly or not at all, and the batch can still be used."""
    emulator.place("found", "A fox")
    call, state = CHANGES[change]
    for suspension in itertools.count(1):
        folder = tmp_path / str(suspension)
        emulator.inject(Fault(route="create", drop="before"))
        async with Batch.open(folder, luma) as batch:
            await batch.add([NewOrder(Order("A fox"), order_id="fox")])
            await run(batch)
            cancelled, _ = await WAYS[way](call(batch, "fox"), suspension)
            assert [] == tasks_of_ours()
            records = await batch.records()
            assert records[0].state in ("unknown", state)
            assert cancelled or (state, 1 + (change == "add")) == (records[0].state, len(records))
        async with Batch.open(folder, luma) as batch:
            assert records == await batch.records()
        if not cancelled:
            break
        assert suspension < 100
    # A scope is not heard of by what is seen through to its end.
    assert suspension > 1 or way == "scope"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", ["open", "reopen", "close"])
async def test_opening_and_closing_are_cancelled(
    luma: LumaClient, tmp_path: Path, what: str, way: str
) -> None:
    """Whoever comes next opens it at once."""
    for suspension in itertools.count(1):
        folder = tmp_path / str(suspension)
        batch = Batch.open(folder, luma)
        if what != "open":
            await batch.__aenter__()
            await batch.add(["A fox"])
        if what == "reopen":
            await batch.__aexit__(None, None, None)
        work = batch.__aexit__(None, None, None) if what == "close" else batch.__aenter__()
        cancelled, _ = await WAYS[way](work, suspension)
        if what != "close" and not cancelled:
            await batch.__aexit__(None, None, None)
        assert [] == tasks_of_ours()
        async with Batch.open(folder, luma) as batch:
            assert (what != "open") == len(await batch.records())
        if not cancelled:
            break
        assert suspension < 100
    # A scope is not heard of by what is seen through to its end.
    assert suspension > 1 or way == "scope"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("service", SERVICES)
async def test_v5_one_order_is_cancelled(
    luma: LumaClient, emulator: Emulator, tmp_path: Path, service: str, way: str
) -> None:
    """From the plan to the file, at any suspension: its bill is its own or it is in doubt."""
    (tmp_path / "videos").mkdir()
    options = BatchOptions(on_unknown="reconcile", list_delay=5.0)
    async with aclosing(SqliteLedger(tmp_path / "orders.sqlite")) as ledger:
        await ledger.open(lambda _: "an account")
        for suspension in itertools.count(1):
            name = f"fox {suspension}"
            new = NewOrder(Order(f"A {name}"), order_id=name)
            await ledger.transact(partial(rules.plan, orders=[new]), name="add")
            for fault in SERVICES[service]:
                emulator.inject(fault)
            told: list[Record] = []
            work = run_unit(
                name, ledger, luma, folder=tmp_path, options=options, changed=told.append
            )
            cancelled, _ = await WAYS[way](work, suspension)
            emulator.clear_faults()
            assert [] == _beyond_questions(tasks_of_ours())
            records = await ledger.transact(lambda transaction: transaction.records(), name="read")
            assert bills_match(emulator, records)
            assert "submitting" not in states(records)
            with suppress(LumaError):
                await run_unit(name, ledger, luma, folder=tmp_path)
            record = await ledger.transact(partial(rules.get_record, order_id=name), name="read")
            assert record.state in (["unknown"] if service == "failing" else []) + ["done"]
            if not cancelled:
                break
            assert suspension < 100
        bills = [bill.prompt for bill in emulator.ledger]
        assert len(bills) == len(set(bills))
    assert () == luma.unclaimed()


def _beyond_questions(tasks: list[str]) -> list[str]:
    """Leave out a question that is under way for nobody; it ends by itself."""
    return [name for name in tasks if name != "luma_async get"]
