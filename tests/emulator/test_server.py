"""Starting, stopping and mounting the emulator."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import aiohttp
import anyio
import pytest
import requests
from aiohttp import web

from luma_async.emulator import Emulator, Fault

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

Ask: TypeAlias = Callable[..., Awaitable[tuple[int, Any, Mapping[str, str]]]]

KEY = {"Authorization": "Bearer key"}


async def test_the_emulator_has_no_url_before_its_start() -> None:
    """Reading the URL too early is an error that says so."""
    with pytest.raises(RuntimeError, match="no URL before"):
        _ = Emulator().base_url


async def test_the_two_hosts_have_ports_of_their_own(emulator: Emulator) -> None:
    """The videos come from another origin than the API."""
    assert emulator.base_url.startswith("http://127.0.0.1:")
    assert emulator.base_url != emulator.cdn_url


async def test_an_emulator_serves_only_once_at_a_time(emulator: Emulator, ask: Ask) -> None:
    """A second start is refused, and the first one goes on serving."""
    with pytest.raises(RuntimeError, match="serving already"):
        async with emulator:
            pass  # pragma: no cover

    assert 200 == (await ask("GET", f"{emulator.base_url}/luma-ai/generations"))[0]


async def test_an_account_outlives_a_stop(ask: Ask) -> None:
    """After an outage the service is back at its old address and knows everything."""
    emulator = Emulator()
    async with emulator:
        address = f"{emulator.base_url}/luma-ai/generations"
        _, created, _ = await ask("POST", address, json={"user_prompt": "x"})
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask("GET", address)
    async with emulator:
        _, listed, _ = await ask("GET", address)

    assert [created["id"]] == [entry["luma_generation_id"] for entry in listed]


async def test_a_taken_port_leaves_nothing_behind(emulator: Emulator) -> None:
    """An emulator that cannot start says so and can be started elsewhere."""
    second = Emulator(cdn_port=int(emulator.cdn_url.rpartition(":")[2]))

    with pytest.raises(OSError):
        await second.__aenter__()
    await second.__aexit__(None, None, None)

    assert {} == second.generations


def test_an_emulator_can_run_beside_synchronous_code() -> None:
    """A plain test talks to an emulator in a thread, scripts it, and looks into its books."""
    with Emulator().running_in_thread() as emulator:
        fault = emulator.inject(Fault(route="create", status=500))
        emulator.script(None, [(0.0, "completed")])
        address = f"{emulator.base_url}/luma-ai/generations"
        answers = [
            requests.post(address, json={"user_prompt": "x"}, headers=KEY, timeout=5)
            for _ in range(2)
        ]
        emulator.clear_faults(fault)
        [known] = emulator.generations.values()

    assert [500, 201] == [answer.status_code for answer in answers]
    assert (1, 500_000) == (emulator.billed, emulator.tokens_billed)
    assert ("completed", True) == (known.state, known.has_video)
    assert ["create", "create"] == [request.route for request in emulator.requests]


async def test_a_stop_waits_for_nobody(ask: Ask) -> None:
    """An answer that is hours away does not keep the emulator from stopping."""
    async with Emulator() as emulator, aiohttp.ClientSession() as http:
        emulator.inject(Fault(delay=3600.0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(http.get, emulator.base_url)
            while not (await ask("GET", f"{emulator.base_url}/_wire"))[1]:
                continue
            tasks.cancel_scope.cancel()

    assert 1 == len(emulator.requests)


@pytest.fixture
def socket_path() -> Iterator[str]:
    """Name a file for a socket; such names are short, and those of pytest's folders may be long."""
    with TemporaryDirectory(prefix="luma") as folder:
        yield f"{folder}/s"


async def test_the_api_can_be_mounted_on_a_socket_file(socket_path: str) -> None:
    """Without ports the applications serve wherever they are put, resets included."""
    emulator = Emulator()
    api, videos = emulator.applications()
    runner = web.AppRunner(api)
    await runner.setup()
    await web.UnixSite(runner, socket_path).start()
    emulator.place("a", "Jellyfish")
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket_path)) as http:
        answer = await http.get("http://luma/luma-ai/generation?ids[0]=a", headers=KEY)
        [shown] = await answer.json()
        emulator.inject(Fault(drop="before", reset=True, times=None))
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get("http://luma/luma-ai/generations", headers=KEY)
    await runner.cleanup()

    assert "http://127.0.0.1/videos/a.mp4" == shown["video"]["url"]
    assert {"get", "list"} == {request.route for request in emulator.requests}
    assert videos is not api


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock a test moves."""

    ahead = 0.0

    def time(self) -> float:
        """Return the time, as far ahead as the test wants."""
        return super().time() + self.ahead


def test_the_event_loops_clock_moves_the_world() -> None:
    """When the loop's clock jumps by an hour, every generation is an hour older."""
    emulator = Emulator()

    async def states() -> list[str]:
        found = []
        async with emulator, aiohttp.ClientSession() as http:
            address = f"{emulator.base_url}/luma-ai/generations"
            async with http.post(address, json={"user_prompt": "x"}, headers=KEY) as answer:
                found.append((await answer.json())["state"])
            loop.ahead = 3600.0
            found += [known.state for known in emulator.generations.values()]
        return found

    loop = JumpingLoop()
    try:
        assert ["pending", "completed"] == loop.run_until_complete(states())
    finally:
        loop.close()
