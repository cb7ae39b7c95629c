"""The orders of the demonstration."""

from pathlib import Path

import pytest

from luma_async.cli.sample_orders import sample_orders
from tests.cli.running import complaint, run


def test_a_bad_line_is_named_by_its_file_and_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bad line refuses the file as a whole, and an editor can jump to it."""
    path = tmp_path / "prompts.txt"
    path.write_text("A fox\nA fox\x00\n")
    assert 2 == run("demo", "--prompts", str(path))
    assert complaint(capsys.readouterr().err)[0].startswith(f"{path}:2: user_prompt: ")


def test_the_package_brings_a_few_dozen_prompts() -> None:
    """The demonstration needs no file, and no prompt twice."""
    orders = sample_orders()
    assert 36 == len(set(orders)) == len(orders)
