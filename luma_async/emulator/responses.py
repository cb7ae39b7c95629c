"""A response before it is sent."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from luma_async.emulator.http_errors import reason_phrase

_BODILESS = {204, 304}


@attrs.frozen
class Response:
    """A status, headers and a body in chunks.

    The chunks may repeat one block of bytes, which makes a large body cheap in memory.
    """

    status: int
    headers: Mapping[str, str]
    chunks: tuple[bytes, ...] = ()

    @classmethod
    def from_json(
        cls, status: int, value: Any, headers: Mapping[str, str] | None = None
    ) -> "Response":
        """Return a response whose body is `value` as JSON."""
        content = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, {**content, **(headers or {})}, (json.dumps(value).encode(),))

    @property
    def content_length(self) -> int:
        """The length of the body in bytes."""
        return sum(map(len, self.chunks))

    def json(self) -> Any:
        """Return the body parsed as JSON; raises `ValueError` if it is not JSON."""
        return json.loads(b"".join(self.chunks))

    def with_headers(self, headers: Mapping[str, str]) -> "Response":
        """Return a copy with headers added; headers of the same name are replaced."""
        replaced = {name.lower() for name in headers}
        kept = {name: text for name, text in self.headers.items() if name.lower() not in replaced}
        return attrs.evolve(self, headers={**kept, **headers})

    def body(self, method: str) -> tuple[bytes, ...]:
        """Return the chunks to send in response to a request of this method."""
        return () if method == "HEAD" or self.status in _BODILESS else self.chunks

    def raw(self, method: str) -> Iterator[bytes]:
        """Yield every byte of the response on an HTTP/1.1 connection that closes afterwards."""
        length = {} if self.status in _BODILESS else {"Content-Length": str(self.content_length)}
        head = Response(self.status, length).with_headers({**self.headers, "Connection": "close"})
        lines = [f"HTTP/1.1 {self.status} {reason_phrase(self.status)}"]
        lines += [f"{name}: {text}" for name, text in head.headers.items()]
        yield "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        yield from self.body(method)
