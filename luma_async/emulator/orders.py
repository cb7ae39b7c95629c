"""Parses and validates the bodies of requests."""

import json
from collections.abc import Callable
from typing import Any

import attrs

from luma_async.emulator.film import SIZES
from luma_async.emulator.http_errors import HttpError

ASPECT_RATIOS = tuple(SIZES)


@attrs.frozen(kw_only=True)
class Order:
    """The video that a create or an extend orders."""

    prompt: str
    aspect_ratio: str = "16:9"
    expand_prompt: bool = True
    image_url: str | None = None
    image_end_url: str | None = None


def parse_body(content_type: str, body: bytes | None) -> Any:
    """Parse the body of a request as JSON.

    Like the service, it ignores a body of another content type and returns an empty object.
    `body` is None if it was too long to be received. Raises `HttpError`.
    """
    if body is None:
        raise HttpError(413, "request entity too large")
    if content_type != "application/json" or not body:
        return {}
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HttpError(400, "Body validation error: the body is not JSON") from None


def parse_order(fields: Any) -> Order:
    """Validate the body of a create or an extend.

    Unknown fields are ignored, and null counts as absent. Raises `HttpError` with every validation
    error in its message.
    """
    if not isinstance(fields, dict):
        raise HttpError(400, "Body validation error: the body must be an object")
    present = {name: fields[name] for name in _RULES if fields.get(name) is not None}
    errors = [
        rule
        for name, (rule, is_valid) in _RULES.items()
        if name in present and not is_valid(present[name])
    ]
    if "user_prompt" not in present:
        errors.insert(0, _RULES["user_prompt"][0])
    if errors:
        raise HttpError(400, f"Body validation error: {'; '.join(errors)}")
    return Order(prompt=present.pop("user_prompt"), **present)


def parse_upload(fields: Any) -> str:
    """Return the URL of the image to upload; raises `HttpError`."""
    url = fields.get("url") if isinstance(fields, dict) else None
    if not _is_http_url(url):
        raise HttpError(400, "Body validation error: url must be an http address")
    return str(url)


def _is_http_url(value: Any) -> bool:
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
    "image_url": ("image_url must be an http address", _is_http_url),
    "image_end_url": ("image_end_url must be an http address", _is_http_url),
}
