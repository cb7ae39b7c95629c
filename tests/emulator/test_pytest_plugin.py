"""The fixture that comes with the package."""

import asyncio
import os

import pytest
import requests

from luma_async import LumaClient
from luma_async.emulator import Emulator, Fault, VirtualTimeLoop

pytest_plugins = ["pytester"]


async def make_a_video() -> str:
    """Do what the code of a user does, which knows of no emulator."""
    async with LumaClient() as luma:
        return (await luma.generate("A fox", timeout=600)).state


def test_a_plain_test_can_use_the_emulator(luma_emulator: Emulator) -> None:
    """A test without an event loop orders a video and sees it billed."""
    answer = requests.post(
        f"{luma_emulator.base_url}/luma-ai/generations",
        json={"user_prompt": "x"},
        headers={"Authorization": "Bearer key"},
        timeout=5,
    )

    assert (201, 1) == (answer.status_code, luma_emulator.billed)
    # It tells a client when to ask, which would wait for a quarter of a minute otherwise.
    assert 0.0 < answer.json()["estimate_wait_seconds"] < 1.0


def test_a_plain_test_can_run_an_event_loop(luma_emulator: Emulator) -> None:
    """The client in the code under test finds the emulator by itself."""
    assert ("completed", 1) == (asyncio.run(make_a_video()), luma_emulator.billed)


@pytest.mark.anyio
async def test_an_asynchronous_test_can_use_the_emulator(luma_emulator: Emulator) -> None:
    """A test with an event loop of its own waits for a video, which takes a blink."""
    assert ("completed", 1) == (await make_a_video(), luma_emulator.billed)


def test_virtual_time_does_not_outrun_an_emulator_in_a_thread(luma_emulator: Emulator) -> None:
    """Nothing is gained by it, and nothing times out."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert ("completed", 1) == (runner.run(make_a_video()), luma_emulator.billed)

    assert 1 == [request.route for request in luma_emulator.requests].count("create")


def test_every_test_has_an_emulator_of_its_own(luma_emulator: Emulator) -> None:
    """Nothing that another test did is left."""
    luma_emulator.inject(Fault(status=500))

    assert ((), {}) == (luma_emulator.requests, luma_emulator.generations)


def test_no_real_key_and_no_real_service_is_in_reach(pytester: pytest.Pytester) -> None:
    """Whatever the environment says, the test talks to the emulator, and only while it runs."""
    pytester.makepyfile(
        """
        import asyncio
        import os

        from luma_async import LumaClient


        async def ask():
            async with LumaClient() as luma:
                return await luma.list()


        def test_asks(luma_emulator):
            assert asyncio.run(ask()) == []
            assert "real" not in str(luma_emulator.requests)


        def test_is_as_before():
            assert os.environ["AIML_API_KEY"] == "sk-real"
        """
    )
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AIML_API_KEY", "AIMLAPI_API_KEY", "AIMLAPI_KEY"):
            environment.setenv(name, "sk-real")
        for name in ("AIML_API_BASE", "AIMLAPI_API_BASE", "AIMLAPI_BASE_URL"):
            environment.setenv(name, "https://real.example")
        result = pytester.runpytest("-p", "no:asyncio")

    assert {"passed": 2} == result.parseoutcomes()
    assert "AIML_API_KEY" not in os.environ


def test_pytest_starts_without_the_client_where_no_test_uses_it(pytester: pytest.Pytester) -> None:
    """A run of pytest loads neither client nor server for a fixture that is merely installed."""
    pytester.makepyfile(
        """
        import sys


        def test_little_is_imported(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("luma_emulator")
            ours = {name for name in sys.modules if name.split(".")[0] == "luma_async"}
            assert ours == {"luma_async", "luma_async._version", "luma_async.pytest_plugin"}
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:hypothesispytest")

    assert {"passed": 1} == result.parseoutcomes()


def test_workers_in_parallel_do_not_meet(pytester: pytest.Pytester) -> None:
    """Every worker of pytest-xdist has emulators of its own, on ports of their own."""
    pytester.makepyfile(
        """
        import asyncio

        import pytest

        from luma_async import LumaClient


        async def order():
            async with LumaClient() as luma:
                await luma.create("A fox")


        @pytest.mark.parametrize("number", range(6))
        def test_pays_once(luma_emulator, number):
            asyncio.run(order())
            assert luma_emulator.billed == 1
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:asyncio", "-n", "2")

    assert {"passed": 6} == result.parseoutcomes()
