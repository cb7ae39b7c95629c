"""A server made by hand, which does to the bytes of an answer whatever a test wants."""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from attrs import define, field

RECEIPT = json.dumps({"id": "g-1", "state": "pending", "prompt": "A jellyfish"}).encode()


@define(eq=False)
class Caller:
    """One request that has arrived, and the connection to answer it on.

    Attributes:
        request: Its bytes, as many as were read.
        turn: Which request of the server it is, from 1.
    """

    request: bytes
    turn: int
    _writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Send some bytes as they are, with a pause after each piece."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            if pause:
                await asyncio.sleep(pause)

    def finish(self) -> None:
        """End the connection in an orderly way."""
        self._writer.close()

    def reset(self) -> None:
        """End the connection with a reset."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def hang(self) -> None:
        """Say nothing any more."""
        await asyncio.Event().wait()


Serve = Callable[[Caller], Awaitable[None]]


@define(eq=False)
class RawServer:
    """What a server made by hand has seen.

    Attributes:
        requests: What arrived of each request.
        connections: How many connections were accepted.
    """

    _serve: Serve
    _read_at_most: int | None
    port: int = 0
    scheme: str = "http"
    requests: list[bytes] = field(factory=list)
    connections: int = 0
    _tasks: set["asyncio.Task[None]"] = field(factory=set)

    @property
    def base_url(self) -> str:
        """The address of the server."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def posts(self) -> int:
        """Count the POSTs that arrived."""
        return sum(request.startswith(b"POST") for request in self.requests)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while not writer.is_closing():
                request = await self._read(reader)
                if not request and self._read_at_most is None:
                    return
                self.requests.append(request)
                await self._serve(Caller(request, len(self.requests), writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        if self._read_at_most is not None:
            return await reader.readexactly(self._read_at_most)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return head + await reader.readexactly(int(line.partition(b":")[2]))
        return head

    async def stop(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def raw_server(
    serve: Serve, *, read_at_most: int | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """Serve each request with `serve`, called when it was read whole, or `read_at_most` bytes."""
    raw = RawServer(serve, read_at_most, scheme="https" if tls else "http")
    server = await asyncio.start_server(raw.accept, "127.0.0.1", 0, ssl=tls)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        await raw.stop()
        await server.wait_closed()


def http(
    status: int = 201, body: bytes = RECEIPT, headers: Mapping[str, str] | None = None
) -> bytes:
    """Write a whole answer."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in {**fields, **(headers or {})}.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Said", *lines, "", ""]).encode() + body


def answering(*answers: bytes) -> Serve:
    """Give one answer after the other, the last one for ever."""

    async def serve(caller: Caller) -> None:
        await caller.send(answers[min(caller.turn, len(answers)) - 1])

    return serve


def free_port() -> int:
    """Find a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
