"""Scripted faults, seen from the client's end of the wire."""

import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import aiohttp
import anyio
import pytest

from luma_async.emulator import Emulator, Fault

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

Ask: TypeAlias = Callable[..., Awaitable[tuple[int, Any, Mapping[str, str]]]]
Tell: TypeAlias = Callable[[str, str], Awaitable[bytes]]

ORDER = json.dumps({"user_prompt": "x"})
CREATE = (
    "POST /luma-ai/generations HTTP/1.1\nHost: luma\nAuthorization: Bearer key\n"
    f"Content-Type: application/json\nContent-Length: {len(ORDER)}\n\n{ORDER}"
)
GET = "GET /luma-ai/generation?ids[0]=a HTTP/1.1\nHost: luma\nAuthorization: Bearer key\n\n"
VIDEO = "GET /videos/a.mp4 HTTP/1.1\nHost: cdn\n\n"


@pytest.fixture
async def create(emulator: Emulator, ask: Ask) -> Callable[..., Awaitable[Any]]:
    """Order videos."""

    async def send(prompt: str = "x") -> tuple[int, Any, Mapping[str, str]]:
        address = f"{emulator.base_url}/luma-ai/generations"
        return await ask("POST", address, json={"user_prompt": prompt})

    return send


@pytest.fixture
async def get(emulator: Emulator, ask: Ask) -> Callable[..., Awaitable[Any]]:
    """Ask for generations, of which `a`, `b` and `c` exist."""
    for name in "abc":
        emulator.place(name, f"prompt of {name}")

    async def send(*ids: str) -> tuple[int, Any, Mapping[str, str]]:
        query = "&".join(f"ids[]={name}" for name in ids)
        return await ask("GET", f"{emulator.base_url}/luma-ai/generation?{query}")

    return send


async def test_a_status_refuses_an_order_unpaid(emulator: Emulator, create: Ask) -> None:
    """An error replaces the answer in the recorded shape, once, and nothing is billed."""
    emulator.inject(Fault(route="create", status=503))
    status, error, _ = await create()

    assert (503, 503, "Service Unavailable") == (status, error["statusCode"], error["message"])
    assert 0 == emulator.billed
    assert 201 == (await create())[0]


async def test_a_status_can_hide_a_payment(emulator: Emulator, create: Ask) -> None:
    """An order can be accepted and billed although its answer is an error."""
    emulator.inject(Fault(route="create", status=500, accept=True))

    assert 500 == (await create())[0]
    assert 1 == emulator.billed


@pytest.mark.parametrize("status", [200, 202])
async def test_a_success_can_bear_another_number(
    emulator: Emulator, create: Ask, status: int
) -> None:
    """A status below 300 changes the number of the answer and nothing else."""
    emulator.inject(Fault(status=status))
    answered, generation, _ = await create()

    assert status == answered
    assert emulator.ledger[0].id == generation["id"]


async def test_a_success_can_be_empty(emulator: Emulator, create: Ask) -> None:
    """The status 204 leaves nothing of the answer, though the order is paid."""
    emulator.inject(Fault(route="create", status=204))

    assert (204, b"") == (await create())[:2]
    assert 1 == emulator.billed


@pytest.mark.parametrize(
    ("body", "content_type", "received"),
    [
        ("<html>", "text/html; charset=utf-8", b"<html>"),
        (b"\xff\x00", "application/octet-stream", b"\xff\x00"),
        ([{"id": None}], "application/json; charset=utf-8", [{"id": None}]),
    ],
)
async def test_a_body_replaces_the_answer(
    emulator: Emulator, create: Ask, body: object, content_type: str, received: object
) -> None:
    """A fault can say anything, with the status of a success, and nothing is billed."""
    emulator.inject(Fault(body=body))
    status, answer, headers = await create()

    assert (201, received, content_type) == (status, answer, headers["Content-Type"])
    assert 0 == emulator.billed


async def test_a_get_answers_garbage_with_its_own_status(emulator: Emulator, get: Ask) -> None:
    """The status of a body without one is that of the route."""
    emulator.inject(Fault(body="garbage"))

    assert (200, b"garbage") == (await get("a"))[:2]


async def test_headers_are_added(emulator: Emulator, get: Ask) -> None:
    """Headers join any answer and replace those of the same name."""
    emulator.inject(Fault(status=429, headers={"Retry-After": "7"}))
    emulator.inject(Fault(headers={"content-type": "text/plain"}))
    first, second = await get("a"), await get("a")

    assert (429, "7", "Too many requests") == (
        first[0],
        first[2]["Retry-After"],
        first[1]["message"],
    )
    assert (200, "text/plain") == (second[0], second[2]["Content-Type"])


async def test_a_wrong_length_reaches_the_client(emulator: Emulator, tell: Tell) -> None:
    """Even the length of the answer can be a lie."""
    emulator.inject(Fault(headers={"Content-Length": "1000"}))
    answer = await tell(emulator.base_url, GET)

    assert b"Content-Length: 1000\r\n" in answer
    assert answer.endswith(b"\r\n\r\n[]")


async def test_faults_strike_so_many_times_after_so_many_others(
    emulator: Emulator, get: Ask
) -> None:
    """One request passes, two are struck, and the rest passes again."""
    emulator.inject(Fault(route="get", status=500, skip=1, times=2))

    assert [200, 500, 500, 200] == [(await get("a"))[0] for _ in range(4)]


async def test_faults_can_last_until_they_are_removed(emulator: Emulator, get: Ask) -> None:
    """A fault without a number of times strikes until it is taken away."""
    lasting = emulator.inject(Fault(status=500, times=None))
    emulator.inject(Fault(status=502, times=None))
    statuses = [(await get("a"))[0] for _ in range(3)]
    emulator.clear_faults(lasting)
    statuses.append((await get("a"))[0])
    emulator.clear_faults()
    statuses.append((await get("a"))[0])

    assert [500, 500, 500, 502, 200] == statuses


async def test_a_poisoned_id_spoils_the_questions_that_name_it(
    emulator: Emulator, get: Ask, ask: Ask
) -> None:
    """Only a question for the poisoned id fails, whatever else it asks for."""
    emulator.inject(Fault(route="get", ids="b", status=500, times=None))
    listed = await ask("GET", f"{emulator.base_url}/luma-ai/generations")

    assert [200, 500, 500, 200] == [
        listed[0],
        (await get("a", "b"))[0],
        (await get("b"))[0],
        (await get("a", "c"))[0],
    ]


async def test_one_prompt_can_be_refused(emulator: Emulator, create: Ask, get: Ask) -> None:
    """Only the order with this prompt fails."""
    emulator.inject(Fault(prompt="bad", status=400, times=None))

    assert [201, 400, 200] == [
        (await create("good"))[0],
        (await create("bad"))[0],
        (await get("a"))[0],
    ]


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"user_prompt": 5}'])
async def test_an_unreadable_order_has_no_prompt(emulator: Emulator, ask: Ask, body: bytes) -> None:
    """A fault for one prompt leaves an order alone whose prompt cannot be read."""
    emulator.inject(Fault(prompt="bad", status=500))
    headers = {"Content-Type": "application/json"}
    address = f"{emulator.base_url}/luma-ai/generations"

    assert 400 == (await ask("POST", address, data=body, headers=headers))[0]


@pytest.mark.parametrize(("drop", "billed"), [("before", 0), ("after", 1)])
async def test_a_dropped_order_has_no_answer(
    emulator: Emulator, tell: Tell, drop: Any, billed: int
) -> None:
    """The connection ends without a word, before or after the order was paid."""
    emulator.inject(Fault(route="create", drop=drop))

    assert b"" == await tell(emulator.base_url, CREATE)
    assert billed == emulator.billed
    assert [None] == [request.status for request in emulator.requests]


@pytest.mark.parametrize("url", ["base_url", "cdn_url"])
async def test_a_connection_can_be_reset(emulator: Emulator, tell: Tell, url: str) -> None:
    """A reset is told from an orderly end, on both hosts."""
    emulator.inject(Fault(drop="before", reset=True))

    with pytest.raises(anyio.BrokenResourceError) as caught:
        await tell(getattr(emulator, url), "GET / HTTP/1.1\nHost: luma\n\n")

    assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_an_answer_can_be_cut_at_every_byte(emulator: Emulator, tell: Tell) -> None:
    """Wherever the answer is cut, exactly so much of it arrives, and the order is paid."""
    emulator.script(None, [(0.0, "pending")])
    emulator.inject(Fault(route="create", cut_at=100_000))
    whole = await tell(emulator.base_url, CREATE)
    lengths = []
    for length in range(len(whole)):
        emulator.inject(Fault(route="create", cut_at=length))
        lengths.append(len(await tell(emulator.base_url, CREATE)))

    head, _, body = whole.partition(b"\r\n\r\n")
    assert list(range(len(whole))) == lengths
    assert len(whole) + 1 == emulator.billed
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")


async def test_a_cut_can_end_in_a_reset(emulator: Emulator, tell: Tell) -> None:
    """A cut answer can break off rather than end."""
    emulator.inject(Fault(route="create", cut_at=40, reset=True))

    with pytest.raises(anyio.BrokenResourceError):
        await tell(emulator.base_url, CREATE)

    assert 1 == emulator.billed


async def test_an_answer_can_drip(emulator: Emulator, get: Ask, tell: Tell) -> None:
    """An answer that comes byte by byte is still a whole one."""
    emulator.inject(Fault(route="get", drip=1e-9))
    status, [generation], headers = await get("a")
    emulator.inject(Fault(route="get", drip=1e-9, cut_at=20))

    assert (200, "a", "close") == (status, generation["id"], headers["Connection"])
    assert 20 == len(await tell(emulator.base_url, GET))


async def test_an_empty_answer_can_be_cut(emulator: Emulator, tell: Tell) -> None:
    """An answer without a body declares no length."""
    emulator.inject(Fault(status=204, cut_at=100_000))

    assert b"HTTP/1.1 204 No Content\r\n" in await tell(emulator.base_url, GET)


async def test_an_odd_status_is_said_in_some_words(emulator: Emulator, tell: Tell) -> None:
    """A status that no standard names is answered all the same."""
    emulator.inject(Fault(status=599, cut_at=30))

    assert b"HTTP/1.1 599 Unknown\r\n" in await tell(emulator.base_url, GET)


async def test_a_late_answer_is_paid_before_it_comes(emulator: Emulator, create: Ask) -> None:
    """A caller who gives up waiting has still bought a video."""
    emulator.inject(Fault(route="create", delay=3600.0))

    with pytest.raises(TimeoutError):
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as http:
            await http.post(
                f"{emulator.base_url}/luma-ai/generations",
                json={"user_prompt": "x"},
                headers={"Authorization": "Bearer key"},
            )

    assert 1 == emulator.billed
    assert 201 == (await create())[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(delay=0.02),
        Fault(delay=0.02, drop="after"),
        Fault(delay=0.02, drop="after", reset=True),
        Fault(delay=0.02, drip=0.01),
    ],
)
async def test_nobody_is_told_what_nobody_waits_for(
    ask: Ask, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    """A client that leaves before a late answer has paid, and the emulator makes no fuss."""
    async with Emulator() as emulator:
        emulator.inject(fault)
        host, port = emulator.base_url.removeprefix("http://").split(":")
        stream = await anyio.connect_tcp(host, int(port))
        await stream.send(CREATE.replace("\n", "\r\n").encode())
        while not (await ask("GET", f"{emulator.base_url}/_ledger"))[1]:
            continue
        await stream.aclose()

    assert 1 == emulator.billed
    assert [] == caplog.records


async def test_half_an_order_is_no_order(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    """A client that leaves in the middle of its order pays nothing."""
    async with Emulator() as emulator:
        host, port = emulator.base_url.removeprefix("http://").split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(CREATE.replace("\n", "\r\n").encode()[:-3])
            while not (await ask("GET", f"{emulator.base_url}/_wire"))[1]:
                continue

    assert (1, 0, None) == (len(emulator.requests), emulator.billed, emulator.requests[0].status)
    assert [] == caplog.records


@pytest.mark.parametrize(
    ("shape", "ids", "expected"),
    [
        ("missing", (), []),
        ("missing", ("b",), ["a", "c"]),
        ("reordered", (), ["c", "b", "a"]),
        ("duplicated", (), ["a", "b", "c", "a", "b", "c"]),
        ("foreign", (), ["a", "b", "c", "f0f0f0f0-0000-4000-8000-f0f0f0f0f0f0"]),
        ("first", (), ["a"]),
    ],
)
async def test_an_answer_can_be_misshapen(
    emulator: Emulator, get: Ask, shape: str, ids: tuple[str, ...], expected: list[str]
) -> None:
    """A well-formed answer need not be the one that was asked for."""
    emulator.inject(Fault(route="get", shape=shape, ids=ids))
    _, generations, _ = await get("a", "b", "c")

    assert expected == [generation["id"] for generation in generations]


async def test_states_can_be_unknown(emulator: Emulator, get: Ask) -> None:
    """A word that no document names can stand where a state is due."""
    emulator.inject(Fault(shape="unknown", ids=["b"]))
    _, generations, _ = await get("a", "b")

    assert [("completed", False), ("paused", True)] == [
        (generation["state"], generation["video"] is None) for generation in generations
    ]


async def test_an_empty_answer_can_hold_a_foreign_generation(emulator: Emulator, get: Ask) -> None:
    """Asking for nothing known can bring something unknown."""
    emulator.inject(Fault(shape="foreign"))

    assert ["f0f0f0f0-0000-4000-8000-f0f0f0f0f0f0"] == [
        generation["id"] for generation in (await get("nobody"))[1]
    ]


async def test_answers_can_be_wrapped(emulator: Emulator, create: Ask, get: Ask) -> None:
    """An object can come in a list of one, and a list inside an object."""
    emulator.inject(Fault(shape="wrapped", times=2))
    (_, [created], _), (_, shown, _) = await create(), await get("a")

    assert emulator.ledger[0].id == created["id"]
    assert ["a"] == [generation["id"] for generation in shown["data"]]


@pytest.mark.parametrize(
    ("shape", "count"), [("missing", 0), ("reordered", 1), ("duplicated", 2), ("foreign", 2)]
)
async def test_a_new_generation_can_be_misshapen(
    emulator: Emulator, create: Ask, shape: str, count: int
) -> None:
    """The one generation of a create can be lost, or have company."""
    emulator.inject(Fault(route="create", shape=shape))
    _, answer, _ = await create()
    generations = answer if isinstance(answer, list) else [answer]

    assert count == sum("id" in generation for generation in generations)
    assert 1 == emulator.billed


async def test_the_list_can_leave_something_out(emulator: Emulator, get: Ask, ask: Ask) -> None:
    """In a list the ids name what is left out of it."""
    emulator.inject(Fault(route="list", shape="missing", ids=["b"]))
    _, listed, _ = await ask("GET", f"{emulator.base_url}/luma-ai/generations")

    assert ["c", "a"] == [entry["luma_generation_id"] for entry in listed]


async def test_a_function_can_shape_an_answer(emulator: Emulator, get: Ask) -> None:
    """Whatever no word describes can be done in code."""
    emulator.inject(Fault(shape=lambda answer: {"number": len(answer)}))

    assert {"number": 2} == (await get("a", "b"))[1]


async def test_videos_have_no_shape(emulator: Emulator, get: Ask, ask: Ask) -> None:
    """A fault that changes answers waits for one of the API."""
    emulator.inject(Fault(shape="wrapped"))

    assert 200 == (await ask("GET", f"{emulator.cdn_url}/videos/a.mp4"))[0]
    assert {"data": []} == (await get("nobody"))[1]


async def test_an_answer_can_swell_at_the_client(emulator: Emulator, get: Ask) -> None:
    """A few compressed bytes can be a megabyte for the one who reads them."""
    body = gzip.compress(bytes(1_000_000))
    emulator.inject(Fault(body=body, headers={"Content-Encoding": "gzip"}))
    status, received, headers = await get("a")

    assert (200, 1_000_000, str(len(body))) == (status, len(received), headers["Content-Length"])


async def test_errors_keep_their_shape(emulator: Emulator, ask: Ask) -> None:
    """A fault that changes answers leaves refusals as they are."""
    emulator.inject(Fault(shape="wrapped"))
    status, error, _ = await ask("GET", f"{emulator.base_url}/luma-ai/generation?ids=a")

    assert (400, 400) == (status, error["statusCode"])


@pytest.mark.parametrize(
    ("fault", "start"),
    [
        (Fault(route="video", status=503), b"HTTP/1.1 503 Service Unavailable\r\n"),
        (Fault(route="video", body=b"no film"), b"HTTP/1.1 200 OK\r\n"),
        (Fault(route="video", headers={"ETag": '"other"'}), b"HTTP/1.1 200 OK\r\n"),
        (Fault(route="video", cut_at=15), b"HTTP/1.1 200 OK"),
        (Fault(route="video", cut_at=15, drip=1e-9), b"HTTP/1.1 200 OK"),
        (Fault(route="video", delay=1e-9, drop="before"), b""),
        (
            Fault(route="video", status=302, headers={"Location": "http://127.0.0.1:1/"}),
            b"HTTP/1.1 302 Found\r\n",
        ),
    ],
)
async def test_videos_can_fail_as_well(
    emulator: Emulator, get: Ask, tell: Tell, fault: Fault, start: bytes
) -> None:
    """The videos' host suffers the same faults as the API."""
    emulator.inject(fault)
    request = VIDEO.replace("\n\n", "\nConnection: close\n\n")
    answer = await tell(emulator.cdn_url, request)

    assert answer.startswith(start)
    assert all(f"{name}: {text}".encode() in answer for name, text in fault.headers.items())
    assert fault.cut_at is None or fault.cut_at == len(answer)


@pytest.mark.parametrize(
    ("mistake", "complaint"),
    [
        ({"route": "delete"}, "route='delete': expected one of create, get"),
        ({"times": 0}, "times is at least 1"),
        ({"skip": -1}, "skip"),
        ({"status": 99}, "status is from 200 to 599"),
        ({"status": 600}, "status is from 200 to 599"),
        ({"delay": -1}, "delay"),
        ({"drip": -1}, "drip"),
        ({"cut_at": -1}, "cut_at"),
        ({"drop": "never"}, "drop='never': expected before or after"),
        ({"drop": "after", "status": 500}, "drop gives no answer"),
        ({"drop": "after", "headers": {"a": "b"}}, "drop gives no answer"),
        ({"drop": "after", "cut_at": 5}, "drop gives no answer"),
        ({"drop": "after", "shape": "first"}, "drop gives no answer"),
        ({"drop": "before", "accept": True}, "drop before acceptance"),
        ({"status": 500, "shape": "first"}, "shape changes the ordinary answer"),
        ({"body": "x", "shape": "first"}, "shape changes the ordinary answer"),
        ({"shape": "round"}, "shape is not known"),
        ({"shape": "first", "route": "video"}, "a video has no shape"),
        ({"reset": True}, "reset needs drop or cut_at"),
        ({"accept": True, "route": "get"}, "accept is for create and extend"),
        ({"prompt": "x", "route": "list"}, "prompt is for create and extend"),
    ],
)
async def test_senseless_faults_are_refused(mistake: dict[str, Any], complaint: str) -> None:
    """A fault that cannot be meant is found when it is written."""
    with pytest.raises(ValueError, match=complaint):
        Fault(**mistake)
