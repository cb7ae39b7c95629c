"""Orders from files: a prompt a line, JSON Lines or CSV; all of a file or nothing.

Every problem is found before anything is paid, and is named by its line.
"""

import csv
import io
import re
from collections.abc import Iterator

from attrs import fields, frozen

from luma_async._sansio.codec import read_json
from luma_async._sansio.requests import check_order
from luma_async.errors import ConfigurationError, ResponseFormatError
from luma_async.models import Order

_SHOWN = 10
_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_FIELDS = tuple(one.name for one in fields(Order))
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@frozen
class Sourced:
    """An order, where it comes from, and the name that the caller gave it.

    Attributes:
        order: What is ordered.
        source: The file and the line, as in ``"prompts.txt:7"``.
        key: What stands in the field ``id``; None without one.
    """

    order: Order
    source: str
    key: str | None = None


def read_orders(name: str, data: bytes) -> list[Sourced]:
    """Read the orders of a file, whose kind its ending tells.

    ``.jsonl`` and ``.ndjson`` have a JSON object a line, ``.csv`` and ``.tsv`` name the fields in
    their first row. Any other has a prompt a line, or a JSON object where the line begins with
    ``{``. The fields are those of `Order`; ``prompt`` stands for ``user_prompt``, and ``id`` is a
    name of the caller's own.

    Raises:
        ConfigurationError: Names the first ten lines that cannot be orders.
    """
    orders: list[Sourced] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    for number, entry in _entries(name, data):
        source = f"{name}:{number}"
        try:
            order, key = _order(entry if isinstance(entry, dict) else _object(entry))
            if key is not None and lines.setdefault(key, number) != number:
                raise ConfigurationError(f"id {key!r} is that of line {lines[key]} as well")
        except ConfigurationError as error:
            problems.append(f"{source}: {error}")
        else:
            orders.append(Sourced(order, source, key))
    if problems:
        more = f"\nand {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
        raise ConfigurationError("\n".join(problems[:_SHOWN]) + more)
    if not orders:
        raise ConfigurationError(f"{name} holds no orders")
    return orders


def _entries(name: str, data: bytes) -> Iterator[tuple[int, str | dict[str, object]]]:
    """Yield the number of the line of each entry, with its JSON or its fields."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = len(_LINE_BREAK.findall(data[: error.start].decode("latin-1"))) + 1
        raise ConfigurationError(f"{name}:{number}: expected UTF-8") from None
    ending = name.lower().rpartition(".")[2]
    if ending in ("csv", "tsv"):
        yield from _rows(name, text, delimiter="," if ending == "csv" else "\t")
        return
    for number, line in enumerate(_LINE_BREAK.split(text), 1):
        if not line.strip():
            continue
        is_json = ending in ("jsonl", "ndjson") or line.lstrip().startswith("{")
        yield number, line if is_json else {"user_prompt": line.strip()}


def _rows(name: str, text: str, *, delimiter: str) -> Iterator[tuple[int, dict[str, object]]]:
    if "\0" in text:
        raise ConfigurationError(f"{name}: it holds a NUL character")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    head: list[str] = []
    began = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                if head:
                    yield began, _cells(head, row)
                else:
                    head = [cell.strip() for cell in row]
            began = reader.line_num + 1
    except csv.Error as error:
        raise ConfigurationError(f"{name}:{began}: {error}") from None


def _cells(head: list[str], row: list[str]) -> dict[str, object]:
    """Give the cells of a row their names; what is empty is left to its default."""
    if len(row) != len(head) or len(set(head)) != len(head):
        # What no field can be called says so, where the row is read.
        return {f"{len(row)} cells under {len(head)} names": None}
    cells: dict[str, object] = {}
    for name, cell in zip(head, row, strict=True):
        if text := cell.strip():
            cells[name] = _TRUTH.get(text.lower(), text) if name == "expand_prompt" else text
    return cells


def _object(line: str) -> dict[str, object]:
    try:
        value = read_json(line.encode("utf-8", "surrogatepass"))
    except ResponseFormatError as error:
        raise ConfigurationError(error.problems[0].removesuffix(" at $")) from None
    if not isinstance(value, dict):
        raise ConfigurationError("expected a JSON object")
    prompt = value.get("user_prompt")
    return {**value, "user_prompt": prompt.strip()} if isinstance(prompt, str) else value


def _order(values: dict[str, object]) -> tuple[Order, str | None]:
    values = dict(values)
    key = _key(values.pop("id", None))
    if "prompt" in values:
        if "user_prompt" in values:
            raise ConfigurationError("prompt and user_prompt are two names of one field")
        values["user_prompt"] = values.pop("prompt")
    if unknown := sorted(set(values) - set(_FIELDS)):
        known = ", ".join(("id", *_FIELDS))
        raise ConfigurationError(f"{unknown[0]!r} is no field of an order; there are {known}")
    if "user_prompt" not in values:
        raise ConfigurationError("user_prompt is missing")
    order = Order(**values)  # type: ignore[arg-type]  # checked next
    check_order(order)
    return order, key


def _key(key: object) -> str | None:
    if key is None:
        return None
    if not isinstance(key, str) or not key.isprintable() or not 1 <= len(key) <= 200:
        raise ConfigurationError("id: expected text of 1 to 200 printable characters")
    return key
