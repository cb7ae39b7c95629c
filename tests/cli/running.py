"""Running commands in this process, as a shell would."""

import io
import json
from typing import Any

import pytest

from luma_async.cli.app import run as run_command


def run(*arguments: str) -> int:
    """Run a command in this process and return its exit code."""
    with pytest.raises(SystemExit) as end:
        run_command(arguments)
    code = end.value.code
    assert isinstance(code, int)
    return code


def objects(text: str) -> list[Any]:
    """Read JSON Lines, every line of which has to be an object."""
    values = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(value, dict) for value in values)
    return values


def give(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a text into stdin."""
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def complaint(text: str) -> tuple[str, str]:
    """Return the error and the hint, where stderr holds these two lines and nothing else."""
    what, hint = text.splitlines()
    assert what.startswith("luma-async: ")
    assert hint.startswith("hint: ")
    return what.removeprefix("luma-async: "), hint.removeprefix("hint: ")
