"""Where the key comes from."""

import anyio
import pytest

from luma_async import ConfigurationError, ConnectError, SubmissionUnknownError, Timeouts
from luma_async._api.api_key_provider import ApiKeyProvider
from luma_async.emulator import Emulator
from tests.support.clients import KEY, posts, quick_client

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]


async def test_a_key_may_be_text_or_come_from_a_function_of_either_kind() -> None:
    """Text, a function and a coroutine function give the same key."""

    async def later() -> str:
        return KEY

    for source in (KEY, lambda: KEY, later):
        assert KEY == (await ApiKeyProvider(source, 1.0).key()).reveal()


async def test_a_function_is_asked_for_each_request() -> None:
    """A key that is exchanged while the client is open is used from the next request on."""
    keys = iter(["one", "two", "three"])
    async with (
        Emulator() as emulator,
        quick_client(emulator.base_url, api_key=lambda: next(keys)) as luma,
    ):
        await luma.list()
        await luma.create("A jellyfish")
        await luma.list()
        assert ["Bearer one", "Bearer two", "Bearer three"] == [
            request.authorization for request in emulator.requests
        ]


@pytest.mark.parametrize("bad", ["", "two words", "a\nb", "sk-€", '"quoted"', None, 7])
async def test_a_function_that_returns_no_key_sends_nothing(bad: object) -> None:
    """What cannot be a key is refused before anything is sent, and is not shown."""
    async with (
        Emulator() as emulator,
        quick_client(emulator.base_url, api_key=lambda: bad) as luma,
    ):
        for call in (luma.list, lambda: luma.create("A jellyfish"), lambda: luma.get("a")):
            with pytest.raises(ConfigurationError, match="API key"):
                await call()
        assert () == emulator.requests
        assert 0 == luma.statistics().tokens_spent


async def test_a_function_that_fails_is_named_as_the_cause() -> None:
    """The caller's own function fails: the error says so, and has it as its cause."""

    async def fail() -> str:
        raise OSError("the vault is sealed")

    with pytest.raises(ConfigurationError, match="OSError") as failed:
        await ApiKeyProvider(fail, 1.0).key()
    assert isinstance(failed.value.__cause__, OSError)


async def test_a_function_that_fails_now_and_then_does_not_end_a_wait() -> None:
    """A wait outlasts a vault that cannot be reached for a while."""
    calls = 0

    def key() -> str:
        nonlocal calls
        calls += 1
        if calls in (2, 3, 5):
            raise OSError("the vault is sealed")
        return KEY

    async with (
        Emulator(time_scale=2000.0) as emulator,
        quick_client(emulator.base_url, api_key=key) as luma,
    ):
        made = await luma.create("A jellyfish")
        assert made.id == (await luma.wait_until_done(made, timeout=5.0)).id
        assert calls >= 4


async def test_a_key_that_the_service_repeats_is_not_passed_on() -> None:
    """An error that quotes the key reaches the caller without it."""
    from luma_async.emulator import Fault

    async with Emulator() as emulator, quick_client(emulator.base_url) as luma:
        emulator.inject(Fault(status=500, body={"message": f"no such key: {KEY}"}))
        with pytest.raises(SubmissionUnknownError) as unknown:
            await luma.create("A jellyfish")
        assert "no such key: [key]" in str(unknown.value)
        assert 1 == posts(emulator)


async def test_a_function_that_hangs_holds_nobody_up_for_long() -> None:
    """A vault that does not answer is an error in which nothing was sent."""
    async with (
        Emulator() as emulator,
        quick_client(
            emulator.base_url, api_key=anyio.sleep_forever, timeouts=Timeouts(connect=0.02)
        ) as luma,
    ):
        for call in (luma.list(), luma.create("A jellyfish")):
            with pytest.raises(ConnectError, match="took too long; nothing was sent"):
                await call
        assert () == emulator.requests
