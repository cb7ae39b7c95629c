"""Interruptions, closed pipes, and what a shell sees of them."""

import asyncio
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from luma_async import LumaClient, Order, Outcome, SubmissionUnknownError
from luma_async.cli.follow import submit
from luma_async.emulator import Emulator, Fault
from tests.cli.running import complaint, run
from tests.support.clients import KEY

Captured = pytest.CaptureFixture[str]
COMMAND = str(Path(sys.executable).with_name("luma-async"))


def interrupt(times: int = 1) -> Any:
    """Make a change to an answer that interrupts this process before the answer goes out."""

    def shape(value: Any) -> Any:
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
        return value

    return shape


@pytest.fixture
def deaf_signals() -> Iterator[None]:
    """Put the handlers of signals back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert before == {number: signal.getsignal(number) for number in before}


@pytest.mark.usefixtures("deaf_signals")
@pytest.mark.parametrize("option", [[], ["--wait"]])
def test_an_order_that_is_interrupted_is_not_lost(
    option: list[str], service: Emulator, capsys: Captured
) -> None:
    """Ctrl-C waits for the answer, which may be paid, and says how to come by the video."""
    service.inject(Fault(route="create", shape=interrupt(), delay=0.2))
    assert 130 == run("create", "A fox", *option)
    output, error = capsys.readouterr()
    progress, *lines = error.splitlines()
    name = service.ledger[0].id
    assert "waiting up to a minute for the response, which contains the id of the order" == progress
    what, hint = complaint("\n".join(lines))
    assert "interrupted" == what
    assert f"{name} was accepted and is paid; resume with `luma-async wait {name}`" == hint
    assert "" == output


def test_a_wait_that_is_interrupted_says_how_to_go_on(service: Emulator, capsys: Captured) -> None:
    """What is done is printed already, and the command names the others."""
    service.place("done", "A fox")
    service.place("open", "A fox", [(0, "dreaming")])
    service.inject(Fault(route="get", skip=1, shape=interrupt()))
    assert 130 == run("wait", "done", "open")
    output, error = capsys.readouterr()
    assert output.startswith("done  completed")
    what, hint = complaint(error)
    assert "interrupted" == what
    assert hint.endswith("resume with `luma-async wait open`")


def test_any_command_may_be_interrupted(service: Emulator, capsys: Captured) -> None:
    """It says so in one line."""
    service.inject(Fault(route="list", shape=interrupt(), delay=0.2))
    assert 130 == run("list")
    assert "interrupted" == complaint(capsys.readouterr().err)[0]


def test_an_interruption_before_anything_was_sent_says_so(
    service: Emulator, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a client waits for its turn, nothing is paid."""

    async def submit(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    monkeypatch.setattr(LumaClient, "submit", submit)
    assert 130 == run("create", "A fox")
    assert "hint: no order was sent and nothing was paid\n" in capsys.readouterr().err
    assert 0 == service.billed


@pytest.mark.anyio
async def test_an_interrupted_order_that_may_be_paid_is_told_as_such() -> None:
    """An unknown outcome weighs more than the interruption."""
    order = Order("A fox")
    unknown = SubmissionUnknownError(
        order=order, sent_at=datetime(2025, 1, 1, tzinfo=UTC), reason="it broke"
    )

    class Interrupted:
        async def submit(self, _: Order) -> None:
            raise asyncio.CancelledError

        def unclaimed(self) -> tuple[Outcome, ...]:
            return (Outcome(order=order, error=unknown),)

    with pytest.raises(SubmissionUnknownError):
        await submit(Interrupted(), order)  # type: ignore[arg-type]


class Closed:
    """A stdout whose reader has left."""

    encoding = "utf-8"

    def __init__(self, descriptor: int, error: OSError) -> None:
        self._descriptor = descriptor
        self._error = error

    def write(self, text: str) -> None:
        """Fail as the system does."""
        if text:
            raise self._error

    def flush(self) -> None:
        """Write nothing."""

    def isatty(self) -> bool:
        """Nobody looks."""
        return False

    def fileno(self) -> int:
        """Name what is exchanged."""
        return self._descriptor


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """Open something that may be exchanged."""
    number = os.open(tmp_path / "stdout", os.O_WRONLY | os.O_CREAT)
    yield number
    os.close(number)


def test_a_pipe_that_is_closed_ends_a_command_quietly(
    service: Emulator, capsys: Captured, monkeypatch: pytest.MonkeyPatch, descriptor: int
) -> None:
    """Whoever pipes into head is not told of a broken pipe."""
    service.place("a", "A fox")
    monkeypatch.setattr("sys.stdout", Closed(descriptor, BrokenPipeError()))
    assert 1 == run("list")
    assert "" == capsys.readouterr().err


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_an_id_is_not_lost_where_stdout_takes_nothing(
    option: list[str],
    service: Emulator,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    descriptor: int,
) -> None:
    """The disk may be full when the order has been paid; then stderr has the id."""
    monkeypatch.setattr("sys.stdout", Closed(descriptor, OSError(28, "No space left on device")))
    assert 1 == run("create", "A fox", *option)
    what, _ = complaint(capsys.readouterr().err)
    assert f"the order was accepted as {service.ledger[0].id} and is paid" in what
    assert "No space left on device" in what


def shell(arguments: list[str], **options: Any) -> subprocess.Popen[str]:
    """Start the command as a shell does."""
    return subprocess.Popen(
        [COMMAND, *arguments],
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_process_that_is_interrupted_twice_still_waits_for_its_order(
    service: Emulator,
) -> None:
    """Impatience costs no id: the second Ctrl-C changes nothing while an order is on its way."""
    process: subprocess.Popen[str]

    def shape(value: Any) -> Any:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        return value

    service.inject(Fault(route="create", shape=shape, delay=0.5))
    process = shell(["create", "A fox"])
    output, error = process.communicate(timeout=30)
    name = service.ledger[0].id
    assert (130, "") == (process.returncode, output)
    assert f"resume with `luma-async wait {name}`" in error
    assert "Traceback" not in error
    assert KEY not in error


def test_a_process_leaves_quietly_when_its_reader_does(service: Emulator) -> None:
    """As in `luma-async list | head -1`."""
    for number in range(2000):
        service.place(f"a{number}", "A fox")
    process = shell(["list"])
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert "" == process.stderr.read()
    assert 1 == process.wait(timeout=30)


def test_a_terminal_shows_colours_unless_told_not_to(service: Emulator) -> None:
    """NO_COLOR is respected, and ids stay whole however long the line."""
    service.place("a" * 200, "A fox")
    shown = []
    for extra in ({}, {"NO_COLOR": "1"}):
        main, side = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", **extra}
        process = shell(["get", "a" * 200], stdout=side, env=environment)
        os.close(side)
        assert ("", 0) == (process.communicate(timeout=30)[1] or "", process.returncode)
        shown.append(os.read(main, 10_000).decode())
        os.close(main)
    assert "\x1b[32mcompleted" in shown[0]
    assert "\x1b[32m" not in shown[1]
    assert "a" * 200 in shown[1]


def test_what_a_terminal_cannot_show_is_escaped(service: Emulator) -> None:
    """A list is printed whole, whatever the encoding."""
    service.place("a", "Ein Fuchs über Köln")
    process = shell(["list"], env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert "a  Ein Fuchs \\xfcber K\\xf6ln\n" == process.communicate(timeout=30)[0]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_and_options(capsys: Captured) -> None:
    """What `luma-async completion bash` prints works, as does TAB behind it."""
    assert 0 == run("completion", "bash")
    script = capsys.readouterr().out
    for words, expected in (("cr", "create"), ("create A-fox --asp", "--aspect-ratio")):
        count = len(words.split())
        lines = f"COMP_WORDS=(luma-async {words}); COMP_CWORD={count}; _luma_async"
        completed = subprocess.run(
            ["bash", "-c", f'{script}\n{lines}\necho "${{COMPREPLY[@]}}"'],
            capture_output=True,
            check=True,
            text=True,
        )
        assert [expected] == completed.stdout.split()
