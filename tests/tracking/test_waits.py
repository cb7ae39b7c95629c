"""The ways to wait, over one tracker. In virtual time, without a wire."""
# ruff: noqa: PERF401, PT012

import asyncio
import math
from contextlib import aclosing

import anyio
import pytest

from luma_async import (
    ConfigurationError,
    Generation,
    GenerationFailedError,
    NotFoundError,
    WaitErrorGroup,
    WaitTimeoutError,
)
from luma_async._api.sansio.responses import StatusResult
from luma_async._tracking.waits import as_completed, wait_for_list, wait_for_one, watch
from tests.support.pretended import Pretended, completed, done_after, pending

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]


def mixed(name: str, now: float) -> Generation | None:
    """Tell by its name what becomes of a generation."""
    if name.startswith("missing"):
        return None
    if name.startswith("failed"):
        return pending(name, state="failed", failure_reason="too many arms")
    if name.startswith("endless"):
        return pending(name)
    if name.startswith("videoless"):
        return completed(name, video=None)
    return completed(name) if now >= float(name.partition("-")[2] or 0) else pending(name)


async def test_a_list_comes_back_in_the_order_asked() -> None:
    """Each place of the list has its own video, repeated ones included."""
    service = Pretended(mixed)
    asked: list[Generation | str] = ["ok-50", pending("ok-10"), "ok-30", "ok-50"]
    ends = await wait_for_list(service.tracker, asked, math.inf)
    assert ["ok-50", "ok-10", "ok-30", "ok-50"] == [one.id for one in ends]


async def test_nothing_to_wait_for_is_no_request() -> None:
    """An empty list, and videos that are there already, are answered at once."""
    service = Pretended(mixed)
    done = completed("a")
    assert [] == await wait_for_list(service.tracker, [], 1.0)
    assert done is await wait_for_one(service.tracker, done, 0.0)
    assert [done] == await wait_for_list(service.tracker, [done], 0.0)
    assert [done] == [one async for one in as_completed(service.tracker, [done], 0.0)]
    assert [done] == [one async for one in watch(service.tracker, done)]
    assert [] == [one async for one in as_completed(service.tracker, [], 0.0)]
    assert [] == service.asked


async def test_s11_a_completed_generation_is_waited_for_until_its_video_is_there() -> None:
    """Whoever holds one from before its video was published gets the one with the video."""
    early = completed("ok-5", video=None)
    service = Pretended(mixed)
    assert completed("ok-5") == await wait_for_one(service.tracker, early, math.inf)
    states = [(one.state, one.video) async for one in watch(service.tracker, early)]
    assert ("completed", completed("ok-5").video) == states[-1]
    assert None not in [video for state, video in states if state == "completed"]


async def test_a_failed_generation_is_raised_with_its_reason() -> None:
    """One wait, one failure, whether it is new or known to have failed."""
    service = Pretended(mixed)
    for target in ("failed-1", mixed("failed-1", 0.0)):
        assert target is not None
        with pytest.raises(GenerationFailedError, match="too many arms") as failed:
            await wait_for_one(service.tracker, target, math.inf)
        assert "failed-1" == failed.value.generation.id


async def test_some_that_fail_lose_no_success() -> None:
    """All are waited for; the group has each failure, and the videos of the others."""
    service = Pretended(mixed)
    asked = ["ok-50", "failed-1", "missing-1", "ok-20", "failed-1", "videoless-1"]
    with pytest.raises(WaitErrorGroup, match="3 of 5") as some:
        await wait_for_list(service.tracker, asked, math.inf)

    assert ["ok-50", "ok-20"] == [one.id for one in some.value.completed]
    kinds = [type(error) for error in some.value.exceptions]
    assert [GenerationFailedError, NotFoundError, GenerationFailedError] == kinds
    failed, rest = some.value.split(GenerationFailedError)
    assert failed is not None
    named = [getattr(error, "generation", None) for error in failed.exceptions]
    assert ["failed-1", "videoless-1"] == [one.id for one in named if one is not None]
    assert isinstance(rest, WaitErrorGroup)
    assert some.value.completed == rest.completed


async def test_time_that_is_over_says_what_is_pending_and_waiting_again_resumes() -> None:
    """Nothing is lost: what is done is told, and the rest can be waited for again."""
    service = Pretended(mixed)
    with pytest.raises(WaitTimeoutError, match="still paid") as late:
        await wait_for_list(service.tracker, ["ok-100", "ok-10", "failed-1", "ok-200"], 60.0)

    assert ("ok-100", "ok-200") == late.value.pending
    assert {"ok-10", "failed-1"} == {one.id for one in late.value.finished}
    assert 60.0 <= anyio.current_time() <= 60.1
    resumed = await wait_for_list(service.tracker, late.value.pending, math.inf)
    assert ["ok-100", "ok-200"] == [one.id for one in resumed]


async def test_no_time_at_all_is_over_at_once() -> None:
    """A timeout of 0 does not ask; it tells what is pending."""
    service = Pretended(mixed)
    with pytest.raises(WaitTimeoutError) as late:
        await wait_for_one(service.tracker, "ok-1", 0.0)
    assert ("ok-1",) == late.value.pending
    assert [] == service.asked


async def test_news_of_the_last_instant_count() -> None:
    """The answer comes at the very moment when the time is over: it is not thrown away."""
    service = Pretended(done_after(0.0), latency=0.0)
    for seconds in (1.0, 2.0):
        wait = asyncio.create_task(wait_for_one(service.tracker, pending("a"), seconds))
        await asyncio.sleep(0)
        end = anyio.current_time() + seconds
        loop = asyncio.get_running_loop()
        states = StatusResult(generations=[completed("a")])
        loop.call_at(end, service.tracker.receive, states, end)
        assert "a" == (await wait).id


async def test_as_completed_yields_in_the_order_of_the_ends() -> None:
    """The first to end is the first to come, failed ones included; unknown ones come last."""
    service = Pretended(mixed)
    seen = []
    with pytest.raises(WaitErrorGroup, match="1 generations") as unknown:
        async for one in as_completed(
            service.tracker, ["ok-300", "ok-10", "missing-1", "failed-1", "ok-200"], math.inf
        ):
            seen.append(one.id)
    assert ["failed-1", "ok-10", "ok-200", "ok-300"] == seen
    assert [NotFoundError] == [type(error) for error in unknown.value.exceptions]


async def test_as_completed_keeps_its_time() -> None:
    """The time is for the whole iteration; what came before is not lost."""
    service = Pretended(mixed)
    seen = []
    with pytest.raises(WaitTimeoutError) as late:
        async for one in as_completed(service.tracker, ["ok-10", "endless-1"], 30.0):
            seen.append(one.id)
    assert (["ok-10"], ("endless-1",)) == (seen, late.value.pending)
    assert ["ok-10"] == [one.id for one in late.value.finished]


async def test_an_iteration_left_early_leaves_nothing() -> None:
    """Whoever breaks out of a loop is not asked for any more."""
    service = Pretended(mixed)
    async with aclosing(as_completed(service.tracker, ["ok-10", "endless-1"], math.inf)) as ends:
        async for _ in ends:
            break
    async with aclosing(watch(service.tracker, "endless-1")) as changes:
        async for _ in changes:
            break
    assert 0 == len(service.tracker.subscriptions)


async def test_watching_begins_with_what_is_known() -> None:
    """A generation that was just created is the first that its watcher sees."""
    service = Pretended(mixed)
    seen = [one.state async for one in watch(service.tracker, pending("ok-50", state="pending"))]
    assert ["pending", "processing", "completed"] == seen


async def test_watching_by_id_begins_with_the_order() -> None:
    """Who has ordered it here need not wait for the first answer to show how far it is."""
    service = Pretended(mixed)
    made = pending("ok-50", state="pending")
    service.tracker.record_start(made, "create")
    start = anyio.current_time()
    async with aclosing(watch(service.tracker, made.id)) as changes:
        first = await anext(changes)
    assert made == first
    assert first.seconds_left is not None
    assert start == anyio.current_time()


async def test_watching_goes_on_where_others_are() -> None:
    """A page that is loaded again does not go back to how it was when the video was ordered."""
    service = Pretended(mixed)
    service.tracker.record_start(pending("ok-500", state="queued"), "create")
    seen = []
    for _ in range(2):
        async with aclosing(watch(service.tracker, "ok-500")) as changes:
            async for one in changes:
                seen.append(one.state)
                if one.state == "processing":
                    break
    assert ["queued", "processing", "processing"] == seen


@pytest.mark.parametrize("state", ["failed", "completed"])
async def test_what_was_done_when_it_was_ordered_is_asked_for(state: str) -> None:
    """A service that refuses a prompt may say so in the very answer to the order."""
    service = Pretended(lambda name, _: pending(name, state="failed"))
    service.tracker.record_start(pending("a", state=state), "create")
    start = anyio.current_time()
    assert ["failed"] == [one.state async for one in watch(service.tracker, "a")]
    assert 1.0 >= anyio.current_time() - start


async def test_watching_what_is_not_known_ends_with_that() -> None:
    """An unknown id, and a video that never appears, end the watch with an error."""
    service = Pretended(mixed)
    for name, kind in (("missing-1", NotFoundError), ("videoless-1", GenerationFailedError)):
        with pytest.raises(kind):
            _ = [one async for one in watch(service.tracker, name)]


async def test_bad_ids_are_refused() -> None:
    """What is no id is refused before anything is asked."""
    service = Pretended(mixed)
    for bad in ("a/b", "", "a?b"):
        with pytest.raises(ConfigurationError):
            await wait_for_one(service.tracker, bad, 1.0)
    with pytest.raises(ConfigurationError):
        await wait_for_list(service.tracker, ["ok", 7], 1.0)  # type: ignore[list-item]
    assert [] == service.asked
