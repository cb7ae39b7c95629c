"""Orders for the demonstration: those of a file, or those that come with the package."""

from importlib import resources
from pathlib import Path

from luma_async.batch.sansio import order_files
from luma_async.models import Order


def sample_orders() -> list[Order]:
    """Return the orders that come with the package, for demonstrations."""
    text = resources.files("luma_async.cli").joinpath("prompts.txt").read_text("utf-8")
    return [Order(line) for line in text.splitlines()]


def read_orders(path: Path) -> list[Order]:
    """Read the orders of a file, all of them or none.

    Raises:
        ConfigurationError: Lines cannot be orders; the message names them by their numbers.
        OSError: The file cannot be read.
    """
    found = order_files.read_orders(str(path), path.read_bytes())
    return [sourced.order for sourced in found]
