"""Fetches videos from wherever the service has put them. The key never goes there."""

import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from attrs import define, field
from yarl import URL

from luma_async._api.sansio import urls
from luma_async._api.transport import USER_AGENT
from luma_async.errors import ClientStateError, ConfigurationError, DownloadError, VideoExpiredError

_MAX_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# 400 is how some stores say that a signature has expired.
_GONE = frozenset({400, 401, 403, 404, 410})


class TransferError(DownloadError):
    """A transfer broke off or could not begin; it may succeed when it is repeated."""


class _PublicResolver(AbstractResolver):
    """Resolves names, and drops every address that is not on the public internet.

    Any name can be made to point into the network of the caller.
    """

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = []
        for result in found:
            address = urls.literal(result["host"])
            if address is not None and urls.is_public(address):
                public.append(result)
        if not public:
            raise DownloadError(f"{host} leads to no address on the public internet")
        return public

    async def close(self) -> None:
        await self._resolver.close()


@define(eq=False)
class Cdn:
    """Opens the URLs of videos, over a session made here or one of the caller's.

    With a session of the caller's, its connector resolves names, as it may lead through a
    proxy; addresses are then judged as they are written.
    """

    _allow_local: bool
    _connect_timeout: float
    _stall_timeout: float
    _external_session: aiohttp.ClientSession | None = None
    requests: int = field(default=0, init=False)
    _session: aiohttp.ClientSession = field(init=False)
    _resolver: _PublicResolver | None = field(default=None, init=False)

    def open(self) -> None:
        """Make the session, within the event loop that will use it."""
        if self._external_session is not None:
            self._session = self._external_session
            return
        self._resolver = None if self._allow_local else _PublicResolver()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=self._resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close the session, unless it is the caller's."""
        if self._external_session is None:
            await self._session.close()
        if self._resolver is not None:
            # A connector closes only a resolver that it has made.
            await self._resolver.close()

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str]
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Open a video and follow redirects, each after the same checks as the first address.

        Raises:
            ConfigurationError: The caller's session would send a key along.
            ClientStateError: The session is closed.
            DownloadError: The address is not one that may be fetched.
            VideoExpiredError: It is no longer served.
            TransferError: The transfer broke off, or could not begin.
        """
        check_session(self._session)
        try:
            for _ in range(_MAX_HOPS + 1):
                checked = URL(self._checked(url), encoded=True)
                self.requests += 1
                async with self._session.get(
                    checked,
                    headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers},
                    allow_redirects=False,
                    raise_for_status=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, connect=self._connect_timeout, sock_read=self._stall_timeout
                    ),
                ) as response:
                    if response.status not in _REDIRECTS:
                        _check_status(response.status)
                        yield response
                        return
                    url = _redirected(url, response)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            # UnicodeError is what a name that no name server can hold ends in.
            raise TransferError(f"the transfer broke off ({type(error).__name__})") from None
        except RuntimeError:
            # It is all that aiohttp says when a session is closed under a transfer.
            check_session(self._session)
            raise
        raise DownloadError(f"the video's address redirects more than {_MAX_HOPS} times")

    def _checked(self, url: str) -> str:
        try:
            return urls.check_public(url, what="the video's address", allow_local=self._allow_local)
        except ConfigurationError as error:
            raise DownloadError(str(error)) from None


def check_session(session: aiohttp.ClientSession) -> None:
    """Refuse a session of the caller's that cannot be used, or would give a key away.

    Raises:
        ClientStateError: It is closed.
        ConfigurationError: It sends an Authorization with every request.
    """
    if session.closed:
        raise ClientStateError("the session was closed")
    if "Authorization" in session.headers or session.auth is not None:
        raise ConfigurationError(
            "the session given to the client sends an Authorization of its own with every "
            "request; the video's host must not see it, so that nothing was sent"
        )


def _redirected(url: str, response: aiohttp.ClientResponse) -> str:
    try:
        return urljoin(url, response.headers["Location"])
    except (KeyError, ValueError):
        raise DownloadError("the video's address redirects to nowhere") from None


def _check_status(status: int) -> None:
    if status in _GONE:
        raise VideoExpiredError(f"the video's address is no longer served (HTTP {status})")
    if status >= 500 or status in (408, 429):
        raise TransferError(f"the video's host failed (HTTP {status})")
    if status not in (200, 206, 416):
        raise DownloadError(f"the video's host answered HTTP {status}")
