"""Orders from a file: a prompt a line, or JSON Lines."""

import json
from importlib import resources
from pathlib import Path

from luma_async._sansio.requests import check_order
from luma_async.errors import ConfigurationError
from luma_async.models import Order


def sample_orders() -> list[Order]:
    """Return the orders that come with the package, for demonstrations."""
    text = resources.files("luma_async.cli").joinpath("prompts.txt").read_text("utf-8")
    return [Order(line) for line in text.splitlines()]


def read_orders(path: Path) -> list[Order]:
    """Read the orders of a file, all of them or none.

    A line that begins with ``{`` is a JSON object with the fields of `Order`; any other is a
    prompt. Empty lines are passed over.

    Raises:
        ConfigurationError: A line cannot be an order; the message names it by its number.
        OSError: The file cannot be read.
    """
    orders = []
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: expected UTF-8") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                order = _order(line)
                check_order(order)
            except (ValueError, TypeError) as error:
                raise ConfigurationError(f"{path}:{number}: {error}") from None
            orders.append(order)
    return orders


def _order(line: str) -> Order:
    if line.lstrip().startswith("{"):
        return Order(**json.loads(line))
    return Order(line.strip())
