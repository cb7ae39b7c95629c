"""Virtual time: waiting costs nothing, and nothing is late because of it."""

import asyncio
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import aiohttp
import anyio
import anyio.to_thread
import pytest

from luma_async import LumaClient
from luma_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

DAY = 86_400.0
AN_INSTANT = 0.001


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """Run on a machine whose cores are taken."""
    with ExitStack() as stack:
        for _ in range(2):
            burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(burner.wait)
            stack.callback(burner.kill)
        yield


async def test_days_pass_at_once_and_timers_are_on_time() -> None:
    """Whoever sleeps wakes up at the second that was asked for, however far it is."""
    woken: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(anyio.current_time())

    await asyncio.gather(*(sleep(days * DAY) for days in (365.0, 1.0, 0.0, 7.0)))

    assert [0.0, DAY, 7 * DAY, 365 * DAY] == woken


@pytest.mark.usefixtures("busy_machine")
async def test_requests_to_a_server_in_the_loop_take_no_time() -> None:
    """A thousand requests over TCP, of which none may take a thousandth of a second."""
    key = {"Authorization": "Bearer key"}
    async with Emulator() as emulator, aiohttp.ClientSession(headers=key) as http:
        address = f"{emulator.base_url}/luma-ai/generations"

        async def ask() -> None:
            async with asyncio.timeout(AN_INSTANT), http.get(address) as answer:
                assert [] == await answer.json()

        for _ in range(200):
            await ask()
        await asyncio.gather(*(ask() for _ in range(800)))

    assert 0.0 == anyio.current_time()


@pytest.mark.protocol
@pytest.mark.usefixtures("busy_machine")
async def test_a_hundred_videos_are_made_with_a_clients_own_settings() -> None:
    """No request of a client on TCP fails or is given up, and each order is paid once."""
    failures: list[BaseException] = []
    trace = aiohttp.TraceConfig()

    async def note(
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestExceptionParams,
    ) -> None:
        failures.append(params.exception)

    trace.on_request_exception.append(note)
    async with (
        Emulator() as emulator,
        aiohttp.ClientSession(trace_configs=[trace]) as session,
        LumaClient("key", base_url=emulator.base_url, session=session) as luma,
    ):
        outcomes = [outcome async for outcome in luma.generate_many(f"Fox {n}" for n in range(100))]
        asked = luma.statistics().requests

    assert ([], {None}) == (failures, {outcome.error for outcome in outcomes})
    assert 100 == emulator.billed == asked["create"]
    assert sum(asked.values()) == len(emulator.requests)


async def test_a_two_minute_wait_is_heard_of_on_time() -> None:
    """A test of a slow video is quick, and sees when the client would have heard of it."""
    async with Emulator() as emulator, LumaClient("key", base_url=emulator.base_url) as luma:
        emulator.script("A slow fox", [(0, "pending"), (120, "completed")])
        await luma.generate("A slow fox")

    assert 120.0 <= anyio.current_time() <= 150.0


@pytest.mark.parametrize("thread", ["asyncio", "anyio", "executor"])
async def test_the_clock_stands_still_while_a_thread_works(thread: str) -> None:
    """A timeout around work in a thread does not strike, and afterwards days pass as before."""
    async with asyncio.timeout(AN_INSTANT):
        if thread == "asyncio":
            await asyncio.to_thread(time.sleep, 0.05)
        elif thread == "anyio":
            await anyio.to_thread.run_sync(time.sleep, 0.05)
        else:
            await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05)
    assert 0.0 == anyio.current_time()

    await asyncio.sleep(DAY)


async def test_a_thread_that_has_answered_and_is_not_done_holds_no_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thread of AnyIO that the machine interrupts behind its answer keeps no day from passing."""
    done = queue.Queue.task_done

    def late(self: "queue.Queue[object]") -> None:
        time.sleep(0.05)
        done(self)

    monkeypatch.setattr(queue.Queue, "task_done", late)
    await anyio.to_thread.run_sync(int)

    await asyncio.sleep(DAY)


async def test_a_thread_that_waits_for_the_clock_does_not_hang() -> None:
    """A timer that a thread waits for is due in the end, although the thread is at work."""
    loop = asyncio.get_running_loop()

    def work() -> float:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.5), loop).result(timeout=60)
        return loop.time()

    assert 0.5 == await asyncio.to_thread(work)


async def test_a_thread_of_ones_own_is_waited_for_when_nothing_else_is_due() -> None:
    """Without a timer there is nowhere to jump to."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    threading.Timer(0.05, loop.call_soon_threadsafe, [done.set_result, "done"]).start()

    assert ("done", 0.0) == (await done, anyio.current_time())


async def test_names_are_looked_up_in_no_time() -> None:
    """A look-up is done by a thread."""
    async with asyncio.timeout(AN_INSTANT):
        assert await asyncio.get_running_loop().getaddrinfo("localhost", 80)


@pytest.mark.parametrize("start", ["exec", "shell"])
async def test_the_clock_does_not_run_ahead_of_a_program(start: str) -> None:
    """A program that takes a moment has its moment, and afterwards days pass as before."""
    async with asyncio.timeout(60.0):
        if start == "exec":
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        else:
            child = await asyncio.create_subprocess_shell("sleep 0.05")
        assert 0 == await child.wait()

    await asyncio.sleep(DAY)


async def test_a_program_that_talks_all_the_time_does_not_stop_the_clock() -> None:
    """A timer is due as in reality, however often something else happens before."""
    talk = "import time\nwhile True: print(end='x', flush=True); time.sleep(0.01)"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", talk, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    with anyio.move_on_after(0.3):
        while await child.stdout.read(1):
            pass
    child.kill()
    await child.communicate()

    assert 0.3 <= anyio.current_time() < 60.0


async def test_the_clock_does_not_run_ahead_of_a_server_elsewhere() -> None:
    """An answer from outside of the loop has its time, and afterwards days pass as before."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                time.sleep(0.05)
                connection.sendall(b"there")

        threading.Thread(target=answer, daemon=True).start()
        async with asyncio.timeout(60.0):
            reader, writer = await asyncio.open_connection(*server.getsockname())
            assert b"there" == await reader.read()
            writer.close()
            await writer.wait_closed()

    await asyncio.sleep(DAY)


async def test_a_socket_file_takes_no_time_either() -> None:
    """A server of the loop's own may be on a file instead of a port."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(DAY)
        writer.write(b"there")
        writer.close()

    with TemporaryDirectory(prefix="luma") as folder:
        path = str(Path(folder) / "s")
        async with await asyncio.start_unix_server(greet, path):
            reader, writer = await asyncio.open_unix_connection(path)
            assert b"there" == await reader.read()
            writer.close()
            await writer.wait_closed()

    assert DAY == anyio.current_time()
