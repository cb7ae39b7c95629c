"""Orders from files: a prompt a line, JSON Lines or CSV; all of a file or nothing.

Problems are found before anything is paid, and are reported with their line numbers.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping

from attrs import fields

from luma_async._api.sansio.codec import read_json
from luma_async._api.sansio.validation import check_order
from luma_async._runtime.sansio.escaping import printable
from luma_async.batch.ledger.sansio.record import NewOrder
from luma_async.errors import ConfigurationError, ResponseFormatError
from luma_async.models import Order

Entry = dict[str, object] | str
"""The fields of an order in a file, or what is wrong with them."""

_MAX_SHOWN = 10
_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_PROMPT, *_OPTIONS = (one.name for one in fields(Order))
_NAMES = ("id", "prompt", _PROMPT, *_OPTIONS)
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_orders(name: str, data: bytes) -> list[NewOrder]:
    """Read the orders of a file, all of them or none.

    The ending of the name decides the format. ``.jsonl`` and ``.ndjson`` hold a JSON object a line.
    The first row of ``.csv`` and ``.tsv`` names the fields; an empty cell stands for the default.
    Any other file holds a prompt a line, or a JSON object if the line begins with ``{``. Empty
    lines are ignored.

    The fields are those of `Order`. ``prompt`` is another name for ``user_prompt``. ``id`` is the
    caller's own id for the order.

    Raises:
        ConfigurationError: Some lines are not valid orders (the message names the first ten), or
            there are no orders.
    """
    file = printable(name)
    orders: list[NewOrder] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    for line, entry in _entries(name.lower(), data):
        source = f"{file}:{line}"
        try:
            if isinstance(entry, str):
                raise ConfigurationError(entry)
            order_id = check_order_id(entry.get("id"))
            if order_id is not None and lines.setdefault(order_id, line) != line:
                raise ConfigurationError(f"id {order_id!r} is that of line {lines[order_id]}, too")
            orders.append(NewOrder(_order(entry), source, order_id=order_id))
        except ConfigurationError as error:
            problems.append(f"{source}: {printable(str(error))}")
    if problems:
        more = f"\nand {len(problems) - _MAX_SHOWN:,} more" if len(problems) > _MAX_SHOWN else ""
        raise ConfigurationError("\n".join(problems[:_MAX_SHOWN]) + more)
    if not orders:
        raise ConfigurationError(f"{file} holds no orders")
    return orders


def _entries(name: str, data: bytes) -> Iterator[tuple[int, Entry]]:
    """Yield each entry with the number of the line at which it begins."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from after the byte order mark.
        before = error.object[: error.start].decode("latin-1")
        yield len(_LINE_BREAK.findall(before)) + 1, "expected UTF-8"
        return
    if name.endswith((".csv", ".tsv")):
        yield from _rows(text, "," if name.endswith(".csv") else "\t")
        return
    if name.endswith(".json"):
        # Each line of one JSON list would be read as a prompt, and paid for.
        yield 1, "expected an object a line, in a file that is named .jsonl"
        return
    only_json = name.endswith((".jsonl", ".ndjson"))
    for number, line in enumerate(map(str.strip, _LINE_BREAK.split(text)), 1):
        if line:
            is_json = only_json or line.startswith("{")
            yield number, _object(line) if is_json else {_PROMPT: line}


def _object(line: str) -> Entry:
    try:
        value = read_json(line.encode())
    except ResponseFormatError as error:
        return error.problems[0].removesuffix(" at $")
    if not isinstance(value, dict):
        return "expected a JSON object"
    for name, content in value.items():
        if isinstance(content, (dict, list)):
            return f"{name!r}: expected a single value"
    return _misnamed(value) or value


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, Entry]]:
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    names: list[str] = []
    line = 1
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not names and any(cells):
                names = cells
                if problem := _misnamed(names):
                    yield line, problem
                    return
            elif any(cells):
                yield line, _fields(names, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        yield line, str(error)


def _fields(names: Collection[str], cells: Collection[str]) -> Entry:
    if len(cells) != len(names):
        return f"expected {len(names)} cells, as in the first row, not {len(cells)}"
    return {
        name: _TRUTH.get(cell.lower(), cell) if name == "expand_prompt" else cell
        for name, cell in zip(names, cells, strict=True)
        if cell
    }


def _misnamed(names: Collection[str]) -> str:
    """Say what is wrong with the names of fields; nothing if they are right."""
    for name in names:
        if name not in _NAMES:
            return f"{name!r} is no field of an order; there are {', '.join(_NAMES)}"
    if len(set(names)) != len(names):
        return "a field is named twice"
    if "prompt" in names and _PROMPT in names:
        return f"prompt and {_PROMPT} are two names of one field"
    return "" if "prompt" in names or _PROMPT in names else f"{_PROMPT} is missing"


def check_order_id(value: object) -> str | None:
    """Return the id that a caller gives an order; None stands for no id.

    Raises:
        ConfigurationError: It is not text of 1 to 200 printable characters.
    """
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= 200:
        raise ConfigurationError("id: expected text of 1 to 200 printable characters")
    return value


def _order(values: Mapping[str, object]) -> Order:
    prompt = values.get(_PROMPT, values.get("prompt", ""))
    options = {name: value for name, value in values.items() if name in _OPTIONS}
    order = Order(
        prompt.strip() if isinstance(prompt, str) else prompt,  # type: ignore[arg-type]
        **options,  # type: ignore[arg-type]  # both are checked next
    )
    check_order(order)
    return order
