"""A program that dies at any of the named points, and again while it recovers from that."""

import ast
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import luma_async

PACKAGE = Path(luma_async.__file__).parent
PROJECT = PACKAGE.parent
SCENARIOS = (
    "healthy",
    "found in the list",
    "sent again",
    "refused",
    "failed",
    "out of credits",
    "no video",
    "extended",
    "reviewed",
    "order by order",
)
DEAD = 9

pytestmark = pytest.mark.protocol

Ask = Callable[[str, list[tuple[str, int]] | None], Any]


def texts(node: ast.expr) -> list[str]:
    """Return the literal texts that an expression may stand for."""
    if isinstance(node, ast.IfExp):
        return [*texts(node.body), *texts(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def points_of(source: str) -> Iterator[str]:
    """Name the points of a module, those around each of its transactions included."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if isinstance(call.func, ast.Name) and call.func.id == "failpoint":
            yield from texts(call.args[0])
        for name in call.keywords if called == "transact" else ():
            if name.arg == "name":
                yield from around(texts(name.value))
        if called == "update" and call.args:
            yield from around(texts(call.args[0]))


def around(transactions: list[str]) -> Iterator[str]:
    """Name the points before and behind the ends of transactions."""
    for name in transactions:
        yield from (f"{name}: before commit", f"{name}: after commit")


POINTS = sorted(
    {point for module in PACKAGE.rglob("*.py") for point in points_of(module.read_text("utf-8"))}
)


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Ask a process without threads to let processes of its own die."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.support.crash_worker"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None

    def ask(scenario: str, deaths: list[tuple[str, int]] | None) -> Any:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(f"{json.dumps([scenario, deaths])}\n")
        worker.stdin.flush()
        return json.loads(worker.stdout.readline())

    with worker:
        yield ask
        worker.stdin.close()


@pytest.fixture(scope="module")
def surveys(ask: Ask) -> dict[str, dict[str, int]]:
    """How often each scenario hits each point."""
    return {scenario: ask(scenario, None) for scenario in SCENARIOS}


def test_each_point_is_reached_in_some_scenario(surveys: dict[str, dict[str, int]]) -> None:
    """A new place to die at needs a scenario that comes by it, and there are many."""
    assert set(POINTS) == {point for hits in surveys.values() for point in hits}
    assert len(POINTS) >= 20


@pytest.mark.parametrize("point", POINTS)
def test_a_program_may_die_anywhere_and_again_while_it_recovers(
    point: str, ask: Ask, surveys: dict[str, dict[str, int]]
) -> None:
    """Whatever moment my program dies at, twice in a row, I pay once and lose no video."""
    scenario = next(name for name in SCENARIOS if point in surveys[name])
    hits = surveys[scenario]
    for hit in sorted({1, min(2, hits[point]), hits[point]}):
        chance = random.Random(f"{point}: {hit}")
        again = chance.choice([(point, 1), ("", chance.randint(1, sum(hits.values()) // 2))])
        result = ask(scenario, [(point, hit), again])
        first, *_, last = result["codes"]
        assert ([], DEAD, 0) == (result["problems"], first, last), (scenario, hit, again)
