"""The key goes to the API and appears nowhere else, whatever happens and whoever looks."""

import asyncio
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import TracebackType

import anyio
import pytest

from luma_async import (
    Budget,
    ConfigurationError,
    Limits,
    LumaClient,
    LumaError,
    PollPolicy,
    RetryPolicy,
    Timeouts,
)
from luma_async._api.transport import MAX_BODY_BYTES
from luma_async.emulator import Emulator, Fault
from tests.support.clients import KEY, QUICK_LIMITS, QUICK_POLLING, quick_client
from tests.support.raw_server import Caller, answering, free_port, http, raw_server

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

Call = Callable[[LumaClient], Awaitable[object]]

CALLS: dict[str, Call] = {
    "create": lambda luma: luma.create("A jellyfish"),
    "extend": lambda luma: luma.extend("parent", "A jellyfish"),
    "get": lambda luma: luma.get("parent"),
    "get_many": lambda luma: luma.get_many(["parent", "b"]),
    "list": lambda luma: luma.list(),
    "upload": lambda luma: luma.upload_image("https://a.example/b.png"),
    "wait": lambda luma: luma.wait_until_done("pending", timeout=0.15),
    "generate": lambda luma: luma.generate("A jellyfish", timeout=0.15),
}


@pytest.fixture(autouse=True)
async def _all_is_logged(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Log everything that anybody logs, and find the key in none of it."""
    caplog.set_level(logging.DEBUG)
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    yield
    loop.set_debug(False)
    for record in caplog.records:
        assert KEY not in record.getMessage() + repr(record.__dict__)
    assert KEY not in caplog.text


def everything(value: object, seen: set[int]) -> Iterator[str]:
    """Show all that can be reached from an exception, as tools that report errors do."""
    if id(value) in seen:
        return
    seen.add(id(value))
    yield repr(value)
    if isinstance(value, BaseException):
        yield str(value)
        yield "".join(traceback.format_exception(value))
        for part in (value.args, value.__dict__, value.__cause__, value.__context__):
            yield from everything(part, seen)
        yield from frames(value.__traceback__)
        if isinstance(value, BaseExceptionGroup):
            yield from everything(value.exceptions, seen)
    elif isinstance(value, dict):
        for one in value.values():
            yield from everything(one, seen)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from everything(one, seen)


def frames(trace: TracebackType | None) -> Iterator[str]:
    """Show the local variables of the package, and of those below it, in a traceback."""
    while trace is not None:
        # The test itself has the key.
        if "tests" not in Path(trace.tb_frame.f_code.co_filename).parts:
            for name, value in trace.tb_frame.f_locals.items():
                yield f"{name}={value!r}"
                if type(value).__module__.startswith(("luma_async", "aiohttp", "multidict")):
                    yield repr(getattr(value, "__dict__", ""))
        trace = trace.tb_next


async def how_it_ends(call: Call, luma: LumaClient) -> object:
    """Make a call, and return what comes of it."""
    try:
        return await call(luma)
    except LumaError as error:
        return error


def check(ended: object, luma: LumaClient) -> None:
    """Find the key in nothing that a caller gets hold of."""
    for text in everything(ended, set()):
        assert KEY not in text
    pickled = pickle.dumps(ended)
    assert KEY.encode() not in pickled
    assert repr(ended) == repr(pickle.loads(pickled))
    for value in (luma, luma.statistics(), luma.unclaimed(), luma._engine):
        assert KEY not in repr(value)
    assert KEY not in repr(vars(luma))


ECHO = http(200, b'{"message": "your key is %s"}' % KEY.encode())
ECHOES: dict[str, bytes] = {
    "in-a-body": ECHO,
    "in-headers": http(200, b"[]", {"X-Request-Id": KEY, "Retry-After": KEY, "X-Echo": KEY}),
    "in-a-401": http(401, b'{"message": "no such key: %s"}' % KEY.encode()),
    "in-a-500": http(500, f"<html>{KEY}</html>".encode(), {"X-Request-Id": KEY}),
    "in-a-redirect": http(302, b"", {"Location": f"https://a.example/?key={KEY}"}),
    "in-a-generation": http(
        200, b'[{"id": "parent", "state": "failed", "failure_reason": "%s"}]' % KEY.encode()
    ),
    "in-a-receipt": http(201, b'{"id": "a", "state": "%s"}' % KEY.encode()),
    "in-a-status-line": f"HTTP/1.1 999999 {KEY}\r\n\r\n".encode(),
    "in-a-broken-header": f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode(),
    "in-a-long-answer": http(200, KEY.encode() * (MAX_BODY_BYTES // 30), {"X-Echo": KEY}),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
async def test_a_service_that_repeats_the_key_is_not_quoted(answer: bytes, call: Call) -> None:
    """What the service says reaches the caller without the key."""
    async with (
        raw_server(answering(answer)) as server,
        quick_client(server.base_url, retries=RetryPolicy(attempts=1)) as luma,
    ):
        # A wait may be over before its first request is out, where the machine is busy.
        with anyio.fail_after(30.0):
            while not any(KEY.encode() in request for request in server.requests):
                check(await how_it_ends(call, luma), luma)


FAULTS: dict[str, Fault | None] = {
    "healthy": None,
    "400": Fault(status=400, times=None),
    "401": Fault(status=401, times=None),
    "403": Fault(status=403, times=None),
    "404": Fault(status=404, times=None),
    "429": Fault(status=429, headers={"Retry-After": "1000"}, times=None),
    "500": Fault(status=500, times=None),
    "dropped": Fault(drop="after", times=None),
    "reset": Fault(drop="before", reset=True, times=None),
    "cut": Fault(cut_at=100, times=None),
    "silent": Fault(delay=3600.0, times=None),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("name", FAULTS)
async def test_no_failure_shows_the_key(name: str, call: Call) -> None:
    """Neither values nor errors, nor anything that can be reached from them, hold it."""
    emulator = Emulator(api_key=KEY)
    emulator.place("parent", "The parent")
    emulator.place("pending", "The other", [(0.0, "pending")])
    if (fault := FAULTS[name]) is not None:
        emulator.inject(fault)
    async with (
        emulator,
        quick_client(
            emulator.base_url,
            retries=RetryPolicy(attempts=2, first_delay=0.001),
            timeouts=Timeouts(free=0.05, paid=0.05) if name == "silent" else Timeouts(),
        ) as luma,
    ):
        check(await how_it_ends(call, luma), luma)
        assert {f"Bearer {KEY}"} >= {request.authorization for request in emulator.requests}


async def test_no_connection_shows_the_key() -> None:
    """An error of connecting does not, either."""
    async with quick_client(f"http://127.0.0.1:{free_port()}") as luma:
        for call in CALLS.values():
            check(await how_it_ends(call, luma), luma)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_cancelled_call_does_not_show_the_key(call: Call) -> None:
    """The frames that a cancellation went through are not those that hold headers."""
    arrived = asyncio.Event()

    async def serve(caller: Caller) -> None:
        arrived.set()
        await caller.hang()

    async def expire(limit: asyncio.Timeout) -> None:
        await arrived.wait()
        limit.reschedule(asyncio.get_running_loop().time())

    async with (
        raw_server(serve) as server,
        quick_client(server.base_url, timeouts=Timeouts(free=60.0, paid=0.1)) as luma,
    ):

        async def cut_short() -> None:
            async with asyncio.timeout(None) as limit:
                expiry = asyncio.create_task(expire(limit))
                await call(luma)
                await expiry

        with pytest.raises((TimeoutError, LumaError)) as late:
            await cut_short()
        for text in everything(late.value, set()):
            assert KEY not in text
        assert server.requests


async def test_the_host_of_the_videos_does_not_get_the_key(tmp_path: Path) -> None:
    """A download sends no Authorization, however the key came into the session."""
    async with (
        Emulator(time_scale=10_000.0) as emulator,
        quick_client(emulator.base_url) as luma,
    ):
        done = await luma.generate("A jellyfish")
        await luma.download(done, tmp_path / "jellyfish.mp4")
        videos = [request for request in emulator.requests if request.host == "cdn"]
        assert videos
        assert {None} == {request.authorization for request in videos}


@pytest.mark.parametrize("bad", [f"{KEY} ", f"Bearer {KEY}", f"{KEY}\n", f"'{KEY}'", f"{KEY}€"])
async def test_a_key_that_is_refused_is_not_shown(bad: str) -> None:
    """The error tells what is wrong with a key and not what it is."""
    with pytest.raises(ConfigurationError) as refused:
        LumaClient(bad)
    for text in (str(refused.value), repr(refused.value), repr(refused.value.__dict__)):
        assert KEY not in text


async def test_a_key_is_not_pickled() -> None:
    """Whoever tries to store a client, or its options, does not store the key."""
    luma = LumaClient(KEY)
    for value in (luma, luma._engine.api_key_provider):
        with pytest.raises(TypeError, match=r"not to be stored|pickle"):
            pickle.dumps(value)


async def test_settings_show_no_key() -> None:
    """Options can be printed."""
    shown = [QUICK_LIMITS, QUICK_POLLING, Limits(), PollPolicy(), RetryPolicy(), Budget()]
    assert KEY not in repr(shown)
    await anyio.lowlevel.checkpoint()
