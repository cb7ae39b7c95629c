"""Checks of what callers give, before any byte is sent.

Each raises `ConfigurationError`, which names the argument and what is wrong with it.
"""

import math
import re
import unicodedata
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import get_args

from luma_async._api.sansio import urls
from luma_async.errors import ConfigurationError
from luma_async.models import AspectRatio, Generation, Order

MAX_PROMPT_BYTES = 32 * 1024
_ID = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9_.:-]{1,256}")


def check_order(order: Order) -> None:
    """Refuse an order that cannot work, before it is paid."""
    _check_prompt(order.user_prompt)
    if order.aspect_ratio not in get_args(AspectRatio):
        known = ", ".join(get_args(AspectRatio))
        raise ConfigurationError(f"aspect_ratio={order.aspect_ratio!r}: expected one of {known}")
    if not isinstance(order.expand_prompt, bool):
        raise ConfigurationError(f"expand_prompt={order.expand_prompt!r}: expected True or False")
    for what, url in (("image_url", order.image_url), ("image_end_url", order.image_end_url)):
        if url is not None:
            urls.split(url, what=what)
    if order.extends is not None:
        check_id(order.extends)


def _check_prompt(prompt: object) -> None:
    if not isinstance(prompt, str):
        raise ConfigurationError(f"user_prompt: expected text, not {type(prompt).__name__}")
    if not prompt.strip():
        raise ConfigurationError("user_prompt is empty")
    for character in prompt:
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and character not in "\t\n\r"):
            raise ConfigurationError(
                f"user_prompt: U+{ord(character):04X} is half a character or a control "
                "character; remove it"
            )
    if len(prompt.encode("utf-8")) > MAX_PROMPT_BYTES:
        raise ConfigurationError(f"user_prompt: longer than {MAX_PROMPT_BYTES:,} bytes")


def check_id(value: object) -> str:
    """Pass the id of a generation."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        shown = value if not isinstance(value, str) or len(value) <= 60 else value[:57] + "..."
        raise ConfigurationError(
            f"{shown!r} is no id of a generation: expected 1 to 256 letters, digits and _ . : -"
        )
    return value


def id_of(target: Generation | str) -> str:
    """Name a generation that is given as itself or by its id."""
    return check_id(target.id if isinstance(target, Generation) else target)


def check_targets(targets: Iterable[Generation | str]) -> tuple[Generation | str, ...]:
    """Pass many generations or ids, in the order given."""
    if isinstance(targets, (str, Generation)) or not isinstance(targets, Iterable):
        raise ConfigurationError(
            f"expected generations or ids, not {targets!r}; has an await been forgotten?"
        )
    targets = tuple(targets)
    for target in targets:
        id_of(target)
    return targets


def unique_ids(targets: Iterable[Generation | str]) -> list[str]:
    """Name generations, each once, in the order given."""
    return list(dict.fromkeys(map(id_of, targets)))


def check_timeout(timeout: object) -> float:
    """Pass a number of seconds; None stands for no limit."""
    if timeout is None:
        return math.inf
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise ConfigurationError(f"timeout={timeout!r}: expected seconds, or None for no limit")
    try:
        return float(timeout)
    except OverflowError:
        return math.inf


def check_many(orders: object) -> None:
    """Refuse a single order where many are due; text would be taken for one order a letter."""
    one = isinstance(orders, (str, bytes, Order, Mapping))
    if one or not isinstance(orders, (Iterable, AsyncIterable)):
        raise ConfigurationError(f"expected many orders or prompts, not the one {orders!r}")


def check_kinds(**options: tuple[object, type]) -> None:
    """Refuse an option that is no instance of its class."""
    for name, (value, kind) in options.items():
        if not isinstance(value, kind):
            raise ConfigurationError(f"{name}: expected {kind.__name__}(...), not {value!r}")


def check_max_in_flight(number: object) -> None:
    """Pass a number of generations; None stands for no bound."""
    if number is None:
        return
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(f"max_in_flight={number!r}: expected 1 or more, or None")
