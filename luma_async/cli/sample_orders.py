"""The orders that come with the package."""

from importlib import resources

from luma_async.models import Order


def sample_orders() -> list[Order]:
    """Return the orders that come with the package, for demonstrations."""
    text = resources.files("luma_async.cli").joinpath("prompts.txt").read_text("utf-8")
    return [Order(line) for line in text.splitlines()]
