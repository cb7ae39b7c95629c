"""The log of every request of both hosts."""

from typing import Literal, Protocol

import attrs

Host = Literal["api", "cdn"]


@attrs.frozen(kw_only=True)
class WireRequest:
    """One request that reached the emulator.

    `number` counts the requests of both hosts from 1. `route` is `create`, `get`, `extend`,
    `list`, `upload`, `video`, `image` or, for anything else, `unknown`. `ids` are the generations
    that the request names. `authorization` is that header as received, on the CDN as well, which
    should receive none. `connection` is the number of the TCP connection and shows whether
    connections are reused. `status` is None until the request is answered. `at` is in seconds
    since the emulator started to serve.
    """

    number: int
    route: str
    method: str
    path: str
    query: str
    ids: tuple[str, ...]
    authorization: str | None
    connection: int
    host: Host
    status: int | None
    at: float


class Connection(Protocol):
    """The part of aiohttp's connection that the log uses."""

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        ...


class RequestLog:
    """Stores requests and numbers the connections that they arrive on."""

    def __init__(self) -> None:
        self._requests: list[WireRequest] = []
        self._open: dict[Connection, int] = {}
        self._connections = 0

    @property
    def requests(self) -> tuple[WireRequest, ...]:
        """Every request, the oldest first."""
        return tuple(self._requests)

    @property
    def next_number(self) -> int:
        """The number of the next request."""
        return len(self._requests) + 1

    def add(self, request: WireRequest) -> WireRequest:
        """Append a request that has the next number, and return it."""
        self._requests.append(request)
        return request

    def record_status(self, number: int, status: int) -> None:
        """Record the status that a request is answered with."""
        self._requests[number - 1] = attrs.evolve(self._requests[number - 1], status=status)

    def connection_number(self, connection: Connection) -> int:
        """Return the number of a connection; a new connection gets a new number."""
        if connection not in self._open:
            # Drop closed connections here, or a long run would keep all of them.
            self._open = {item: number for item, number in self._open.items() if item.connected}
            self._connections += 1
            self._open[connection] = self._connections
        return self._open[connection]
