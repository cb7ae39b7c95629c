"""Batches whose process is killed at random moments: nothing is paid twice, and nothing lost.

``nox -s kills -- --kills 10000`` is the long run. A batch that breaks a promise is kept, and shown
with the seed that makes its orders and faults anew; the moments of the kills are left to chance.
"""

import argparse
import asyncio
import logging
import math
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from luma_async import LumaError, Order
from luma_async.batch import OnUnknown, Record
from luma_async.models import AspectRatio
from luma_async.settings import Budget
from tests.support.account_books import PAID_ROUTES, Account, Comparison, compare, records_of
from tests.support.forked import emulator_process, fork, get_ready, run_batch

STOPPED = 3
"""The exit code of a worker whose run ended with an error, as with the third lost answer."""

PATIENCE = 60.0
MOMENTS = (0.05, 0.1, 0.1, 0.3)
MOST_KILLS = 40
MOST_RUNS = 200
ON_UNKNOWN: tuple[OnUnknown, ...] = ("hold", "reconcile", "resubmit")
RATIOS: tuple[AspectRatio, ...] = ("16:9", "9:16", "1:1")


@frozen
class Mode:
    """How batches treat unknown orders, and how late the account's list is, in seconds."""

    on_unknown: OnUnknown
    list_lag: float
    list_delay: float

    def __str__(self) -> str:
        return f"{self.on_unknown}, list {self.list_lag:g} s late, list delay {self.list_delay:g} s"


# Videos take some tenths of a second; one in twenty fails.
SERVICE: dict[str, Any] = {
    "time_scale": 300.0,
    "sigma": 0.8,
    "estimates": True,
    "failure_rate": 0.05,
}

MODES = (
    Mode("hold", 0.0, 0.2),
    Mode("hold", 0.8, 0.2),
    Mode("reconcile", 0.0, 0.2),
    Mode("reconcile", 0.8, 0.2),
    Mode("resubmit", 0.0, 0.3),
    Mode("resubmit", 0.15, 0.3),
)


@define
class Tally:
    """What came of the batches of one mode."""

    kills: int = 0
    batches: int = 0
    orders: int = 0
    bills: int = 0
    twice: int = 0
    lost: int = 0
    wrong: int = 0
    held: int = 0
    adopted: int = 0
    unknown_per_kill: int = 0
    seconds: float = 0.0

    def add(self, other: "Tally") -> None:
        """Count what came of others as well."""
        for name in HEAD:
            value = getattr(other, name)
            ours = getattr(self, name)
            setattr(self, name, max(ours, value) if name == "unknown_per_kill" else ours + value)
        self.seconds += other.seconds

    def __str__(self) -> str:
        cells = [f"{getattr(self, name):>{len(title)}}" for name, title in HEAD.items()]
        pace = 60 * self.kills / self.seconds if self.seconds else 0.0
        return "  ".join([*cells, f"{pace:>9.0f}"])


HEAD = {
    "kills": "  kills",
    "batches": "batches",
    "orders": " orders",
    "bills": "  bills",
    "twice": "paid twice",
    "lost": "lost",
    "wrong": "wrong",
    "held": " held",
    "adopted": "adopted",
    "unknown_per_kill": "unknown per kill, at most",
}


@frozen(kw_only=True)
class Plan:
    """One batch: what is ordered, and what goes wrong; the seed alone makes it."""

    seed: int
    mode: Mode
    in_flight: int
    orders: list[Order]
    strangers: list[str]
    faults: list[dict[str, Any]]

    @property
    def options(self) -> dict[str, Any]:
        """The options of the batch; the budget pays for each order once."""
        return {
            "on_unknown": self.mode.on_unknown,
            "max_in_flight": self.in_flight,
            "list_delay": self.mode.list_delay,
            "budget": Budget(tokens=len(self.orders) * Budget().per_create),
        }


def make_plan(
    name: str,
    seed: int,
    mode: Mode,
    *,
    many: int,
    in_flight: int,
    equal: float,
    parent: str | None,
) -> Plan:
    """Draw a batch of about so many orders, whose prompts bear its name."""
    chance = random.Random(seed)
    orders: list[Order] = []
    for number in range(chance.randint(max(many // 2, 1), many + many // 2)):
        prompt = f"fox {number} of {name}"
        if orders and chance.random() < equal:
            prompt = chance.choice(orders).user_prompt
        orders.append(
            Order(
                prompt,
                aspect_ratio=chance.choice(RATIOS) if chance.random() < 0.1 else "16:9",
                extends=parent if chance.random() < 0.2 else None,
            )
        )
    return Plan(
        seed=seed,
        mode=mode,
        in_flight=chance.randint(1, in_flight),
        orders=orders,
        # Others have ordered the same before.
        strangers=[chance.choice(orders).user_prompt for _ in range(chance.choice((0, 0, 1, 5)))],
        faults=[*make_faults(chance, len(orders))],
    )


def make_faults(chance: random.Random, many: int) -> list[dict[str, Any]]:
    """Draw what goes wrong: most with paid requests, at which it hurts most."""
    share = chance.choice((0.0, 0.1, 0.3))
    faults = [
        {**_paid_fault(chance), "route": route, "skip": chance.randrange(2 * many)}
        for route in PAID_ROUTES
        for _ in range(math.ceil(share * many))
    ]
    faults += [
        {"route": "list", "status": 500, "skip": chance.randrange(5)},
        {"route": "get", "status": chance.choice((429, 500)), "skip": chance.randrange(20)},
        {"route": "get", "shape": "missing", "skip": chance.randrange(20)},
        {"route": "video", "cut_at": chance.randrange(5000), "skip": chance.randrange(many)},
        {"route": "video", "drop": "before", "skip": chance.randrange(many)},
    ]
    # What is slow keeps many paid requests in flight.
    slowness = chance.choice((0.0, 0.0, 0.02, 0.1, 0.2))
    faults += [{"route": route, "times": None, "delay": slowness} for route in PAID_ROUTES]
    return faults


def _paid_fault(chance: random.Random) -> dict[str, Any]:
    fault: dict[str, Any] = chance.choice(
        (
            {"drop": "after", "reset": chance.random() < 0.5},
            {"drop": "after", "delay": 0.1},
            {"drop": "before"},
            {"status": 500, "accept": True},
            {"status": 500},
            {"status": 429},
            {"status": 429, "headers": {"Retry-After": "0"}},
            {"status": 403},
            {"cut_at": chance.randrange(400)},
            {"status": 201, "body": "no JSON", "accept": True},
        )
    )
    return fault


class BrokenPromiseError(Exception):
    """A run that may not be."""


@define
class Killing:
    """One batch that is run and killed until it is finished."""

    plan: Plan
    folder: Path
    account: Account
    kills_left: int
    chance: random.Random = field(factory=random.Random)
    tally: Tally = field(factory=Tally)

    def run(self) -> list[str]:
        """Run it, and return what is wrong."""
        began = time.monotonic()
        strangers = [self.account.order(prompt) for prompt in self.plan.strangers]
        # What others did is before our time only where the list shows it.
        time.sleep(self.plan.mode.list_lag if strangers else 0.0)
        for fault in self.plan.faults:
            self.account.inject(**fault)
        try:
            self._run_until_finished()
            self.account.clear_faults()
            self._run_again()
            problems = []
        except BrokenPromiseError as broken:
            problems = [str(broken)]
        comparison = compare(self.folder, self.account, strangers=strangers)
        self._count(comparison, time.monotonic() - began)
        return [*problems, *comparison.problems]

    def _run_until_finished(self) -> None:
        for _ in range(MOST_RUNS):
            has_video_or_failed = self._run_once()
            records = records_of(self.folder)
            if has_video_or_failed and is_finished(records):
                return
        raise BrokenPromiseError(f"not finished after {MOST_RUNS} runs: {_states(records)}")

    def _run_once(self) -> bool:
        """Run it for a while, or until it ends where no kills are left; say whether it ended."""
        is_doomed = self.tally.kills < self.kills_left
        worker = fork(work, self.folder, self.account.url, self.plan)
        worker.join(self.chance.random() * self.chance.choice(MOMENTS) if is_doomed else PATIENCE)
        has_video_or_failed = worker.exitcode is not None
        worker.kill()
        worker.join()
        code = worker.exitcode
        worker.close()
        if has_video_or_failed and code not in (0, STOPPED):
            raise BrokenPromiseError(f"the run ended with exit code {code}")
        if not has_video_or_failed and not is_doomed:
            raise BrokenPromiseError(f"the run did not end within {PATIENCE:g} s")
        if not has_video_or_failed:
            self._look_at_the_dead()
        return has_video_or_failed

    def _look_at_the_dead(self) -> None:
        self.tally.kills += 1
        under_way = sum(record.state == "submitting" for record in records_of(self.folder))
        self.tally.unknown_per_kill = max(self.tally.unknown_per_kill, under_way)
        if under_way > self.plan.in_flight:
            raise BrokenPromiseError(
                f"a kill made {under_way} orders unknown, with {self.plan.in_flight} in flight"
            )

    def _run_again(self) -> None:
        """Run it once more: a finished batch sends nothing, and one that holds pays for nothing."""
        records, before = records_of(self.folder), self.account.show("wire")
        if self.plan.mode.on_unknown == "resubmit" and not _is_final(records):
            return
        self._run_once_to_the_end()
        sent = self.account.show("wire")[len(before) :]
        if not _is_final(records) and self.plan.mode.on_unknown != "hold":
            sent = [request for request in sent if request["route"] in PAID_ROUTES]
        if sent:
            raise BrokenPromiseError(f"a finished batch sent {len(sent)} requests: {sent[:3]}")

    def _run_once_to_the_end(self) -> None:
        self.kills_left = 0
        self._run_once()

    def _count(self, comparison: Comparison, seconds: float) -> None:
        tally = self.tally
        tally.batches, tally.orders, tally.bills = 1, len(self.plan.orders), comparison.bills
        tally.twice, tally.lost = len(comparison.twice), len(comparison.lost)
        tally.wrong = len(comparison.wrong)
        tally.held, tally.adopted = comparison.held, comparison.adopted
        tally.seconds = seconds


def work(folder: Path, url: str, plan: Plan) -> None:
    """Be the process that is killed."""
    try:
        asyncio.run(run_batch(folder, url, plan.orders, plan.options))
    except LumaError:
        sys.exit(STOPPED)


def is_finished(records: Sequence[Record]) -> bool:
    """Say whether every order is at its end, or held."""
    return bool(records) and all(one.is_final or one.state == "unknown" for one in records)


def _is_final(records: Sequence[Record]) -> bool:
    return all(record.is_final for record in records)


def _states(records: Sequence[Record]) -> str:
    return ", ".join(f"{one.number} {one.state} ({one.reason})" for one in records)


@define
class Soak:
    """Batches one after the other, until there were kills enough."""

    arguments: argparse.Namespace
    tallies: dict[Mode, Tally] = field(factory=dict)
    kept: list[Path] = field(factory=list)

    @property
    def kills(self) -> int:
        """How many there were."""
        return sum(tally.kills for tally in self.tallies.values())

    def run(self) -> None:
        """Kill until it is enough."""
        modes = _modes(self.arguments)
        seed = self.arguments.seed
        while self.kills < self.arguments.kills:
            self._run_batch(seed, modes[seed % len(modes)])
            seed += 1

    def _run_batch(self, seed: int, mode: Mode) -> None:
        arguments = self.arguments
        with ExitStack() as stack:
            if arguments.server:
                account = Account(arguments.server)
                account.clear_faults()
            else:
                settings = {"seed": seed, "list_lag_seconds": mode.list_lag, **SERVICE}
                account = stack.enter_context(emulator_process(**settings))
            folder = Path(tempfile.mkdtemp(prefix=f"kills-{seed}-"))
            plan = make_plan(
                folder.name,
                seed,
                mode,
                many=arguments.orders,
                in_flight=arguments.in_flight,
                equal=arguments.equal,
                parent=account.make(f"what {folder.name} extends") if seed % 4 == 0 else None,
            )
            left = min(arguments.kills - self.kills, MOST_KILLS)
            killing = Killing(plan, folder, account, left)
            problems = killing.run()
        self.tallies.setdefault(mode, Tally()).add(killing.tally)
        if not problems:
            shutil.rmtree(folder)
            return
        self.kept.append(folder)
        print(f"seed {seed} ({mode}), {folder}:", *problems, sep="\n  ", flush=True)

    def show(self) -> None:
        """Print what came of it."""
        print("  ".join([*HEAD.values(), "kills/min"]))
        total = Tally()
        for mode, tally in self.tallies.items():
            print(tally, mode, sep="  ")
            total.add(tally)
        print(total, "all", sep="  ")


def _modes(arguments: argparse.Namespace) -> Sequence[Mode]:
    given = (arguments.on_unknown, arguments.list_lag, arguments.list_delay)
    if given == (None, None, None):
        return MODES
    lag = 0.0 if arguments.list_lag is None else arguments.list_lag
    list_delay = 0.3 if arguments.list_delay is None else arguments.list_delay
    wanted = ON_UNKNOWN if arguments.on_unknown is None else (arguments.on_unknown,)
    return [Mode(on_unknown, lag, list_delay) for on_unknown in wanted]


def main() -> None:
    """Kill, compare, and print how often a promise was broken."""
    parser = argparse.ArgumentParser(prog="kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the first batch")
    parser.add_argument("--server", help="the address of an emulator; else there is a new one each")
    parser.add_argument("--in-flight", type=int, default=16, help="at most, drawn for each batch")
    parser.add_argument("--equal", type=float, default=0.5, help="the share of equal prompts")
    parser.add_argument("--list-lag", type=float, help="how late the server's list is, in seconds")
    parser.add_argument("--list-delay", type=float, help="the seconds that batches give the list")
    parser.add_argument("--on-unknown", choices=ON_UNKNOWN, help="without any of these three, all")
    parser.add_argument("--orders", type=int, default=24, help="of a batch, on average")
    soak = Soak(parser.parse_args())
    # Failed requests are warned of, and here they are plenty.
    logging.getLogger("luma_async").setLevel(logging.CRITICAL)
    get_ready()
    soak.run()
    soak.show()
    raise SystemExit(bool(soak.kept))


if __name__ == "__main__":
    main()
