"""Paid requests: sent once, whatever happens to them."""
# ruff: noqa: ASYNC110

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from luma_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    Budget,
    BudgetExceededError,
    ClientStateError,
    ConfigurationError,
    ConnectError,
    Generation,
    Limits,
    LumaClient,
    LumaError,
    NotFoundError,
    OutOfCreditsError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    SubmissionUnknownError,
    Timeouts,
)
from luma_async.emulator import Emulator, Fault
from tests.support.certificates import presenting, trusting
from tests.support.clients import posts, quick_client, tasks_of_ours, unix_session
from tests.support.raw_server import (
    RECEIPT,
    Caller,
    Serve,
    answering,
    free_port,
    http,
    raw_server,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]

Pay = Callable[[LumaClient], Awaitable[Generation]]

PRICE = 500_000


async def create(luma: LumaClient) -> Generation:
    """Pay for a new video."""
    return await luma.create("A jellyfish")


async def extend(luma: LumaClient) -> Generation:
    """Pay for a continuation."""
    return await luma.extend("parent", "A jellyfish with a hat")


paid = pytest.mark.parametrize("pay", [create, extend])


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Serve on a real port, with a finished video that can be extended."""
    async with Emulator() as emulator:
        emulator.place("parent", "The parent")
        yield emulator


async def how_it_ends(luma: LumaClient, pay: Pay) -> Generation | LumaError:
    """Pay, and return what comes of it."""
    try:
        return await pay(luma)
    except LumaError as error:
        return error


REFUSALS: dict[str, tuple[int, Any, type[LumaError]]] = {
    "H11-400": (400, None, BadRequestError),
    "H13-401": (401, None, AuthenticationError),
    "H14-402": (402, None, OutOfCreditsError),
    "H14-403": (403, None, OutOfCreditsError),
    "H15-403-of-a-firewall": (403, "<html>Blocked: no credit</html>", PermissionDeniedError),
    "H16-404": (404, None, NotFoundError),
    "H18-405": (405, None, APIError),
    "H18-406": (406, None, APIError),
    "H18-410": (410, None, APIError),
    "H21-411": (411, None, APIError),
    "H21-413": (413, None, APIError),
    "H18-414": (414, None, APIError),
    "H18-415": (415, None, APIError),
    "H18-417": (417, None, APIError),
    "H18-421": (421, None, APIError),
    "H18-431": (431, None, APIError),
    "H18-451": (451, None, APIError),
    "H23-422": (422, None, BadRequestError),
    "H41-embedded-400": (200, {"statusCode": "400", "message": "no"}, BadRequestError),
}


@paid
@pytest.mark.parametrize(("status", "body", "kind"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refused_order_costs_nothing(
    emulator: Emulator, pay: Pay, status: int, body: Any, kind: type[LumaError]
) -> None:
    """The service says no: it is asked once, nothing is paid, and the budget has its tokens back.

    The same client can pay for the next order out of them.
    """
    emulator.inject(Fault(status=status, body=body))
    async with quick_client(emulator.base_url, budget=Budget(tokens=PRICE)) as luma:
        error = await how_it_ends(luma, pay)

        assert kind is type(error)
        assert 1 == posts(emulator)
        assert 0 == emulator.tokens_billed == luma.statistics().tokens_spent
        await pay(luma)
        assert PRICE == emulator.tokens_billed == luma.statistics().tokens_spent


UNKNOWN: dict[str, dict[str, Any]] = {
    "H02-204": {"status": 204, "body": b""},
    "H02-205": {"status": 205, "body": b""},
    "H02-empty": {"status": 200, "body": b""},
    "H04-301": {"status": 301},
    "H04-302": {"status": 302, "headers": {"Location": "/luma-ai/generations"}},
    "H04-303": {"status": 303, "headers": {"Location": "/luma-ai/generations"}},
    "H05-307": {"status": 307, "headers": {"Location": "/v1/luma-ai/generations"}},
    "H05-308": {"status": 308, "headers": {"Location": "/v1/luma-ai/generations"}},
    "H19-408": {"status": 408},
    "H20-409": {"status": 409},
    "H33-500": {"status": 500},
    "H34-502": {"status": 502, "body": "<html>Bad gateway</html>"},
    "H34-504": {"status": 504, "body": "<html>Gateway timeout</html>"},
    "H35-503": {"status": 503},
    "H35-503-later": {"status": 503, "headers": {"Retry-After": "1"}},
    "H37-501": {"status": 501},
    "H37-520": {"status": 520},
    "H37-530": {"status": 530},
    "H38-418": {"status": 418},
    "H38-499": {"status": 499},
    "H38-599": {"status": 599},
    "H39-page": {"status": 200, "body": "<html>Please log in</html>"},
    "H41-embedded-500": {"status": 200, "body": {"statusCode": 500, "message": "no"}},
    "H41-error": {"status": 200, "body": {"error": "no"}},
    "H42-null": {"status": 201, "body": b"null"},
    "H42-list": {"status": 201, "body": b"[]"},
    "H42-two": {"status": 201, "body": [{"id": "a"}, {"id": "b"}]},
    "H42-text": {"status": 201, "body": b'""'},
    "H42-number": {"status": 201, "body": b"0"},
    "H42-true": {"status": 201, "body": b"true"},
    "B02-utf-16": {"status": 201, "body": '{"id": "a"}'.encode("utf-16")},
    "B04-two-ids": {"status": 201, "body": b'{"id": "a", "id": "b"}'},
    "B05-deep": {"status": 201, "body": b"[" * 100_000},
    "no-id": {"status": 201, "body": {"id": None, "state": "pending"}},
    "N13-end": {"drop": "after"},
    "N13-reset": {"drop": "after", "reset": True},
    "N15-short": {"cut_at": 250},
    "N19-dripping-body": {"drip": 0.01},
    "N20-silent": {"delay": 3600.0},
}


@paid
@pytest.mark.parametrize("accept", [True, False], ids=["billed", "unbilled"])
@pytest.mark.parametrize("fault", UNKNOWN.values(), ids=UNKNOWN)
async def test_an_order_of_unknown_outcome_is_sent_once_and_counted_as_paid(
    emulator: Emulator, pay: Pay, fault: dict[str, Any], *, accept: bool
) -> None:
    """Whatever the service did behind an answer that proves nothing, it hears of the order once.

    The error tells what to look for, and the budget keeps the tokens.
    """
    told = {**fault, "accept": accept} if "status" in fault else fault
    if fault.get("drop") and not accept:
        told = {**fault, "drop": "before"}
    emulator.inject(Fault(**told))
    slow = "drip" in fault or "delay" in fault
    async with quick_client(
        emulator.base_url,
        budget=Budget(tokens=PRICE),
        timeouts=Timeouts(paid=0.05) if slow else Timeouts(),
    ) as luma:
        error = await how_it_ends(luma, pay)

        assert isinstance(error, SubmissionUnknownError)
        assert "jellyfish" in str(error)
        assert error.order.user_prompt.startswith("A jellyfish")
        assert fault.get("status", error.status) in (error.status, 200)
        assert 1 == posts(emulator)
        assert emulator.tokens_billed <= PRICE == luma.statistics().tokens_spent
        with pytest.raises(BudgetExceededError):
            await pay(luma)
        assert 1 == posts(emulator)


ACCEPTED: dict[str, dict[str, Any]] = {
    "H01-200": {"status": 200},
    "H01-202": {"status": 202},
    "H01-203": {"status": 203},
    "H40-text": {"headers": {"Content-Type": "text/plain"}},
    "H40-charset": {"headers": {"Content-Type": "application/json; charset=klingon"}},
    "H46-cookie": {"headers": {"Set-Cookie": "a=b"}},
    "relay": {"shape": "wrapped"},
    "N23-closing": {"headers": {"Connection": "close"}},
    "late": {"delay": 0.02},
}


@paid
@pytest.mark.parametrize("fault", ACCEPTED.values(), ids=ACCEPTED)
async def test_an_accepted_order_is_recognised(
    emulator: Emulator, pay: Pay, fault: dict[str, Any]
) -> None:
    """An id is an id, in whatever wrapping the answer comes."""
    emulator.inject(Fault(**fault))
    async with quick_client(emulator.base_url) as luma:
        generation = await pay(luma)

        assert [generation.id] == [bill.id for bill in emulator.ledger]
        assert PRICE == luma.statistics().tokens_spent
        assert () == luma.unclaimed()


@paid
@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, {}), (429, {"Retry-After": "0"}), (429, {"retry-after-ms": "3"}), (425, {})],
    ids=["H25-429", "H28-now", "H31-milliseconds", "H24-425"],
)
async def test_a_postponed_order_is_sent_again(
    emulator: Emulator, pay: Pay, status: int, headers: dict[str, str]
) -> None:
    """The service is busy and has refused: the order is repeated until it is taken, once."""
    emulator.inject(Fault(status=status, headers=headers, times=3))
    async with quick_client(emulator.base_url) as luma:
        generation = await pay(luma)

        assert [generation.id] == [bill.id for bill in emulator.ledger]
        assert 4 == posts(emulator)
        assert PRICE == luma.statistics().tokens_spent


@paid
async def test_an_order_is_not_repeated_when_the_service_wants_an_hour(
    emulator: Emulator, pay: Pay
) -> None:
    """A Retry-After beyond the deadline fails the order at once, and tells for how long."""
    emulator.inject(Fault(status=429, headers={"Retry-After": "3600"}))
    async with quick_client(emulator.base_url) as luma:
        error = await how_it_ends(luma, pay)

        assert isinstance(error, RateLimitError)
        assert 3600.0 == error.retry_after
        assert (1, 0) == (posts(emulator), luma.statistics().tokens_spent)


@paid
async def test_a_busy_service_in_disguise_is_believed(emulator: Emulator, pay: Pay) -> None:
    """H41: a 429 within a 200 is a 429, though too odd to order again."""
    emulator.inject(Fault(status=200, body={"statusCode": 429, "message": "Too many"}))
    async with quick_client(emulator.base_url) as luma:
        with pytest.raises(RateLimitError):
            await pay(luma)

        assert (1, 0) == (posts(emulator), emulator.billed)


async def end_at_once(caller: Caller) -> None:
    """Close the connection without a word."""
    caller.finish()


async def reset_at_once(caller: Caller) -> None:
    """Reset the connection without a word."""
    caller.reset()


async def say_nothing(caller: Caller) -> None:
    """Never answer."""
    await caller.hang()


async def drip_head(caller: Caller) -> None:
    """Send a byte now and then, so that no single read waits for long."""
    await caller.send(*(bytes([byte]) for byte in http() * 100), pause=0.01)


def saying(*pieces: bytes) -> Serve:
    """Send some bytes, and close."""

    async def serve(caller: Caller) -> None:
        await caller.send(*pieces)
        caller.finish()

    return serve


CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
BYTE_LEVEL: dict[str, Serve] = {
    "N13-end": end_at_once,
    "N13-reset": reset_at_once,
    "N16-chunk-cut": saying(CHUNKED + b"10\r\n" + RECEIPT[:10]),
    "N16-chunks-without-end": saying(CHUNKED + b"%x\r\n" % len(RECEIPT) + RECEIPT + b"\r\n"),
    "N17-close-delimited-cut": saying(b"HTTP/1.1 201 Created\r\n\r\n" + RECEIPT[:-1]),
    "N18-dripping-head": drip_head,
    "N20-silent": say_nothing,
    "N26-early-hints-only": saying(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "N28-no-status": saying(b"jellyfish\r\n\r\n"),
    "N28-bad-status": saying(b"HTTP/1.1 99999 Huh\r\n\r\n"),
    "N28-http-0.9": saying(RECEIPT),
    "N29-length-and-chunks": saying(
        b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello"
    ),
    "N30-endless-header": saying(b"HTTP/1.1 201 Created\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n"),
    "H43-endless-body": saying(http(headers={"Content-Length": "10000000"}), b" " * 9_000_000),
    "H45-corrupt-gzip": saying(http(headers={"Content-Encoding": "gzip"})),
}


@paid
@pytest.mark.parametrize("own", [True, False], ids=["own-session", "given-session"])
@pytest.mark.parametrize("serve", BYTE_LEVEL.values(), ids=BYTE_LEVEL)
async def test_a_broken_answer_leaves_one_request_and_an_unknown_outcome(
    pay: Pay, serve: Serve, *, own: bool
) -> None:
    """Bytes that are no answer prove nothing, and the order is not sent again."""
    async with raw_server(serve) as server, aiohttp.ClientSession() as session:
        luma = quick_client(
            server.base_url,
            timeouts=Timeouts(paid=0.08 if serve in (drip_head, say_nothing) else 2.0),
            session=None if own else session,
        )
        async with luma:
            error = await how_it_ends(luma, pay)

            assert isinstance(error, SubmissionUnknownError)
            assert (1, 1) == (server.posts(), server.connections)
            assert PRICE == luma.statistics().tokens_spent


@paid
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + http(),
        CHUNKED + b"%x\r\n" % len(RECEIPT) + RECEIPT + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 201 Created\r\n\r\n" + RECEIPT,
        http(body=b"\xef\xbb\xbf" + RECEIPT),
        http() + b"HTTP/1.1 500 Garbage\r\n\r\n",
    ],
    ids=["N26-early-hints", "chunked", "N17-close-delimited", "B02-mark", "N27-garbage"],
)
async def test_an_unusual_answer_that_is_whole_counts(pay: Pay, answer: bytes) -> None:
    """Odd, yet complete: the id is taken."""
    async with raw_server(saying(answer)) as server, quick_client(server.base_url) as luma:
        assert "g-1" == (await pay(luma)).id
        assert 1 == server.posts()


@pytest.mark.parametrize("end", ["finish", "reset"])
async def test_n14_an_answer_cut_at_any_byte_is_unknown_until_the_last(end: str) -> None:
    """Only the last byte makes an order accepted; no cut answer is read as something else."""
    answer = http(headers={"X-Request-Id": "r-1"})
    cuts = range(len(answer) + (end == "finish"))

    async def serve(caller: Caller) -> None:
        await caller.send(answer[: caller.turn - 1])
        getattr(caller, end)()

    async with raw_server(serve) as server, quick_client(server.base_url) as luma:
        for cut in cuts:
            ended = await how_it_ends(luma, create)

            assert cut + 1 == server.posts() == server.connections
            if cut < len(answer):
                assert isinstance(ended, SubmissionUnknownError), cut
            else:
                assert "g-1" == getattr(ended, "id", ended)


@pytest.mark.parametrize("length", [0, 1, 50, 200, 300])
async def test_n11_n12_a_reset_within_the_request_is_unknown(length: int) -> None:
    """The service breaks off before it has read all; it may have understood all the same."""
    async with (
        raw_server(reset_at_once, read_at_most=length) as server,
        quick_client(server.base_url) as luma,
    ):
        error = await how_it_ends(luma, create)

        assert isinstance(error, (SubmissionUnknownError, ConnectError))
        assert 1 == server.connections
        assert (PRICE if isinstance(error, SubmissionUnknownError) else 0) == (
            luma.statistics().tokens_spent
        )


@paid
async def test_n01_a_refused_connection_is_tried_again_and_costs_nothing(pay: Pay) -> None:
    """Nobody listens: a few attempts, then an error that says that nothing was sent."""
    base_url = f"http://127.0.0.1:{free_port()}"
    async with quick_client(base_url, budget=Budget(tokens=PRICE)) as luma:
        first = await how_it_ends(luma, pay)
        second = await how_it_ends(luma, pay)

        assert ConnectError is type(first) is type(second)
        assert "nothing was sent" in str(first)
        assert (0, {}) == (luma.statistics().tokens_spent, luma.statistics().requests)


@paid
async def test_n01_an_order_goes_out_as_soon_as_the_service_listens(pay: Pay) -> None:
    """The service is started late; the order waits for it and is paid once."""
    port = free_port()
    emulator = Emulator(port=port)
    emulator.place("parent", "The parent")
    retries = RetryPolicy(attempts=100, first_delay=0.002, max_delay=0.002, budget_floor=1000)
    async with quick_client(f"http://127.0.0.1:{port}", retries=retries) as luma:
        order = asyncio.ensure_future(pay(luma))
        while luma.statistics().in_flight == 0:
            await asyncio.sleep(0)
        async with emulator:
            assert (await order).id == emulator.ledger[0].id
        assert 1 == emulator.billed == posts(emulator)


@paid
async def test_n07_an_untrusted_certificate_is_not_tried_again(pay: Pay) -> None:
    """A certificate of nobody known: nothing is sent, and the connection is not tried again."""
    handshakes: list[object] = []
    tls = presenting()
    tls.sni_callback = lambda *seen: handshakes.append(seen)
    async with (
        raw_server(answering(http()), tls=tls) as server,
        quick_client(server.base_url) as luma,
    ):
        error = await how_it_ends(luma, pay)

        assert isinstance(error, ConnectError)
        assert (False, 1, []) == (error.retryable, len(handshakes), server.requests)
        assert 0 == luma.statistics().tokens_spent


async def test_n07_a_trusted_certificate_works() -> None:
    """TLS as such works, on a fresh connection for each order, by a session of the caller's."""
    connector = aiohttp.TCPConnector(ssl=trusting())
    async with (
        raw_server(answering(http()), tls=presenting()) as server,
        aiohttp.ClientSession(connector=connector) as session,
        quick_client(server.base_url, session=session) as luma,
    ):
        assert ["g-1", "g-1"] == [(await create(luma)).id, (await extend(luma)).id]
        assert 2 == server.connections


@paid
async def test_n09_tls_to_a_server_without_it_is_not_sent(pay: Pay) -> None:
    """The other end speaks no TLS: nothing is sent, and nothing tried again."""
    async with (
        raw_server(saying(b"HTTP/1.1 400 Bad\r\n\r\n"), read_at_most=1) as server,
        quick_client(f"https://127.0.0.1:{server.port}") as luma,
    ):
        assert ConnectError is type(await how_it_ends(luma, pay))
        assert 1 == server.connections
        assert 0 == luma.statistics().tokens_spent


@paid
async def test_n08_a_hanging_handshake_ends_with_the_time_for_connecting(pay: Pay) -> None:
    """The other end says nothing: the time for a connection is over, and nothing was sent."""
    async with (
        raw_server(say_nothing, read_at_most=1) as server,
        quick_client(
            f"https://127.0.0.1:{server.port}",
            timeouts=Timeouts(connect=0.02),
            retries=RetryPolicy(attempts=2, first_delay=0.001),
        ) as luma,
    ):
        assert ConnectError is type(await how_it_ends(luma, pay))
        assert 2 == server.connections
        assert 0 == luma.statistics().tokens_spent


@paid
async def test_n10_a_proxy_that_refuses_is_proven_not_sent(pay: Pay) -> None:
    """The caller's proxy says no to the tunnel: nothing reached the service."""
    proxy = saying(http(407, b"no", {"Connection": "close"}))
    async with (
        raw_server(proxy) as server,
        raw_server(answering(http()), tls=presenting()) as service,
        aiohttp.ClientSession(proxy=server.base_url) as session,
        quick_client(
            service.base_url, session=session, retries=RetryPolicy(attempts=2, first_delay=0.001)
        ) as luma,
    ):
        error = await how_it_ends(luma, pay)

        assert ConnectError is type(error)
        assert 0 == server.posts() == service.posts()
        assert 0 == luma.statistics().tokens_spent


@pytest.mark.parametrize("own", [True, False], ids=["own-session", "given-session"])
async def test_n22_each_order_has_a_connection_of_its_own(emulator: Emulator, *, own: bool) -> None:
    """Orders never go out on a connection that was used before, free requests may."""
    async with aiohttp.ClientSession() as session:
        async with quick_client(emulator.base_url, session=None if own else session) as luma:
            for _ in range(3):
                await luma.list()
                await create(luma)
                await extend(luma)
        used = [
            (request.route == "list", request.connection)
            for request in emulator.requests
            if request.host == "api"
        ]
        orders = [connection for free, connection in used if not free]
        free = [connection for free, connection in used if free]

        assert 6 == len(set(orders))
        assert 1 == len(set(free))
        assert set() == set(orders) & set(free)


@paid
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_h06_a_redirected_order_goes_nowhere_else(pay: Pay, status: int) -> None:
    """A redirect to another origin is not followed: neither key nor prompt arrives there."""
    async with raw_server(answering(http())) as elsewhere:
        moved = http(status, b"", {"Location": f"{elsewhere.base_url}/luma-ai/generations"})
        async with raw_server(answering(moved)) as server, quick_client(server.base_url) as luma:
            error = await how_it_ends(luma, pay)

        assert isinstance(error, SubmissionUnknownError)
        assert elsewhere.base_url in str(error)
        assert (1, 0) == (server.posts(), elsewhere.connections)


async def test_n24_more_orders_than_a_pool_has_places_are_not_unsent() -> None:
    """As many orders are under way as the caller allows, also more than a hundred at once."""
    many = 105
    everybody = asyncio.Event()

    async def serve(caller: Caller) -> None:
        if caller.turn == many:
            everybody.set()
        await everybody.wait()
        await caller.send(http())

    async with (
        raw_server(serve) as server,
        quick_client(
            server.base_url,
            limits=Limits(concurrent_requests=many, requests_per_second=10_000),
            timeouts=Timeouts(connect=3.0, paid=20.0),
        ) as luma,
    ):
        made = await asyncio.gather(*(create(luma) for _ in range(many)))

        assert ["g-1"] * many == [generation.id for generation in made]
        assert many == server.posts()


async def test_a_full_budget_refuses_the_next_order_while_one_is_under_way(
    emulator: Emulator,
) -> None:
    """Tokens are set aside before an order is sent, so that ten at once cannot overspend."""
    async with quick_client(emulator.base_url, budget=Budget(tokens=3 * PRICE)) as luma:
        ended = await asyncio.gather(*(how_it_ends(luma, create) for _ in range(10)))

        refused = [error for error in ended if isinstance(error, BudgetExceededError)]
        assert 7 == len(refused)
        assert (3 * PRICE, PRICE) == (refused[0].committed, refused[0].needed)
        assert 3 == emulator.billed == posts(emulator)


async def test_an_order_that_the_callers_session_cannot_send_is_a_mistake_in_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session with a password in the user's netrc cannot send the key: nothing leaves."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        raw_server(answering(http())) as server,
        aiohttp.ClientSession(trust_env=True) as session,
        quick_client(server.base_url, session=session) as luma,
    ):
        error = await how_it_ends(luma, create)

        assert ConfigurationError is type(error)
        assert (0, 0) == (server.connections, luma.statistics().tokens_spent)


async def test_d17_a_session_with_a_password_of_its_own_is_refused_before_it_can_cost() -> None:
    """It would go to the host of the videos as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        session = aiohttp.ClientSession(auth=aiohttp.BasicAuth("me", "secret"))
    async with session:
        with pytest.raises(ConfigurationError, match="Authorization"):
            quick_client("http://127.0.0.1:1", session=session)


async def test_closing_waits_for_the_answer_to_an_order() -> None:
    """The client is closed while an order is under way: its caller still gets what it paid for."""
    arrived = asyncio.Event()

    async def serve(caller: Caller) -> None:
        arrived.set()
        while "closed" not in repr(luma):
            await asyncio.sleep(0)
        await caller.send(http())

    async with raw_server(serve) as server:
        luma = quick_client(server.base_url)
        async with luma:
            order = asyncio.create_task(create(luma))
            await arrived.wait()
        assert "g-1" == (await order).id
        assert [] == tasks_of_ours()


async def test_closing_refuses_orders_that_still_wait_for_their_turn(emulator: Emulator) -> None:
    """An order that has not been sent when the client is closed is not sent any more."""
    limits = Limits(concurrent_requests=1, requests_per_second=0.01)
    async with quick_client(emulator.base_url, limits=limits) as luma:
        await create(luma)
        orders = [asyncio.create_task(how_it_ends(luma, create)) for _ in range(3)]
        while luma.statistics().requests["create"] == 0:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    ended = await asyncio.gather(*orders)

    assert [ClientStateError] * 3 == [type(error) for error in ended]
    assert 1 == posts(emulator) == emulator.billed


async def test_closing_in_haste_leaves_the_outcome_unknown() -> None:
    """Whoever cancels the closing itself gets out at once, and the order's outcome is unknown."""
    arrived = asyncio.Event()

    async def serve(caller: Caller) -> None:
        arrived.set()
        await caller.hang()

    async with raw_server(serve) as server:
        luma = await quick_client(server.base_url).__aenter__()
        order = asyncio.create_task(how_it_ends(luma, create))
        await arrived.wait()
        closing = asyncio.create_task(luma.close())
        for _ in range(5):
            await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing

        assert isinstance(await order, SubmissionUnknownError)
        assert [] == tasks_of_ours()


async def test_two_clients_of_one_session_count_their_own_requests(emulator: Emulator) -> None:
    """A session that is shared by two clients does not make either count twice."""
    async with (
        aiohttp.ClientSession() as session,
        quick_client(emulator.base_url, session=session) as one,
        quick_client(emulator.base_url, session=session) as other,
    ):
        await create(one)
        await other.list()
        assert ({"create": 1}, {"list": 1}) == (
            one.statistics().requests,
            other.statistics().requests,
        )


async def test_a_middleware_that_repeats_requests_does_not_repeat_orders(
    emulator: Emulator,
) -> None:
    """A session whose middleware sends everything twice sends an order once."""

    async def twice(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        await handler(request)
        return await handler(request)

    async with (
        aiohttp.ClientSession(middlewares=[twice]) as session,
        quick_client(emulator.base_url, session=session) as luma,
    ):
        await create(luma)
        await luma.list()
        assert {"create": 1, "list": 2} == luma.statistics().requests


async def test_a_session_that_repeats_by_itself_cannot_repeat_an_order(emulator: Emulator) -> None:
    """A kind of session that asks again after a 503 is stopped before the second order leaves."""
    with pytest.warns(DeprecationWarning, match="Inheritance"):

        class Stubborn(aiohttp.ClientSession):
            async def _request(self, *args: Any, **options: Any) -> aiohttp.ClientResponse:
                response = await super()._request(*args, **options)
                repeats = response.status == 503
                return await self._request(*args, **options) if repeats else response

    emulator.inject(Fault(route="create", status=503, times=None))
    async with Stubborn() as session, quick_client(emulator.base_url, session=session) as luma:
        with pytest.raises(SubmissionUnknownError):
            await create(luma)
        assert 1 == posts(emulator) == luma.statistics().requests["create"]


async def test_n22_a_server_that_keeps_connections_open_gets_no_second_order() -> None:
    """A server that does not close the connection as it was asked to has it closed by us."""
    async with (
        raw_server(answering(http())) as server,
        aiohttp.ClientSession() as session,
        quick_client(server.base_url) as one,
        quick_client(server.base_url, session=session) as other,
    ):
        for luma in (one, other, one, other):
            await create(luma)
        assert 4 == server.posts() == server.connections


async def test_a_unix_socket_of_the_callers_session_carries_orders() -> None:
    """Any connector of the caller's will do."""
    emulator = Emulator()
    async with (
        unix_session(emulator.applications()[0]) as session,
        quick_client("http://localhost", session=session) as luma,
    ):
        assert (await create(luma)).id == emulator.ledger[0].id
