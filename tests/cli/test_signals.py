"""Signals to a batch, in this process."""

import os
import signal
import sys

import anyio
import anyio.lowlevel
import pytest

from luma_async.cli.signals import graceful_shutdown

pytestmark = pytest.mark.anyio


async def test_the_first_signal_stops_and_the_second_leaves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both say what happens, and the second one how to go on."""
    done: list[object] = []
    with graceful_shutdown(
        lambda: done.append("stopped"), "the command", leave=done.append
    ) as shutdown:
        assert not shutdown.is_requested
        for number in (1, 2):
            os.kill(os.getpid(), signal.SIGTERM)
            while len(done) < number:
                await anyio.lowlevel.checkpoint()
        assert shutdown.is_requested
    assert ["stopped", 130] == done
    first, second = capsys.readouterr().err.splitlines()
    assert "press Ctrl-C again to quit now" in first
    assert "resume with: the command" in second


async def test_a_terminal_gets_its_cursor_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The board hides it, and has no time to show it again."""
    done: list[object] = []
    monkeypatch.setenv("FORCE_COLOR", "1")
    with graceful_shutdown(lambda: done.append("stopped"), "the command", leave=done.append):
        for number in (1, 2):
            os.kill(os.getpid(), signal.SIGINT)
            while len(done) < number:
                await anyio.lowlevel.checkpoint()
    assert ["stopped", 130] == done
    assert capsys.readouterr().err.endswith("\x1b[?25h")


async def test_a_terminal_that_is_gone_does_not_keep_a_batch_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing can be said any more, and that is no reason to go on paying."""
    done: list[object] = []

    class Gone:
        encoding = "utf-8"

        def write(self, _: str) -> None:
            raise OSError(5, "Input/output error")

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stderr", Gone())
    with graceful_shutdown(lambda: done.append("stopped"), "the command"):
        os.kill(os.getpid(), signal.SIGHUP)
        while not done:
            await anyio.lowlevel.checkpoint()
    assert ["stopped"] == done
