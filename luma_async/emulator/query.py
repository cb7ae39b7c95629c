"""Reads the ids of a get from its query string, as the service does.

The service parses queries with the npm package `qs`. There a position above 19, or a list of more
than 20 entries, becomes an object, and the service answers 400 because it expects a list.
"""

import re
from urllib.parse import parse_qsl

from luma_async.emulator.http_errors import HttpError

MAX_IDS = 20
_LIST_KEY = re.compile(r"ids(?:\[(1?[0-9])?\])?")
"""`ids`, `ids[]`, or `ids[0]` to `ids[19]`."""


def read_ids(query: str) -> tuple[str, ...]:
    """Return the ids in the order of their positions; raises `HttpError` if they are not a list.

    The position of an id without one is its place in the query. Bytes that are not UTF-8 become
    replacement characters.
    """
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    fields = [(key, value) for key, value in pairs if key == "ids" or key.startswith("ids[")]
    keys = [key for key, _ in fields]
    positions = [match[1] for key in keys if (match := _LIST_KEY.fullmatch(key))]
    if not 0 < len(positions) == len(keys) <= MAX_IDS or keys == ["ids"]:
        raise HttpError(400, "Query validation error: ids must be an array")
    explicit = [position for position in positions if position]
    if len(set(explicit)) < len(explicit):
        raise HttpError(400, "Query validation error: each value in ids must be a string")
    order = sorted(range(len(fields)), key=lambda place: int(positions[place] or place))
    return tuple(fields[place][1] for place in order)
