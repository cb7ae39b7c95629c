"""The commands for batches, run as a person runs them."""

import asyncio
import io
import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from luma_async import LumaClient
from luma_async.batch import Batch
from luma_async.emulator import Emulator, Fault
from tests.cli.running import objects, run as run_command


@pytest.fixture
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder with a file of three prompts."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "prompts.txt"
    path.write_text("A red fox\nA blue fox\nA green fox\n")
    return path


def run(*arguments: str) -> int:
    """Run a command for batches."""
    return run_command("batch", *arguments)


def test_a_file_of_prompts_becomes_a_folder_of_videos(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results go to stdout, what it costs and where to look to stderr."""
    assert 0 == run("run", "foxes", str(prompts), "--yes")
    output = capsys.readouterr()
    assert 3 == service.billed == output.out.count("  done ")
    assert "3 orders to pay: 1,500,000 tokens (0.75 US dollars)" in output.err
    assert "open foxes/index.html" in output.err
    assert {"videos", "index.html", "results.jsonl", "orders.sqlite", "orders.sqlite.lock"} == {
        path.name for path in Path("foxes").iterdir()
    }


def test_the_same_command_again_pays_for_nothing(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished batch is left as it is, and no request is sent."""
    run("run", "foxes", str(prompts), "--yes")
    sent = len(service.requests)
    assert 0 == run("run", "foxes", str(prompts))
    assert sent == len(service.requests)
    assert "3 orders, 3 done; nothing to pay" in capsys.readouterr().err


def test_other_programs_read_one_object_a_line(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json, every line of stdout stands for itself."""
    assert 0 == run("run", "foxes", str(prompts), "--yes", "--json")
    results = objects(capsys.readouterr().out)
    assert ["done"] * 3 == [result["state"] for result in results]
    assert {bill.id for bill in service.ledger} == {one["generation_id"] for one in results}
    assert all(Path("foxes", one["file"]).is_file() for one in results)
    assert 0 == run("status", "foxes", "--json")
    assert {
        "folder": "foxes",
        "orders": 3,
        "counts": {"done": 3},
        "tokens": 1_500_000,
        "usd": 0.75,
        "tokens_to_pay": 0,
    } == json.loads(capsys.readouterr().out)


def test_nothing_is_paid_where_nobody_can_be_asked(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script has to say that it means it."""
    assert 2 == run("run", "foxes", str(prompts))
    assert "pass --yes" in capsys.readouterr().err
    assert 0 == service.billed


def test_a_budget_is_kept_and_named_in_the_line_that_goes_on(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it allows for is said before, and the exit code says what ended the run."""
    assert 5 == run("run", "foxes", str(prompts), "--yes", "--budget", "0.5usd")
    error = capsys.readouterr().err
    assert "allows for 2 of them" in error
    assert "`luma-async batch run foxes --budget 1000000`" in error
    assert 2 == service.billed
    assert 0 == run("run", "foxes", "--yes", "--budget", "1usd", "--timeout", "90")
    assert 3 == service.billed


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "rejected the key"), (403, "cannot pay for this")],
)
def test_trouble_with_the_account_ends_with_its_own_code(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str], status: int, hint: str
) -> None:
    """No order is burnt, and the same command goes on once the trouble is over."""
    service.inject(Fault(route="create", times=None, status=status))
    assert 5 == run("run", "foxes", str(prompts), "--yes")
    assert hint in capsys.readouterr().err
    service.clear_faults()
    assert 0 == run("run", "foxes", "--yes")
    assert 3 == service.billed


def test_a_video_that_fails_is_planned_anew_only_when_asked_for(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was paid; a second try is paid as well, and is for a person to decide."""
    service.script("A blue fox", [(0.0, "pending"), (1.0, "failed")])
    assert 1 == run("run", "foxes", str(prompts), "--yes")
    assert 1 == run("run", "foxes", "--yes")
    assert 3 == service.billed
    service.script("A blue fox", [(0.0, "pending"), (1.0, "completed")])
    assert 0 == run("retry", "foxes")
    assert "1 order planned again, 500,000 tokens" in capsys.readouterr().err
    assert 0 == run("run", "foxes", "--yes")
    assert 4 == service.billed


def test_an_order_in_doubt_is_held_until_a_person_says_what_it_became(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its candidates are named; adopted, its video is fetched without another payment."""
    service.inject(Fault(route="create", prompt="A blue fox", drop="after"))
    assert 3 == run("run", "foxes", str(prompts), "--yes")
    assert "`luma-async batch review foxes`" in capsys.readouterr().err
    assert 3 == run("review", "foxes", "--json")
    (held,) = objects(capsys.readouterr().out)
    (bill,) = [bill for bill in service.ledger if bill.prompt == "A blue fox"]
    assert (2, [bill.id]) == (held["number"], held["candidates"])
    assert 3 == run("review", "foxes")
    assert f"may be: {bill.id}" in capsys.readouterr().out
    assert 2 == run("retry", "foxes", "2")
    assert 3 == run("run", "foxes")
    assert "3 orders, 2 done, 1 held; nothing to pay" in capsys.readouterr().err
    assert 0 == run("review", "foxes", "--adopt", f"2={bill.id}")
    assert 0 == run("run", "foxes")
    assert 3 == service.billed


def test_an_order_in_doubt_can_be_given_up_or_paid_again(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both are said in words that leave no doubt about the money."""
    service.inject(Fault(route="create", prompt="A blue fox", drop="before"))
    service.inject(Fault(route="create", prompt="A green fox", drop="before"))
    assert 3 == run("run", "foxes", str(prompts), "--yes")
    assert 3 == run("review", "foxes", "--dismiss", "2")
    assert "none in the list of the account" in capsys.readouterr().out
    assert 0 == run("retry", "foxes", "3", "--may-pay-twice")
    assert 1 == run("run", "foxes", "--yes")
    assert 2 == service.billed


def test_unknown_orders_are_found_again_where_that_is_asked_for(
    service: Emulator, prompts: Path
) -> None:
    """With reconcile the batch looks by itself, and ends well."""
    service.inject(Fault(route="create", prompt="A blue fox", drop="after"))
    options = ["--on-unknown", "reconcile", "--list-delay", "0.1"]
    assert 0 == run("run", "foxes", str(prompts), "--yes", *options)
    assert 3 == service.billed


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["run", "new"], 2, id="no orders and no batch"),
        pytest.param(["run", "new", "missing.txt", "--yes"], 2, id="no such file"),
        pytest.param(["run", "new", "bad.jsonl", "--yes"], 2, id="a bad line"),
        pytest.param(["status", "new"], 4, id="status of nothing"),
        pytest.param(["review", "new"], 4, id="review of nothing"),
        pytest.param(["retry", "new"], 4, id="retry of nothing"),
        pytest.param(["retry", "foxes", "17"], 2, id="no such order"),
        pytest.param(["review", "foxes", "--adopt", "x=y"], 2, id="no number"),
        pytest.param(["run", "damaged"], 4, id="a damaged ledger"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(
    service: Emulator,
    prompts: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
) -> None:
    """It names what is wrong, costs nothing, and leaves no folder behind."""
    run("run", "foxes", str(prompts), "--yes")
    Path("bad.jsonl").write_text('{"prompt": ""}\n')
    Path("damaged").mkdir()
    Path("damaged/orders.sqlite").write_bytes(b"no ledger at all")
    capsys.readouterr()
    assert code == run(*arguments)
    lines = capsys.readouterr().err.splitlines()
    assert ["luma-async:", "hint:"] == [line.split()[0] for line in lines[-2:]]
    assert not Path("new").exists()
    assert 3 == service.billed


class Terminal(io.StringIO):
    """Stands for a terminal at which somebody sits."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.mark.parametrize(("answer", "paid"), [("yes\n", 3), ("y\n", 3), ("no\n", 0), ("", 0)])
def test_a_person_is_asked_before_the_first_payment(
    service: Emulator, prompts: Path, monkeypatch: pytest.MonkeyPatch, answer: str, paid: int
) -> None:
    """Only yes is yes."""
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert (0 if paid else 2) == run("run", "foxes", str(prompts))
    assert paid == service.billed


def test_an_interrupted_run_ends_with_the_line_that_goes_on(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The order that was on its way is recorded first."""
    service.inject(Fault(route="create", times=None, delay=0.5))

    def interrupt() -> None:
        while not any(request.route == "create" for request in service.requests):
            select.select([], [], [], 0.001)
        os.kill(os.getpid(), signal.SIGINT)

    person = threading.Thread(target=interrupt)
    person.start()
    assert 130 == run("run", "foxes", str(prompts), "--yes")
    person.join()
    assert "Resume with: luma-async batch run foxes" in capsys.readouterr().err
    service.clear_faults()
    assert 0 == run("run", "foxes", "--yes")
    assert 3 == service.billed


@contextmanager
def in_a_terminal(*arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run a command in a terminal of its own."""
    primary, secondary = pty.openpty()
    program = "from luma_async.cli import main; main()"
    command = [sys.executable, "-c", program, "batch", *arguments]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(
        command, stdin=secondary, stdout=secondary, stderr=secondary, env=environment
    ) as process:
        os.close(secondary)
        try:
            yield process, primary
        finally:
            process.kill()
            os.close(primary)


def read_until(primary: int, text: str, seen: str = "") -> str:
    """Read what a terminal shows until a text is there, or the program has ended."""
    while text not in re.sub(r"\s+", " ", seen):
        ready, _, _ = select.select([primary], [], [], 30)
        assert ready, f"nothing came after {seen[-500:]!r}"
        try:
            seen += os.read(primary, 65536).decode("utf-8", "replace")
        except OSError:
            break
    return seen


def test_in_a_terminal_a_person_is_asked_and_watches(service: Emulator, prompts: Path) -> None:
    """The price is named before the question, and the board shows what happens."""
    with in_a_terminal("run", "foxes", str(prompts)) as (process, primary):
        seen = read_until(primary, "Pay for them? [y/N]")
        assert "0.75 US dollars" in seen
        os.write(primary, b"y\n")
        seen = read_until(primary, "open foxes/index.html", seen)
        assert 0 == process.wait(30)
    assert "at the service" in seen
    assert 3 == service.billed


def test_whoever_says_no_pays_nothing(service: Emulator, prompts: Path) -> None:
    """Anything but yes is no."""
    with in_a_terminal("run", "foxes", str(prompts)) as (process, primary):
        read_until(primary, "[y/N]")
        os.write(primary, b"\n")
        seen = read_until(primary, "nothing was paid")
        assert 2 == process.wait(30), seen
    assert 0 == service.billed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_sees_payments_through_and_says_how_to_go_on(
    service: Emulator, prompts: Path, number: signal.Signals
) -> None:
    """What was on its way is recorded under its id, and the next run pays for nothing twice."""
    service.inject(Fault(route="create", times=None, delay=1.0))
    with in_a_terminal("run", "foxes", str(prompts), "--yes") as (process, primary):
        while not any(request.route == "create" for request in service.requests):
            select.select([], [], [], 0.01)
        process.send_signal(number)
        seen = read_until(primary, "Resume with: luma-async batch run foxes")
        assert 130 == process.wait(30), seen
    service.clear_faults()
    assert 0 == run("run", "foxes", "--yes")
    assert 3 == service.billed


def test_a_second_signal_leaves_at_once_and_is_safe_as_well(
    service: Emulator, prompts: Path
) -> None:
    """What was on its way is held, as nobody has heard its answer."""
    service.inject(Fault(route="create", times=None, delay=30.0))
    with in_a_terminal("run", "foxes", str(prompts), "--yes") as (process, primary):
        while 3 > sum(request.route == "create" for request in service.requests):
            select.select([], [], [], 0.01)
        process.send_signal(signal.SIGINT)
        seen = read_until(primary, "press Ctrl-C again to quit now")
        process.send_signal(signal.SIGINT)
        seen = read_until(primary, "quitting now; resume with:", seen)
        assert 130 == process.wait(30), seen
    service.clear_faults()
    assert 3 == run("run", "foxes", "--yes")
    assert 3 == sum(request.route == "create" for request in service.requests)


def test_what_may_have_been_paid_is_not_ordered_again_in_passing(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dismissed order is left alone by retry, unless its number and the words are given."""
    service.inject(Fault(route="create", prompt="A blue fox", drop="after"))
    assert 3 == run("run", "foxes", str(prompts), "--yes")
    assert 0 == run("review", "foxes", "--dismiss", "2")
    assert 0 == run("retry", "foxes")
    assert "0 orders planned again" in capsys.readouterr().err
    assert 2 == run("retry", "foxes", "2")
    assert 1 == run("run", "foxes")
    assert 3 == service.billed


def test_an_adoption_by_mistake_is_refused_or_corrected(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An id that the account does not have would stand in the way for good."""
    service.inject(Fault(route="create", prompt="A blue fox", drop="after"))
    service.place("another", "Another fox", [(0.0, "pending")])
    assert 3 == run("run", "foxes", str(prompts), "--yes")
    assert 1 == run("review", "foxes", "--adopt", "2=unheard-of")
    assert 0 == run("review", "foxes", "--adopt", "2=another")
    (bill,) = [bill for bill in service.ledger if bill.prompt == "A blue fox"]
    assert 0 == run("review", "foxes", "--adopt", f"2={bill.id}")
    assert 0 == run("run", "foxes")
    assert bill.id in Path("foxes/results.jsonl").read_text()


def test_resubmitting_is_asked_for_as_well(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may pay, though nothing is planned."""
    service.inject(Fault(route="create", prompt="A blue fox", drop="before"))
    assert 3 == run("run", "foxes", str(prompts), "--yes")
    assert 2 == run("run", "foxes", "--on-unknown", "resubmit", "--list-delay", "0.01")
    assert "1 held; 1 held order may be paid again" in capsys.readouterr().err
    assert 2 == service.billed


def test_no_more_is_paid_than_was_agreed_to(
    service: Emulator, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the question stands, somebody else adds orders to the same folder."""

    class Slow(Terminal):
        def readline(self, size: int = -1) -> str:  # type: ignore[override]  # as StringIO has it
            more = "A fox too many\n"
            Path("more.txt").write_text(more)
            asyncio.run(add("foxes", Path("more.txt")))
            return "y\n"

    monkeypatch.setattr(sys, "stdin", Slow())
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert 2 == run("run", "foxes", str(prompts))
    assert 0 == service.billed


async def add(folder: str, path: Path) -> None:
    """Add orders as another program does."""
    async with LumaClient() as luma, Batch.open(folder, luma) as batch:
        await batch.add_file(path)


def test_results_that_cannot_be_printed_do_not_pass_for_a_wrong_command(
    service: Emulator, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is paid is recorded, and the line that goes on is told."""

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Full())
        patch.setattr(sys, "stderr", said := io.StringIO())
        assert 1 == run("run", "foxes", str(prompts), "--yes")
    assert "resume with `luma-async batch run foxes`" in said.getvalue()
    assert 0 == run("run", "foxes", "--yes")
    assert 3 == service.billed


def test_a_reader_that_leaves_ends_the_run_quietly(
    service: Emulator, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with head: what was paid is taken up by the next run."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            if text:
                raise BrokenPipeError(32, "Broken pipe")
            return 0

        def fileno(self) -> int:
            return os.open(os.devnull, os.O_WRONLY)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Gone())
        assert 1 == run("run", "foxes", str(prompts), "--yes")
    assert 0 == run("run", "foxes", "--yes")
    assert 3 == service.billed


def test_a_command_runs_without_any_standard_stream(
    service: Emulator, prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service manager may have closed them all."""
    run("run", "foxes", str(prompts), "--yes")
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert 0 == run("status", "foxes")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()


def test_closed_descriptors_are_no_trouble(service: Emulator, prompts: Path) -> None:
    """As a shell closes them."""
    program = "from luma_async.cli import main; main()"
    command = f"{sys.executable} -c {program!r} batch run foxes {prompts} --yes <&- >&- 2>&-"
    assert 0 == subprocess.run(["sh", "-c", command], check=False).returncode
    assert 3 == service.billed


def test_a_ledger_that_takes_no_more_ends_the_run_with_its_own_code(
    service: Emulator, prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The id of what was paid is told, and the hint leads to what may have been paid."""
    assert 2 == run("run", "foxes", str(prompts))
    with closing(sqlite3.connect("foxes/orders.sqlite")) as ledger:
        ledger.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON orders WHEN NEW.state = 'submitted' "
            "BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    assert 4 == run("run", "foxes", "--yes")
    error = capsys.readouterr().err
    assert "hint: `luma-async batch review foxes` shows what may have been paid" in error
    assert all(bill.id in error for bill in service.ledger)
