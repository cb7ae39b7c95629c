"""One HTTP exchange with the API, over aiohttp.

This is the only place where aiohttp's exceptions are seen. They are replaced, not chained: some
of them hold the headers of the request, and with them the key.
"""

import asyncio
import logging
import ssl
from collections import Counter
from contextvars import ContextVar
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import aiohttp
import anyio
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from attrs import define, field
from yarl import URL

from luma_async._api.sansio.api_key import Secret
from luma_async._api.sansio.requests import Request
from luma_async._api.sansio.responses import Response
from luma_async._runtime import clock, telemetry
from luma_async._runtime.sansio.escaping import printable
from luma_async._version import __version__
from luma_async.errors import (
    ClientStateError,
    ConfigurationError,
    ConnectError,
    DisconnectedError,
    LumaError,
    RequestError,
    RequestTimeoutError,
    ResponseFormatError,
)
from luma_async.settings import Timeouts

USER_AGENT = f"luma-async/{__version__}"
MAX_BODY_BYTES = 8 * 1024 * 1024
_KEPT_HEADERS = ("date", "location", "retry-after", "retry-after-ms", "x-request-id")
_TLS_ERRORS = (
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ClientConnectorSSLError,
    ssl.SSLError,
)


@define(eq=False)
class SendCount:
    """What is known of one exchange from outside: how often its request went out.

    Attributes:
        sent: 0 as long as no byte was given to a connection. It can exceed 1, as aiohttp sends
            a GET again when a kept connection turns out to be dead.
        once: Whether a second time is to be prevented.
    """

    sent: int = 0
    once: bool = False


_SEND_COUNT: ContextVar[tuple["Transport", SendCount] | None] = ContextVar(
    "luma_async_send_count", default=None
)


@define(eq=False)
class Transport:
    """Sends requests to one API, over a session made here or one of the caller's."""

    _base_url: str
    _timeouts: Timeouts
    _external_session: aiohttp.ClientSession | None = None
    sent: Counter[str] = field(factory=Counter, init=False)
    _session: aiohttp.ClientSession = field(init=False)
    _trace: aiohttp.TraceConfig = field(factory=aiohttp.TraceConfig, init=False)
    _cancellable: set[anyio.CancelScope] = field(factory=set, init=False)
    server: telemetry.Attributes = field(init=False)

    def __attrs_post_init__(self) -> None:
        url = URL(self._base_url)
        self.server = {"server.address": url.host or "", "server.port": url.port or 0}

    def open(self) -> None:
        """Make the session, within the event loop that will use it."""
        self._trace.on_request_headers_sent.append(self._count_sent)
        if self._external_session is None:
            self._session = aiohttp.ClientSession(
                # `Limits` bounds the connections; a full pool would pass for an unreachable host.
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[self._trace],
            )
        else:
            # Only through a trace is it known for certain whether a paid request left. It tells
            # our requests by a context variable and leaves the session's others alone, those of
            # another client included.
            self._trace.freeze()
            self._session = self._external_session
            self._session.trace_configs.append(self._trace)

    async def _count_sent(
        self,
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestHeadersSentParams,
    ) -> None:
        # aiohttp calls this just before it hands the first byte of a request to the connection.
        owner, send_count = _SEND_COUNT.get() or (None, None)
        if owner is self and send_count is not None:
            if send_count.once and send_count.sent:
                # A session of the caller's may repeat requests.
                raise RuntimeError("a paid request is sent once")
            send_count.sent += 1

    async def close(self) -> None:
        """End free requests under way and close the session, unless it is the caller's."""
        self.cancel_free()
        if self._external_session is None:
            await self._session.close()
        else:
            self._session.trace_configs.remove(self._trace)

    def cancel_free(self) -> None:
        """End the free requests under way; their callers get `ClientStateError`."""
        for scope in self._cancellable:
            scope.cancel()

    async def exchange(
        self, request: Request, key: Secret, send_count: SendCount | None = None
    ) -> Response:
        """Send a request once and read the whole answer, whatever its status.

        Raises:
            ConnectError: No byte was sent.
            RequestError: A byte may have been sent, and no complete answer came.
            ResponseFormatError: The answer is longer than `MAX_BODY_BYTES`, decoded.
            ClientStateError: The client was closed during a free request.
        """
        since = clock.now()
        try:
            response = await self._exchange(request, key, send_count or SendCount())
        except LumaError as error:
            self._tell(request, since, telemetry.describe(error))
            raise
        self._tell(request, since, {telemetry.STATUS: response.status})
        return response

    def _tell(self, request: Request, since: float, result: telemetry.Attributes) -> None:
        took = clock.now() - since
        attributes: telemetry.Attributes = {
            telemetry.METHOD: request.method,
            telemetry.ROUTE: request.route,
            "url.template": request.template,
            **self.server,
            **result,
        }
        telemetry.measure("request.duration", took, attributes)
        telemetry.log(
            logging.DEBUG,
            "request.ended",
            attributes,
            "%s %s ended after %.3f s: %s",
            request.method,
            request.template,
            took,
            next(iter(result.values())),
        )

    async def _exchange(self, request: Request, key: Secret, send_count: SendCount) -> Response:
        if self._session.closed:
            raise ClientStateError("the session of the client was closed")
        failure: Exception
        with anyio.CancelScope() as scope:
            if not request.is_paid:
                self._cancellable.add(scope)
            token = _SEND_COUNT.set((self, send_count))
            try:
                return await self._send(request, key)
            except (RequestError, ResponseFormatError) as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - an error of a library is no response
                failure = _translate(error, send_count, key, self._base_url)
            except asyncio.CancelledError as cancellation:
                raise cancellation.with_traceback(None)  # noqa: B904 - still the same
            finally:
                _SEND_COUNT.reset(token)
                self.sent[request.route] += send_count.sent
                self._cancellable.discard(scope)
            # Outside of the handler, as an exception raised within keeps the other as context. The
            # way it came leads through frames that hold headers, and with them the key.
            raise failure.with_traceback(None)
        raise ClientStateError("the client was closed during a request")

    async def _send(self, request: Request, key: Secret) -> Response:
        url = URL(self._base_url + request.target, encoded=True)
        async with self._session.request(
            request.method,
            url,
            data=request.body,
            headers=_headers(request, key),
            allow_redirects=False,
            raise_for_status=False,
            timeout=self._timeout(request),
            server_hostname=_separate_pool(request, url),
            # A middleware of the caller's session could send a paid request again.
            middlewares=(_close_behind,) if request.is_paid else None,
        ) as response:
            body = await _read(response)
            return Response(
                status=response.status,
                headers={
                    name: key.redact(", ".join(response.headers.getall(name)))
                    for name in _KEPT_HEADERS
                    if name in response.headers
                },
                body=key.redact_bytes(body),
                path=request.path,
                received_at=datetime.now(UTC),
            )

    def _timeout(self, request: Request) -> aiohttp.ClientTimeout:
        total = self._timeouts.paid if request.is_paid else self._timeouts.free
        return aiohttp.ClientTimeout(total=total, connect=self._timeouts.connect, ceil_threshold=60)


def _headers(request: Request, key: Secret) -> dict[str, str]:
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Authorization": f"Bearer {key.reveal()}",
        "User-Agent": USER_AGENT,
    }
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    if request.is_paid:
        headers["Connection"] = "close"
    return headers


def _separate_pool(request: Request, url: URL) -> str | None:
    """Keep paid requests off connections that were used before.

    A kept connection may be closed by the server at the instant it is used again, and then
    nobody can say whether the request arrived. aiohttp keeps connections apart by the TLS name
    asked for. Naming the host, which is the default anyway, gives paid requests a separate pool,
    which stays empty, as their connections are closed after the response.
    """
    return url.raw_host if request.is_paid else None


class _LastResponse(aiohttp.ClientResponse):
    """The last answer of its connection, whether the server means to close it or not."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        cast("ResponseHandler", connection.protocol).force_close()
        return await super().start(connection)


async def _close_behind(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    request.response_class = _LastResponse
    return await handler(request)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            response.close()
            raise ResponseFormatError(
                [f"longer than {MAX_BODY_BYTES:,} bytes at $"], status=response.status
            )
    return bytes(body)


def _translate(error: Exception, send_count: SendCount, key: Secret, base_url: str) -> Exception:
    host = URL(base_url).authority
    detail = printable(key.redact(f"{type(error).__name__}: {error}"))[:300]
    if not send_count.sent:
        if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
            # The caller's own session adds something that cannot be sent.
            return ConfigurationError(f"the request cannot be made: {detail}")
        return ConnectError(
            f"no connection to {host} ({detail}); nothing was sent",
            retryable=not isinstance(error, _TLS_ERRORS),
        )
    if isinstance(error, TimeoutError):
        return RequestTimeoutError(f"no complete answer from {host} in time")
    return DisconnectedError(f"the connection to {host} broke ({detail})")
