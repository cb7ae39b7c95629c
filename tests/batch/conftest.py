"""All tests of batches run in virtual time."""

import pytest

from luma_async.emulator import VirtualTimeLoop


@pytest.fixture
def anyio_backend() -> object:
    """Let hours pass in no time."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}
