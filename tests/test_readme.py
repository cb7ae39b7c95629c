"""What the README promises to those who copy its commands, and how they are held to it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CI = ROOT / ".ci/run"
VERSION = re.compile(r"Programming Language :: Python :: (3\.\d+)")

PROGRAM = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>calls
[[ "$*" == --version ]] && echo "Python 3.11.7"
[[ -z "$BROKEN" || "$*" != *"$BROKEN"* ]]
"""


def test_continuous_integration_runs_the_readmes_own_test_command() -> None:
    """The line that a newcomer copies is the line that has to pass before a change lands."""
    demo, tests = re.findall(
        r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert demo.replace("-s demo", "-s tests") == tests
    assert tests in map(str.strip, CI.read_text().splitlines())


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Make a folder in which all programs that continuous integration runs are pretended."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(CI, tmp_path / ".ci")
    for program in ("bin/python3", "bin/chromium", "bin/chromedriver"):
        write_program(tmp_path / program)
    for program in ("pip", "python", "nox"):
        write_program(tmp_path / ".venv/bin" / program)
    return tmp_path


def write_program(path: Path) -> None:
    """Write a program that notes how it was called, and fails where it is told to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PROGRAM)
    path.chmod(0o755)


def run_ci(machine: Path, broken: str) -> tuple[int, str, list[str]]:
    """Run continuous integration; return its exit code, its output, and what it has called."""
    done = subprocess.run(
        [machine / ".ci/run"],
        env={"PATH": f"{machine}/bin:/usr/bin:/bin", "BROKEN": broken},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, (machine / "calls").read_text().splitlines()


def test_continuous_integration_runs_every_python_once(machine: Path) -> None:
    """The README's line comes first; the Pythons that it does not run on follow."""
    code, output, calls = run_ci(machine, "")

    assert 0 == code
    assert ["python3 -m venv .venv", "pip install nox[uv]", "nox -s tests"] == calls[:3]
    supported = VERSION.findall((ROOT / "pyproject.toml").read_text())
    others = {f"nox -s pythons-{version} -- -n1" for version in supported if version != "3.11"}
    assert others == {call for call in calls if "pythons" in call}
    assert re.search(r"^\d+ readme$", output, re.MULTILINE)
    assert re.search(r"^\d+ \.venv/bin/nox -s docs$", output, re.MULTILINE)


@pytest.mark.parametrize(
    "broken",
    ["-m venv", "install", "tests", "pythons-3.12", "coverage", "lint", "docs", "kills", "demo"],
)
def test_continuous_integration_fails_where_a_part_fails(machine: Path, broken: str) -> None:
    """Whether it runs alone or beside another; what comes after it is not run."""
    code, _, calls = run_ci(machine, broken)

    assert 0 != code
    assert broken == "demo" or not any("demo" in call for call in calls)
