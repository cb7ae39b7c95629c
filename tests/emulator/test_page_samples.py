"""The samples of the service's own documentation, run against the emulator."""

import pytest
import requests

from luma_async.emulator import Emulator

HEADERS = {"Authorization": "Bearer your-api-key", "content-type": "application/json"}
ASKED = "4c9126f3-d9a6-4eaf-aa4c-b64b634f65bd"
EXTENDED = "57a6cb80-6da0-49bd-b29a-3f089b9e55e4"


def test_the_sample_that_creates(luma_emulator: Emulator) -> None:
    """The documented create is accepted and billed."""
    url = f"{luma_emulator.base_url}/luma-ai/generations"
    payload: dict[str, str | bool] = {
        "aspect_ratio": "16:9",
        "expand_prompt": True,
        "user_prompt": "Flying jellyfish",
    }

    response = requests.post(url, json=payload, headers=HEADERS, timeout=5)

    assert 201 == response.status_code
    assert "Flying jellyfish" == response.json()["prompt"]
    assert ["create"] == [bill.route for bill in luma_emulator.ledger]


def test_the_sample_that_asks(luma_emulator: Emulator) -> None:
    """The documented question, whose brackets arrive encoded, finds its generation."""
    luma_emulator.place(ASKED, "Flying jellyfish")
    url = f"{luma_emulator.base_url}/luma-ai/generation"

    response = requests.get(url, headers=HEADERS, params={"ids[0]": ASKED}, timeout=5)

    assert f"ids%5B0%5D={ASKED}" == luma_emulator.requests[0].query
    assert [(ASKED, "completed")] == [(one["id"], one["state"]) for one in response.json()]


def test_the_sample_that_asks_without_an_answer(luma_emulator: Emulator) -> None:
    """The documented question for an id of somebody else finds nothing."""
    url = f"{luma_emulator.base_url}/luma-ai/generation"

    response = requests.get(url, headers=HEADERS, params={"ids[0]": ASKED}, timeout=5)

    assert (200, []) == (response.status_code, response.json())


def test_the_sample_that_extends(luma_emulator: Emulator) -> None:
    """The documented extension is accepted when its parent is done."""
    luma_emulator.place(EXTENDED, "Flying jellyfish")
    url = f"{luma_emulator.base_url}/luma-ai/generations/{EXTENDED}/extend"
    payload: dict[str, str | bool] = {
        "aspect_ratio": "16:9",
        "expand_prompt": True,
        "user_prompt": "Flying jellyfish with a hat",
    }

    response = requests.post(url, json=payload, headers=HEADERS, timeout=5)

    assert (201, "pending") == (response.status_code, response.json()["state"])
    assert [("extend", EXTENDED)] == [(bill.route, bill.parent) for bill in luma_emulator.ledger]


@pytest.mark.anyio
@pytest.mark.parametrize("query", [f"ids[0]={ASKED}", f"ids%5B0%5D={ASKED}", f"ids[]={ASKED}"])
async def test_brackets_may_come_encoded_or_plain(
    luma_emulator: Emulator, query: str, tell: object
) -> None:
    """Some libraries encode the brackets of a query and others do not; both are understood."""
    luma_emulator.place(ASKED, "Flying jellyfish")
    request = f"GET /luma-ai/generation?{query} HTTP/1.1\nHost: luma\nConnection: close\n"

    assert callable(tell)
    answer = await tell(luma_emulator.base_url, f"{request}Authorization: Bearer key\n\n")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert ASKED.encode() in answer
    assert query == luma_emulator.requests[0].query
