"""What a paid request asks for, and what the service thinks of it."""

import json
from collections.abc import Callable
from typing import Any

import attrs

from luma_async.emulator.http_errors import RefusalError

ASPECT_RATIOS = ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21")


@attrs.frozen(kw_only=True)
class Order:
    """One video to make, of a create as of an extend."""

    prompt: str
    aspect_ratio: str = "16:9"
    expand_prompt: bool = True
    image_url: str | None = None
    image_end_url: str | None = None


def read_json(content_type: str, body: bytes | None) -> Any:
    """Return what the body of a request says.

    A body of another content type is not looked at, as the service does not, and reads as an empty
    object. `body` is None for one that was too long to be received. Raises `RefusalError`.
    """
    if body is None:
        raise RefusalError(413, "request entity too large")
    if content_type != "application/json" or not body:
        return {}
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RefusalError(400, "Body validation error: the body is not JSON") from None


def read_order(fields: Any) -> Order:
    """Check the body of a create or an extend.

    Unknown fields are ignored, and null stands for a field that is left out. Raises `RefusalError`
    with every complaint in its message.
    """
    if not isinstance(fields, dict):
        raise RefusalError(400, "Body validation error: the body must be an object")
    given = {name: fields[name] for name in _RULES if fields.get(name) is not None}
    complaints = [
        rule for name, (rule, holds) in _RULES.items() if name in given and not holds(given[name])
    ]
    if "user_prompt" not in given:
        complaints.insert(0, _RULES["user_prompt"][0])
    if complaints:
        raise RefusalError(400, f"Body validation error: {'; '.join(complaints)}")
    return Order(prompt=given.pop("user_prompt"), **given)


def read_upload(fields: Any) -> str:
    """Return the address of the image that an upload names; raises `RefusalError`."""
    url = fields.get("url") if isinstance(fields, dict) else None
    if not _is_web_address(url):
        raise RefusalError(400, "Body validation error: url must be an http address")
    return str(url)


def _is_web_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "user_prompt": (
        "user_prompt must be a text that is not empty",
        lambda value: isinstance(value, str) and bool(value),
    ),
    "aspect_ratio": (
        f"aspect_ratio must be one of {', '.join(ASPECT_RATIOS)}",
        lambda value: value in ASPECT_RATIOS,
    ),
    "expand_prompt": (
        "expand_prompt must be true or false",
        lambda value: isinstance(value, bool),
    ),
    "image_url": ("image_url must be an http address", _is_web_address),
    "image_end_url": ("image_end_url must be an http address", _is_web_address),
}
