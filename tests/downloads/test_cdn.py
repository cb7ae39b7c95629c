"""The way to the videos' host: which addresses are asked, what is told there, and what is not."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import aiohttp
import pytest
from yarl import URL

from luma_async._downloads.cdn import Cdn, TransferError, _PublicResolver
from luma_async.errors import (
    ClientStateError,
    ConfigurationError,
    DownloadError,
    VideoExpiredError,
)
from tests.support.certificates import presenting
from tests.support.video_host import Reply, VideoHost, answer

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

Serve: TypeAlias = Callable[..., Awaitable[VideoHost]]
MakeCdn: TypeAlias = Callable[..., Cdn]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Close whatever a test has opened."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: AsyncExitStack) -> Serve:
    """Start hosts of videos that give these replies."""

    async def start(*replies: Reply) -> VideoHost:
        return await stack.enter_async_context(VideoHost(*replies))

    return start


@pytest.fixture
def make_cdn(stack: AsyncExitStack) -> MakeCdn:
    """Make the part that asks them."""

    def make(session: aiohttp.ClientSession | None = None, *, allow_local: bool = True) -> Cdn:
        cdn = Cdn(allow_local, 5.0, 5.0, session)
        cdn.open()
        stack.push_async_callback(cdn.close)
        return cdn

    return make


async def read(cdn: Cdn, url: str) -> bytes:
    """Fetch all that an address leads to."""
    async with cdn.get(url, {}) as response:
        return await response.read()


def names_lead_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name of a host lead to these addresses, as its owner's name server may."""
    look_up = socket.getaddrinfo

    def found(host: str, *rest: Any, **options: Any) -> list[Any]:
        return [entry for address in addresses for entry in look_up(address, *rest, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def disguised(host: VideoHost) -> aiohttp.ClientSession:
    """Return a session of a caller for whom any public https address is a host of ours."""

    async def reroute(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.url = URL(host.url)
        return await handler(request)

    return aiohttp.ClientSession(middlewares=(reroute,))


@pytest.mark.parametrize(
    "url",
    [
        "http://videos.example.com/a.mp4",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:video/mp4;base64,AAAA",
        "ftp://videos.example.com/a.mp4",
        "//videos.example.com/a.mp4",
        "/a.mp4",
        "https://user:secret@videos.example.com/a.mp4",
        "https://videos.example.com/a\r\nX: 1",
        "https://videos.example.com/" + "a" * 5000,
        "https://videos.example.com:99999/a.mp4",
        "https://",
        "",
    ],
)
async def test_only_https_addresses_are_asked(make_cdn: MakeCdn, url: str) -> None:
    """S12: what is no plain https address is refused before anything is sent."""
    cdn = make_cdn(allow_local=False)

    with pytest.raises(DownloadError, match="the video's address"):
        await read(cdn, url)
    assert 0 == cdn.requests


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "videos.localhost",
        "printer.local",
        "metadata.google.internal",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
    ],
)
async def test_hosts_that_are_not_public_are_not_asked(make_cdn: MakeCdn, host: str) -> None:
    """S13: an address within the caller's own network is refused, however it is written."""
    cdn = make_cdn(allow_local=False)

    with pytest.raises(DownloadError, match="not a host on the public internet"):
        await read(cdn, f"https://{host}/a.mp4")
    assert 0 == cdn.requests


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"])
async def test_a_name_that_leads_inside_is_not_followed(
    make_cdn: MakeCdn, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """S13: a public name whose address is private is found out before a connection is made."""
    names_lead_to(monkeypatch, inside)

    with pytest.raises(DownloadError, match="no address on the public internet"):
        await read(make_cdn(allow_local=False), "https://videos.example.com/a.mp4")


async def test_a_numeric_name_is_judged_by_where_it_leads() -> None:
    """S13: the resolver drops what leads inside, even if it was written like a name."""
    resolver = _PublicResolver()

    with pytest.raises(DownloadError, match=r"0x7f\.1 leads to no address"):
        await resolver.resolve("0x7f.1", 443)
    await resolver.close()


async def test_of_several_addresses_the_public_ones_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S13: a name that leads inside and outside is followed outside alone."""
    names_lead_to(monkeypatch, "127.0.0.1", "192.0.0.9", "10.0.0.1")
    resolver = _PublicResolver()

    found = await resolver.resolve("videos.example.com", 443)

    assert ["192.0.0.9"] == [result["host"] for result in found]
    await resolver.close()


async def test_a_name_that_no_name_server_can_hold_is_a_failed_transfer(
    make_cdn: MakeCdn,
) -> None:
    """S12: a label of 70 letters is no error of another kind."""
    with pytest.raises(TransferError, match="Unicode"):
        await read(make_cdn(allow_local=False), f"https://{'a' * 70}.example.com/a.mp4")


async def test_redirects_are_followed(make_cdn: MakeCdn, serve: Serve) -> None:
    """H08: up to five hops lead to the video, with an absolute or a relative Location."""
    host = await serve(
        *(answer(code, b"", {"Location": f"/{code}"}) for code in (301, 302, 303, 307, 308)),
        answer(200, b"film"),
    )
    cdn = make_cdn()

    assert b"film" == await read(cdn, host.url)
    paths = ["/video.mp4", "/301", "/302", "/303", "/307", "/308"]
    assert paths == [asked[""] for asked in host.asked]
    assert 6 == cdn.requests


async def test_a_redirect_to_another_host_is_followed(make_cdn: MakeCdn, serve: Serve) -> None:
    """H08: a signed address may lead on to where the file is."""
    store = await serve(answer(200, b"film"))
    host = await serve(answer(302, b"", {"Location": f"{store.url}?signature=%2B%C3%A9"}))

    assert b"film" == await read(make_cdn(), host.url)
    assert "/video.mp4?signature=%2B%C3%A9" == store.asked[0][""]


async def test_a_redirect_that_never_ends_is_left(make_cdn: MakeCdn, serve: Serve) -> None:
    """H09: a loop ends after five hops."""
    host = await serve(answer(302, b"", {"Location": "/video.mp4"}))

    with pytest.raises(DownloadError, match="redirects more than 5 times"):
        await read(make_cdn(), host.url)
    assert 6 == len(host.asked)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Location": "http://[bad"},
        {"Location": "javascript:alert(1)"},
        {"Location": "file:///etc/passwd"},
        {"Location": "http://videos.example.com/downgraded"},
        {"Location": "https://user:secret@videos.example.com/"},
        {"Location": "https://10.0.0.1/"},
        {"Location": "//169.254.169.254/latest"},
        {"Location": "\xe9"},
    ],
)
async def test_a_redirect_to_nowhere_good_is_not_followed(
    make_cdn: MakeCdn, serve: Serve, headers: dict[str, str]
) -> None:
    """H08, H09, H10: each hop passes the checks of the first address, or is the last."""
    host = await serve(answer(302, b"", headers))

    with pytest.raises(DownloadError, match="the video's address") as caught:
        await read(make_cdn(), host.url)
    assert not isinstance(caught.value, TransferError)
    assert 1 == len(host.asked)


async def test_a_public_host_cannot_lead_inside(
    make_cdn: MakeCdn, serve: Serve, stack: AsyncExitStack
) -> None:
    """H08: what may be reached from outside does not open what is inside."""
    inside = await serve(answer(200, b"secret"))
    outside = await serve(answer(302, b"", {"Location": inside.url}))
    session = await stack.enter_async_context(disguised(outside))

    with pytest.raises(DownloadError, match="begins with https"):
        await read(make_cdn(session, allow_local=False), "https://videos.example.com/a.mp4")
    assert [1, 0] == [len(host.asked) for host in (outside, inside)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, VideoExpiredError),
        (401, VideoExpiredError),
        (403, VideoExpiredError),
        (404, VideoExpiredError),
        (410, VideoExpiredError),
        (408, TransferError),
        (429, TransferError),
        (500, TransferError),
        (503, TransferError),
        (204, DownloadError),
        (304, DownloadError),
        (405, DownloadError),
    ],
)
async def test_a_status_says_what_can_be_done(
    make_cdn: MakeCdn, serve: Serve, status: int, kind: type[DownloadError]
) -> None:
    """S15, D17: ask for a new address, try again, or give up."""
    host = await serve(answer(status, sized=status not in (204, 304)))

    with pytest.raises(kind, match=f"HTTP {status}") as caught:
        await read(make_cdn(), host.url)
    assert kind is type(caught.value)


async def test_the_host_of_a_video_learns_little(make_cdn: MakeCdn, serve: Serve) -> None:
    """D07, D17: it is told who asks, and to compress nothing; no key, and no cookie of its own."""
    host = await serve(
        answer(302, b"", {"Location": "/next", "Set-Cookie": "who=you"}), answer(200, b"film")
    )

    await read(make_cdn(), host.url)

    wanted = {"", "host", "accept", "accept-encoding", "user-agent"}
    assert [wanted, wanted] == [set(asked) for asked in host.asked]
    assert {"identity"} == {asked["accept-encoding"] for asked in host.asked}
    assert all(asked["user-agent"].startswith("luma-async/") for asked in host.asked)


async def test_a_compressed_answer_is_not_unpacked(make_cdn: MakeCdn, serve: Serve) -> None:
    """D07: no archive grows in memory."""
    host = await serve(answer(200, b"no gzip at all", {"Content-Encoding": "gzip"}))

    assert b"no gzip at all" == await read(make_cdn(), host.url)


async def test_a_session_that_sends_a_key_everywhere_is_refused(
    make_cdn: MakeCdn, serve: Serve, stack: AsyncExitStack
) -> None:
    """D17: default headers of the caller's session would give the key away; nothing is sent."""
    host = await serve(answer(200, b"film"))
    headers = {"authorization": "Bearer sk-secret"}
    session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))

    with pytest.raises(ConfigurationError, match="Authorization") as caught:
        await read(make_cdn(session), host.url)
    assert "sk-secret" not in str(caught.value)
    assert [] == host.asked


async def test_a_session_of_the_caller_stays_open(
    make_cdn: MakeCdn, serve: Serve, stack: AsyncExitStack
) -> None:
    """A session that was lent is used for videos too, and given back as it was."""
    host = await serve(answer(200, b"film"))
    session = await stack.enter_async_context(aiohttp.ClientSession(raise_for_status=True))
    cdn = make_cdn(session)

    assert b"film" == await read(cdn, host.url)
    await cdn.close()
    assert not session.closed


async def test_a_closed_session_is_named(make_cdn: MakeCdn) -> None:
    """A download after the end of the client is no RuntimeError of a library."""
    cdn = make_cdn()
    await cdn.close()

    with pytest.raises(ClientStateError, match="closed"):
        await read(cdn, "http://127.0.0.1:9/")


async def test_an_error_of_the_caller_is_passed_on(make_cdn: MakeCdn, serve: Serve) -> None:
    """What goes wrong while an answer is being used is not taken for a failed transfer."""
    host = await serve(answer(200, b"film"))

    with pytest.raises(RuntimeError, match="my own"):
        async with make_cdn().get(host.url, {}):
            raise RuntimeError("my own")


async def test_a_host_that_is_not_there_may_come_back(make_cdn: MakeCdn) -> None:
    """A refused connection is a failed transfer, without an address in its message."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = "http://{}:{}/a.mp4?signature=secret".format(*unused.getsockname())
        with pytest.raises(TransferError) as caught:
            await read(make_cdn(), url)

    assert "the transfer broke off (ClientConnectorError)" == str(caught.value)


async def test_a_host_without_a_good_certificate_is_not_believed(
    make_cdn: MakeCdn, monkeypatch: pytest.MonkeyPatch, stack: AsyncExitStack
) -> None:
    """Whoever answers in the place of the videos' host gets no request."""
    host = await stack.enter_async_context(VideoHost(answer(200, b"film"), tls=presenting()))
    names_lead_to(monkeypatch, "127.0.0.1")

    with pytest.raises(TransferError, match="Certificate"):
        await read(make_cdn(), host.url.replace("http://127.0.0.1", "https://videos.example.com"))
    assert [] == host.asked
