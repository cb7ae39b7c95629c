"""A pytest fixture for tests of code that uses this package: an emulator of the service."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from luma_async.emulator import Emulator

TIME_SCALE = 3000.0


@pytest.fixture
def luma_emulator(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Emulator]":
    """Serve a new emulator to each test; a minute passes in 0.02 seconds.

    It runs in a thread, and works in synchronous tests and with any event loop. During the test
    ``AIML_API_KEY`` and ``AIML_API_BASE`` point every ``LumaClient()`` at it.
    """
    from luma_async.emulator import Emulator  # noqa: PLC0415 - pytest starts without it

    # With estimates a client knows at once that it need not wait for half a minute.
    with Emulator(time_scale=TIME_SCALE, estimates=True).running_in_thread() as emulator:
        monkeypatch.setenv("AIML_API_KEY", "key-of-the-emulator")
        monkeypatch.setenv("AIML_API_BASE", emulator.base_url)
        yield emulator
