"""The routes of the API, spoken to over HTTP."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from luma_async.emulator import Emulator, Moment

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

Ask: TypeAlias = Callable[..., Awaitable[tuple[int, Any, Mapping[str, str]]]]
Serve: TypeAlias = Callable[..., Awaitable[Emulator]]

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ID = "57a6cb80-6da0-49bd-b29a-3f089b9e55e4"
TWENTY_ONE = "&".join(f"ids[{place}]={ID}" for place in range(21))


@pytest.mark.parametrize("prefix", ["/luma-ai", "/v1/luma-ai"])
async def test_a_new_generation_looks_as_recorded(serve: Serve, ask: Ask, prefix: str) -> None:
    """A create is answered at once, with a generation that has nothing to show yet."""
    emulator = await serve(started_at=NOON)
    status, generation, headers = await ask(
        "POST", f"{emulator.base_url}{prefix}/generations", json={"user_prompt": "Jellyfish"}
    )

    assert 201 == status
    assert "application/json; charset=utf-8" == headers["Content-Type"]
    assert {
        "id": emulator.ledger[0].id,
        "prompt": "Jellyfish",
        "state": "pending",
        "created_at": "2026-01-01T12:00:00.000000Z",
        "video": None,
        "liked": None,
        "estimate_wait_seconds": None,
    } == generation


async def test_a_finished_generation_has_a_video(
    emulator: Emulator, ask: Ask, time: SimpleNamespace
) -> None:
    """After its time a generation shows where its video and its stills are."""
    order = {"user_prompt": "Jellyfish", "aspect_ratio": "9:16"}
    _, created, _ = await ask("POST", f"{emulator.base_url}/luma-ai/generations", json=order)
    time.now = 60.0
    _, [done], _ = await ask(
        "GET", f"{emulator.base_url}/luma-ai/generation?ids[0]={created['id']}"
    )
    video = done["video"]

    assert "completed" == done["state"]
    assert f"{emulator.cdn_url}/videos/{created['id']}.mp4" == video["url"]
    assert (72, 128, None) == (video["width"], video["height"], video["thumbnail"])
    assert video["download_url"].startswith(f"{video['url']}?expires=")
    assert {"url", "width", "height"} == set(done["thumbnail"]) == set(done["last_frame"])


@pytest.mark.parametrize(
    ("given", "shown"), [(None, "The video could not be generated"), ("moderated", "moderated")]
)
async def test_a_failed_generation_says_why(
    emulator: Emulator, ask: Ask, given: str | None, shown: str
) -> None:
    """A failure comes with a reason and without a video."""
    emulator.script("x", [Moment(0.0, "failed", failure_reason=given)])
    _, failed, _ = await ask(
        "POST", f"{emulator.base_url}/luma-ai/generations", json={"user_prompt": "x"}
    )

    assert ("failed", shown, None) == (failed["state"], failed["failure_reason"], failed["video"])


async def test_a_generation_can_complete_without_a_video(emulator: Emulator, ask: Ask) -> None:
    """A script can complete a generation that has nothing to show."""
    emulator.script(None, [(0.0, "completed", False)])
    _, done, _ = await ask(
        "POST", f"{emulator.base_url}/luma-ai/generations", json={"user_prompt": "x"}
    )

    assert ("completed", None) == (done["state"], done["video"])


async def test_estimates_count_real_seconds(serve: Serve, ask: Ask, time: SimpleNamespace) -> None:
    """The estimate tells how long a caller really has to wait."""
    emulator = await serve(estimates=True, time_scale=60.0)
    _, created, _ = await ask(
        "POST", f"{emulator.base_url}/luma-ai/generations", json={"user_prompt": "x"}
    )
    time.now = 0.75
    address = f"{emulator.base_url}/luma-ai/generation?ids[]={created['id']}"
    _, [running], _ = await ask("GET", address)
    time.now = 1.0
    _, [done], _ = await ask("GET", address)

    assert [1.0, 0.25, None] == [
        shown["estimate_wait_seconds"] for shown in (created, running, done)
    ]


async def test_many_generations_are_asked_for_at_once(emulator: Emulator, ask: Ask) -> None:
    """Generations come back in the order of the question; unknown ids are left out."""
    for name in "abc":
        emulator.place(name, f"prompt of {name}")
    _, shown, _ = await ask(
        "GET", f"{emulator.base_url}/luma-ai/generation?ids[0]=c&ids[1]=nobody&ids[2]=a"
    )

    assert ["prompt of c", "prompt of a"] == [item["prompt"] for item in shown]
    assert ("c", "nobody", "a") == emulator.requests[0].ids


async def test_twenty_one_ids_are_too_many(emulator: Emulator, ask: Ask) -> None:
    """The service cannot read a question for more than twenty ids."""
    status, error, _ = await ask("GET", f"{emulator.base_url}/luma-ai/generation?{TWENTY_ONE}")

    assert 400 == status
    assert "Query validation error: ids must be an array" == error["message"]
    assert () == emulator.requests[0].ids


async def test_an_extension_knows_its_parent(emulator: Emulator, ask: Ask) -> None:
    """An extension of a finished generation is a generation of its own."""
    emulator.place(ID, "Jellyfish")
    status, child, _ = await ask(
        "POST",
        f"{emulator.base_url}/luma-ai/generations/{ID}/extend",
        json={"user_prompt": "with a hat"},
    )

    assert (201, "pending") == (status, child["state"])
    assert ID == emulator.generations[child["id"]].parent
    assert (ID,) == emulator.requests[0].ids
    assert ("extend", 500_000) == (emulator.ledger[0].route, emulator.tokens_billed)


async def test_an_unknown_generation_cannot_be_extended(emulator: Emulator, ask: Ask) -> None:
    """An extension of nothing is refused and costs nothing."""
    status, error, _ = await ask(
        "POST", f"{emulator.base_url}/luma-ai/generations/{ID}/extend", json={"user_prompt": "x"}
    )

    assert (404, f"Generation {ID} not found") == (status, error["message"])
    assert 0 == emulator.billed


async def test_the_list_names_the_accounts_generations(
    serve: Serve, ask: Ask, time: SimpleNamespace
) -> None:
    """The list shows ids and prompts, the newest first, as soon as they are old enough."""
    emulator = await serve(list_lag_seconds=5.0)
    emulator.place("a", "first")
    time.now = 5.0
    emulator.place("b", "second")
    address = f"{emulator.base_url}/luma-ai/generations"
    _, early, _ = await ask("GET", address)
    time.now = 10.0
    _, late, _ = await ask("GET", address)

    first = {"luma_generation_id": "a", "prompt": "first"}
    assert [first] == early
    assert [{"luma_generation_id": "b", "prompt": "second"}, first] == late


async def test_a_forgotten_generation_is_nowhere(emulator: Emulator, ask: Ask) -> None:
    """What the service forgot is neither listed nor found."""
    emulator.place("a", "first")
    emulator.forget("a")

    assert [] == (await ask("GET", f"{emulator.base_url}/luma-ai/generations"))[1]
    assert [] == (await ask("GET", f"{emulator.base_url}/luma-ai/generation?ids[0]=a"))[1]


async def test_an_uploaded_image_has_two_addresses(emulator: Emulator, ask: Ask) -> None:
    """An upload is answered with a list of one, whose addresses both lead to an image."""
    status, [image], _ = await ask(
        "POST",
        f"{emulator.base_url}/luma-ai/generations/file-upload",
        json={"url": "https://example.com/cat.jpg"},
    )

    assert 201 == status
    assert {"id", "presigned_url", "public_url"} == set(image)
    for address in (image["presigned_url"], image["public_url"]):
        fetched, content, headers = await ask("GET", address, key=None)
        assert (200, "image/png") == (fetched, headers["Content-Type"])
        assert content.startswith(b"\x89PNG")


@pytest.mark.parametrize("body", [{}, [], {"url": 5}, {"url": "ftp://example.com/cat.jpg"}])
async def test_an_upload_needs_an_address(emulator: Emulator, ask: Ask, body: object) -> None:
    """Anything but an http address is refused."""
    status, error, _ = await ask(
        "POST", f"{emulator.base_url}/luma-ai/generations/file-upload", json=body
    )

    assert (400, "Body validation error: url must be an http address") == (
        status,
        error["message"],
    )


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "user_prompt must be a text that is not empty"),
        ({"user_prompt": ""}, "user_prompt must be a text that is not empty"),
        ({"user_prompt": None}, "user_prompt must be a text that is not empty"),
        ({"user_prompt": 5}, "user_prompt must be a text that is not empty"),
        ([], "the body must be an object"),
        ({"user_prompt": "x", "aspect_ratio": "2:1"}, "aspect_ratio must be one of 1:1, 16:9,"),
        ({"user_prompt": "x", "aspect_ratio": []}, "aspect_ratio must be one of 1:1, 16:9,"),
        ({"user_prompt": "x", "expand_prompt": 1}, "expand_prompt must be true or false"),
        ({"user_prompt": "x", "image_url": "cat.jpg"}, "image_url must be an http address"),
        ({"user_prompt": "x", "image_end_url": 1}, "image_end_url must be an http address"),
    ],
)
async def test_a_bad_order_is_refused_unpaid(
    emulator: Emulator, ask: Ask, body: object, complaint: str
) -> None:
    """The refusal says what is wrong, and nothing is billed."""
    status, error, _ = await ask("POST", f"{emulator.base_url}/luma-ai/generations", json=body)

    assert 400 == status
    assert error["message"].startswith(f"Body validation error: {complaint}")
    assert 0 == emulator.billed


async def test_every_complaint_is_told_at_once(emulator: Emulator, ask: Ask) -> None:
    """Two mistakes in one order are two complaints in one refusal."""
    _, error, _ = await ask(
        "POST", f"{emulator.base_url}/luma-ai/generations", json={"expand_prompt": "yes"}
    )

    assert (
        "Body validation error: user_prompt must be a text that is not empty; "
        "expand_prompt must be true or false"
    ) == error["message"]


async def test_a_full_order_is_accepted(emulator: Emulator, ask: Ask) -> None:
    """Every option may be given, null counts as left out, and unknown fields do no harm."""
    order = {
        "user_prompt": "x",
        "aspect_ratio": None,
        "expand_prompt": False,
        "image_url": "https://example.com/first.jpg",
        "image_end_url": "http://example.com/last.jpg",
        "something": "else",
    }
    status, created, _ = await ask("POST", f"{emulator.base_url}/luma-ai/generations", json=order)

    assert 201 == status
    assert "16:9" == emulator.generations[created["id"]].aspect_ratio


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b"", "application/json", 400),
        (b'{"user_prompt": "x"}', "text/plain", 400),
        (b'{"user_prompt": "' + b"x" * 110_000 + b'"}', "application/json", 413),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(
    emulator: Emulator, ask: Ask, body: bytes, content_type: str, status: int
) -> None:
    """Broken, mislabelled and oversized orders are refused unpaid."""
    refused, error, _ = await ask(
        "POST",
        f"{emulator.base_url}/luma-ai/generations",
        data=body,
        headers={"Content-Type": content_type},
    )

    assert (status, status, 0) == (refused, error["statusCode"], emulator.billed)


async def test_half_a_character_comes_back_as_it_was_sent(emulator: Emulator, ask: Ask) -> None:
    """A prompt that no text encoding can hold is still carried as JSON can."""
    emulator.script(None, [(0.0, "completed")])
    _, done, _ = await ask(
        "POST",
        f"{emulator.base_url}/luma-ai/generations",
        data=b'{"user_prompt": "\\ud83c"}',
        headers={"Content-Type": "application/json"},
    )

    assert "\ud83c" == done["prompt"]
    assert 200 == (await ask("GET", done["video"]["url"]))[0]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic a2V5"])
async def test_no_key_no_answer(emulator: Emulator, ask: Ask, header: str | None) -> None:
    """Every key will do, but there has to be one."""
    headers = {} if header is None else {"Authorization": header}
    status, error, _ = await ask(
        "GET", f"{emulator.base_url}/luma-ai/generations", key=None, headers=headers
    )

    assert (401, "Unauthorized") == (status, error["message"])


async def test_one_key_can_be_made_the_only_one(serve: Serve, ask: Ask) -> None:
    """An emulator with a key of its own takes no other."""
    emulator = await serve(api_key="sk-right")
    address = f"{emulator.base_url}/luma-ai/generations"

    assert [401, 200] == [(await ask("GET", address, key=key))[0] for key in ("no", "sk-right")]


async def test_an_error_looks_as_recorded(serve: Serve, ask: Ask) -> None:
    """Errors carry a message, the path, an id of the request, the status and the time."""
    emulator = await serve(started_at=NOON)
    status, error, _ = await ask("DELETE", f"{emulator.base_url}/luma-ai/generations?a=b")
    request_id = error.pop("requestId")

    assert 404 == status
    assert 36 == len(request_id)
    assert {
        "message": "Cannot DELETE /luma-ai/generations",
        "path": "/luma-ai/generations",
        "statusCode": 404,
        "timestamp": "2026-01-01T12:00:00.000Z",
    } == error


async def test_credits_run_out_over_http(serve: Serve, ask: Ask) -> None:
    """An account with the price of one video gets one video."""
    emulator = await serve(credits=500_000)
    address = f"{emulator.base_url}/luma-ai/generations"
    answers = [await ask("POST", address, json={"user_prompt": "x"}) for _ in range(2)]

    assert [201, 403] == [status for status, _, _ in answers]
    assert answers[1][1]["message"].startswith("You've run out of credits.")


async def test_too_many_requests_have_to_wait(
    serve: Serve, ask: Ask, time: SimpleNamespace
) -> None:
    """Beyond the rate limit the answer says how many seconds to wait."""
    emulator = await serve(requests_per_second=1.0)
    address = f"{emulator.base_url}/luma-ai/generations"
    passed = await ask("GET", address)
    refused = await ask("GET", address)
    time.now = float(refused[2]["Retry-After"])
    again = await ask("GET", address)

    assert [200, 429, 200] == [status for status, _, _ in (passed, refused, again)]


async def test_every_request_is_logged(emulator: Emulator, ask: Ask, time: SimpleNamespace) -> None:
    """The log tells who asked for what on which connection, and what was answered."""
    time.now = 3.0
    await ask("GET", f"{emulator.base_url}/luma-ai/generations")
    await ask("GET", f"{emulator.base_url}/somewhere?else=1", key=None)
    await ask("HEAD", f"{emulator.cdn_url}/videos/a.mp4", key=None)

    assert [
        (1, "list", "GET", "/luma-ai/generations", "", "Bearer key", 1, "api", 200, 3.0),
        (2, "unknown", "GET", "/somewhere", "else=1", None, 1, "api", 404, 3.0),
        (3, "video", "HEAD", "/videos/a.mp4", "", None, 2, "cdn", 404, 3.0),
    ] == [
        (
            *(r.number, r.route, r.method, r.path, r.query, r.authorization),
            *(r.connection, r.host, r.status, r.at),
        )
        for r in emulator.requests
    ]


async def test_a_new_connection_has_a_new_number(
    emulator: Emulator, tell: Callable[[str, str], Awaitable[bytes]]
) -> None:
    """Connections that are not kept can be told apart."""
    for _ in range(3):
        await tell(emulator.base_url, "GET / HTTP/1.1\nHost: luma\nConnection: close\n\n")

    assert [1, 2, 3] == [request.connection for request in emulator.requests]


async def test_heads_have_no_body(
    emulator: Emulator, tell: Callable[[str, str], Awaitable[bytes]]
) -> None:
    """A HEAD is answered like the GET, up to the body."""
    request = "HEAD /luma-ai/generations HTTP/1.1\nHost: luma\nAuthorization: Bearer key\n"
    answer = await tell(emulator.base_url, f"{request}Connection: close\n\n")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 2\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
