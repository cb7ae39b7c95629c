"""A pytest fixture with the service in a box, for the tests of those who use this package."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from luma_async.emulator import Emulator

TIME_SCALE = 3000.0


@pytest.fixture
def luma_emulator(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Emulator]":
    """Serve a test an emulator of its own, in which a minute passes in a fiftieth of a second.

    It runs in a thread, so that plain tests can use it as well as those of any event loop. While
    it does, ``AIML_API_KEY`` and ``AIML_API_BASE`` lead every ``LumaClient()`` to it.
    """
    from luma_async.emulator import Emulator  # noqa: PLC0415 - pytest starts without it

    # With estimates a client knows at once that it need not wait for half a minute.
    with Emulator(time_scale=TIME_SCALE, estimates=True).running_in_thread() as emulator:
        monkeypatch.setenv("AIML_API_KEY", "key-of-the-emulator")
        monkeypatch.setenv("AIML_API_BASE", emulator.base_url)
        yield emulator
