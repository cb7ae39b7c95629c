"""The commands, run as a person runs them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from luma_async import LumaClient
from luma_async.cli import main
from luma_async.cli.app import app

COMMAND = [sys.executable, "-c", "from luma_async.cli import main; main()"]


def run(*arguments: str) -> int:
    """Run a command in this process and return its exit code."""
    with pytest.raises(SystemExit) as end:
        app(arguments)
    code = end.value.code
    assert isinstance(code, int)
    return code


def test_the_demonstration_downloads_every_video_and_counts_the_requests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever runs it sees videos on disk, one bill an order, and what polling took."""
    assert 0 == run("demo", "--count", "11", "--folder", str(tmp_path / "v"), "--speed", "600")
    files = sorted(path.name for path in (tmp_path / "v").iterdir())
    assert [f"{n:03}.mp4" for n in range(2, 12)] == files[3:]
    assert ["001-extended-again.mp4", "001-extended.mp4", "001.mp4"] == files[:3]
    output = capsys.readouterr().out
    assert "13 orders of 13 sent" in output
    assert "6,500,000 tokens (3.25 US dollars)" in " ".join(output.split())
    assert "10 videos downloaded" in output


def test_the_demonstration_takes_prompts_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any text file of prompts will do."""
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("A fox\nTwo foxes\n")
    folder = tmp_path / "videos"
    assert 0 == run("demo", "--prompts", str(prompts), "--folder", str(folder), "--speed", "600")
    assert "4 orders of 4 sent" in capsys.readouterr().out


def test_the_demonstration_reports_what_could_not_be_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A video that has no place to go is named, and the exit code says that not all is well."""
    (tmp_path / "001.mp4").mkdir()
    assert 1 == run("demo", "--count", "1", "--folder", str(tmp_path), "--speed", "600")
    assert "001: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["demo", "--prompts", "missing.txt"], id="no such file"),
        pytest.param(["demo", "--count", "0"], id="nothing to make"),
        pytest.param(["demo", "--speed", "0"], id="time that stands still"),
        pytest.param(["emulator", "--time-scale", "0"], id="an emulator whose time stands still"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is shown a traceback for a slip of the finger."""
    monkeypatch.chdir(tmp_path)
    assert 2 == run(*arguments)
    error = capsys.readouterr().err
    assert error.startswith("luma-async: ")
    assert 1 == error.count("\n")


@pytest.mark.anyio
async def test_the_emulator_command_serves_until_it_is_interrupted() -> None:
    """Started in another terminal, it serves programs that know only its address."""
    process = subprocess.Popen(  # noqa: ASYNC220 - the command is to run beside the test
        [*COMMAND, "emulator", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        async with LumaClient("any", base_url=words[words.index("at") + 1].rstrip(",")) as luma:
            assert "pending" == (await luma.create("A fox")).state
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def test_without_its_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The library alone does not bring the command line, and says so in one line."""
    monkeypatch.setitem(sys.modules, "luma_async.cli.app", None)
    with pytest.raises(SystemExit) as end:
        main()
    assert 2 == end.value.code
    assert "pip install 'luma-async[cli]'" in capsys.readouterr().err


def test_the_command_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """A report of a fault can name what was used."""
    version = subprocess.run(
        [*COMMAND, "--version"], capture_output=True, check=True, text=True, env={**os.environ}
    ).stdout
    assert "0.1.0\n" == version
