"""Lets pytest run the examples of the README and the documentation."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser

from luma_async.emulator import Emulator
from luma_async.pytest_plugin import TIME_SCALE

_FOLDERS = pytest.StashKey[dict[Path, Path]]()


class ShellCodeBlockParser(CodeBlockParser):
    """Runs blocks of shell commands, of which each has to succeed."""

    language = "bash"

    def evaluate(self, example: Example) -> str | None:
        """Run a block, with the commands of this environment at hand."""
        search = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(  # noqa: S603 - our own documentation
            ["bash", "-euo", "pipefail", "-c", str(example.parsed)],  # noqa: S607
            env={**os.environ, "PATH": search},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr if done.returncode else None


@pytest.fixture(scope="session")
def _service_of_readers() -> Iterator[Emulator]:
    with Emulator(time_scale=TIME_SCALE, estimates=True).running_in_thread() as emulator:
        yield emulator


@pytest.fixture
def _reader(
    request: pytest.FixtureRequest,
    _service_of_readers: Emulator,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stand an example where its reader stands: with a key, a service, and one folder a page."""
    folders = request.config.stash.setdefault(_FOLDERS, {})
    page = request.node.path
    if page not in folders:
        folders[page] = tmp_path_factory.mktemp(page.stem)
    monkeypatch.setenv("AIML_API_KEY", "sk-of-a-reader")
    monkeypatch.setenv("AIML_API_BASE", _service_of_readers.base_url)
    monkeypatch.chdir(folders[page])


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), ShellCodeBlockParser()],
    patterns=["*.md"],
    fixtures=["luma_emulator", "_reader"],
).pytest()
