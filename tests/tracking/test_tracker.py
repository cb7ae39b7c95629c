"""The tracker: many waiters, few requests. In virtual time, without a wire."""

import asyncio
import gc
import logging
import math
import random
from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import pairwise

import anyio
import pytest

from luma_async import (
    ClientStateError,
    DisconnectedError,
    Generation,
    GenerationFailedError,
    Limits,
    LumaError,
    NotFoundError,
    PollPolicy,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    WaitTimeoutError,
)
from luma_async._api.sansio.retry import Attempts, RetryBudget
from luma_async._tracking.waiters import Waiter
from luma_async._tracking.waits import wait_for_all, wait_for_list, wait_for_one, watch
from tests.soak.stall import one_trial
from tests.support.clients import tasks_of_ours
from tests.support.pretended import Pretended, completed, done_after, pending

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]

HOUR = 3600.0


@pytest.mark.protocol
async def test_s26_one_id_with_ten_thousand_waiters_is_asked_once_a_round() -> None:
    """All who wait for the same video cost what one of them costs."""
    rounds = []
    for waiters in (1, 10_000):
        service = Pretended(done_after(60.0 + anyio.current_time()), polling=PollPolicy(jitter=0.0))
        ends = await asyncio.gather(
            *(wait_for_one(service.tracker, "a", math.inf) for _ in range(waiters))
        )
        assert {"a"} == {generation.id for generation in ends}
        assert {("a",)} == set(service.asked)
        rounds.append(len(service.asked))
    assert rounds[0] == rounds[1]
    assert rounds[0] <= 20


@pytest.mark.protocol
async def test_ten_thousand_ids_take_five_hundred_requests_a_sweep() -> None:
    """Twenty ids a request, whether ten thousand callers wait for one each or one for all."""
    names = [f"g-{number}" for number in range(10_000)]
    service = Pretended(lambda name, now: completed(name))

    ends = await asyncio.gather(*(wait_for_one(service.tracker, name, math.inf) for name in names))

    assert names == [generation.id for generation in ends]
    assert 500 == len(service.asked)
    assert names == sorted((name for ids in service.asked for name in ids), key=names.index)
    assert 0 == len(service.tracker.subscriptions)


@pytest.mark.protocol
async def test_i10_the_number_of_waiters_does_not_change_what_is_asked() -> None:
    """A hundred ids cost the same requests with one waiter each and with fifty."""
    counts = []
    for each in (1, 50):
        service = Pretended(
            done_after(120.0 + anyio.current_time()), polling=PollPolicy(jitter=0.0)
        )
        names = [f"g-{number % 100}" for number in range(100 * each)]
        await asyncio.gather(*(wait_for_one(service.tracker, name, math.inf) for name in names))
        counts.append(len(service.asked))
    assert counts[0] == counts[1]


async def test_requests_keep_to_the_limits_of_the_client() -> None:
    """Never more at once than allowed, and never faster."""
    at_once: list[int] = []
    limits = Limits(concurrent_requests=2, requests_per_second=5.0)
    service = Pretended(lambda name, now: completed(name), limits=limits, latency=1.0)

    def note(found: list[Generation]) -> list[Generation]:
        at_once.append(service.rate_limiter.in_flight)
        return found

    service.shape = note

    await wait_for_all(service.tracker, [f"g-{n}" for n in range(200)], math.inf)

    assert 2 == max(at_once)
    assert min(b - a for a, b in pairwise(service.times)) > 0.199


@pytest.mark.protocol
@pytest.mark.parametrize(("trials", "many"), [(500, 10), (30, 200)])
async def test_waiters_cancelled_at_random_never_stall_the_others(trials: int, many: int) -> None:
    """Who was not cancelled hears of its own video, and nothing of the others is left."""
    stayed = 0
    for seed in range(trials):
        stayed += await one_trial(seed, many)
        assert [] == tasks_of_ours()
    assert trials * many * 0.3 < stayed < trials * many


async def test_s27_a_waiter_who_leaves_is_not_asked_for_any_more() -> None:
    """Nobody waits: nobody asks, whether the last left before, during or after a request."""
    service = Pretended(lambda name, now: pending(name))
    for moment in (1.0, 3.0, 3.02, 4.0):
        with anyio.move_on_after(moment):
            await wait_for_one(service.tracker, "a", math.inf)
        await anyio.sleep(1.0)
        asked = len(service.asked)
        await anyio.sleep(HOUR)
        assert asked == len(service.asked)
        assert (0, []) == (len(service.tracker.subscriptions), tasks_of_ours())


async def test_s27_a_waiter_who_comes_during_a_request_is_in_the_next() -> None:
    """Coming while a request is under way means to be asked for after the shortest interval."""
    service = Pretended(lambda name, now: completed(name), latency=2.0)
    first = asyncio.create_task(wait_for_one(service.tracker, "a", math.inf))
    await anyio.sleep(3.5)
    await wait_for_one(service.tracker, "b", math.inf)

    assert "a" == (await first).id
    assert [("a",), ("b",)] == service.asked
    assert service.times[1] - 3.5 <= 3.0 * 1.1


def cut() -> LumaError:
    """Break a connection."""
    return DisconnectedError("cut")


FAILURES = {
    "N13-cut": cut,
    "N20-timeout": lambda: RequestTimeoutError("late"),
    "H13-401": lambda: LumaError("no"),
    "H17-404": lambda: NotFoundError("lag", status=404),
    "H25-429": lambda: RateLimitError("busy", status=429),
    "H26-429-later": lambda: RateLimitError("busy", status=429, retry_after=30.0),
    "H36-500": lambda: ServerError("oops", status=500),
    "H36-503-later": lambda: ServerError("oops", status=503, retry_after=30.0),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_failing_poll_never_ends_a_wait(failure: "type[LumaError]") -> None:
    """Whatever the service answers for ten minutes, all waits go on, and end well after it."""
    service = Pretended(done_after(60.0))
    service.failure = lambda: failure() if anyio.current_time() < 600.0 else None
    names = [f"g-{number}" for number in range(100)]

    ends = await wait_for_list(service.tracker, names, math.inf)

    assert names == [generation.id for generation in ends]
    assert 600.0 < anyio.current_time() < 900.0
    assert len(service.asked) < 100


SHAPES = {
    "S01-missing": lambda found: found[1:] if anyio.current_time() < 90.0 else found,
    "S02-foreign": lambda found: [*found, completed("foreign")],
    "S03-reordered": lambda found: found[::-1],
    "S04-duplicated": lambda found: [*found, *found],
    "S05-conflicting": lambda found: [*found, *(pending(one.id) for one in found)],
    "S07-unknown-state": lambda found: (
        [pending(one.id, state="paused") for one in found] if anyio.current_time() < 90.0 else found
    ),
    "S07-no-state": lambda found: (
        [pending(one.id, state="") for one in found] if anyio.current_time() < 90.0 else found
    ),
    "S09-backwards": lambda found: (
        [pending(one.id, state=random.choice(["queued", "dreaming"])) for one in found]
        if anyio.current_time() < 90.0
        else found
    ),
    "S11-video-late": lambda found: (
        [completed(one.id, video=None) for one in found] if anyio.current_time() < 50.0 else found
    ),
    "empty": lambda found: [] if anyio.current_time() < 90.0 else found,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_an_odd_answer_never_ends_a_wait(shape: "type[list[Generation]]") -> None:
    """Answers that are not what was asked for do no harm: each waiter gets its own video."""
    service = Pretended(done_after(60.0))
    service.shape = shape
    names = [f"g-{number}" for number in range(50)]

    ends = await wait_for_list(service.tracker, names, HOUR)

    assert names == [generation.id for generation in ends]
    assert {True} == {generation.is_completed for generation in ends}


async def test_s06_entries_that_cannot_be_read_do_not_hurt_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Some entries are broken: the readable ones count, and nobody is taken for missing."""
    service = Pretended(lambda name, now: completed(name) if name == "a" or now > HOUR else None)
    service.problems = ["expected an object at $[1]"]
    polling = PollPolicy()
    other = asyncio.create_task(wait_for_one(service.tracker, "b", math.inf))

    assert "a" == (await wait_for_one(service.tracker, "a", math.inf)).id
    assert "b" == (await other).id
    assert anyio.current_time() > HOUR > 10 * polling.missing_grace
    assert "expected an object at $[1]" in caplog.text


@pytest.mark.parametrize("by_404", [True, False], ids=["H17-404", "S01-absent"])
async def test_an_id_that_stays_missing_fails_its_own_waiters_after_a_grace(
    *, by_404: bool
) -> None:
    """The service never finds an id: after two minutes those who wait for it hear so."""
    service = Pretended(lambda name, now: None)
    if by_404:
        service.failure = lambda: NotFoundError("unknown", status=404)
    waits = [asyncio.create_task(wait_for_one(service.tracker, "a", math.inf)) for _ in range(100)]
    await asyncio.wait(waits)

    errors = [task.exception() for task in waits]
    assert {NotFoundError} == {type(error) for error in errors}
    assert 120.0 <= anyio.current_time() <= 180.0
    assert len(service.asked) >= 5
    # Everybody has an error of their own: what one adds to it, or its traceback, is not shared.
    assert 100 == len({id(error) for error in errors})


async def test_an_id_that_appears_late_is_waited_for() -> None:
    """A new id may take the service a minute to find."""
    service = Pretended(lambda name, now: completed(name) if now > 100.0 else None)
    assert "a" == (await wait_for_one(service.tracker, "a", math.inf)).id


async def test_s11_a_video_that_never_appears_ends_the_wait_with_the_generation() -> None:
    """Completed without a video, for longer than the grace: it is paid, and the error has it."""
    service = Pretended(lambda name, now: completed(name, video=None))
    with pytest.raises(GenerationFailedError, match="it is paid") as failed:
        await wait_for_one(service.tracker, "a", math.inf)
    assert "a" == failed.value.generation.id
    assert 60.0 <= anyio.current_time() <= 120.0


async def test_h26_retry_after_is_respected_by_everybody() -> None:
    """Told to come back in a minute, the client does not ask for anything before that."""
    service = Pretended(done_after(10.0))
    service.failure = lambda: (
        RateLimitError("busy", status=429, retry_after=60.0) if len(service.asked) == 1 else None
    )
    names = [f"g-{number}" for number in range(10)]
    late = asyncio.create_task(wait_for_all(service.tracker, names, math.inf))
    await anyio.sleep(5.0)
    await wait_for_one(service.tracker, "newcomer", math.inf)
    await late

    assert service.times[1] - service.times[0] >= 60.0


async def test_h25_429_slows_the_questions_for_everybody_and_they_recover() -> None:
    """A service that is busy is asked less; when it is well, as often as before."""
    service = Pretended(lambda name, now: pending(name), polling=PollPolicy(max_interval=4.0))
    waits = [
        asyncio.create_task(wait_for_one(service.tracker, f"g-{n}", math.inf)) for n in range(20)
    ]
    service.failure = lambda: (
        RateLimitError("busy", status=429) if 600 < anyio.current_time() < 1200 else None
    )
    await anyio.sleep(1800.0)
    per_minute = Counter(int(time // 60) for time in service.times)
    for wait in waits:
        wait.cancel()

    assert per_minute[15] < 0.75 * per_minute[8]
    # As often as every four seconds, which is the longest that they are left alone.
    assert per_minute[15] < 0.75 * per_minute[29]
    assert 14 <= per_minute[29] <= 16


async def test_an_hour_of_outage_makes_few_requests_and_no_burst_after_it() -> None:
    """A thousand waiters outlast an hour without an answer; then all is caught up in good order."""
    service = Pretended(done_after(60.0), limits=Limits(), latency=15.0)
    service.failure = lambda: cut() if anyio.current_time() < HOUR else None
    names = [f"g-{number}" for number in range(1000)]

    ends = await wait_for_list(service.tracker, names, math.inf)

    during = [time for time in service.times if time < HOUR]
    after = [time for time in service.times if time >= HOUR]
    assert names == [generation.id for generation in ends]
    # Some are under way together at the beginning; then it is one at a time, with a pause.
    assert len(during) < HOUR / 30 + 20
    assert 49 <= len(after) <= 65
    assert min((b - a for a, b in pairwise(after))) > 0.099


async def test_i12_a_wait_ends_on_time_although_the_service_hangs() -> None:
    """The time given to a wait is kept, whatever a request is doing."""
    service = Pretended(lambda name, now: pending(name), latency=10 * HOUR)
    with pytest.raises(WaitTimeoutError) as late:
        await wait_for_list(service.tracker, ["a", "b"], 100.0)

    assert 100.0 <= anyio.current_time() <= 100.1
    assert ("a", "b") == late.value.pending
    await service.tracker.close()


@pytest.mark.protocol
async def test_p38_closing_ends_thousands_of_waits_at_once() -> None:
    """The end of the client is the end of all waits, with an error for each of its own."""
    service = Pretended(lambda name, now: pending(name), latency=HOUR)
    waits = [
        asyncio.create_task(wait_for_one(service.tracker, f"g-{n % 3000}", math.inf))
        for n in range(6000)
    ]
    await anyio.sleep(100.0)
    before = anyio.current_time()
    await service.tracker.close()
    await asyncio.wait(waits)

    assert anyio.current_time() - before <= 0.5
    errors = [task.exception() for task in waits]
    assert {ClientStateError} == {type(error) for error in errors}
    assert 6000 == len({id(error) for error in errors})
    assert (0, []) == (len(service.tracker.subscriptions), tasks_of_ours())
    with pytest.raises(ClientStateError):
        await wait_for_one(service.tracker, "a", math.inf)


async def test_s28_a_mistake_of_ours_ends_the_waits_loudly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No wait hangs for ever because of a bug; the next one starts anew."""
    service = Pretended(done_after(0.0))
    service.failure = lambda: RuntimeError("a bug") if len(service.asked) == 1 else None
    waits = [asyncio.create_task(wait_for_one(service.tracker, n, math.inf)) for n in "abca"]
    await asyncio.wait(waits)

    for task in waits:
        error = task.exception()
        assert isinstance(error, LumaError)
        assert "RuntimeError" in str(error)
        assert isinstance(error.__cause__, RuntimeError)
    assert 4 == len({id(task.exception()) for task in waits})
    assert "The tracker failed" in caplog.text
    assert "a" == (await wait_for_one(service.tracker, "a", math.inf)).id


async def test_s28_an_outage_after_a_mistake_of_ours_is_still_outlasted() -> None:
    """What a bug left behind does not stop the questions when the service fails later."""
    service = Pretended(done_after(0.0))
    failures = iter([RuntimeError("a bug"), cut(), cut(), None])
    service.failure = lambda: next(failures)
    with pytest.raises(LumaError, match="tracker"):
        await wait_for_one(service.tracker, "a", math.inf)
    with anyio.fail_after(HOUR):
        assert "a" == (await wait_for_one(service.tracker, "a", math.inf)).id


async def test_a_request_that_somebody_cancels_is_made_again() -> None:
    """A program that cancels all its tasks but ours does not leave a wait without answer."""
    service = Pretended(done_after(0.0), latency=1.0)
    wait = asyncio.create_task(wait_for_one(service.tracker, "a", HOUR))
    await anyio.sleep(3.5)
    for task in asyncio.all_tasks():
        if task.get_name() == "luma_async get":
            task.cancel()

    assert "a" == (await wait).id


async def test_the_context_of_one_waiter_is_not_that_of_the_requests() -> None:
    """A trace id of the first waiter would otherwise name the requests for all others."""
    trace: ContextVar[str] = ContextVar("trace", default="none")
    seen: list[str] = []
    service = Pretended(done_after(0.0))

    def note(found: list[Generation]) -> list[Generation]:
        seen.append(trace.get())
        return found

    service.shape = note
    trace.set("of the first waiter")
    await wait_for_one(service.tracker, "a", math.inf)

    assert ["none"] == seen


async def test_estimates_of_the_service_are_waited_out() -> None:
    """As long as the service says that it takes a minute, it is not asked every few seconds."""
    start = anyio.current_time()
    service = Pretended(
        lambda name, now: (
            completed(name)
            if now - start >= 60
            else pending(name, estimate_wait_seconds=60 - (now - start))
        ),
        polling=PollPolicy(max_interval=120.0, jitter=0.0),
    )
    known = pending("a", estimate_wait_seconds=60.0)
    await wait_for_one(service.tracker, known, math.inf)

    assert len(service.asked) <= 4
    assert anyio.current_time() - start <= 65.0


async def test_durations_are_learned() -> None:
    """How long the generations took that this client made shows in what it expects of others."""
    start = anyio.current_time()
    service = Pretended(done_after(start + 20.0))
    names = [f"g-{number}" for number in range(200)]
    for name in names:
        service.tracker.record_start(pending(name), "create")
    before = service.tracker.planner.durations.durations
    await wait_for_list(service.tracker, names, math.inf)

    after = service.tracker.planner.durations.durations["create"]
    assert {} == before
    assert (200, 200) == (service.tracker.subscriptions.finished, after.seen)
    assert 15.0 <= after.median_seconds <= after.p90_seconds <= 40.0


def look_for(service: Pretended, names: Sequence[str], attempts: int = 3) -> Waiter:
    """Make a call that wants the next answer."""
    policy = RetryPolicy(attempts=attempts, first_delay=0.1)
    return Waiter(
        names, attempts=Attempts(policy, RetryBudget(policy), anyio.current_time(), random.random)
    )


async def look(service: Pretended, names: Sequence[str], attempts: int = 3) -> dict[str, str]:
    """Ask for states now; an id that the service does not know is "unknown"."""
    found = {}
    waiter = look_for(service, names, attempts)
    service.tracker.join(waiter)
    try:
        while (update := await waiter.receive()) is not None:
            found[update.id] = update.generation.state if update.generation else "unknown"
    finally:
        service.tracker.leave(waiter)
    return found


async def test_a_look_shares_its_request_with_those_who_wait() -> None:
    """A question for states now carries the ids of the waiting as well, as there is room."""
    service = Pretended(lambda name, now: completed(name) if name == "a" else None)
    wait = asyncio.create_task(wait_for_one(service.tracker, pending("a"), math.inf))
    await anyio.sleep(1.0)

    assert {"b": "unknown", "a": "completed"} == await look(service, ["a", "b"])
    assert "a" == (await wait).id
    assert [("a", "b")] == service.asked


async def test_a_look_at_what_is_missing_is_answered_while_waiters_have_a_grace() -> None:
    """Who asks now hears that the service does not know it; who waits, waits on."""
    service = Pretended(lambda name, now: completed(name) if now > 50.0 else None)
    wait = asyncio.create_task(wait_for_one(service.tracker, "a", math.inf))

    assert {"a": "unknown"} == await look(service, ["a"])
    assert "a" == (await wait).id


async def test_a_look_fails_after_its_attempts_and_waits_go_on() -> None:
    """A question for states now is no wait: it ends like any other request."""
    service = Pretended(done_after(30.0))
    service.failure = lambda: cut() if anyio.current_time() < 60.0 else None
    wait = asyncio.create_task(wait_for_one(service.tracker, "a", math.inf))
    with pytest.raises(DisconnectedError):
        await look(service, [f"g-{number}" for number in range(50)])

    assert 3 <= len(service.asked) <= 9
    assert anyio.current_time() < 30.0
    assert "a" == (await wait).id


async def test_a_look_fails_at_once_where_repeating_makes_no_sense() -> None:
    """The key is wrong: there is no second question."""
    service = Pretended(done_after(30.0))
    service.failure = lambda: NotFoundError("no such address", status=404)
    with pytest.raises(NotFoundError):
        await look(service, ["a", "b"])
    assert 1 == len(service.asked)


async def test_requests_that_fail_together_count_once_for_a_look() -> None:
    """A hundred ids in five requests are cut by one outage: that is one attempt, not five."""
    service = Pretended(done_after(0.0), latency=1.0)
    service.failure = lambda: cut() if len(service.asked) <= 5 else None
    names = [f"g-{number}" for number in range(100)]

    assert dict.fromkeys(names, "completed") == await look(service, names, attempts=2)


async def test_an_answer_that_is_partly_unreadable_is_asked_for_again_by_a_look() -> None:
    """What could not be read is looked at once more, and then fails the call."""
    service = Pretended(lambda name, now: completed(name) if name == "a" else None)
    service.problems = ["expected an object at $[1]"]
    with pytest.raises(LumaError, match=r"\$\[1\]"):
        await look(service, ["a", "b"], attempts=2)
    assert [("a", "b"), ("b",)] == service.asked


async def test_a_look_that_is_given_up_leaves_nothing() -> None:
    """A cancelled question is not asked any more."""
    service = Pretended(done_after(0.0), latency=5.0)
    with anyio.move_on_after(1.0):
        await look(service, ["a", "b"])
    assert 0 == len(service.tracker.subscriptions)
    await anyio.sleep(10.0)
    assert 1 == len(service.asked)


async def test_an_answer_for_somebody_who_left_is_of_no_consequence() -> None:
    """The last who waits for an id leaves during the request, which then does not hold it."""
    service = Pretended(lambda name, now: None, latency=5.0)
    with anyio.move_on_after(2.0):
        await wait_for_one(service.tracker, "a", math.inf)
    await anyio.sleep(10.0)
    assert [("a",)] == service.asked
    assert 0 == len(service.tracker.subscriptions)


async def test_a_refusal_for_somebody_who_left_is_of_no_consequence() -> None:
    """The service answers 404 to a question for an id that nobody waits for any more."""
    service = Pretended(lambda name, now: None, latency=5.0)
    service.failure = lambda: NotFoundError("who?", status=404)
    with anyio.move_on_after(2.0):
        await wait_for_one(service.tracker, "a", math.inf)
    await anyio.sleep(10.0)
    assert [("a",)] == service.asked
    assert 0 == len(service.tracker.subscriptions)


async def test_a_watcher_hears_of_changes_and_of_the_present() -> None:
    """Who begins to watch hears what is known, and then every change, once."""
    states = [(0.0, "pending"), (20.0, "queued"), (40.0, "dreaming")]

    def state(name: str, now: float) -> Generation:
        if now >= 60.0:
            return completed(name)
        return pending(name, state=[word for since, word in states if since <= now][-1])

    service = Pretended(state)
    wait = asyncio.create_task(wait_for_one(service.tracker, "a", math.inf))
    await anyio.sleep(15.0)
    seen = [one.state async for one in watch(service.tracker, "a")]

    assert ["pending", "queued", "dreaming", "completed"] == seen
    assert "a" == (await wait).id


async def test_errors_do_not_keep_the_frames_of_other_waiters() -> None:
    """A thousand failed waits do not make one traceback of a thousand parts."""
    service = Pretended(lambda name, now: None)
    waits = [asyncio.create_task(wait_for_one(service.tracker, "a", math.inf)) for _ in range(1000)]
    *_, error = await asyncio.gather(*waits, return_exceptions=True)
    assert isinstance(error, NotFoundError)
    gc.collect()

    depth = 0
    traceback = error.__traceback__
    while traceback is not None:
        depth, traceback = depth + 1, traceback.tb_next
    assert depth < 10


async def test_what_is_asked_can_be_read_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, each request says how many were asked for and answered."""
    caplog.set_level(logging.DEBUG, "luma_async")
    service = Pretended(done_after(0.0))
    await wait_for_list(service.tracker, ["a", "b"], math.inf)
    assert "asked for 2 ids, 2 answered" in caplog.text


async def test_a_wait_that_begins_when_the_client_is_closed_ends_at_once() -> None:
    """It may have passed the check of the client just before."""
    service = Pretended(lambda name, now: pending(name))
    await service.tracker.close()
    with pytest.raises(ClientStateError):
        await wait_for_one(service.tracker, "a", math.inf)
    assert [] == service.asked
