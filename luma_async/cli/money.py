"""Amounts of money, as they are written and read."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from cyclopts import Parameter

from luma_async._runtime.sansio.escaping import printable
from luma_async.errors import ConfigurationError
from luma_async.settings import TOKENS_PER_USD, Budget

_AMOUNT = re.compile(r"(\$?)\s*([0-9][0-9_,]{0,20}(?:\.[0-9]{1,9})?)\s*(usd|k|m|)", re.ASCII)
_TOKENS = {"": 1, "k": 1_000, "m": 1_000_000, "usd": TOKENS_PER_USD}
_PRICE = Budget().per_create


def parse_budget(text: str) -> int:
    """Read an amount of money; return it in tokens.

    ``5usd`` and ``$5`` are US dollars, ``10M``, ``500k`` and ``10_000_000`` are tokens.

    Raises:
        ConfigurationError: It is no amount, or not enough for one order.
    """
    found = _AMOUNT.fullmatch(text.strip().lower())
    dollar, digits, unit = found.groups() if found is not None else ("", "", "")
    if not digits or (dollar and unit):
        raise ConfigurationError(
            f"budget {printable(text)!r}: expected dollars such as 5usd or $5, or tokens such as "
            "10M, 500k or 10_000_000"
        )
    amount = Decimal(digits.replace("_", "").replace(",", ""))
    tokens = int(amount * _TOKENS["usd" if dollar else unit])
    if tokens < _PRICE:
        raise ConfigurationError(
            f"budget {printable(text)!r} is {format_tokens(tokens)}, and one order costs "
            f"{format_tokens(_PRICE)}; dollars are written as 5usd"
        )
    return tokens


def format_tokens(tokens: int) -> str:
    """Write an amount of tokens, and what they cost."""
    return f"{tokens:,} tokens ({tokens / TOKENS_PER_USD:.2f} US dollars)"


def format_dollars(tokens: int) -> str:
    """Write what an amount of tokens costs."""
    return f"{tokens / TOKENS_PER_USD:,.2f} US dollars"


def _convert(_: type, tokens: Sequence[Any]) -> int:
    return parse_budget(tokens[0].value)


TokenAmount = Annotated[int, Parameter(converter=_convert)]
"""The type of an option that takes an amount of money, such as --budget 5usd."""
