"""What commands say when something is wrong, and the exit code."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from luma_async import (
    BudgetExceededError,
    ClientStateError,
    DownloadError,
    LedgerError,
    LumaError,
    Order,
    RateLimitError,
    ResponseFormatError,
    ServerError,
    SubmissionUnknownError,
    WaitErrorGroup,
)
from luma_async.cli.app import run as run_command
from luma_async.cli.exit_codes import ExitCode, explain, highest
from luma_async.cli.log_handlers import log_handlers
from luma_async.cli.output import Output
from luma_async.emulator import Emulator, Fault
from tests.cli.running import complaint, give, run
from tests.support.clients import KEY

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (["creat", "A fox"], 'Did you mean "create"?', "luma-async --help"),
        (["create"], "PROMPT requires an argument", "luma-async create --help"),
        (["create", "A", "red", "fox"], "more arguments than expected: red fox", "quotation marks"),
        (["create", "A fox", "--wiat"], "Did you mean --wait?", "luma-async create --help"),
        (["create", "--wiat"], "'--wiat' is not an option", "luma-async create --help"),
        (["wait", "a", "--timout", "5"], "--timout", "luma-async wait --help"),
        (["create", "A fox", "--aspect-ratio", "2:1"], "Choose from", "luma-async create --help"),
        (["create", " "], "user_prompt is empty", "luma-async create --help"),
        (["create", "A fox", "--timeout", "-1"], "timeout=-1.0", "luma-async create --help"),
        (["create", "A fox", "--image-url", "fox"], "image_url", "luma-async create --help"),
        (["create", "A fox", "--download", "/no/fox.mp4"], "no folder", "luma-async create"),
        (["get", "a/b"], "'a/b' is no id", "luma-async get --help"),
        (["upload", "fox.png"], "https://", "luma-async upload --help"),
        (["list", "--base-url", "http://a.example"], "https", "luma-async list --help"),
        (["create", "\x1b[2J", "\x1b[2J"], "\\u001b[2J", "quotation marks"),
        (["create", "-", "--key-file", "-"], "stdin", "luma-async create --help"),
        (["create", "-", "--key-file=-"], "stdin", "luma-async create --help"),
        (["completion", "csh"], '"bash"', "luma-async completion --help"),
    ],
)
def test_a_slip_is_answered_in_one_line_and_a_hint(
    arguments: list[str], what: str, hint: str, service: Emulator, capsys: Captured
) -> None:
    """Nothing is sent or paid, nobody sees a traceback, and stdout stays empty."""
    assert 2 == run(*arguments)
    output, error = capsys.readouterr()
    said, advice = complaint(error)
    assert what in said
    assert hint in advice
    assert said.isprintable()
    assert "" == output
    assert () == service.requests


def test_ids_that_do_not_come_are_missed(
    service: Emulator, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that broke before is no reason to do nothing and call it done."""
    give(monkeypatch, "")
    assert 2 == run("wait", "-")
    assert "stdin contains no ids" == complaint(capsys.readouterr().err)[0]


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault(status=401), 5, ("the service rejected the key", "AIML_API_KEY")),
        (Fault(status=402), 5, ("the account cannot pay for this", "top up")),
        (Fault(status=403, body={"message": "Not you"}), 5, ("Not you", "may not do this")),
        (Fault(status=422), 1, ("HTTP 422", "this was not paid")),
        (Fault(drop="after"), 3, ("is unknown", "`luma-async list` before you pay again")),
        (Fault(status=500), 3, ("is unknown", "`luma-async list` before you pay again")),
    ],
)
def test_an_order_that_fails_says_whether_it_is_paid(
    fault: Fault, code: int, words: tuple[str, str], service: Emulator, capsys: Captured
) -> None:
    """The exit code tells a script whether money may be gone."""
    service.inject(fault)
    assert code == run("create", "A fox", "--wait")
    output, error = capsys.readouterr()
    what, hint = complaint(error)
    assert words[0] in what
    assert words[1] in hint
    assert "" == output


def test_a_service_out_of_reach_is_told(service: Emulator, capsys: Captured) -> None:
    """Nothing was sent, and the address may be the reason."""
    assert 1 == run("list", "--base-url", "http://127.0.0.1:1")
    assert "--base-url" in complaint(capsys.readouterr().err)[1]


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (BudgetExceededError(budget=1, committed=1, needed=1), ExitCode.ACCOUNT, "--budget 10usd"),
        (LedgerError("in use"), ExitCode.LEDGER, "another run"),
        (RateLimitError("slow", status=429), ExitCode.FAILED, "later"),
        (ServerError("gone", status=503), ExitCode.FAILED, "not paid"),
        (ResponseFormatError(["expected a list at $"]), ExitCode.FAILED, "--base-url"),
        (ClientStateError("closed"), ExitCode.FAILED, "luma-async list"),
        (DownloadError("full"), ExitCode.FAILED, "luma-async download"),
        (LumaError(), ExitCode.FAILED, "luma-async list"),
        (PermissionError(13, "Permission denied", "a"), ExitCode.USAGE, None),
        (OSError("no more"), ExitCode.USAGE, None),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "same command"),
        (asyncio.CancelledError(), ExitCode.INTERRUPTED, "same command"),
    ],
)
def test_every_error_has_an_exit_code_and_a_line(
    error: BaseException, code: ExitCode, hint: str | None
) -> None:
    """A script tells them apart by the code, and a person by the line."""
    (problem,) = explain(error)
    assert code is problem.code
    assert problem.what
    assert "\n" not in problem.what
    assert (hint is None) == (problem.hint is None)
    assert (hint or "") in (problem.hint or "")


def test_errors_of_many_are_told_one_by_one() -> None:
    """The worst of them decides the exit code: money that may be gone before a mere failure."""
    unknown = SubmissionUnknownError(
        order=Order("A fox"), sent_at=datetime(2025, 1, 1, tzinfo=UTC), reason="it broke"
    )
    problems = explain(WaitErrorGroup("two", [DownloadError("full"), unknown]))
    assert [ExitCode.FAILED, ExitCode.UNKNOWN] == [problem.code for problem in problems]
    assert ExitCode.UNKNOWN is highest(problem.code for problem in problems)
    assert ExitCode.DONE is highest([])


@pytest.mark.parametrize("option", [["--key", KEY], [f"--key={KEY}"], ["--api-key", KEY]])
def test_a_key_is_no_argument(option: list[str], service: Emulator, capsys: Captured) -> None:
    """Whoever gives one anyway learns why not, and where it belongs."""
    assert 2 == run("create", "A fox", *option)
    output, error = capsys.readouterr()
    what, hint = complaint(error)
    assert "other users of this machine could see it" in what
    assert "AIML_API_KEY" in hint
    assert "--key-file" in hint
    assert KEY not in output + error
    assert () == service.requests


def test_words_behind_the_options_are_no_keys(service: Emulator) -> None:
    """A prompt may be about anything."""
    assert 2 == run("create", "--", "A fox", "--key")
    assert 0 == run("create", "--", "A --key fox")
    assert ["A --key fox"] == [bill.prompt for bill in service.ledger]


def test_a_missing_key_is_told(capsys: Captured) -> None:
    """The first thing that anybody runs into says how to go on."""
    assert 5 == run("list")
    what, hint = complaint(capsys.readouterr().err)
    assert "no API key" == what
    assert "AIML_API_KEY" in hint


def test_the_key_comes_from_a_file(
    service: Emulator, capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its first line is the key; whoever lets others read it is warned."""
    monkeypatch.delenv("AIML_API_KEY")
    file = tmp_path / "key"
    file.write_text(f"{KEY}\r\na remark\n")
    file.chmod(0o600)
    assert 0 == run("create", "A fox", "--key-file", str(file))
    assert "" == capsys.readouterr().err
    file.chmod(0o640)
    assert 0 == run("create", "A fox", "--key-file", str(file))
    assert f"warning: {file} can be read by others" in capsys.readouterr().err
    assert {f"Bearer {KEY}"} == {request.authorization for request in service.requests}


def test_the_key_comes_from_stdin(service: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that keeps secrets pipes it in; a person types it unseen."""
    monkeypatch.delenv("AIML_API_KEY")
    give(monkeypatch, f"{KEY}\n")
    assert 0 == run("list", "--key-file", "-")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: KEY)
    assert 0 == run("list", "--key-file", "-")
    assert {f"Bearer {KEY}"} == {request.authorization for request in service.requests}


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", 5), (b"two words\n", 5), (b"\xff\xfe\n", 5), (None, 2)],
)
def test_a_file_without_a_key_is_refused(
    content: bytes | None, code: int, service: Emulator, capsys: Captured, tmp_path: Path
) -> None:
    """What is wrong is told, and what the file holds is not."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
        file.chmod(0o600)
    assert code == run("list", "--key-file", str(file))
    what, _ = complaint(capsys.readouterr().err)
    assert "two words" not in what
    assert () == service.requests


def test_the_key_is_in_no_output(service: Emulator, capsys: Captured) -> None:
    """Whatever the service says of it, neither stdout nor stderr repeats it."""
    service.inject(Fault(route="list", status=400, body={"message": f"bad key {KEY}"}))
    assert 1 == run("list")
    assert KEY not in "".join(capsys.readouterr())


def test_what_was_foreseen_by_nobody_is_shown_as_it_is(
    service: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of this package is reported with its traceback, as it can be mended then."""

    def result(*_: object) -> None:
        raise ZeroDivisionError

    service.place("a", "A fox")
    monkeypatch.setattr(Output, "result", result)
    with pytest.raises(ZeroDivisionError):
        run_command(["list"])


def test_what_would_be_lost_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The id of a paid video that no ledger could note reaches the person; mere warnings do not."""
    log = logging.getLogger("luma_async")
    with log_handlers():
        log.warning("something")
        log.critical("order %s was accepted as generation %s and is PAID", 7, "abc")
        logging.getLogger("luma_async.batch").warning("orders are held back")
    assert (
        "luma-async: order 7 was accepted as generation abc and is PAID\n"
        "luma-async: orders are held back\n"
    ) == capsys.readouterr().err


class TestAWaitThatGetsNoAnswer:
    """It goes on, as a failed poll ends no wait; and it says why nothing happens."""

    def test_a_wrong_key_is_told(self, service: Emulator, capsys: Captured) -> None:
        """Once, however often the service is asked."""
        service.place("fox", "A fox")
        service.inject(Fault(route="get", status=401, times=3))

        assert 0 == run("wait", "fox")

        told = "luma-async: the status request failed (AuthenticationError, HTTP 401)"
        assert 1 == capsys.readouterr().err.count(f"{told}; still waiting\n")

    def test_an_outage_is_told(self, service: Emulator, capsys: Captured) -> None:
        """Without a status where there was no answer; the video comes all the same."""
        service.place("fox", "A fox")
        service.inject(Fault(route="get", drop="before", times=2))

        assert 0 == run("wait", "fox")

        assert "(DisconnectedError); still waiting\n" in capsys.readouterr().err
