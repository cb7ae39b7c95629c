"""Reads query strings as the service does, which is as the npm package `qs` does.

The service's framework hands the text behind the question mark to `qs` with its defaults: up to
1,000 parameters, and lists of up to 20. What would be a longer list becomes an object with the
positions as its keys. That is why a question for 21 ids is refused: the service finds an object
where a list is due.
"""

import re
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

import attrs

from luma_async.emulator.http_errors import HttpError

LONGEST_LIST = 20
MOST_PARAMETERS = 1000
DEEPEST_BRACKETS = 5

Parsed: TypeAlias = "str | list[Parsed] | dict[str, Parsed]"

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_BRACKET = re.compile(r"%5([BD])", re.IGNORECASE)
_POSITION = re.compile(r"\[(0|[1-9][0-9]*)\]")


@attrs.define
class _Array:
    """A list that may have holes, which are closed when everything has been read."""

    items: dict[int, "_Node"]

    @property
    def end(self) -> int:
        return max(self.items, default=-1) + 1


@attrs.define
class _Object:
    """An object; `end` is the next free position in one that was a list before it grew too long."""

    items: dict[str, "_Node"]
    end: int | None = None


_Node: TypeAlias = "str | _Array | _Object"


def read_ids(query: str) -> tuple[str, ...]:
    """Return the ids that a get asks for; raises `HttpError` unless they are a list of texts."""
    ids = parse(query).get("ids")
    if not isinstance(ids, list):
        raise HttpError(400, "Query validation error: ids must be an array")
    texts = tuple(item for item in ids if isinstance(item, str))
    if len(texts) < len(ids):
        raise HttpError(400, "Query validation error: each value in ids must be a string")
    return texts


def parse(query: str) -> dict[str, Parsed]:
    """Return what the text behind the question mark says.

    Nothing is an error: whatever breaks a rule is taken as plain text somewhere in the result.
    """
    root: _Node = _Object({})
    for key, value in _values_by_key(query).items():
        path = _path(key)
        if path:
            root = _merge(root, _nest(path, value))
    parsed = _plain(root)
    return parsed if isinstance(parsed, dict) else {}


def _values_by_key(query: str) -> dict[str, _Node]:
    values: dict[str, _Node] = {}
    text = _ENCODED_BRACKET.sub(lambda match: "[" if match[1] in "Bb" else "]", query)
    for part in text.split("&")[:MOST_PARAMETERS]:
        # The equals sign behind a closing bracket wins: a key may hold one inside its brackets.
        bracket = part.find("]=")
        split = part.find("=") if bracket < 0 else bracket + 1
        raw_key, raw_value = (part, "") if split < 0 else (part[:split], part[split + 1 :])
        key, value = _decode(raw_key), _decode(raw_value)
        values[key] = _combine(values[key], value) if key in values else value
    return values


def _decode(text: str) -> str:
    spaced = text.replace("+", " ")
    if _BAD_ESCAPE.search(spaced):
        return spaced
    try:
        return unquote_to_bytes(spaced).decode()
    except UnicodeDecodeError:
        return spaced


def _path(key: str) -> list[str]:
    """Split `a[b][]` into `a`, `[b]`, `[]`; what is too deep or never closed is one last step."""
    opening = key.find("[")
    first = key if opening < 0 else key[:opening]
    path = [first] if first else []
    while opening >= 0:
        closing = _closing(key, opening)
        if closing < 0 or len(path) > DEEPEST_BRACKETS - (not first):
            return [*path, f"[{key[opening:]}]"]
        path.append(key[opening : closing + 1])
        opening = key.find("[", closing)
    return path


def _closing(key: str, opening: int) -> int:
    level = 0
    for place in range(opening, len(key)):
        level += {"[": 1, "]": -1}.get(key[place], 0)
        if level == 0:
            return place
    return -1


def _nest(path: list[str], leaf: _Node) -> _Node:
    node = leaf
    for step in reversed(path):
        position = _POSITION.fullmatch(step)
        if step == "[]":
            overgrown = isinstance(node, _Object) and node.end is not None
            node = node if overgrown else _combine(_Array({}), node)
        elif position is None:
            name = step[1:-1] if step.startswith("[") and step.endswith("]") else step
            node = _Object({} if name == "__proto__" else {name: node})
        elif int(position[1]) < LONGEST_LIST:
            node = _Array({int(position[1]): node})
        else:
            node = _Object({position[1]: node}, end=int(position[1]) + 1)
    return node


def _combine(first: _Node, second: _Node) -> _Node:
    """Put two values one behind the other; the holes of lists stay and count as places."""
    head, tail = _as_array(first), _as_array(second)
    if isinstance(first, _Object) and first.end is not None:
        moved = {str(first.end + place): item for place, item in tail.items.items()}
        return _Object({**first.items, **moved}, end=first.end + tail.end)
    joined = _Array(
        {**head.items, **{head.end + place: item for place, item in tail.items.items()}}
    )
    return _overgrown(joined) if joined.end > LONGEST_LIST else joined


def _as_array(node: _Node) -> _Array:
    return node if isinstance(node, _Array) else _Array({0: node})


def _overgrown(array: _Array) -> _Object:
    return _Object({str(place): item for place, item in array.items.items()}, end=array.end)


def _limited(array: _Array) -> _Node:
    """Keep an array as it is while few enough of its places are filled, holes not counted."""
    return _overgrown(array) if len(array.items) > LONGEST_LIST else array


def _merge(target: _Node, source: _Node) -> _Node:
    if isinstance(source, str):
        return _merge_text(target, source)
    if isinstance(target, str):
        return _merge_into_text(target, source)
    if isinstance(target, _Array) and isinstance(source, _Array):
        return _merge_arrays(target, source)
    return _merge_into_object(target, source)


def _merge_text(target: _Node, text: str) -> _Node:
    if not text:
        return target
    if isinstance(target, _Array):
        return _limited(_Array({**target.items, target.end: text}))
    return _combine(target, text)


def _merge_into_text(text: str, source: _Array | _Object) -> _Node:
    if isinstance(source, _Object) and source.end is not None:
        shifted = {str(int(key) + 1): item for key, item in source.items.items()}
        return _Object({"0": text, **shifted}, end=source.end + 1)
    return _combine(text, source)


def _merge_arrays(target: _Array, source: _Array) -> _Node:
    for place, item in source.items.items():
        held = target.items.get(place)
        if held is None:
            target.items[place] = item
        elif isinstance(held, str) or isinstance(item, str):
            target.items[target.end] = item
        else:
            target.items[place] = _merge(held, item)
    return _limited(target)


def _merge_into_object(target: _Array | _Object, source: _Array | _Object) -> _Node:
    items = {str(place): item for place, item in target.items.items()}
    for place, item in source.items.items():
        key = str(place)
        items[key] = _merge(items[key], item) if key in items else item
    ends = [node.end for node in (target, source) if isinstance(node, _Object) and node.end]
    return _Object(items, end=max(ends, default=None))


def _plain(node: _Node) -> Parsed:
    if isinstance(node, str):
        return node
    if isinstance(node, _Array):
        return [_plain(node.items[place]) for place in sorted(node.items)]
    return {key: _plain(item) for key, item in node.items.items()}
