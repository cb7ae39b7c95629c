"""What all tests share: the event loop, the key, and a look at what they leave behind."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Generator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

from luma_async import LumaClient
from luma_async.emulator import Emulator, VirtualTimeLoop
from tests.support.batches import studio

# A machine that stops for a second while an example runs says nothing of the example.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

KEY_VARIABLES = (
    "AIML_API_KEY",
    "AIMLAPI_API_KEY",
    "AIMLAPI_KEY",
    "AIML_API_BASE",
    "AIMLAPI_API_BASE",
    "AIMLAPI_BASE_URL",
)


def pytest_configure() -> None:
    """Begin every run alike, however it was started."""
    # A shell that starts a command in the background may have it ignore interruptions.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" in os.environ:
        # The tests reach every branch in their own processes; those that they start are quicker so.
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it in the end."""
    items.sort(key=lambda item: item.get_closest_marker("protocol") is None)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Run on asyncio; where a test is marked so, minutes pass in no time."""
    if request.node.get_closest_marker("virtual_time"):
        return "asyncio", {"loop_factory": VirtualTimeLoop}
    return "asyncio"


@pytest.fixture
def emulator() -> Emulator:
    """Make a service whose videos take a minute or so."""
    return Emulator()


@pytest.fixture
async def luma(emulator: Emulator) -> AsyncGenerator[LumaClient]:
    """Open a client of it with its own settings, in virtual time."""
    async with studio(emulator) as luma:
        yield luma


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a key or an address in the developer's environment out of the tests."""
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _nothing_blocks_the_event_loop() -> Generator[BlockBuster]:
    """Fail a test in which our code blocks the loop, as by opening a file in a coroutine."""
    with blockbuster_ctx("luma_async") as detector:
        yield detector


@pytest.fixture
async def nothing_left_behind() -> AsyncGenerator[None]:
    """Fail a test after which a task of ours goes on; a request under way may end."""
    yield
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith("luma_async")]
    if tasks:
        await asyncio.wait(tasks, timeout=5)
    assert [] == [task for task in tasks if not task.done()]
