"""What the README promises to those who copy its commands."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_continuous_integration_runs_the_readmes_own_test_command() -> None:
    """The line that a newcomer copies is the line that has to pass before a change lands."""
    demo, tests = re.findall(
        r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert demo.replace("-s demo", "-s tests") == tests
    assert tests in (ROOT / ".ci" / "run").read_text().splitlines()
