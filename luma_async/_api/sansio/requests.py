"""Operation to request: what is sent for each call."""

import json
from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

from attrs import field, frozen

from luma_async._api.sansio import urls
from luma_async._api.sansio.validation import check_order
from luma_async.models import Order

Route = Literal["create", "extend", "get", "list", "upload"]
Method = Literal["GET", "POST"]

_GENERATIONS = "/luma-ai/generations"


@frozen(kw_only=True)
class Request:
    """One HTTP request, without the key. Its body is made once, for all attempts."""

    route: Route
    method: Method
    path: str
    query: str = ""
    body: bytes | None = field(default=None, repr=False)

    @property
    def is_paid(self) -> bool:
        """Whether the service takes tokens for it."""
        return self.route in ("create", "extend")

    @property
    def template(self) -> str:
        """The path, with a place where one has an id."""
        return f"{_GENERATIONS}/{{id}}/extend" if self.route == "extend" else self.path

    @property
    def target(self) -> str:
        """The path with its query, as it stands in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path


def submit(order: Order) -> Request:
    """Ask for a new video, or for the continuation of one. Paid.

    Raises:
        ConfigurationError: Something in the order cannot work.
    """
    check_order(order)
    fields: dict[str, object] = {
        "user_prompt": order.user_prompt,
        "aspect_ratio": order.aspect_ratio,
        "expand_prompt": order.expand_prompt,
    }
    # The published schema requires both addresses; the service's own examples leave them out,
    # and an empty one is refused.
    if order.image_url is not None:
        fields["image_url"] = order.image_url
    if order.image_end_url is not None:
        fields["image_end_url"] = order.image_end_url
    if order.extends is None:
        return _post("create", _GENERATIONS, fields)
    parent = quote(order.extends, safe="")
    return _post("extend", f"{_GENERATIONS}/{parent}/extend", fields)


def get(ids: Sequence[str]) -> Request:
    """Ask for the state of many generations at once, by ids that `check_id` has passed."""
    # Of the characters of an id a colon alone is not written as it is.
    query = "&".join(
        f"ids%5B{index}%5D={name.replace(':', '%3A')}" for index, name in enumerate(ids)
    )
    return Request(route="get", method="GET", path="/luma-ai/generation", query=query)


def list_all() -> Request:
    """Ask for the account's generations."""
    return Request(route="list", method="GET", path=_GENERATIONS)


def upload(url: str) -> Request:
    """Ask the service to copy an image to its storage.

    Raises:
        ConfigurationError: `url` is no http(s) address.
    """
    urls.split(url, what="url")
    return _post("upload", f"{_GENERATIONS}/file-upload", {"url": url})


def _post(route: Route, path: str, fields: dict[str, object]) -> Request:
    body = json.dumps(fields, ensure_ascii=False).encode("utf-8")
    return Request(route=route, method="POST", path=path, body=body)
