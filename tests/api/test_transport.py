"""One exchange with the service, byte by byte, for free requests."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from luma_async import (
    ClientStateError,
    ConnectError,
    DisconnectedError,
    LumaError,
    RequestTimeoutError,
    ResponseFormatError,
    RetryPolicy,
    Timeouts,
)
from luma_async._api.transport import MAX_BODY_BYTES
from tests.support.certificates import presenting, trusting
from tests.support.clients import KEY, quick_client, tasks_of_ours
from tests.support.raw_server import Caller, answering, free_port, http, raw_server

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]

ONCE = RetryPolicy(attempts=1)
EMPTY = http(200, b"[]")


async def failure(call: Callable[[], Awaitable[object]]) -> LumaError:
    """Make a call that fails, and return how."""
    with pytest.raises(LumaError) as failed:
        await call()
    return failed.value


async def test_the_request_is_what_the_service_documents() -> None:
    """The key in one header, JSON in the body, and nothing that the caller did not give."""
    async with raw_server(answering(http())) as server, quick_client(server.base_url) as luma:
        await luma.create("Eine Qualle 🪼", image_url="https://a.example/b.png")
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")

        assert "POST /luma-ai/generations HTTP/1.1" == lines[0]
        assert f"Authorization: Bearer {KEY}" in lines
        assert "Content-Type: application/json" in lines
        assert "Connection: close" in lines
        assert (
            '{"user_prompt": "Eine Qualle 🪼", "aspect_ratio": "16:9", "expand_prompt": true, '
            '"image_url": "https://a.example/b.png"}'
        ) == body.decode()


async def test_ids_are_asked_for_in_brackets() -> None:
    """Many ids in one query, in the form that the page documents."""
    async with raw_server(answering(EMPTY)) as server, quick_client(server.base_url) as luma:
        await luma.get_many(["a", "b:c"])
        line = server.requests[0].split(b"\r\n")[0]
        assert b"GET /luma-ai/generation?ids%5B0%5D=a&ids%5B1%5D=b%3Ac HTTP/1.1" == line


async def test_a_prefix_of_the_address_is_kept() -> None:
    """A proxy that serves the API below a path is asked there; a version prefix is cut."""
    async with raw_server(answering(EMPTY)) as server:
        for address in ("/gate", "/gate/", "/gate/v1", "/gate/v2/"):
            async with quick_client(server.base_url + address) as luma:
                await luma.list()
        assert {b"GET /gate/luma-ai/generations HTTP/1.1"} == {
            request.split(b"\r\n")[0] for request in server.requests
        }


async def test_cookies_are_not_kept() -> None:
    """H46: what the service sets is not sent back."""
    async with (
        raw_server(answering(http(200, b"[]", {"Set-Cookie": "a=b; Path=/"}))) as server,
        quick_client(server.base_url) as luma,
    ):
        await luma.list()
        await luma.list()
        assert b"cookie" not in server.requests[1].lower()


async def test_a_redirect_is_not_followed() -> None:
    """H07: the key goes to no address that the service names."""
    async with raw_server(answering(EMPTY)) as elsewhere:
        moved = http(307, b"", {"Location": elsewhere.base_url})
        async with raw_server(answering(moved)) as server, quick_client(server.base_url) as luma:
            assert elsewhere.base_url in str(await failure(luma.list))
        assert (1, 0) == (len(server.requests), elsewhere.connections)


async def test_a_long_answer_is_cut_off() -> None:
    """H43: nothing beyond the cap is kept, and the connection is not used again."""

    async def serve(caller: Caller) -> None:
        await caller.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(64):
            await caller.send(b" " * 1024 * 1024)

    async with (
        raw_server(serve) as server,
        quick_client(server.base_url, retries=ONCE) as luma,
    ):
        error = await failure(luma.list)
        assert isinstance(error, ResponseFormatError)
        assert (200, 1) == (error.status, server.connections)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_h44_a_bomb_does_not_fill_the_memory(encoding: str) -> None:
    """A few bytes that unpack to 128 MB end as unreadable, long before they are unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
    megabyte = b" " * 1024 * 1024
    body = b"".join([*(packer.compress(megabyte) for _ in range(128)), packer.flush()])
    answer = http(200, body, {"Content-Encoding": encoding})
    async with (
        raw_server(answering(answer)) as server,
        quick_client(server.base_url, retries=ONCE) as luma,
    ):
        tracemalloc.start()
        try:
            assert isinstance(await failure(luma.list), ResponseFormatError)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 6 * MAX_BODY_BYTES


async def test_a_compressed_answer_is_read() -> None:
    """A proxy that compresses although it was not asked to does no harm."""
    body = gzip.compress(b'[{"luma_generation_id": "a"}]')
    async with (
        raw_server(answering(http(200, body, {"Content-Encoding": "gzip"}))) as server,
        quick_client(server.base_url) as luma,
    ):
        assert ["a"] == [one.id for one in await luma.list()]


async def test_n18_a_dripping_head_ends_with_the_time_of_an_attempt() -> None:
    """A byte now and then never counts as an answer in time."""

    async def drip(caller: Caller) -> None:
        await caller.send(*(bytes([byte]) for byte in EMPTY * 100), pause=0.005)

    async with (
        raw_server(drip) as server,
        quick_client(server.base_url, retries=ONCE, timeouts=Timeouts(free=0.05)) as luma,
    ):
        assert RequestTimeoutError is type(await failure(luma.list))


@pytest.mark.parametrize(
    "answer",
    [
        *(b"HTTP/1.1 99999 Huh\r\n\r\n", b"jellyfish\r\n\r\n"),
        *(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, EMPTY[:-1], EMPTY[:20]),
    ],
    ids=["N28-status", "N28-line", "N30-header", "N15-body", "N15-head"],
)
async def test_broken_bytes_are_a_broken_connection(answer: bytes) -> None:
    """What is no answer is told as such, without aiohttp's own errors."""

    async def serve(caller: Caller) -> None:
        await caller.send(answer)
        caller.finish()

    async with raw_server(serve) as server, quick_client(server.base_url, retries=ONCE) as luma:
        error = await failure(luma.list)
        assert DisconnectedError is type(error)
        assert (None, None) == (error.__cause__, error.__context__)


async def test_n13_a_request_that_aiohttp_repeats_by_itself_is_counted() -> None:
    """A kept connection that dies is replaced without a word, and the request counts twice."""

    async def serve(caller: Caller) -> None:
        if caller.turn == 2:
            caller.reset()
        else:
            await caller.send(EMPTY)

    async with raw_server(serve) as server, quick_client(server.base_url, retries=ONCE) as luma:
        await luma.list()
        await luma.list()
        assert 3 == len(server.requests) == luma.statistics().requests["list"]


async def test_i11_hidden_repetitions_are_taken_from_the_shared_budget() -> None:
    """With nothing left to repeat, what aiohttp repeated is not repeated once more by us."""

    async def serve(caller: Caller) -> None:
        if caller.turn == 1:
            await caller.send(EMPTY)
        else:
            caller.reset()

    policy = RetryPolicy(first_delay=0.0, budget_floor=1, budget_ratio=0.0)
    async with raw_server(serve) as server, quick_client(server.base_url, retries=policy) as luma:
        await luma.list()
        assert DisconnectedError is type(await failure(luma.list))
        assert 3 == len(server.requests)


async def test_n01_nobody_listens() -> None:
    """The error says where nobody is, and that nothing was sent."""
    port = free_port()
    async with quick_client(f"http://127.0.0.1:{port}") as luma:
        error = await failure(luma.list)
        assert isinstance(error, ConnectError)
        assert f"127.0.0.1:{port}" in str(error)
        assert {} == luma.statistics().requests


async def test_n07_tls_is_verified() -> None:
    """A certificate of nobody known is refused once; one that the caller trusts is taken."""
    handshakes: list[object] = []
    tls = presenting()
    tls.sni_callback = lambda *seen: handshakes.append(seen)
    async with raw_server(answering(EMPTY), tls=tls) as server:
        async with quick_client(server.base_url) as luma:
            error = await failure(luma.list)
            assert isinstance(error, ConnectError)
            assert (False, 1, []) == (error.retryable, len(handshakes), server.requests)
        connector = aiohttp.TCPConnector(ssl=trusting())
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            quick_client(server.base_url, session=session) as luma,
        ):
            assert [] == await luma.list()


async def test_n07_a_certificate_for_another_host_is_refused() -> None:
    """The caller trusts the certificate, but it is not the host's."""
    connector = aiohttp.TCPConnector(ssl=trusting())
    async with (
        raw_server(answering(EMPTY), tls=presenting()) as server,
        aiohttp.ClientSession(connector=connector) as session,
        quick_client(f"https://localhost:{server.port}", session=session) as luma,
    ):
        for call in (luma.list, lambda: luma.create("A jellyfish")):
            error = await failure(call)
            assert isinstance(error, ConnectError)
            assert not error.retryable
        assert [] == server.requests


async def test_the_callers_session_is_left_as_it_was() -> None:
    """It is not closed, its own requests are not counted, and nothing stays in it."""
    async with raw_server(answering(EMPTY)) as server, aiohttp.ClientSession() as session:
        async with quick_client(server.base_url, session=session) as luma:
            await luma.list()
            async with session.get(server.base_url) as response:
                await response.read()
            assert {"list": 1} == luma.statistics().requests
            assert 1 == len(session.trace_configs)
        assert not session.closed
        assert [] == session.trace_configs


async def test_closing_ends_a_request_under_way() -> None:
    """Who waits for an answer hears at once that there will be none."""
    arrived = asyncio.Event()

    async def serve(caller: Caller) -> None:
        arrived.set()
        await caller.hang()

    async with raw_server(serve) as server, quick_client(server.base_url) as luma:
        call = asyncio.create_task(failure(luma.list))
        await arrived.wait()
        await luma.close()
        assert ClientStateError is type(await call)
        assert [] == tasks_of_ours()
