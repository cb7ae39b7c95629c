"""Watching and steering an emulator from another process."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import pytest

from luma_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

Ask: TypeAlias = Callable[..., Awaitable[tuple[int, Any, Mapping[str, str]]]]


async def test_the_books_are_open_to_other_processes(emulator: Emulator, ask: Ask) -> None:
    """Ledger, log and generations are served as JSON, without a key and without a trace."""
    _, created, _ = await ask(
        "POST", f"{emulator.base_url}/luma-ai/generations", json={"user_prompt": "x"}
    )
    books = {
        name: (await ask("GET", f"{emulator.base_url}/_{name}", key=None))[1]
        for name in ("ledger", "wire", "generations")
    }

    assert [(created["id"], 500_000)] == [(bill["id"], bill["tokens"]) for bill in books["ledger"]]
    assert [("create", 201)] == [(entry["route"], entry["status"]) for entry in books["wire"]]
    assert "pending" == books["generations"][created["id"]]["state"]
    assert 1 == len(emulator.requests)


async def test_faults_come_from_other_processes(emulator: Emulator, ask: Ask) -> None:
    """Another process can inject a fault and clear all of them again."""
    faults = f"{emulator.base_url}/_faults"
    address = f"{emulator.base_url}/luma-ai/generations"
    fault = {"route": "list", "status": 502, "times": None, "ids": ["a"], "headers": {"X-A": "b"}}
    injected = await ask("POST", faults, json=fault, key=None)
    struck = await ask("GET", address)
    cleared = await ask("DELETE", faults, key=None)
    passed = await ask("GET", address)

    assert [201, 502, 204, 200] == [answer[0] for answer in (injected, struck, cleared, passed)]
    assert "b" == struck[2]["X-A"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"colour": "red"}', b'{"status": 9}', b"{}[]"])
async def test_a_senseless_fault_is_refused(emulator: Emulator, ask: Ask, body: bytes) -> None:
    """What makes no fault is answered with the reason."""
    status, error, _ = await ask("POST", f"{emulator.base_url}/_faults", data=body)

    assert 400 == status
    assert error["message"]
