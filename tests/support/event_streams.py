"""A browser's side of Server-Sent Events, cheap enough for thousands in one process."""

import asyncio
import json
import resource
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


def allow_many_connections() -> None:
    """Let this process, and those that it starts, have as many files open as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class EventStream:
    """The events of one video, as one listener receives them.

    Attributes:
        status: The HTTP status.
        headers: The head of the answer, names in small letters.
        is_complete: Whether the server has ended the answer, rather than cut it.
        last_id: The id of the latest event that had one.
        heartbeats: How many comments came.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self.is_complete = False
        self.last_id: str | None = None
        self.heartbeats = 0

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            self._url.hostname, self._url.port
        )
        self._writer.write(f"GET {self._url.path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(status.split()[1])
        self.headers = dict(line.lower().split(": ", 1) for line in lines if line)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        # The servers send each event as one chunk, so that no line is split by a chunk's head.
        while line := await self._reader.readline():
            if line == b"0\r\n":
                self.is_complete = True
                break
            self.heartbeats += line.startswith(b":")
            name, _, value = line.decode().strip().partition(": ")
            if name == "id":
                self.last_id = value
            if name == "data":
                event: dict[str, Any] = json.loads(value)
                return event
        raise StopAsyncIteration

    async def rest(self) -> list[dict[str, Any]]:
        """Return all events that are still to come, when the stream has ended."""
        return [event async for event in self]
