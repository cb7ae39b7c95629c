"""A host of videos made by hand, for answers that no ordinary web server would give."""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeAlias

Asked: TypeAlias = Mapping[str, str]
Reply: TypeAlias = bytes | Callable[[Asked], Iterable[bytes]]


class VideoHost:
    """Answers one request on each connection: with the first reply, the second, and so on.

    The last reply is given again and again. `asked` holds the headers of each request, their
    names in lower case, and the path under ``""``. The first
    `stalls` connections stay open behind their answer until the client leaves; `drip` is the
    seconds between the pieces of the first answer.
    """

    def __init__(
        self,
        *replies: Reply,
        stalls: int = 0,
        drip: float = 0.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.asked: list[Asked] = []
        self.replies = replies
        self._stalls = stalls
        self._drip = drip
        self._tls = tls
        self._handlers: set[asyncio.Task[None] | None] = set()

    @property
    def url(self) -> str:
        """The address of its video."""
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}/video.mp4"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for handler in [handler for handler in self._handlers if handler is not None]:
            handler.cancel()
            with suppress(asyncio.CancelledError):
                await handler
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._handlers.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.split("\r\n")[:-2]
        asked = {"": line.split(" ")[1]}
        asked |= {name.lower(): text for name, _, text in (item.partition(": ") for item in lines)}
        self.asked.append(asked)
        number = len(self.asked)
        reply = self.replies[min(number, len(self.replies)) - 1]
        for piece in (reply,) if isinstance(reply, bytes) else reply(asked):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(self._drip if number == 1 else 0)
        if number <= self._stalls:
            await reader.read()


def answer(
    status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, *, sized: bool = True
) -> bytes:
    """Return an answer as it goes over the wire; the connection is closed behind it."""
    lines = [f"HTTP/1.1 {status} So", "Connection: close"]
    if sized and "Content-Length" not in (headers or {}):
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {text}" for name, text in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def serving(
    content: bytes, etag: str | None = '"v1"', *, cut: int | None = None
) -> Callable[[Asked], Iterable[bytes]]:
    """Return a reply that honours Range and If-Range, and sends `cut` bytes of the body at most."""

    def reply(asked: Asked) -> Iterable[bytes]:
        headers = {} if etag is None else {"ETag": etag}
        status, body = 200, content
        if "range" in asked and asked.get("if-range") == etag:
            start = int(asked["range"].removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            status, body = 206, content[start:]
        headers["Content-Length"] = str(len(body))
        yield answer(status, b"", headers)
        yield body[:cut]

    return reply


def mp4(size: int) -> bytes:
    """Return the least that passes for an MP4 file of a size, of at least 24 bytes."""
    film = bytes(range(256)) * (size // 256 + 1)
    head = (8).to_bytes(4) + b"ftyp" + (8).to_bytes(4) + b"moov"
    return head + (size - 16).to_bytes(4) + b"mdat" + film[: size - 24]
