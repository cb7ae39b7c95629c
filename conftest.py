"""Lets pytest run the examples of the README and the documentation."""

from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

from luma_async.emulator import Emulator


@pytest.fixture
def _reader(luma_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand an example where its reader stands: with a key, a service and an empty folder."""
    monkeypatch.setenv("AIML_API_KEY", "sk-of-a-reader")
    monkeypatch.setenv("AIML_API_BASE", luma_emulator.base_url)
    monkeypatch.chdir(tmp_path)


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["*.md"],
    fixtures=["luma_emulator", "_reader"],
).pytest()
