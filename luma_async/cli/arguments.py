"""The positional arguments: prompts and ids, also from stdin."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from luma_async._api.sansio.validation import check_id
from luma_async.errors import ConfigurationError

_SPACE = re.compile(r"\s*")


def _read_prompt(_: type, tokens: Sequence[Any]) -> str:
    text: str = tokens[0].value
    if text == "-":
        return sys.stdin.read().strip()
    _refuse_option(text, "pass - to read a prompt that begins with a hyphen from stdin")
    return text


def _read_ids(_: type, tokens: Sequence[Any]) -> list[str]:
    ids: list[str] = []
    for token in tokens:
        if token.value == "-":
            ids += parse_ids(sys.stdin.read())
        else:
            _refuse_option(token.value, "ids do not begin with a hyphen")
            ids.append(check_id(token.value))
    if not ids:
        raise ConfigurationError("stdin contains no ids")
    return list(dict.fromkeys(ids))


def _read_id(kind: type, tokens: Sequence[Any]) -> str:
    ids = _read_ids(kind, tokens)
    if len(ids) > 1:
        raise ConfigurationError(f"expected one id on stdin, not {len(ids)}")
    return ids[0]


def _refuse_option(text: str, otherwise: str) -> None:
    """Refuse an option that is mistyped, rather than pay for it as a prompt."""
    if text.startswith("-"):
        raise ConfigurationError(f"{text!r} is not an option of this command; {otherwise}")


PromptArgument = Annotated[str, Parameter(converter=_read_prompt, allow_leading_hyphen=True)]
IdArgument = Annotated[str, Parameter(converter=_read_id, allow_leading_hyphen=True)]
IdsArgument = Annotated[list[str], Parameter(converter=_read_ids, allow_leading_hyphen=True)]


def parse_ids(text: str) -> list[str]:
    """Read the ids of generations: the first word of each line, or what a command wrote as JSON.

    Raises:
        ConfigurationError: It is neither.
    """
    text = text.strip()
    if text[:1] in ("{", "[", '"'):
        return [_id_in(value) for value in _values(text)]
    return [check_id(line.split()[0]) for line in text.splitlines() if line.strip()]


def _values(text: str) -> Iterator[Any]:
    """Read JSON values that stand one behind the other; a list stands for its members."""
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            raise ConfigurationError("stdin is not valid JSON") from None
        yield from value if isinstance(value, list) else [value]
        position = _SPACE.match(text, position).end()  # type: ignore[union-attr]  # matches


def _id_in(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("id")
    return check_id(value)
