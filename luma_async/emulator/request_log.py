"""What arrived: every request of both hosts, in order."""

from typing import Literal, Protocol

import attrs

Host = Literal["api", "cdn"]


@attrs.frozen(kw_only=True)
class WireRequest:
    """One request that reached the emulator.

    `number` counts the requests of both hosts from 1. `route` is `create`, `get`, `extend`,
    `list`, `upload`, `video`, `image` or, for anything else, `unknown`. `ids` are the generations
    that the request names. `authorization` is that header as it came, on the CDN as well, where
    there should be none. `connection` is the number of the TCP connection, so that reuse can be
    seen. `status` is None as long as nothing was answered, and for ever when nothing was. `at` is
    in seconds since the emulator began to serve.
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
    """The part of a connection that tells whether it is still in use."""

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        ...


class WireLog:
    """Remembers requests and numbers the connections that they came on."""

    def __init__(self) -> None:
        self._requests: list[WireRequest] = []
        self._open: dict[Connection, int] = {}
        self._connections = 0

    @property
    def requests(self) -> tuple[WireRequest, ...]:
        """Every request so far, the oldest first."""
        return tuple(self._requests)

    @property
    def next_number(self) -> int:
        """The number of the next request."""
        return len(self._requests) + 1

    def add(self, request: WireRequest) -> WireRequest:
        """Remember a request, which has to bear the next number."""
        self._requests.append(request)
        return request

    def settle(self, number: int, status: int) -> None:
        """Remember what a request is answered with."""
        self._requests[number - 1] = attrs.evolve(self._requests[number - 1], status=status)

    def connection(self, connection: Connection) -> int:
        """Return the number of a connection, a new one for one that was not seen before."""
        if connection not in self._open:
            # Closed connections leave here, so that a long life keeps only what is open.
            self._open = {item: at for item, at in self._open.items() if item.connected}
            self._connections += 1
            self._open[connection] = self._connections
        return self._open[connection]
