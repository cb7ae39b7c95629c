"""A pytest fixture with the service in a box, for the tests of those who use this package."""

from collections.abc import Iterator

import pytest

from luma_async.emulator.server import Emulator

TIME_SCALE = 3000.0


@pytest.fixture
def luma_emulator() -> Iterator[Emulator]:
    """Serve an emulator of its own to a test, in which a minute passes in a fiftieth of a second.

    It runs in a thread, so that plain tests can use it as well as those of any event loop.
    """
    # With estimates a client knows at once that it need not wait for half a minute.
    with Emulator(time_scale=TIME_SCALE, estimates=True).running_in_thread() as emulator:
        yield emulator
