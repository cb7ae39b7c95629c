"""The fixture that comes with the package."""

import aiohttp
import pytest
import requests

from luma_async.emulator import Emulator, Fault, pytest_plugin

luma_emulator = pytest_plugin.luma_emulator

KEY = {"Authorization": "Bearer key"}


def test_a_plain_test_can_use_the_emulator(luma_emulator: Emulator) -> None:
    """A test without an event loop orders a video and sees it billed."""
    answer = requests.post(
        f"{luma_emulator.base_url}/luma-ai/generations",
        json={"user_prompt": "x"},
        headers=KEY,
        timeout=5,
    )

    assert (201, 1) == (answer.status_code, luma_emulator.billed)


@pytest.mark.anyio
async def test_an_asynchronous_test_can_use_the_emulator(luma_emulator: Emulator) -> None:
    """A test with an event loop of its own waits for a video, which takes a blink."""
    generations = f"{luma_emulator.base_url}/luma-ai/generations"
    async with aiohttp.ClientSession(headers=KEY) as http:
        async with http.post(generations, json={"user_prompt": "x"}) as answer:
            generation = await answer.json()
        while generation["state"] != "completed":
            question = f"{luma_emulator.base_url}/luma-ai/generation"
            async with http.get(question, params={"ids[0]": generation["id"]}) as answer:
                [generation] = await answer.json()

    assert generation["video"]["url"].startswith(luma_emulator.cdn_url)


def test_every_test_has_an_emulator_of_its_own(luma_emulator: Emulator) -> None:
    """Nothing that another test did is left."""
    luma_emulator.inject(Fault(status=500))

    assert ((), {}) == (luma_emulator.requests, luma_emulator.generations)
