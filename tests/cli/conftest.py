"""A service for the commands, and a key for it."""

from collections.abc import Iterator
from functools import partial

import pytest

from luma_async import LumaClient
from luma_async.emulator import Emulator
from tests.support.clients import KEY, QUICK_LIMITS, QUICK_POLLING, QUICK_RETRIES


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Serve beside the commands, which find the service and a key in the environment."""
    monkeypatch.setattr(
        "luma_async.cli.options.LumaClient",
        partial(LumaClient, limits=QUICK_LIMITS, polling=QUICK_POLLING, retries=QUICK_RETRIES),
    )
    with Emulator(time_scale=1000, estimates=True, api_key=KEY).running_in_thread() as emulator:
        monkeypatch.setenv("AIML_API_BASE", emulator.base_url)
        monkeypatch.setenv("AIML_API_KEY", KEY)
        yield emulator
