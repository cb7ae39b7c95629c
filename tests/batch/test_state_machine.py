"""A batch in a world where anything happens in any order, with programs that die at any moment.

Hypothesis makes up the histories; the bills of the service say whether money was lost. In virtual
time, on a ledger in a file, of which a program that dies leaves a copy behind.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from luma_async import Limits, LumaClient, LumaError
from luma_async.batch import Batch, NewOrder, Record
from luma_async.batch.ledger.sansio.transitions import OnUnknown
from luma_async.emulator import Emulator, Fault, VirtualTimeLoop
from luma_async.models import AspectRatio, Order
from tests.support.batches import cable, states, studio
from tests.support.clients import posts, tasks_of_ours

T = TypeVar("T")

PRICE = 500_000
AT_ONCE = 3
PROMPTS = ("A fox", "A hare", "A lynx")
FAULTS: dict[str, dict[str, Any]] = {
    "answer lost": {"route": "create", "drop": "after"},
    "never arrived": {"route": "create", "drop": "before", "reset": True},
    "failed and accepted": {"route": "create", "status": 500, "accept": True},
    "failed": {"route": "create", "status": 502},
    "half an answer": {"route": "create", "cut_at": 60},
    "slow": {"route": "create", "delay": 20.0, "times": 3},
    "never answered": {"route": "create", "delay": 3600.0},
    "refused": {"route": "create", "status": 400},
    "busy": {"route": "create", "status": 429, "times": 2, "headers": {"Retry-After": "5"}},
    "wrong key": {"status": 401},
    "no credits": {"route": "create", "status": 403},
    "no list": {"route": "list", "status": 500, "times": 4},
    "empty list": {"route": "list", "shape": lambda _: []},
    "no states": {"route": "get", "status": 503, "times": 3},
    "broken video": {"route": "video", "cut_at": 2000, "times": 2},
}


class World(RuleBasedStateMachine):
    """One account, one folder, and one program after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.disk = tempfile.TemporaryDirectory(prefix="luma")
        self.folder = Path(self.disk.name) / "0"
        # One thread: when it is through with its last piece of work, nobody is at a file.
        self.thread = ThreadPoolExecutor(1)
        self.runner.get_loop().set_default_executor(self.thread)
        self.added = 0
        self.foreign = 0

    def go(self, work: Coroutine[Any, Any, T]) -> T:
        """Let some work be done, and everything else go on meanwhile."""
        return self.runner.run(work)

    @initialize(
        on_unknown=st.sampled_from(["hold", "reconcile", "resubmit"]),
        lag=st.sampled_from([0.0, 30.0]),
        failure_rate=st.sampled_from([0.0, 0.2]),
    )
    def begin(self, on_unknown: OnUnknown, lag: float, failure_rate: float) -> None:
        """Start the service, and the first program."""
        self.emulator = Emulator(list_lag_seconds=lag, failure_rate=failure_rate)
        self.on_unknown = on_unknown
        self.go(self._start())
        self.add("A fox", 2, "16:9")
        self.run_again()

    async def _start(self) -> None:
        self.stack = AsyncExitStack()
        limits = Limits(concurrent_requests=AT_ONCE)
        self.luma: LumaClient = await self.stack.enter_async_context(
            studio(self.emulator, limits=limits)
        )
        self.batch = await self.stack.enter_async_context(
            Batch.open(self.folder, self.luma, on_unknown=self.on_unknown, max_in_flight=4)
        )
        self.running: asyncio.Task[None] | None = None

    async def _end(self) -> None:
        self.batch.stop()
        if self.running is not None:
            await self.running
        await self.stack.aclose()
        assert [] == tasks_of_ours()

    async def _consume(self) -> None:
        try:
            async for outcome in self.batch.run():
                assert (outcome.error is None) == (outcome.record.state == "done")
        except LumaError:
            # The next run tries again.
            return

    @rule(
        prompt=st.sampled_from(PROMPTS),
        number=st.integers(1, 5),
        shape=st.sampled_from(["16:9", "16:9", "1:1"]),
    )
    def add(self, prompt: str, number: int, shape: AspectRatio) -> None:
        """Add orders; equal ones, too."""
        orders = [
            NewOrder(Order(prompt, aspect_ratio=shape), order_id=str(self.added + n))
            for n in range(number)
        ]
        self.added += number
        assert number == self.go(self.batch.add(orders))

    @rule()
    def run_again(self) -> None:
        """Run the batch, unless it runs."""

        async def start() -> None:
            if self.running is None or self.running.done():
                self.running = asyncio.create_task(self._consume())

        self.go(start())

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 10.0, 60.0, 300.0]))
    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.go(asyncio.sleep(seconds))

    @rule(turns=st.integers(1, 200))
    def step(self, turns: int) -> None:
        """Let a few things happen."""

        async def yield_often() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.go(yield_often())

    @rule(
        prompt=st.sampled_from(PROMPTS),
        name=st.sampled_from(["answer lost", "failed and accepted", "half an answer", "slow"]),
    )
    def fail_when_it_is_paid(self, prompt: str, name: str) -> None:
        """Let an order that is sent now be accepted, and its answer be lost or come late."""
        self.emulator.inject(Fault(**FAULTS[name]))
        self.add(prompt, 1, "16:9")
        self.start_anew()

    @rule(name=st.sampled_from(sorted(FAULTS)))
    def fail(self, name: str) -> None:
        """Let something go wrong, now or later."""
        self.emulator.inject(Fault(**FAULTS[name]))

    @rule()
    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.emulator.clear_faults()
        cable(self.luma).is_cut = False

    @rule()
    def cut(self) -> None:
        """Take the network away."""
        cable(self.luma).is_cut = True

    @rule(prompt=st.sampled_from(PROMPTS))
    def order_elsewhere(self, prompt: str) -> None:
        """Let another program make a video of the same prompt."""
        self.foreign += 1
        self.emulator.place(f"foreign-{self.foreign}", prompt)

    @rule()
    def stop(self) -> None:
        """End the run in an orderly way."""
        self.batch.stop()

    @rule()
    def cancel(self) -> None:
        """Cancel whoever iterates."""

        async def cancel() -> None:
            if self.running is not None:
                self.running.cancel()
                await asyncio.wait([self.running])

        self.go(cancel())
        self.running = None

    @rule()
    def start_anew(self) -> None:
        """End the program in an orderly way; another one takes the folder over."""
        self.go(self._end())
        self.go(self._start())
        self.run_again()

    @rule(turns=st.integers(0, 60))
    def die(self, turns: int) -> None:
        """Kill the program a little later; another one takes the folder over.

        What it does after that instant is done in a folder that nobody looks at any more; what is
        on its way to the service gets there all the same.
        """
        self.step(turns)
        self._let_threads_finish()
        left = self.folder.with_name(str(int(self.folder.name) + 1))
        shutil.copytree(self.folder, left, ignore=shutil.ignore_patterns("*-shm"))
        self.go(self._end())
        self.folder = left
        self.go(self._start())
        in_doubt = states(self.go(self.batch.records())).count("submitting")
        assert in_doubt <= AT_ONCE, "I21"
        self.run_again()

    @rule(prompt=st.sampled_from(PROMPTS), seconds=st.sampled_from([1.0, 10.0, 19.0]))
    def die_while_it_is_paid(self, prompt: str, seconds: float) -> None:
        """Kill the program while it waits for the answer to an order."""
        self.fail_when_it_is_paid(prompt, "slow")
        self.tick(seconds)
        self.die(0)

    def _let_threads_finish(self) -> None:
        ledger = self.batch._open_ledger()
        for thread in (self.thread, ledger._thread):
            thread.submit(lambda: None).result()

    @invariant()
    def no_money_is_lost(self) -> None:
        """Each bill is one order's that was authorised, or that of an order in doubt."""
        if not hasattr(self, "batch"):
            return
        # Bills first: what is billed has been noted by then.
        bills = self.emulator.ledger
        records = self.go(self.batch.records())
        self._compare(bills, records)

    def _compare(self, bills: Any, records: list[Record]) -> None:
        billed = Counter(bill.prompt for bill in bills)
        ordered = Counter(record.order.user_prompt for record in records)
        tokens = Counter[str]()
        in_doubt = Counter[str]()
        for record in records:
            tokens[record.order.user_prompt] += record.tokens
            if record.state in ("unknown", "submitting"):
                in_doubt[record.order.user_prompt] += 1
        claimed = [one.generation_id for one in records if one.generation_id is not None]
        unclaimed = Counter(bill.prompt for bill in bills if bill.id not in claimed)
        story = [(one.state, one.order.user_prompt, one.reason) for one in records]
        assert billed <= ordered, f"I1: {billed} of {story}"
        assert all(PRICE * many <= tokens[prompt] for prompt, many in billed.items()), "I1"
        assert unclaimed <= in_doubt, f"I2: {unclaimed} of {story}"
        assert len(claimed) == len(set(claimed)), "I2"

    def teardown(self) -> None:
        """Heal everything, and run until nothing is left to do."""
        try:
            if hasattr(self, "batch"):
                self.heal()
                self.go(self._finish())
        finally:
            self.runner.close()
            self.thread.shutdown()
            self.disk.cleanup()

    async def _finish(self) -> None:
        self.batch.stop()
        if self.running is not None:
            await self.running
        for _ in range(5):
            await asyncio.sleep(120.0)
            async for _ in self.batch.run():
                pass
        records = await self.batch.records()
        bills = self.emulator.ledger
        assert {"done", "failed", "rejected", "unknown"} >= set(states(records))
        self._compare(bills, records)
        for record in records:
            if record.state == "done":
                assert (self.folder / (record.file or "")).stat().st_size == record.size
        before, paid = len(self.emulator.requests), posts(self.emulator)
        async for outcome in self.batch.run():
            assert "unknown" == outcome.record.state
        assert paid == posts(self.emulator), "I15"
        assert "unknown" in states(records) or before == len(self.emulator.requests), "I15"
        assert records == await self.batch.records() or self.on_unknown != "hold", "I15"
        await self._end()


World.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestNoMoneyIsLost = pytest.mark.protocol(World.TestCase)
