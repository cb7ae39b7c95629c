"""The commands, run as a person runs them."""

import io
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from rich.console import Console

from luma_async import LumaClient, Order, __version__
from luma_async.cli import main
from luma_async.cli.demo import Demo
from luma_async.cli.emulator import emulator
from luma_async.cli.output import Output
from luma_async.emulator import Emulator
from tests.cli.running import complaint, objects, run


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
        pytest.param(["demo", "--failure-rate", "2"], id="more failures than videos"),
        pytest.param(["emulator", "--time-scale", "0"], id="an emulator whose time stands still"),
    ],
)
def test_a_mistake_is_answered_in_one_line_and_a_hint(
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is shown a traceback for a slip of the finger."""
    monkeypatch.chdir(tmp_path)
    assert 2 == run(*arguments)
    output, error = capsys.readouterr()
    assert "" == output
    assert f"luma-async {arguments[0]} --help" == complaint(error)[1]


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Another emulator runs already, say; any port would do."""
    with Emulator().running_in_thread() as other:
        assert 2 == run("emulator", "--port", other.base_url.rpartition(":")[2])
    assert "; --port 0 picks a free port" in complaint(capsys.readouterr().err)[0]


def test_the_demonstration_says_which_videos_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed continuation ends the chain, and is named with the service's reason."""
    chance = ["--failure-rate", "0.5", "--seed", "4"]
    assert 1 == run("demo", "--count", "1", "--folder", str(tmp_path), "--speed", "600", *chance)
    output = capsys.readouterr().out
    assert "could not be generated" in output
    assert "2 orders of 2 sent" in output
    assert ["001.mp4"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.anyio
async def test_where_a_person_watches_the_demonstration_shows_a_live_board(tmp_path: Path) -> None:
    """In a terminal the counts go up before one's eyes; a bad order does not end the rest."""
    screen = io.StringIO()
    show = Demo(
        [Order("A fox"), Order(" ")],
        folder=tmp_path,
        speed=600,
        seed=0,
        failure_rate=0,
        console=Console(file=screen, force_terminal=True, width=100),
    )
    assert 1 == await show.run()
    assert "at the service" in screen.getvalue()
    assert "user_prompt is empty" in screen.getvalue()


@pytest.mark.anyio
@pytest.mark.parametrize("estimates", [True, False])
async def test_the_emulator_command_serves_until_it_is_interrupted(
    capsys: pytest.CaptureFixture[str], *, estimates: bool
) -> None:
    """Started in another terminal, it serves programs that know only its address."""
    async with anyio.create_task_group() as group:
        group.start_soon(partial(emulator, port=0, estimates=estimates))
        while not (words := capsys.readouterr().out.split()):
            await anyio.lowlevel.checkpoint()
        async with LumaClient("any", base_url=words[words.index("at") + 1].rstrip(",")) as luma:
            made = await luma.create("A fox")
            assert ("pending", estimates) == (made.state, made.estimate_wait_seconds is not None)
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_program_reads_where_the_emulator_serves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With --json it is one object, there as soon as it serves."""
    async with anyio.create_task_group() as group:
        group.start_soon(partial(emulator, port=0, output=Output(json=True)))
        while not (output := capsys.readouterr().out):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    (addresses,) = objects(output)
    assert {"base_url", "cdn_url"} == set(addresses)


def test_a_program_reads_what_the_demonstration_took(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json stdout has one object, and what is for people goes to stderr."""
    folder = ["--folder", str(tmp_path), "--speed", "600"]
    assert 0 == run("demo", "--count", "1", *folder, "--json")
    output, error = capsys.readouterr()
    (facts,) = objects(output)
    assert (3, 3, 1_500_000) == (facts["downloaded"], facts["orders_billed"], facts["tokens_spent"])
    assert "status requests sent" in error


def test_without_its_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The library alone does not bring the command line, and says so in one line."""
    monkeypatch.setitem(sys.modules, "luma_async.cli.app", None)
    with pytest.raises(SystemExit) as end:
        main()
    assert 2 == end.value.code
    assert "pip install 'luma-async[cli]'" in capsys.readouterr().err


def test_the_command_tells_its_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report of a fault can name what was used."""
    monkeypatch.setattr(sys, "argv", ["luma-async", "--version"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert f"{__version__}\n" == capsys.readouterr().out


def test_an_interruption_while_the_command_is_loaded_is_one_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Loading takes a moment, in which a person may change their mind."""

    class Interruption:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "luma_async.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "luma_async.cli.app")
    monkeypatch.setattr(sys, "meta_path", [Interruption, *sys.meta_path])
    with pytest.raises(SystemExit) as end:
        main()
    assert 130 == end.value.code


def test_the_help_loads_no_command() -> None:
    """It answers at once: neither a client nor a batch nor the emulator is imported."""
    program = (
        "import atexit, json, sys\n"
        "from luma_async.cli import main\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "sys.argv = ['luma-async', '--help']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    unwanted = {
        "aiohttp",
        "anyio",
        "luma_async.batch",
        "luma_async.emulator",
        "luma_async.cli.videos",
    }
    assert set() == unwanted & set(json.loads(done.stderr))
