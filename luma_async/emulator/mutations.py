"""Ways in which an answer can be well-formed and yet not what was asked for."""

from collections.abc import Callable, Set as AbstractSet
from typing import Any, TypeAlias

Entries: TypeAlias = list[dict[str, Any]]

FOREIGN_ID = "f0f0f0f0-0000-4000-8000-f0f0f0f0f0f0"
"""The id of the generation that nobody asked for."""

STRANGE_STATE = "paused"
"""A state that no document names."""


def reshape(shape: str, answer: Any, ids: AbstractSet[str]) -> Any:
    """Return the answer changed as `shape` says; `ids` empty means every generation in it.

    An answer that is one object is treated as a list of one, and stays an object unless it is
    multiplied.
    """
    if shape == "wrapped":
        return {"data": answer} if isinstance(answer, list) else [answer]
    changed = _SHAPES[shape](answer if isinstance(answer, list) else [answer], ids)
    if isinstance(answer, list) or len(changed) > 1:
        return changed
    return changed[0] if changed else {}


def _name(entry: dict[str, Any]) -> str:
    return "luma_generation_id" if "luma_generation_id" in entry else "id"


def _concerns(entry: dict[str, Any], ids: AbstractSet[str]) -> bool:
    return not ids or entry[_name(entry)] in ids


def _missing(entries: Entries, ids: AbstractSet[str]) -> Entries:
    return [entry for entry in entries if not _concerns(entry, ids)]


def _unknown(entries: Entries, ids: AbstractSet[str]) -> Entries:
    strange = {"state": STRANGE_STATE, "video": None}
    return [entry | strange if _concerns(entry, ids) else entry for entry in entries]


def _foreign(entries: Entries, _: AbstractSet[str]) -> Entries:
    pattern = entries[0] if entries else {"id": FOREIGN_ID, "state": "pending", "video": None}
    return [*entries, pattern | {_name(pattern): FOREIGN_ID}]


_SHAPES: dict[str, Callable[[Entries, AbstractSet[str]], Entries]] = {
    "missing": _missing,
    "reordered": lambda entries, _: entries[::-1],
    "duplicated": lambda entries, _: [*entries, *entries],
    "unknown": _unknown,
    "foreign": _foreign,
    "first": lambda entries, _: entries[:1],
}

SHAPES = frozenset(_SHAPES) | {"wrapped"}
