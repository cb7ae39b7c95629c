"""Thousands of browsers listen to a hundred videos on one worker, which is then told to stop.

``nox -s listeners -- --count 10000`` is the long run.
"""

import argparse
import asyncio
import subprocess
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from luma_async.emulator import Emulator
from tests.support.event_streams import EventStream, allow_many_connections
from tests.support.web_programs import WebProgram

HOUR = 3600.0
_CONNECTING = 50
"""Listeners that connect at a time, as a server queues only so many."""


class Run:
    """One program, its service, and its listeners; some of the videos end, the rest go on."""

    def __init__(self, program: WebProgram, service: Emulator, count: int, videos: int) -> None:
        self._program = program
        self._service = service
        self._names = [f"video-{number}" for number in range(videos)]
        self._ending = set(self._names[: max(1, videos // 10)])
        self._listeners = [self._names[number % videos] for number in range(count)]
        self._heard: dict[str, list[float]] = {name: [] for name in self._ending}

    async def measure(self) -> dict[str, str]:
        """Connect all, let videos end, stop the program; return what is to be told of it."""
        for name in self._names:
            self._service.place(name, "A glacier", [(0, "processing"), (HOUR, "completed")])
        before = memory(self._program.pid)
        async with AsyncExitStack() as stack:
            began = time.monotonic()
            streams = await self._connect(stack)
            connected = time.monotonic() - began
            per_listener = (memory(self._program.pid) - before) / len(streams)
            asked = requests_for_states(self._service)
            listening = [asyncio.create_task(self._listen(*item)) for item in streams]
            ended_at = self._end_some()
            await asyncio.gather(
                *(
                    task
                    for task, name in zip(listening, self._listeners, strict=True)
                    if name in self._ending
                )
            )
            stopping = await asyncio.to_thread(self._program.stop)
            await asyncio.gather(*listening)
        complete = sum(stream.is_complete for _, stream in streams)
        still_open = sum(name not in self._ending for name in self._listeners)
        first = min(map(min, self._heard.values())) - ended_at
        last = max(map(max, self._heard.values())) - ended_at
        spread = max(max(times) - min(times) for times in self._heard.values())
        return {
            "listeners connected": f"{len(streams):,} to {len(self._names)} videos",
            "time to connect them": f"{connected:.1f} s",
            "memory of the server for each": f"{per_listener:.1f} KiB",
            "status requests meanwhile": f"{asked}",
            "status requests in all": f"{requests_for_states(self._service)}",
            "from the end of a video until it was heard": f"{first:.2f} to {last:.2f} s",
            "between its first listener and its last": f"{1000 * spread:.0f} ms at most",
            "open streams when told to stop": f"{still_open:,}",
            "from the signal to the end of the process": f"{stopping:.2f} s",
            "exit code": f"{self._program.exit_code}",
            "streams cut, rather than ended": f"{len(streams) - complete:,}",
        }

    async def _connect(self, stack: AsyncExitStack) -> list[tuple[str, EventStream]]:
        streams: list[tuple[str, EventStream]] = []
        for start in range(0, len(self._listeners), _CONNECTING):
            names = self._listeners[start : start + _CONNECTING]
            opened = [EventStream(f"{self._program.url}/videos/{name}/events") for name in names]
            await asyncio.gather(*(stack.enter_async_context(stream) for stream in opened))
            await asyncio.gather(*(anext(stream) for stream in opened))
            streams += zip(names, opened, strict=True)
        return streams

    async def _listen(self, name: str, stream: EventStream) -> None:
        async for event in stream:
            if event["state"] == "completed":
                self._heard[name].append(time.monotonic())

    def _end_some(self) -> float:
        for name in self._ending:
            self._service.script(name, [(0, "completed")])
        return time.monotonic()


def memory(pid: int) -> float:
    """Return the KiB that a process has in memory."""
    listed = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
    )
    return float(listed.stdout)


def requests_for_states(service: Emulator) -> int:
    """Count the status requests that have reached the service."""
    return sum(request.route == "get" for request in service.requests)


def main() -> None:
    """Run a program with listeners, and print a table."""
    parser = argparse.ArgumentParser(prog="listeners", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="of listeners")
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--program", default="web_aiohttp", help="web_aiohttp, web_fastapi, ...")
    arguments = parser.parse_args()
    allow_many_connections()
    with (
        tempfile.TemporaryDirectory() as folder,
        Emulator().running_in_thread() as service,
        WebProgram(arguments.program, Path(folder), service.base_url) as program,
    ):
        run = Run(program, service, arguments.count, arguments.videos)
        facts = asyncio.run(run.measure())
    for fact, figure in facts.items():
        print(f"{fact:<44}{figure}")
    raise SystemExit((facts["exit code"], facts["streams cut, rather than ended"]) != ("0", "0"))


if __name__ == "__main__":
    main()
