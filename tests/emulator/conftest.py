"""What the emulator's tests share."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import anyio
import pytest
from yarl import URL

from luma_async.emulator import Emulator


@pytest.fixture
def time() -> SimpleNamespace:
    """Give out a clock that a test sets by hand: `time.now`, in seconds."""
    return SimpleNamespace(now=0.0)


@pytest.fixture
async def serve(time: SimpleNamespace) -> AsyncIterator[Callable[..., Awaitable[Emulator]]]:
    """Start emulators whose generations take exactly 60 seconds of the clock set by hand."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Emulator:
            options = {"clock": lambda: time.now, "sigma": 0.0, **settings}
            return await stack.enter_async_context(Emulator(**options))

        yield start


@pytest.fixture
async def emulator(serve: Callable[..., Awaitable[Emulator]]) -> Emulator:
    """Start an emulator with the settings that most tests want."""
    return await serve()


@pytest.fixture
async def ask() -> AsyncIterator[Callable[..., Awaitable[tuple[int, Any, Mapping[str, str]]]]]:
    """Send requests: the status, the body (read, if it is JSON) and the headers come back."""
    async with aiohttp.ClientSession() as http:

        async def send(
            method: str, url: str, *, key: str | None = "key", **options: Any
        ) -> tuple[int, Any, Mapping[str, str]]:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            headers |= options.pop("headers", {})
            address = URL(url, encoded=True)
            async with http.request(method, address, headers=headers, **options) as response:
                body = await response.read()
                is_json = response.content_type == "application/json" and body
                return response.status, json.loads(body) if is_json else body, response.headers

        yield send


@pytest.fixture
def tell() -> Callable[[str, str], Awaitable[bytes]]:
    """Send a request byte for byte; every byte that comes back until the end is returned."""

    async def send(url: str, request: str) -> bytes:
        address = urlsplit(url)
        received = b""
        async with await anyio.connect_tcp(address.hostname or "", address.port or 0) as stream:
            await stream.send(request.replace("\n", "\r\n").encode())
            async for part in stream:
                received += part
        return received

    return send
