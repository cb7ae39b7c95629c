"""What an import loads: a module that a program never uses costs it time at every start."""

import subprocess
import sys

import pytest

PACKAGE = "luma_async luma_async._version"

CLASS = f"""
    {PACKAGE}
    luma_async._api luma_async._api.api_key_provider luma_async._api.sansio
    luma_async._api.sansio.api_key luma_async._api.sansio.urls luma_async._api.sansio.validation
    luma_async._notebook
    luma_async._payments luma_async._payments.recorder luma_async._payments.sansio
    luma_async._payments.sansio.budget
    luma_async.client luma_async.errors luma_async.models luma_async.outcome luma_async.settings
"""


def loaded(statement: str, before: str = "") -> set[str]:
    """Return the modules that a statement loads in a new interpreter."""
    lines = ["import sys", before, "old = {*sys.modules}", statement]
    command = [sys.executable, "-c", "\n".join([*lines, "print(*sys.modules.keys() - old)"])]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return set(output.split())


def packages(modules: set[str]) -> set[str]:
    """Return where modules come from that are not Python's own."""
    return {name.split(".")[0] for name in modules} - sys.stdlib_module_names


@pytest.mark.parametrize(
    ("statement", "before", "modules"),
    [
        ("import luma_async", "", PACKAGE),
        ("import luma_async.pytest_plugin", "import pytest", f"{PACKAGE} luma_async.pytest_plugin"),
        ("from luma_async import LumaClient", "", CLASS),
    ],
)
def test_an_import_loads_these_modules_of_ours(statement: str, before: str, modules: str) -> None:
    """Pytest imports the first two wherever the package is; the third makes no client yet."""
    found = loaded(statement, before)
    assert set(modules.split()) == {name for name in found if packages({name}) == {"luma_async"}}


@pytest.mark.parametrize(
    ("statement", "before"),
    [("import luma_async", ""), ("import luma_async.pytest_plugin", "import pytest")],
)
def test_the_package_and_its_plugin_load_nothing_of_others(statement: str, before: str) -> None:
    """So that it costs next to nothing to have them installed."""
    assert {"luma_async"} == packages(loaded(statement, before))


def test_a_client_needs_its_dependencies_alone() -> None:
    """A program that makes one pays for no batch, emulator, command line, telemetry or server."""
    found = loaded("from luma_async import LumaClient\nLumaClient('sk-of-nobody')")
    rooms = {name.split(".")[1] for name in found if name.startswith("luma_async.")}
    assert set() == rooms & {"batch", "cli", "emulator", "pytest_plugin"}
    assert set() == found & {"aiohttp.web", "sqlite3"}
    assert set() == packages(found) & {"cyclopts", "opentelemetry", "pytest", "rich"}
