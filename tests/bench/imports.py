"""What it costs to import the package, and to run tests where it is installed."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.bench.tables import Table

PYTEST = ["-m", "pytest", "-q"]
DEPENDENCIES = ["-c", "import aiohttp, anyio, attrs, cattrs"]
IMPORT = "from luma_async import LumaClient"
PAIRS: list[tuple[list[str], list[str], float | None]] = [
    # A program, one that does all but what is measured, and how many times its CPU is too much.
    (PYTEST, [*PYTEST, "-p", "no:luma_emulator"], 1.15),
    (["-c", "import luma_async"], ["-c", "pass"], None),
    (["-c", IMPORT], DEPENDENCIES, 1.1),
    (["-c", f"{IMPORT}; LumaClient('a-key')"], DEPENDENCIES, None),
]


def on_import(rounds: int) -> Table:
    """Compare the CPU of new processes, run in turns."""
    table = Table(
        f"Imports: CPU of a new process, the median of {rounds}",
        ["python ...", "ms", "beside python ...", "ms", "ratio"],
    )
    for program, reference, goal in PAIRS:
        ours, theirs = _milliseconds([program, reference], rounds)
        table.add(" ".join(program), ours, " ".join(reference), theirs, ours / theirs, goal=goal)
    return table


def _milliseconds(programs: Sequence[Sequence[str]], rounds: int) -> list[float]:
    taken: list[list[float]] = [[] for _ in programs]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing(): pass\n", "utf-8")
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        # The first time of each compiles what the others load, and does not count.
        for _ in range(rounds + 1):
            for program, times in zip(programs, taken, strict=True):
                before = _cpu_of_children()
                command = [sys.executable, *program]
                quiet = subprocess.DEVNULL
                subprocess.run(command, cwd=folder, env=environment, stdout=quiet, check=True)
                times.append((_cpu_of_children() - before) * 1e3)
    return [median(times[1:]) for times in taken]


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
