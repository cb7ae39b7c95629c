"""Changes to a response that leave it well-formed, but not what was requested."""

from collections.abc import Callable, Set as AbstractSet
from typing import Any, TypeAlias

Entries: TypeAlias = list[dict[str, Any]]

FOREIGN_ID = "f0f0f0f0-0000-4000-8000-f0f0f0f0f0f0"
"""The id of a generation that was not requested."""

UNKNOWN_STATE = "paused"
"""A state that no document names."""


def mutate(mutation: str, body: Any, ids: AbstractSet[str]) -> Any:
    """Return the body of a response, changed; an empty `ids` selects every generation in it.

    A single object is treated as a list of one, and stays an object unless entries are added.
    """
    if mutation == "wrapped":
        return {"data": body} if isinstance(body, list) else [body]
    changed = _MUTATIONS[mutation](body if isinstance(body, list) else [body], ids)
    if isinstance(body, list) or len(changed) > 1:
        return changed
    return changed[0] if changed else {}


def _id_field(entry: dict[str, Any]) -> str:
    return "luma_generation_id" if "luma_generation_id" in entry else "id"


def _is_selected(entry: dict[str, Any], ids: AbstractSet[str]) -> bool:
    return not ids or entry[_id_field(entry)] in ids


def _missing(entries: Entries, ids: AbstractSet[str]) -> Entries:
    return [entry for entry in entries if not _is_selected(entry, ids)]


def _unknown(entries: Entries, ids: AbstractSet[str]) -> Entries:
    unknown = {"state": UNKNOWN_STATE, "video": None}
    return [entry | unknown if _is_selected(entry, ids) else entry for entry in entries]


def _foreign(entries: Entries, _: AbstractSet[str]) -> Entries:
    template = entries[0] if entries else {"id": FOREIGN_ID, "state": "pending", "video": None}
    return [*entries, template | {_id_field(template): FOREIGN_ID}]


_MUTATIONS: dict[str, Callable[[Entries, AbstractSet[str]], Entries]] = {
    "missing": _missing,
    "reordered": lambda entries, _: entries[::-1],
    "duplicated": lambda entries, _: [*entries, *entries],
    "unknown": _unknown,
    "foreign": _foreign,
    "first": lambda entries, _: entries[:1],
}

MUTATIONS = frozenset(_MUTATIONS) | {"wrapped"}
