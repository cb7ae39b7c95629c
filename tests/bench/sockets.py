"""CPU and memory on real sockets: an emulator in one process, each way to wait in another."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.bench.tables import Table

SPEED = 10.0
_SERVE = f"""
import asyncio
from luma_async.emulator import Emulator

async def main():
    async with Emulator(time_scale={SPEED}) as service:
        print(service.base_url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@contextmanager
def service() -> Iterator[str]:
    """Serve an emulator in a process of its own; return its address."""
    with subprocess.Popen([sys.executable, "-c", _SERVE], stdout=subprocess.PIPE, text=True) as one:
        try:
            assert one.stdout is not None
            yield one.stdout.readline().strip()
        finally:
            one.terminate()


def measured(name: str, many: int) -> dict[str, float]:
    """Let one way to wait follow so many generations, and return what it took."""
    with service() as base_url:
        what = [name, base_url, str(SPEED), str(many)]
        command = [sys.executable, "-m", "tests.bench.subjects", *what]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return dict(json.loads(output.stdout))


def on_sockets(sizes: Sequence[int]) -> Table:
    """Compare what the ways to wait cost the process that waits."""
    table = Table(
        f"On real sockets, on a service {SPEED:g} times as fast: what the waiting process takes",
        ["generations", "way to wait", "requests", "ms a request", "MiB", "CPU s", "of the loop"],
    )
    for many in sizes:
        loop = measured("batched loop", many)
        for name in ("batched loop", "batched loop, spread", "luma_async", "GET per id"):
            if name == "GET per id" and many > 1000:
                continue
            cost = loop if name == "batched loop" else measured(name, many)
            table.add(
                many,
                name,
                int(cost["requests"]),
                1000 * cost["seconds"] / cost["requests"],
                round(cost["mebibytes"], 1),
                cost["seconds"],
                cost["seconds"] / loop["seconds"],
                goal=1.5 if name == "luma_async" and many == 1000 else None,
            )
    return table
