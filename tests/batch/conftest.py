"""A service, and a client of it, for the tests of batches. In virtual time."""

from collections.abc import AsyncIterator

import pytest

from luma_async import LumaClient
from luma_async.emulator import Emulator, VirtualTimeLoop
from tests.support.batches import studio


@pytest.fixture
def anyio_backend() -> object:
    """Let hours pass in no time."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture
def emulator() -> Emulator:
    """Make a service whose videos take a minute or so."""
    return Emulator()


@pytest.fixture
async def luma(emulator: Emulator) -> AsyncIterator[LumaClient]:
    """Open a client with its own settings."""
    async with studio(emulator) as luma:
        yield luma
