"""Runs batches in processes that die at named points, for a test that tells it which.

It is a process beside that of the tests, which has threads and an event loop, and cannot be forked.
"""

import asyncio
import json
import logging
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from luma_async import LumaClient, LumaError, Order
from luma_async._runtime import failpoints
from luma_async.batch import Batch, BatchOptions, NewOrder, OnUnknown, run_unit
from luma_async.batch.batch import LEDGER_NAME
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sqlite import SqliteLedger
from tests.support.account_books import Account, compare
from tests.support.clients import quick_client
from tests.support.forked import emulator_process, fork, get_ready

DEAD = 9
"""The exit code of a process that died at its point."""

STOPPED = 3
"""The exit code of one whose run ended with an error."""

PATIENCE = 30.0
MOST_RUNS = 5

Point = tuple[str, int]
"""The name of a point, and at which of its hits the process dies; "" stands for any point."""

Script = Callable[[LumaClient, Path, "Scenario"], Awaitable[None]]


async def run_batch(luma: LumaClient, folder: Path, scenario: "Scenario") -> None:
    """Do what nearly every program does."""
    async with scenario.open(luma, folder) as batch:
        await batch.add(scenario.orders)
        async for _ in batch.run():
            pass


async def run_and_review(luma: LumaClient, folder: Path, scenario: "Scenario") -> None:
    """Run a batch, decide on each order that is held or was refused, and run it again."""
    async with scenario.open(luma, folder) as batch:
        await batch.add(scenario.orders)
        with suppress(LumaError):
            async for _ in batch.run():
                pass
        for held in await batch.review():
            if held.candidates:
                await batch.adopt(held.record.order_id, held.candidates[0])
            else:
                await batch.dismiss(held.record.order_id)
        refused = [
            record.order_id
            for record in await batch.records()
            if record.state == "rejected" and not record.tokens
        ]
        await batch.retry(refused)
        async for _ in batch.run():
            pass


async def run_orders(luma: LumaClient, folder: Path, scenario: "Scenario") -> None:
    """Run each order by itself, as a task queue does; the first one's sender has died."""
    folder.joinpath("videos").mkdir(parents=True, exist_ok=True)
    ledger = SqliteLedger(folder / LEDGER_NAME)
    await ledger.open((await luma.account()).mark)
    try:
        orders = [NewOrder(order, order_id=order.user_prompt) for order in scenario.orders]
        first, *_ = names = [order.user_prompt for order in scenario.orders]
        await ledger.transact(lambda transaction: rules.plan(transaction, orders), name="add")
        record = await ledger.transact(
            lambda transaction: rules.get_record(transaction, first), name="get"
        )
        if record.state == "planned":
            await ledger.transact(
                lambda transaction: rules.mark_submitting(
                    transaction, first, at=datetime.now(UTC), price=500_000, budget=None
                ),
                name="submitting",
            )
        options = BatchOptions(
            on_unknown=scenario.on_unknown,
            list_delay=scenario.list_delay,
            look_interval=scenario.list_delay,
        )
        for name in names:
            await run_unit(name, ledger, luma, folder=folder, options=options)
    finally:
        await ledger.aclose()


@frozen(kw_only=True)
class Scenario:
    """What a batch orders, and what it meets."""

    on_unknown: OnUnknown = "hold"
    list_delay: float = 0.05
    prompts: Sequence[str] = ("a red fox", "a blue fox", "a red fox")
    is_extension: bool = False
    faults: Sequence[dict[str, object]] = ()
    service: Mapping[str, object] = field(factory=dict)
    script: Script = run_batch
    parent: str | None = None

    @property
    def orders(self) -> list[Order]:
        """What is ordered."""
        return [Order(prompt, extends=self.parent) for prompt in self.prompts]

    def open(self, luma: LumaClient, folder: Path) -> Batch:
        """Name the batch."""
        return Batch.open(
            folder, luma, on_unknown=self.on_unknown, max_in_flight=1, list_delay=self.list_delay
        )


UNANSWERED: dict[str, object] = {"route": "create", "drop": "after"}
UNHEARD: dict[str, object] = {"route": "create", "drop": "before"}
REFUSED: dict[str, object] = {"route": "create", "status": 400}

SCENARIOS: Mapping[str, Scenario] = {
    "healthy": Scenario(),
    "found in the list": Scenario(on_unknown="reconcile", faults=[{**UNANSWERED, "skip": 1}]),
    # Another order has to be accepted before the first look.
    "sent again": Scenario(on_unknown="resubmit", list_delay=0.4, faults=[UNHEARD]),
    "refused": Scenario(faults=[REFUSED]),
    "failed": Scenario(service={"failure_rate": 1.0}),
    "out of credits": Scenario(faults=[{"route": "create", "status": 403, "skip": 1}]),
    "no video": Scenario(faults=[{"route": "video", "status": 404, "times": None}]),
    "extended": Scenario(prompts=("on it goes", "on it goes"), is_extension=True),
    "reviewed": Scenario(
        prompts=("one", "two", "three", "four"),
        faults=[UNANSWERED, UNHEARD, REFUSED],
        script=run_and_review,
    ),
    "order by order": Scenario(prompts=("one", "two"), on_unknown="reconcile", script=run_orders),
}


def survey(name: str) -> dict[str, int]:
    """Return how often each point is hit in a first run in which nobody dies."""
    with _stage(name) as stage:
        here, there = Pipe(duplex=False)
        stage.run(None, there)
        hits: dict[str, int] = here.recv()
    return hits


def case(name: str, deaths: Sequence[Point]) -> dict[str, Any]:
    """Let the process of a batch die so often, bring the batch to its end, and compare the books.

    Returns:
        The exit code of each process, and what is wrong in the end.
    """
    with _stage(name) as stage:
        codes = [stage.run(point) for point in deaths]
        stage.account.clear_faults()
        for _ in range(MOST_RUNS):
            codes.append(stage.run(None))
            if codes[-1] == 0:
                break
        comparison = compare(stage.folder, stage.account)
    unfinished = [
        f"order {record.number} is {record.state}: {record.reason}"
        for record in comparison.records
        if not record.is_final and record.state != "unknown"
    ]
    return {"codes": codes, "problems": [*comparison.problems, *unfinished]}


@frozen
class _Stage:
    """A batch and its service."""

    scenario: Scenario
    folder: Path
    account: Account

    def run(self, point: Point | None, news: Connection | None = None) -> int | None:
        """Run the batch once, dying at a point; return the exit code, or None for a hang."""
        process = fork(_work, self.scenario, self.folder, self.account.url, point, news)
        process.join(PATIENCE)
        code = process.exitcode
        process.kill()
        process.join()
        process.close()
        return code


@contextmanager
def _stage(name: str) -> Iterator[_Stage]:
    scenario = SCENARIOS[name]
    service = {"time_scale": 3000.0, "estimates": True, **scenario.service}
    with (
        emulator_process(**service) as account,
        tempfile.TemporaryDirectory(prefix="crash") as place,
    ):
        if scenario.is_extension:
            scenario = evolve(scenario, parent=account.make("what is extended"))
        for fault in scenario.faults:
            account.inject(**fault)
        yield _Stage(scenario, Path(place) / "batch", account)


def _work(
    scenario: Scenario, folder: Path, url: str, point: Point | None, news: Connection | None
) -> None:
    """Be the process that dies, or the one that goes on after it."""
    hits: Counter[str] = Counter()
    turn = threading.Lock()

    def armed(name: str) -> None:
        with turn:
            hits[name] += 1
            if point in ((name, hits[name]), ("", hits.total())):
                os._exit(DEAD)

    async def run() -> None:
        async with quick_client(url) as luma:
            await scenario.script(luma, folder, scenario)

    failpoints.armed = armed
    try:
        asyncio.run(run())
    except LumaError:
        sys.exit(STOPPED)
    finally:
        if news is not None:
            news.send(dict(hits))


def main() -> None:
    """Answer each line with one: a scenario's name and deaths, or its name for a survey."""
    # What goes wrong here does so on purpose.
    logging.getLogger("luma_async").setLevel(logging.CRITICAL)
    get_ready()
    for line in sys.stdin:
        name, deaths = json.loads(line)
        answer = survey(name) if deaths is None else case(name, [tuple(one) for one in deaths])
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
