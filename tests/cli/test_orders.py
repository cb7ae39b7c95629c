"""Reading orders from files."""

from pathlib import Path

import pytest

from luma_async import ConfigurationError, Order
from luma_async.cli.orders import read_orders, sample_orders


def test_a_text_file_holds_a_prompt_a_line(tmp_path: Path) -> None:
    """Empty lines and the mark that some editors begin a file with do not matter."""
    path = tmp_path / "prompts.txt"
    path.write_text("\ufeffA fox\n\n  Two foxes  \n", "utf-8")
    assert [Order("A fox"), Order("Two foxes")] == read_orders(path)


def test_json_lines_hold_the_fields_of_orders(tmp_path: Path) -> None:
    """Prompts and orders with options may stand in one file."""
    path = tmp_path / "orders.jsonl"
    path.write_text('{"user_prompt": "A fox", "aspect_ratio": "1:1"}\nTwo foxes\n')
    assert [Order("A fox", aspect_ratio="1:1"), Order("Two foxes")] == read_orders(path)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('{"user_prompt": "A fox"', id="broken JSON"),
        pytest.param('{"user_prompt": "A fox", "colour": "red"}', id="a field that no order has"),
        pytest.param('{"aspect_ratio": "1:1"}', id="no prompt"),
        pytest.param('{"user_prompt": "A fox", "aspect_ratio": "2:1"}', id="an unknown shape"),
        pytest.param("A fox\x00", id="a control character"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    """One bad line refuses the file as a whole, before anything is paid."""
    path = tmp_path / "orders.jsonl"
    path.write_text(f"A fox\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"orders\.jsonl:2: "):
        read_orders(path)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """A prompt is never sent with characters that its author did not write."""
    path = tmp_path / "prompts.txt"
    path.write_bytes("Füchse".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_orders(path)


def test_the_package_brings_a_few_dozen_prompts() -> None:
    """The demonstration needs no file, and no prompt twice."""
    orders = sample_orders()
    assert 36 == len(set(orders)) == len(orders)
