"""Free requests: repeated with patience and measure. In virtual time."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import anyio
import pytest

from luma_async import (
    AuthenticationError,
    BadRequestError,
    ClientStateError,
    DisconnectedError,
    LumaClient,
    LumaError,
    NotFoundError,
    OutOfCreditsError,
    RateLimitError,
    RequestTimeoutError,
    ResponseFormatError,
    RetryPolicy,
    ServerError,
)
from luma_async.emulator import Emulator, Fault
from tests.support.clients import virtual_client

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]


@pytest.fixture
def emulator() -> Emulator:
    """Make a service that knows one generation."""
    emulator = Emulator()
    emulator.place("done", "The done one")
    return emulator


@pytest.fixture
async def luma(emulator: Emulator) -> AsyncIterator[LumaClient]:
    """Open a client with its own settings."""
    async with virtual_client(emulator) as luma:
        yield luma


CALLS = ["get", "list", "upload"]


async def call(luma: LumaClient, route: str) -> Any:
    """Make a free request."""
    if route == "get":
        return await luma.get("done")
    return await (luma.list() if route == "list" else luma.upload_image("https://a.example/b.png"))


TRANSIENT: dict[str, dict[str, Any]] = {
    "N13-end": {"drop": "before"},
    "N13-reset": {"drop": "before", "reset": True},
    "N15-short": {"cut_at": 150},
    "N18-dripping": {"drip": 1.0},
    "N20-silent": {"delay": 3600.0},
    "H19-408": {"status": 408},
    "H24-425": {"status": 425},
    "H25-429": {"status": 429},
    "H26-429-later": {"status": 429, "headers": {"Retry-After": "20"}},
    "H36-500": {"status": 500},
    "H36-502": {"status": 502, "body": "<html>Bad gateway</html>"},
    "H36-503": {"status": 503, "headers": {"Retry-After": "7"}},
    "H36-504": {"status": 504},
    "H37-520": {"status": 520},
    "H39-page": {"status": 200, "body": "<html>Maintenance</html>"},
    "H41-embedded-429": {"status": 200, "body": {"statusCode": 429}},
    "H42-null": {"status": 200, "body": b"null"},
    "H45-corrupt-gzip": {"headers": {"Content-Encoding": "gzip"}},
}


@pytest.mark.parametrize("route", CALLS)
@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
async def test_a_passing_failure_is_not_seen(
    luma: LumaClient, emulator: Emulator, fault: dict[str, Any], route: str
) -> None:
    """Whatever goes wrong three times is repeated; the caller gets the fourth answer."""
    emulator.inject(Fault(times=3, **fault))
    assert await call(luma, route)
    # aiohttp itself sends a GET once more where a kept connection turns out to be dead.
    assert len(emulator.requests) == sum(luma.statistics().requests.values()) >= 4


LASTING: dict[str, tuple[dict[str, Any], type[LumaError]]] = {
    "N13-end": ({"drop": "before"}, DisconnectedError),
    "N20-silent": ({"delay": 3600.0}, RequestTimeoutError),
    "H36-500": ({"status": 500}, ServerError),
    "H39-page": ({"status": 200, "body": "<html>Maintenance</html>"}, ResponseFormatError),
}


@pytest.mark.parametrize("route", CALLS)
@pytest.mark.parametrize(("fault", "kind"), LASTING.values(), ids=LASTING)
async def test_a_lasting_failure_is_raised_after_four_attempts(
    luma: LumaClient,
    emulator: Emulator,
    fault: dict[str, Any],
    kind: type[LumaError],
    route: str,
) -> None:
    """Trying ends, and the last failure is what the caller gets."""
    emulator.inject(Fault(times=None, **fault))
    with pytest.raises(kind):
        await call(luma, route)
    assert 4 <= len(emulator.requests) <= 8
    assert anyio.current_time() < 120.0


FINAL: dict[str, tuple[dict[str, Any], type[LumaError]]] = {
    "H07-302": ({"status": 302, "headers": {"Location": "/elsewhere"}}, LumaError),
    "H11-400": ({"status": 400}, BadRequestError),
    "H13-401": ({"status": 401}, AuthenticationError),
    "H14-403": ({"status": 403}, OutOfCreditsError),
    "H16-404": ({"status": 404}, NotFoundError),
    "H18-410": ({"status": 410}, LumaError),
    "H20-409": ({"status": 409}, LumaError),
    "H37-501": ({"status": 501}, ServerError),
    "H30-429-tomorrow": ({"status": 429, "headers": {"Retry-After": "86400"}}, RateLimitError),
    "H30-503-tomorrow": ({"status": 503, "headers": {"Retry-After": "86400"}}, ServerError),
}


@pytest.mark.parametrize("route", CALLS)
@pytest.mark.parametrize(("fault", "kind"), FINAL.values(), ids=FINAL)
async def test_a_clear_no_is_not_asked_again(
    luma: LumaClient,
    emulator: Emulator,
    fault: dict[str, Any],
    kind: type[LumaError],
    route: str,
) -> None:
    """What repeating cannot change is raised at once."""
    emulator.inject(Fault(times=None, **fault))
    begun = anyio.current_time()
    with pytest.raises(kind):
        await call(luma, route)
    assert 1 == len(emulator.requests)
    assert anyio.current_time() - begun < 1.0


@pytest.mark.parametrize(
    ("headers", "minimum", "most"),
    [
        ({"Retry-After": "30"}, 30.0, 33.1),
        ({"Retry-After": " 30 "}, 30.0, 33.1),
        ({"retry-after-ms": "2500"}, 2.5, 2.8),
        (
            {
                "Date": "Sun, 06 Nov 1994 08:49:00 GMT",
                "Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT",
            },
            37.0,
            40.8,
        ),
        ({"Retry-After": "0"}, 0.0, 0.6),
        ({"Retry-After": "-5"}, 0.0, 0.6),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0.0, 0.6),
        ({"Retry-After": "soon"}, 0.0, 0.6),
        ({"Retry-After": "1e999"}, 0.0, 0.6),
        ({"Retry-After": "nan"}, 0.0, 0.6),
    ],
    ids=[
        *("H26-seconds", "H29-spaces", "H31-milliseconds", "H27-date", "H28-now"),
        *("H29-negative", "H29-past", "H29-garbage", "H29-overflow", "H29-nan"),
    ],
)
async def test_retry_after_is_kept_in_all_its_forms(
    luma: LumaClient, emulator: Emulator, headers: dict[str, str], minimum: float, most: float
) -> None:
    """The client comes back when it was told to, a little later and never sooner."""
    emulator.inject(Fault(status=429, headers=headers))
    await luma.list()
    first, second = emulator.requests
    assert minimum <= second.at - first.at <= most


async def test_h32_a_service_that_stays_busy_is_given_up(
    luma: LumaClient, emulator: Emulator
) -> None:
    """A 429 that lasts ends a question after its attempts, an order within two minutes."""
    emulator.inject(Fault(status=429, times=None))
    with pytest.raises(RateLimitError):
        await luma.list()
    assert 4 == len(emulator.requests)
    with pytest.raises(RateLimitError):
        await luma.create("A jellyfish")
    assert 60.0 < anyio.current_time() <= 181.0
    assert (0, 0) == (emulator.billed, luma.statistics().tokens_spent)
    assert len(emulator.requests) < 60


async def test_i11_all_calls_share_what_may_be_repeated(emulator: Emulator) -> None:
    """A hundred calls during an outage add ten repetitions a minute and a tenth, not three each."""
    emulator.inject(Fault(status=500, times=None))
    async with virtual_client(emulator) as luma:
        begun = anyio.current_time()
        ended = await asyncio.gather(*(luma.list() for _ in range(100)), return_exceptions=True)
        minutes = (anyio.current_time() - begun) / 60

    assert {ServerError} == {type(error) for error in ended}
    repeated = len(emulator.requests) - 100
    assert 10 <= repeated <= 10 + 0.1 * len(emulator.requests) + 10 * minutes + 1


async def test_the_pauses_grow(emulator: Emulator) -> None:
    """The pause before the n-th repetition has a bound that doubles."""
    emulator.inject(Fault(status=500, times=None))
    async with virtual_client(emulator, retries=RetryPolicy(attempts=7, first_delay=1.0)) as luma:
        with pytest.raises(ServerError):
            await luma.list()
    times = [request.at for request in emulator.requests]
    pauses = [b - a for a, b in pairwise(times)]
    assert 6 == len(pauses)
    for place, pause in enumerate(pauses):
        assert pause <= 2.0**place + 0.2


async def test_closing_ends_free_requests_at_once(emulator: Emulator) -> None:
    """A call that hangs, one that pauses and one that waits for its turn end with the client."""
    emulator.inject(Fault(route="list", times=None, delay=3600.0))
    emulator.inject(Fault(route="upload", times=None, status=429, headers={"Retry-After": "100"}))
    async with virtual_client(emulator) as luma:
        calls = [asyncio.create_task(call(luma, route)) for route in ["list", "upload"] * 20]
        await anyio.sleep(6.0)
        before = anyio.current_time()
        await luma.close()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert anyio.current_time() - before <= 0.5
    assert {ClientStateError} == {type(error) for error in ended}


async def test_what_is_asked_for_is_counted(luma: LumaClient, emulator: Emulator) -> None:
    """The statistics agree with what reached the service."""
    await luma.get("done")
    await luma.get_many([f"g-{number}" for number in range(45)])
    await luma.list()
    assert {"get": 4, "list": 1} == luma.statistics().requests
    assert 46 == luma.statistics().ids_asked == sum(len(one.ids) for one in emulator.requests)
    assert 0 == luma.statistics().in_flight
