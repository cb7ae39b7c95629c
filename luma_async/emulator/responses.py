"""What the service says back, before it goes over a wire."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import attrs

_BODILESS = {204, 304}


@attrs.frozen
class Answer:
    """A status, headers and a body in pieces.

    The pieces may repeat one block of bytes, so that a huge body needs little memory.
    """

    status: int
    headers: Mapping[str, str]
    pieces: tuple[bytes, ...] = ()

    @classmethod
    def of_json(cls, status: int, value: Any, headers: Mapping[str, str] | None = None) -> "Answer":
        """Return an answer whose body is `value`."""
        content = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, {**content, **(headers or {})}, (json.dumps(value).encode(),))

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.pieces))

    def value(self) -> Any:
        """Return what the body says, as JSON; raises `ValueError` when it says none."""
        return json.loads(b"".join(self.pieces))

    def with_headers(self, headers: Mapping[str, str]) -> "Answer":
        """Return this answer with headers added; one of the same name is replaced."""
        replaced = {name.lower() for name in headers}
        kept = {name: text for name, text in self.headers.items() if name.lower() not in replaced}
        return attrs.evolve(self, headers={**kept, **headers})

    def body(self, method: str) -> tuple[bytes, ...]:
        """Return the pieces that may be sent in answer to a request of this method."""
        return () if method == "HEAD" or self.status in _BODILESS else self.pieces

    def raw(self, method: str) -> Iterator[bytes]:
        """Return every byte of the answer on an HTTP/1.1 connection that closes behind it."""
        length = {} if self.status in _BODILESS else {"Content-Length": str(self.size)}
        reply = Answer(self.status, length).with_headers({**self.headers, "Connection": "close"})
        lines = [f"HTTP/1.1 {self.status} {phrase(self.status)}"]
        lines += [f"{name}: {text}" for name, text in reply.headers.items()]
        yield "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        yield from self.body(method)


def phrase(status: int) -> str:
    """Return the usual words for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
