"""The web programs of the documentation: one contract, held by each of them."""

import asyncio
import json
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests

from luma_async.emulator import Emulator, Fault
from tests.support.event_streams import EventStream, allow_many_connections
from tests.support.web_programs import KEY, WebProgram

for framework in ("fastapi", "litestar", "uvicorn"):
    pytest.importorskip(framework, reason="web frameworks are installed for `nox -s examples`")

pytestmark = pytest.mark.anyio

PROGRAMS = ["web_fastapi", "web_litestar", "web_aiohttp"]
QUICK = [(0, "pending"), (1, "processing"), (2, "completed")]
SLOW = [(0, "processing"), (600, "completed")]


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    """Return the service that all programs of this module use."""
    with Emulator(estimates=True).running_in_thread() as emulator:
        emulator.script(None, QUICK)
        yield emulator


@pytest.fixture(scope="module", params=PROGRAMS)
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of a program."""
    return str(request.param)


@pytest.fixture(scope="module")
def shared(
    name: str, service: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProgram]:
    """Return a program that serves, for the tests that leave it running."""
    with WebProgram(name, tmp_path_factory.mktemp(name), service.base_url) as program:
        yield program
        end(program)


@pytest.fixture
def own(name: str, service: Emulator, tmp_path: Path) -> Iterator[WebProgram]:
    """Return a program that serves, for one test alone."""
    with WebProgram(name, tmp_path, service.base_url) as program:
        yield program
        end(program)


def end(program: WebProgram) -> None:
    """Stop a program; it ends well, and has said nothing of the key."""
    if program.exit_code is None:
        program.stop()
    assert 0 == program.exit_code
    assert "Traceback" not in program.output
    assert KEY not in program.output


def post(program: WebProgram, prompt: object, key: str | None = None) -> requests.Response:
    """Order a video."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    body = {"prompt": prompt}
    answer = requests.post(f"{program.url}/videos", json=body, headers=headers, timeout=60)
    assert KEY not in answer.text + repr(answer.headers)
    return answer


def order(program: WebProgram, prompt: str) -> str:
    """Order a video that is accepted, and return its id."""
    answer = post(program, prompt)
    assert 202 == answer.status_code
    return str(answer.json()["id"])


def listen(program: WebProgram, name: str) -> EventStream:
    """Listen to a video."""
    return EventStream(f"{program.url}/videos/{name}/events")


def polls(service: Emulator, name: str) -> int:
    """Count the questions for a video."""
    return sum(request.route == "get" and name in request.ids for request in service.requests)


def bills(service: Emulator, prompt: str) -> int:
    """Count how often a prompt was paid."""
    return sum(bill.prompt == prompt for bill in service.ledger)


def orders_of(program: WebProgram) -> closing[sqlite3.Connection]:
    """Open the record of orders that a program keeps."""
    path = program.folder / "orders.sqlite"
    return closing(sqlite3.connect(path, isolation_level=None))


def until(condition: Callable[[], Any]) -> Any:
    """Wait until something is so, and return it."""
    for _ in range(1200):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it does not come about")


async def test_an_order_is_followed_from_the_first_state_to_the_video(
    shared: WebProgram, service: Emulator
) -> None:
    """I order a video, follow where the answer points, and end up with its address."""
    answer = await asyncio.to_thread(post, shared, "A pear")
    name = answer.json()["id"]
    async with EventStream(shared.url + answer.headers["Location"]) as stream:
        events = await stream.rest()

    assert (202, f"/videos/{name}/events") == (answer.status_code, answer.headers["Location"])
    assert (200, "no-cache", "no") == (
        stream.status,
        stream.headers["cache-control"],
        stream.headers["x-accel-buffering"],
    )
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert ("pending", "A pear") == (events[0]["state"], events[0]["prompt"])
    assert 0 < events[0]["seconds_left"] < 60
    assert all(event["video"] is None for event in events[:-1])
    assert f"{service.cdn_url}/videos/{name}.mp4" == events[-1]["video"]
    assert "completed" == events[-1]["state"]
    assert ("done", True) == (stream.last_id, stream.is_complete)
    assert KEY not in json.dumps(events) + repr(stream.headers)


async def test_who_has_heard_the_end_is_told_to_stay_away(shared: WebProgram) -> None:
    """A browser that comes back after the last event is answered 204, and gives up."""
    headers = {"Last-Event-ID": "done"}
    address = f"{shared.url}/videos/some-id/events"
    answer = await asyncio.to_thread(requests.get, address, headers=headers, timeout=60)

    assert (204, "") == (answer.status_code, answer.text)


async def test_ten_listeners_cost_what_one_does(shared: WebProgram, service: Emulator) -> None:
    """The service is asked as often for a video that ten browsers look at as for one's."""
    asked = []
    for many in (1, 10):
        name = await asyncio.to_thread(order, shared, "A boat")
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            streams = [await enter(listen(shared, name)) for _ in range(many)]
            heard = await asyncio.gather(*(stream.rest() for stream in streams))
        assert ["completed"] * many == [events[-1]["state"] for events in heard]
        asked.append(polls(service, name))

    # When exactly it is asked is partly chance.
    assert 1 <= asked[1] <= asked[0] + 2


async def test_who_leaves_ends_nothing_but_the_questions(
    shared: WebProgram, service: Emulator
) -> None:
    """I close the page: others still hear, the job goes on, and nobody asks in my place."""
    service.script("A bench", [(0, "processing"), (5, "completed")])
    left, stayed = [await asyncio.to_thread(order, shared, "A bench") for _ in range(2)]
    async with listen(shared, stayed) as stays:
        async with listen(shared, left) as leaves, listen(shared, stayed) as leaves_too:
            await anext(leaves)
            await anext(leaves_too)
        asked = polls(service, left)
        events = await stays.rest()

    assert "completed" == events[-1]["state"]
    assert polls(service, stayed) > polls(service, left) == asked
    assert "completed" == service.generations[left].state


async def test_who_leaves_at_once_is_no_error(own: WebProgram) -> None:
    """I am gone before the second event is written: nothing in the log is to alarm anybody."""
    for _ in range(10):
        async with listen(own, "no%20id"):
            pass
    await asyncio.to_thread(own.stop)

    assert "Traceback" not in own.output


async def test_a_failure_is_the_last_event(shared: WebProgram, service: Emulator) -> None:
    """A video that the service gives up ends its stream for good, with the reason."""
    service.script("A tower", [(0, "failed")])
    name = await asyncio.to_thread(order, shared, "A tower")
    async with listen(shared, name) as stream:
        events = await stream.rest()

    assert ("failed", None) == (events[-1]["state"], events[-1]["video"])
    assert events[-1]["reason"]
    assert "done" == stream.last_id


async def test_what_is_no_id_is_the_last_event(shared: WebProgram, service: Emulator) -> None:
    """Whatever I type in the place of an id is answered, and asked of nobody."""
    before = len(service.requests)
    async with listen(shared, "no%20id%3F") as stream:
        assert ["unknown"] == [event["state"] for event in await stream.rest()]

    assert "done" == stream.last_id
    assert before == len(service.requests)


async def test_what_takes_long_is_heard_to_the_end(service: Emulator, tmp_path: Path) -> None:
    """An id that the service does not know is given up; heartbeats keep proxies calm meanwhile."""
    lost, slow = [], []
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        for name in PROGRAMS:
            (tmp_path / name).mkdir()
            program = WebProgram(name, tmp_path / name, service.base_url)
            stack.enter_context(program)
            # All programs at once, as a heartbeat comes when nothing has happened for 15 seconds.
            service.place(f"slow-{name}", "A glacier", [(0, "processing"), (20, "completed")])
            lost.append(await enter(listen(program, f"made-up-{name}")))
            slow.append(await enter(listen(program, f"slow-{name}")))
        async with asyncio.timeout(120):
            heard = await asyncio.gather(*(stream.rest() for stream in (*lost, *slow)))

    assert [["unknown"]] * 3 + [["processing", "completed"]] * 3 == [
        [event["state"] for event in events] for events in heard
    ]
    assert ["done"] * 6 == [stream.last_id for stream in (*lost, *slow)]
    assert all(stream.heartbeats for stream in slow)


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        "{}",
        '{"prompt": 7}',
        '{"prompt": " "}',
        '{"prompt": "\\ud800"}',
        '{"prompt": "\\u0000"}',
        json.dumps({"prompt": "x" * 33_000}),
    ],
)
def test_a_bad_order_is_refused(shared: WebProgram, service: Emulator, body: str) -> None:
    """What cannot be ordered is refused at once, and costs nothing."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": "bad"}
    before = len(service.requests)
    answer = requests.post(f"{shared.url}/videos", data=body, headers=headers, timeout=60)

    assert answer.status_code in (400, 422)
    assert "codec" not in answer.text
    assert before == len(service.requests)


def test_another_site_cannot_order(shared: WebProgram, service: Emulator) -> None:
    """What a browser sends for any page, without asking, is no order."""
    prompt = f"A trap at {shared.url}"
    body = json.dumps({"prompt": prompt}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", None):
        headers = {"Content-Type": kind} if kind is not None else {}
        answer = requests.post(f"{shared.url}/videos", data=body, headers=headers, timeout=60)
        assert 400 <= answer.status_code < 500

    assert 0 == bills(service, prompt)


@pytest.mark.parametrize(
    ("status", "wait", "told"), [(403, None, "10"), (429, "600", "600"), (401, None, "10")]
)
def test_a_refusal_says_that_nothing_was_paid(
    shared: WebProgram, service: Emulator, status: int, wait: str | None, told: str
) -> None:
    """No credits, too many orders, no valid key: come back later, and nothing was paid."""
    prompt = f"A cup at {shared.url}, refused with {status}"
    headers = {"Retry-After": wait} if wait is not None else {}
    service.inject(Fault(route="create", prompt=prompt, status=status, headers=headers))
    answer = post(shared, prompt, "refused")

    assert (503, told) == (answer.status_code, answer.headers["Retry-After"])
    assert "Nothing was paid" in answer.json()["error"]
    assert 0 == bills(service, prompt)
    assert 202 == post(shared, prompt, "refused").status_code


def test_the_budget_ends(own: WebProgram, service: Emulator) -> None:
    """A page that anybody can open spends what its operator has allowed, and no more."""
    prompt = f"A penny of {own.url}"
    statuses = [post(own, prompt).status_code for _ in range(21)]

    assert [202] * 20 + [503] == statuses
    assert 20 == bills(service, prompt)


def test_a_lost_answer_is_owned_up_to(shared: WebProgram, service: Emulator) -> None:
    """Where nobody knows whether it was paid I am told so, and asking again pays nothing."""
    prompt = f"A lost letter to {shared.url}"
    service.inject(Fault(route="create", prompt=prompt, drop="after"))
    answers = [post(shared, prompt, "lost") for _ in range(2)]

    assert [502, 502] == [answer.status_code for answer in answers]
    assert "may have been paid" in answers[1].json()["error"]
    assert 1 == bills(service, prompt)


def test_a_double_click_pays_once(shared: WebProgram, service: Emulator) -> None:
    """Of two orders with one key at the same time one is sent, and a third has its answer."""
    prompt = f"A pair of shoes at {shared.url}"
    service.inject(Fault(route="create", prompt=prompt, delay=5.0))
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: post(shared, prompt, "double"), range(2)))
    third = post(shared, prompt, "double")

    assert {202, 409} == {answer.status_code for answer in both}
    assert [third.json()["id"]] == [bill.id for bill in service.ledger if bill.prompt == prompt]


def test_a_browser_that_left_finds_its_order(shared: WebProgram, service: Emulator) -> None:
    """My connection breaks while the order is on its way: sent again, it is the same order."""
    prompt = f"A hasty fox at {shared.url}"
    service.inject(Fault(route="create", prompt=prompt, delay=2.0))
    with pytest.raises(requests.Timeout):
        requests.post(
            f"{shared.url}/videos",
            json={"prompt": prompt},
            headers={"Idempotency-Key": "left"},
            timeout=(30, 0.5),
        )
    answer = until(lambda: (found := post(shared, prompt, "left")).status_code != 409 and found)

    assert 202 == answer.status_code
    assert [answer.json()["id"]] == [bill.id for bill in service.ledger if bill.prompt == prompt]
    assert answer.json()["id"] in shared.output


def test_a_locked_record_stops_orders_and_little_else(
    shared: WebProgram, service: Emulator
) -> None:
    """Another program keeps the record to itself: nothing is paid, and I am told so soon."""
    prompt = f"A locked door at {shared.url}"
    with orders_of(shared) as orders:
        orders.execute("begin exclusive")
        with ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda n: post(shared, prompt, f"locked {n}"), range(4)))

    assert [(503, "10")] * 4 == [(one.status_code, one.headers["Retry-After"]) for one in answers]
    assert all("Nothing was paid" in one.json()["error"] for one in answers)
    assert 0 == bills(service, prompt)
    assert 202 == post(shared, prompt, "locked 0").status_code


def test_an_order_that_cannot_be_looked_up_is_not_sent(
    shared: WebProgram, service: Emulator
) -> None:
    """While the record cannot be read my order may be in it: I am to ask again, and pay once."""
    prompt = f"A lost key to {shared.url}"
    with orders_of(shared) as orders:
        orders.execute("alter table orders rename to elsewhere")
        first, paid = post(shared, prompt, "unread"), bills(service, prompt)
        orders.execute("alter table elsewhere rename to orders")
    answers = [post(shared, prompt, "unread") for _ in range(2)]

    assert (409, "2", 0) == (first.status_code, first.headers["Retry-After"], paid)
    assert [202, 202] == [answer.status_code for answer in answers]
    assert 1 == bills(service, prompt)


def test_an_outcome_that_cannot_be_noted_is_owned_up_to(
    shared: WebProgram, service: Emulator
) -> None:
    """The record fails once it is paid: I am told so, the log has the id, and I pay once."""
    prompt = f"A broken pencil at {shared.url}"
    with orders_of(shared) as orders:
        # An update fails then, much as on a full disk.
        orders.execute(
            "create trigger full before update on orders begin insert into nowhere values (1); end"
        )
        first = post(shared, prompt, "unwritten")
        orders.execute("drop trigger full")
    second = post(shared, prompt, "unwritten")
    (bill,) = [bill for bill in service.ledger if bill.prompt == prompt]

    assert [502, 409] == [first.status_code, second.status_code]
    assert "may have been paid" in first.json()["error"]
    assert f"order unwritten: {bill.id}" in shared.output


def test_the_page_is_served(shared: WebProgram) -> None:
    """The address of the service shows the page."""
    answer = requests.get(f"{shared.url}/", timeout=60)

    assert answer.headers["Content-Type"].startswith("text/html")
    assert "New video" in answer.text


async def test_a_thousand_streams_end_with_the_process(own: WebProgram, service: Emulator) -> None:
    """Told to stop, the program ends the streams, and itself, without being asked twice."""
    allow_many_connections()
    service.place("a-slow-one", "A glacier", SLOW)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        streams = [await enter(listen(own, "a-slow-one")) for _ in range(1000)]
        await asyncio.gather(*(anext(stream) for stream in streams))
        listeners = asyncio.gather(*(stream.rest() for stream in streams))
        await asyncio.to_thread(own.stop)
        await listeners

    assert all(stream.is_complete and stream.last_id is None for stream in streams)


async def test_an_order_under_way_is_answered_before_the_end(
    own: WebProgram, service: Emulator
) -> None:
    """Told to stop while it pays, the program first hears what became of that, and says so."""
    prompt = f"A late fox at {own.url}"
    service.inject(Fault(route="create", prompt=prompt, delay=3.0))
    answer = asyncio.create_task(asyncio.to_thread(post, own, prompt, "late"))
    await asyncio.to_thread(until, lambda: bills(service, prompt))
    await asyncio.to_thread(own.stop)

    assert 202 == (await answer).status_code
    assert (await answer).json()["id"] in own.output


async def test_another_worker_goes_on(
    name: str, own: WebProgram, service: Emulator, tmp_path: Path
) -> None:
    """A worker is killed: the others, and it when started again, know the video and its order."""
    prompt = f"A phoenix of {own.url}"
    service.script(prompt, SLOW)
    first = await asyncio.to_thread(post, own, prompt, "phoenix")
    name_of_video = first.json()["id"]
    async with listen(own, name_of_video) as stream:
        await anext(stream)
        await asyncio.to_thread(own.stop, signal.SIGKILL)
        assert [] == await stream.rest()
        assert not stream.is_complete
    service.script(name_of_video, [(0, "completed")])
    own.start()
    ends, again = [], []
    with WebProgram(name, tmp_path, service.base_url) as other:
        for program in (own, other):
            async with listen(program, name_of_video) as stream:
                ends.append((await stream.rest())[-1])
            again.append(await asyncio.to_thread(post, program, prompt, "phoenix"))

    assert ["completed"] * 2 == [event["state"] for event in ends]
    assert [first.json()] * 2 == [answer.json() for answer in again]
    assert 1 == bills(service, prompt)


async def test_the_least_program_works(service: Emulator, tmp_path: Path) -> None:
    """The fifteen lines of the page do what it says of them."""
    command = [sys.executable, "-m", "uvicorn", "web_minimal:app", "--port", "0"]
    with WebProgram("web_minimal", tmp_path, service.base_url, *command) as program:
        name_of_video = await asyncio.to_thread(order, program, "A plum for the least")
        async with listen(program, name_of_video) as stream:
            events = await stream.rest()
        program.stop()

    assert "completed" == events[-1]["state"]
    assert -signal.SIGTERM == program.exit_code
    assert KEY not in program.output
    assert "plum" not in program.output


def test_the_least_program_spends_for_nobody_else(service: Emulator, tmp_path: Path) -> None:
    """Not even of the fifteen lines can another site order, nor anybody without end."""
    command = [sys.executable, "-m", "uvicorn", "web_minimal:app", "--port", "0"]
    prompt = "A trap for the least"
    with WebProgram("web_minimal", tmp_path, service.base_url, *command) as program:
        for kind in ("text/plain", "application/x-www-form-urlencoded", None):
            answer = requests.post(
                f"{program.url}/videos",
                params={"prompt": prompt},
                data=json.dumps({"prompt": prompt}).encode(),
                headers={"Content-Type": kind} if kind is not None else {},
                timeout=60,
            )
            assert 422 == answer.status_code
        statuses = [post(program, prompt).status_code for _ in range(21)]

    assert [202] * 20 + [500] == statuses
    assert 20 == bills(service, prompt)
