"""The orders of the demonstration."""

from pathlib import Path

import pytest

from luma_async import ConfigurationError, Order
from luma_async.cli.sample_orders import read_orders, sample_orders


def test_a_file_gives_its_orders(tmp_path: Path) -> None:
    """Files of every kind that a batch takes can be shown, too."""
    path = tmp_path / "orders.csv"
    path.write_text("prompt,aspect_ratio\nA fox,1:1\nTwo foxes,\n")
    assert [Order("A fox", aspect_ratio="1:1"), Order("Two foxes")] == read_orders(path)


def test_a_bad_line_is_named_by_its_file_and_number(tmp_path: Path) -> None:
    """One bad line refuses the file as a whole, and an editor can jump to it."""
    path = tmp_path / "prompts.txt"
    path.write_text("A fox\nA fox\x00\n")
    with pytest.raises(ConfigurationError) as caught:
        read_orders(path)
    assert str(caught.value).startswith(f"{path}:2: user_prompt: ")


def test_a_file_that_is_not_there_is_no_mistake_of_its_lines(tmp_path: Path) -> None:
    """What the system says of a file is passed on as it is."""
    with pytest.raises(FileNotFoundError):
        read_orders(tmp_path / "none.txt")


def test_the_package_brings_a_few_dozen_prompts() -> None:
    """The demonstration needs no file, and no prompt twice."""
    orders = sample_orders()
    assert 36 == len(set(orders)) == len(orders)
