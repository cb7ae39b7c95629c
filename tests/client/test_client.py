"""The client as its users see it, against the emulator on a real port."""
# ruff: noqa: ASYNC110

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from luma_async import (
    Generation,
    LumaClient,
    NotFoundError,
    Order,
    PollPolicy,
    Statistics,
    WaitTimeoutError,
)
from luma_async.emulator import Emulator
from tests.support.clients import KEY, posts, quick_client

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Serve on a real port; videos take a few hundredths of a second."""
    async with Emulator(time_scale=2000.0) as emulator:
        emulator.place("parent", "The parent")
        yield emulator


@pytest.fixture
async def luma(emulator: Emulator) -> AsyncIterator[LumaClient]:
    """Open a client."""
    async with quick_client(emulator.base_url) as luma:
        yield luma


async def test_the_way_from_words_to_a_file(
    luma: LumaClient, emulator: Emulator, tmp_path: Path
) -> None:
    """Create, wait, download, extend: what the page promises."""
    jellyfish = await luma.create("Flying jellyfish", aspect_ratio="9:16", expand_prompt=False)
    assert not jellyfish.is_done
    done = await luma.wait_until_done(jellyfish)
    assert (jellyfish.id, True) == (done.id, done.is_completed)
    path = await luma.download(done, tmp_path / "jellyfish.mp4")
    assert tmp_path / "jellyfish.mp4" == path
    hat = await luma.extend(done, "Flying jellyfish with a hat")
    assert [done.id] == [bill.parent for bill in emulator.ledger if bill.id == hat.id]
    assert [one.id async for one in luma.as_completed([hat])] == [hat.id]
    assert 2 == posts(emulator) == emulator.billed


async def test_a_download_by_id_asks_first(
    luma: LumaClient, emulator: Emulator, tmp_path: Path
) -> None:
    """An id, or a generation from before it was completed, is asked for once."""
    await luma.download("parent", tmp_path / "a.mp4")
    early = Generation(id="parent", state="pending")
    await luma.download(early, tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert 2 == sum(request.route == "get" for request in emulator.requests)


async def test_states_can_be_asked_for(luma: LumaClient) -> None:
    """One, or many in the order asked; unknown ones are absent, or an error."""
    assert "parent" == (await luma.get("parent")).id
    other = await luma.create("Flying jellyfish")
    assert [other.id, "parent"] == [*await luma.get_many([other.id, "unknown", "parent", other.id])]
    with pytest.raises(NotFoundError):
        await luma.get("unknown")


async def test_an_answer_to_one_call_is_news_for_another(emulator: Emulator) -> None:
    """What `get` brings, a wait hears at once, long before it would have asked."""
    slowly = PollPolicy(min_interval=1000.0, max_interval=1000.0)
    emulator.place("slow", "Slowly", [(0.0, "pending")])
    async with quick_client(emulator.base_url, polling=slowly) as luma:
        wait = asyncio.create_task(luma.wait_until_done(await luma.get("slow")))
        while not luma.statistics().waiting:
            await asyncio.sleep(0)
        emulator.script("slow", [(0.0, "completed")])
        assert await luma.get("slow") == await wait


async def test_the_account_can_be_listed(luma: LumaClient) -> None:
    """Every generation with its prompt, the newest first."""
    made = await luma.create("Flying jellyfish")
    listed = [(one.id, one.prompt) for one in await luma.list()]
    assert [(made.id, "Flying jellyfish"), ("parent", "The parent")] == listed


async def test_an_image_can_be_uploaded_and_used(luma: LumaClient) -> None:
    """The public address of the copy is what an order takes."""
    image = await luma.upload_image("https://a.example/b.png")
    made = await luma.create(
        "Flying jellyfish", image_url=image.public_url, image_end_url=image.public_url
    )
    assert made.id
    assert image.presigned_url not in repr(image)


async def test_ordering_and_waiting_in_one(luma: LumaClient, emulator: Emulator) -> None:
    """`generate` is create and wait; `watch` shows the changes."""
    done = await luma.generate("Flying jellyfish")
    assert done.is_completed
    emulator.script("Slowly", [(0, "pending"), (40, "dreaming"), (80, "completed")])
    slow = await luma.create("Slowly")
    states = [one.state async for one in luma.watch(slow)]
    assert ["pending", "completed"] == [states[0], states[-1]]


async def test_many_in_one(luma: LumaClient) -> None:
    """Text or orders go in, outcomes come out."""
    orders: list[Order | str] = ["One", Order("Two", aspect_ratio="1:1")]
    outcomes = [one async for one in luma.generate_many(orders, max_in_flight=2)]
    assert {"One", "Two"} == {one.order.user_prompt for one in outcomes}
    assert all(one.generation is not None and one.generation.is_completed for one in outcomes)


async def test_a_wait_that_was_too_short_is_resumed(luma: LumaClient, emulator: Emulator) -> None:
    """The error names what is pending; waiting for it again ends with the video, paid once."""
    made = await luma.create("Flying jellyfish")
    with pytest.raises(WaitTimeoutError) as late:
        await luma.wait_until_done(made, timeout=0.0)
    (done,) = await luma.wait_until_done(late.value.pending)
    assert (made.id, 1) == (done.id, emulator.billed)


async def test_statistics_tell_what_was_done(luma: LumaClient, emulator: Emulator) -> None:
    """They agree with what the service saw, and begin with nothing."""
    assert Statistics() == quick_client(emulator.base_url).statistics()
    assert Statistics(ids_per_request=20) == luma.statistics()
    assert () == quick_client(emulator.base_url).unclaimed()
    await luma.generate("Flying jellyfish")
    one = luma.statistics()
    assert one.median_seconds is not None
    assert one.p90_seconds is not None
    assert 0 < one.median_seconds < one.p90_seconds
    assert (1, 1) == (one.finished, one.durations["create"].seen)
    assert one.mean_delay_seconds is not None
    await luma.generate("Flying jellyfish")
    await luma.list()
    after = luma.statistics()

    seen: dict[str, int] = {}
    for request in emulator.requests:
        seen[request.route] = seen.get(request.route, 0) + 1
    assert seen == dict(after.requests)
    assert sum(len(request.ids) for request in emulator.requests) == after.ids_asked
    assert (0, 0, 1_000_000) == (after.waiting, after.in_flight, after.tokens_spent)
    assert after.p90_seconds is not None
    assert after.median_seconds is not None
    assert 0 < after.median_seconds <= after.p90_seconds < 5
    assert (2, 2) == (after.finished, after.durations["create"].seen)


async def test_addresses_and_keys_come_from_the_environment(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The names that the provider's own tools use, in their order."""
    for base, key in (
        ("AIMLAPI_BASE_URL", "AIMLAPI_KEY"),
        ("AIMLAPI_API_BASE", "AIMLAPI_API_KEY"),
        ("AIML_API_BASE", "AIML_API_KEY"),
    ):
        monkeypatch.setenv(base, f"{emulator.base_url}/v1/")
        monkeypatch.setenv(key, f"{KEY}-{key}")
        async with LumaClient() as luma:
            await luma.list()
        assert f"Bearer {KEY}-{key}" == emulator.requests[-1].authorization


async def test_without_settings_it_is_the_service_itself() -> None:
    """No address given: the provider's own, in TLS. The client says so, and how it stands."""
    assert "<LumaClient https://api.aimlapi.com new>" == repr(LumaClient(KEY))


async def test_the_policy_of_a_client_that_is_not_open_is_the_one_given() -> None:
    """Nothing has been learned yet."""
    slowly = PollPolicy(min_interval=7.0)
    assert slowly == LumaClient("a-key", polling=slowly).polling
