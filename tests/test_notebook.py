"""The notebook of the documentation, which runs whenever the site is built."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


@pytest.mark.parametrize("cell", CODE, ids=lambda cell: cell["id"])
def test_a_cell_is_code_without_an_output(cell: dict[str, Any]) -> None:
    """Outputs are made anew whenever the site is built; those of a day would hide what changed."""
    assert (None, []) == (cell["execution_count"], cell["outputs"])
    compile("".join(cell["source"]), cell["id"], "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
