"""Bad input is refused before any byte is sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from luma_async import ConfigurationError, LumaClient, Order
from luma_async.emulator import Emulator
from tests.support.clients import quick_client

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

Call = Callable[[LumaClient], Awaitable[Any]]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Serve on a real port."""
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
async def luma(emulator: Emulator) -> AsyncIterator[LumaClient]:
    """Open a client that has nothing sent when the test is over."""
    async with quick_client(emulator.base_url) as luma:
        yield luma
    assert () == emulator.requests
    assert {} == luma.statistics().requests


ORDERS: dict[str, dict[str, Any]] = {
    "U01-empty": {"user_prompt": ""},
    "U01-blank": {"user_prompt": " \n\t"},
    "U02-long": {"user_prompt": "a" * 32_769},
    "U03-surrogate": {"user_prompt": "half \ud83d"},
    "U04-nul": {"user_prompt": "a\x00b"},
    "U04-escape": {"user_prompt": "\x1b[31mred"},
    "U04-c1": {"user_prompt": "a\x85b"},
    "no-text": {"user_prompt": b"bytes"},
    "none": {"user_prompt": None},
    "U09-ratio": {"aspect_ratio": "19:9"},
    "U09-x": {"aspect_ratio": "16x9"},
    "U09-number": {"aspect_ratio": 1.777},
    "expand": {"expand_prompt": "yes"},
    "U10-file": {"image_url": "file:///etc/passwd"},
    "U10-data": {"image_url": "data:image/png;base64,AAAA"},
    "U10-ftp": {"image_end_url": "ftp://a.example/b.png"},
    "U10-relative": {"image_url": "/b.png"},
    "U10-empty": {"image_url": ""},
    "U10-password": {"image_url": "https://me:secret@a.example/b.png"},
    "U10-space": {"image_end_url": "https://a.example/a b.png"},
    "U10-line": {"image_url": "https://a.example/\r\nX: y"},
    "U10-long": {"image_url": "https://a.example/" + "a" * 5000},
    "U10-bytes": {"image_url": b"https://a.example/b.png"},
}


@pytest.mark.parametrize("options", ORDERS.values(), ids=ORDERS)
async def test_an_order_that_cannot_work_is_refused(
    luma: LumaClient, options: dict[str, Any]
) -> None:
    """Whichever call it is given to, and nothing is set aside for it."""
    arguments = {"user_prompt": "A jellyfish", **options}
    prompt = arguments.pop("user_prompt")
    for call in (luma.create, luma.generate):
        with pytest.raises(ConfigurationError):
            await call(prompt, **arguments)
    with pytest.raises(ConfigurationError):
        await luma.extend("parent", prompt, **arguments)
    (outcome,) = [one async for one in luma.generate_many([Order(prompt, **arguments)])]
    assert isinstance(outcome.error, ConfigurationError)
    assert 0 == luma.statistics().tokens_spent


BAD_IDS = ["", "a/b", "a?b", "a#b", "..", "a b", "a%2Fb", "ä", "a" * 257, "a\n", None, 7, b"a"]


@pytest.mark.parametrize("bad", BAD_IDS, ids=repr)
async def test_s22_what_is_no_id_is_refused(luma: LumaClient, bad: Any) -> None:
    """At every entrance, so that it can never change the address of a request."""
    calls: list[Call] = [
        lambda luma: luma.get(bad),
        lambda luma: luma.get_many(["a", bad]),
        lambda luma: luma.extend(bad, "A jellyfish"),
        lambda luma: luma.wait_until_done(["a", bad]),
        lambda luma: luma.download(bad, "a.mp4"),
    ]
    if isinstance(bad, str):
        calls.append(lambda luma: luma.wait_until_done(bad))
    for call in calls:
        with pytest.raises(ConfigurationError):
            await call(luma)
    with pytest.raises(ConfigurationError):
        luma.as_completed(["a", bad])
    with pytest.raises(ConfigurationError):
        luma.watch(bad)


@pytest.mark.parametrize("bad", [-1, -0.001, float("nan"), "10", True, b"1"], ids=repr)
async def test_a_bad_timeout_is_refused(luma: LumaClient, bad: Any) -> None:
    """A wait has a number of seconds or none; no order is paid before that is seen."""
    calls: list[Call] = [
        lambda luma: luma.wait_until_done("a", timeout=bad),
        lambda luma: luma.wait_until_done(["a"], timeout=bad),
        lambda luma: luma.generate("A jellyfish", timeout=bad),
    ]
    for call in calls:
        with pytest.raises(ConfigurationError, match="timeout"):
            await call(luma)
    with pytest.raises(ConfigurationError, match="timeout"):
        luma.as_completed(["a"], timeout=bad)


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", True], ids=repr)
async def test_a_bad_number_of_slots_is_refused(luma: LumaClient, bad: Any) -> None:
    """At once, and not at the first iteration."""
    with pytest.raises(ConfigurationError, match="max_in_flight"):
        luma.generate_many(["A jellyfish"], max_in_flight=bad)


async def test_one_id_is_not_many(luma: LumaClient) -> None:
    """Text where an iterable belongs is not taken for its letters."""
    with pytest.raises(ConfigurationError, match="expected generations or ids"):
        await luma.get_many("abc")
    with pytest.raises(ConfigurationError, match="expected generations or ids"):
        luma.as_completed("abc")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("A fox", id="one prompt"),
        pytest.param(Order("A fox"), id="one order"),
        pytest.param({"user_prompt": "A fox"}, id="a mapping"),
        pytest.param(5, id="a number"),
    ],
)
async def test_one_order_is_not_many(luma: LumaClient, bad: Any) -> None:
    """A prompt where prompts are due would be paid for letter by letter."""
    with pytest.raises(ConfigurationError, match="expected many orders"):
        luma.generate_many(bad)


async def test_a_forgotten_await_is_named(luma: LumaClient) -> None:
    """A coroutine where generations are due is the commonest slip of all."""
    forgotten = luma.get("a")
    with pytest.raises(ConfigurationError, match="await"):
        await luma.wait_until_done(forgotten)  # type: ignore[call-overload]
    forgotten.close()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"limits": None}, id="limits"),
        pytest.param({"polling": 5}, id="polling"),
        pytest.param({"retries": 3}, id="retries"),
        pytest.param({"timeouts": 30}, id="timeouts"),
        pytest.param({"budget": 1_000_000}, id="budget"),
        pytest.param({"session": "x"}, id="session"),
    ],
)
async def test_an_option_of_another_kind_is_refused_before_it_can_cost_anything(
    options: Any,
) -> None:
    """The error names the option and the class that it has to be made of."""
    (name,) = options
    with pytest.raises(ConfigurationError, match=rf"^{name}: expected [A-Z]\w+\(\.\.\.\)"):
        LumaClient("any", **options)


async def test_no_ids_make_no_request(luma: LumaClient) -> None:
    """An empty list has an empty answer."""
    assert {} == await luma.get_many([])
    assert [] == await luma.wait_until_done([])
    assert [] == [one async for one in luma.as_completed([])]
    assert [] == [one async for one in luma.generate_many([])]


@pytest.mark.parametrize("bad", ["", "b.png", "file:///b.png", None, 7], ids=repr)
async def test_a_bad_image_is_refused(luma: LumaClient, bad: Any) -> None:
    """Only an http(s) address can be uploaded."""
    with pytest.raises(ConfigurationError):
        await luma.upload_image(bad)


@pytest.mark.parametrize(
    "bad", ["", " sk-1", "sk-1 ", "a b", "a\r\nb", "sk-€", "\ud83d", "'sk-1'", '"', 7], ids=repr
)
async def test_u07_what_is_no_key_is_refused(bad: Any) -> None:
    """When the client is made, and the error says what is wrong with it."""
    with pytest.raises(ConfigurationError, match="key"):
        LumaClient(bad)


@pytest.mark.parametrize(
    "bad",
    [
        *("", "api.example", "ftp://api.example", "http://api.example", "https://"),
        *("https://me@api.example", "https://api.example/?a=b", "https://api.example/#a"),
        *("https://api.example:port", "https://a\nb", "https://-\u00e4.example", 7),
    ],
    ids=repr,
)
async def test_u11_a_bad_address_is_refused(bad: Any) -> None:
    """The key must not travel in clear, or to who knows where."""
    with pytest.raises(ConfigurationError, match="base_url"):
        LumaClient("sk-1", base_url=bad)
