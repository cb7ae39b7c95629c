"""The page on testing: what it tells users to write is what works."""

import asyncio
import re
from pathlib import Path

import pytest

import luma_async
from luma_async import LumaClient, LumaError
from luma_async.emulator import Emulator, Fault, VirtualTimeLoop

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parent.parent.parent / "docs/howto/testing.md").read_text("utf-8")

FILE = re.compile(r"^```(?:py|ini)\n# (?P<name>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (.+?) \| `(luma_emulator\..+)` \| (.+?) \| (\d) \|$", re.MULTILINE)

SECTIONS = dict(re.findall(r"^##+ (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
FAULTS = {what: (line, ending, int(billed)) for what, line, ending, billed in ROW.findall(PAGE)}


RUNS = [
    (title, mode)
    for title, text in SECTIONS.items()
    if FILE.search(text)
    # In its auto mode, pytest-asyncio takes the tests of AnyIO's plugin away from it.
    for mode in (["strict"] if "mark.anyio" in text else ["strict", "auto"])
]


@pytest.mark.parametrize(("title", "mode"), RUNS)
def test_the_files_of_a_section_are_a_project_whose_tests_pass(
    pytester: pytest.Pytester, title: str, mode: str
) -> None:
    """Whoever copies the files into a folder, from the first section to this one, can run them."""
    files: dict[str, str] = {}
    for section, text in SECTIONS.items():
        files |= dict(FILE.findall(text))
        if section == title:
            break
    for name, text in files.items():
        (pytester.path / name).write_text(text, "utf-8")
    tests = [name for name, _ in FILE.findall(SECTIONS[title]) if name.startswith("test_")]

    options = [f"asyncio_mode={mode}", "asyncio_default_fixture_loop_scope=function"]

    result = pytester.runpytest(
        "-Werror", *(f"--override-ini={option}" for option in options), *tests
    )

    assert set(result.parseoutcomes()) == {"passed"}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_in_one_line_ends_as_the_table_says(what: str, tmp_path: Path) -> None:
    """The line beside what goes wrong brings it about, with a client at its own settings."""
    line, ending, billed = FAULTS[what]

    async def scenario() -> tuple[str, int]:
        async with (
            Emulator() as emulator,
            LumaClient("key", base_url=emulator.base_url) as luma,
        ):
            exec(line, {"luma_emulator": emulator, "Fault": Fault})
            try:
                done = await luma.generate("A fox", timeout=3600)
                assert (await luma.download(done, tmp_path / "fox.mp4")).exists()
            except LumaError as error:
                return f"`{type(error).__name__}`", emulator.billed
            return "with the video", emulator.billed

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert (ending, billed) == runner.run(scenario())


def test_the_table_is_read_as_a_whole() -> None:
    """No row is left out for the way it is written."""
    assert PAGE.count("| `luma_emulator.") == len(FAULTS)
    assert len(FAULTS) >= 12
    assert all(
        ending == "with the video" or hasattr(luma_async, ending.strip("`"))
        for _, ending, _ in FAULTS.values()
    )
