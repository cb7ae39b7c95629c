"""The videos' host."""

from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest

from luma_async.emulator import Emulator

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

Ask: TypeAlias = Callable[..., Awaitable[tuple[int, Any, Mapping[str, str]]]]
Serve: TypeAlias = Callable[..., Awaitable[Emulator]]


@pytest.fixture
async def video(emulator: Emulator) -> str:
    """Return the address of a finished video."""
    emulator.place("a", "Flying jellyfish")
    return f"{emulator.cdn_url}/videos/a.mp4"


async def signed(emulator: Emulator, ask: Ask) -> str:
    """Return the address that expires, of the video of the generation `a`."""
    _, [shown], _ = await ask("GET", f"{emulator.base_url}/luma-ai/generation?ids[]=a")
    return str(shown["video"]["download_url"])


async def test_a_video_is_served_whole(video: str, ask: Ask) -> None:
    """A plain GET brings the file, its type, its tag and the promise of ranges."""
    status, content, headers = await ask("GET", video, key=None)

    assert 200 == status
    assert b"ftyp" == content[4:8]
    assert ("video/mp4", "bytes", str(len(content))) == (
        headers["Content-Type"],
        headers["Accept-Ranges"],
        headers["Content-Length"],
    )
    assert headers["ETag"].startswith('"')


async def test_a_head_tells_the_size(video: str, ask: Ask) -> None:
    """The size of a video is known without fetching it."""
    _, content, _ = await ask("GET", video)
    status, nothing, headers = await ask("HEAD", video)

    assert (200, b"", str(len(content))) == (status, nothing, headers["Content-Length"])


@pytest.mark.parametrize(
    ("wanted", "first", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=5-5", 5, 6),
        ("bytes=100-", 100, None),
        ("bytes=100-99999999", 100, None),
        ("bytes=-7", -7, None),
        ("bytes=-99999999", 0, None),
    ],
)
async def test_a_part_can_be_fetched(
    video: str, ask: Ask, wanted: str, first: int, end: int | None
) -> None:
    """Ranges from the start, to the end, and from the end bring that part."""
    _, whole, _ = await ask("GET", video)
    status, part, headers = await ask("GET", video, headers={"Range": wanted})
    start = len(whole) + first if first < 0 else first

    assert 206 == status
    assert whole[first:end] == part
    assert f"bytes {start}-{start + len(part) - 1}/{len(whole)}" == headers["Content-Range"]
    assert str(len(part)) == headers["Content-Length"]


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=-0", "bytes=99999999-999999999"])
async def test_a_part_beyond_the_end_is_refused(video: str, ask: Ask, wanted: str) -> None:
    """What lies behind the end cannot be had, and the answer tells the size."""
    _, whole, _ = await ask("GET", video)
    status, _, headers = await ask("GET", video, headers={"Range": wanted})

    assert (416, f"bytes */{len(whole)}") == (status, headers["Content-Range"])


@pytest.mark.parametrize(
    "wanted", ["bytes=-", "bytes=9-5", "bytes=0-1,4-5", "lines=0-1", "bytes=a-b"]
)
async def test_an_unreadable_range_brings_everything(video: str, ask: Ask, wanted: str) -> None:
    """A range that nobody can read is passed over."""
    assert 200 == (await ask("GET", video, headers={"Range": wanted}))[0]


async def test_a_download_goes_on_only_in_the_same_file(video: str, ask: Ask) -> None:
    """With a tag or a date that still holds, the rest comes; with another one, everything."""
    _, _, headers = await ask("HEAD", video)
    rest = {"Range": "bytes=10-"}

    assert [206, 206, 200, 200] == [
        (await ask("GET", video, headers={**rest, "If-Range": condition}))[0]
        for condition in (
            headers["ETag"],
            headers["Last-Modified"],
            '"other"',
            f"W/{headers['ETag']}",
        )
    ]


async def test_padding_makes_a_video_as_long_as_wanted(serve: Serve, ask: Ask) -> None:
    """A padded video ends in a box that players pass over, and in so many zeros."""
    plain, padded = await serve(), await serve(video_padding_bytes=3_000_000)
    contents = []
    for emulator in (plain, padded):
        emulator.place("a", "Jellyfish")
        contents.append((await ask("GET", f"{emulator.cdn_url}/videos/a.mp4"))[1])
    short, long = contents
    part = {"Range": f"bytes={len(short) + 4}-{len(short) + 1_500_000}"}
    _, middle, _ = await ask("GET", f"{padded.cdn_url}/videos/a.mp4", headers=part)

    assert short + (3_000_008).to_bytes(4) + b"free" + bytes(3_000_000) == long
    assert b"free" + bytes(1_500_000 - 7) == middle


async def test_a_signed_address_expires(serve: Serve, ask: Ask, time: SimpleNamespace) -> None:
    """A signed address works for its hour, the plain one for ever, and a new one again."""
    emulator = await serve(url_lifetime_seconds=3600.0)
    emulator.place("a", "Jellyfish")
    address = await signed(emulator, ask)
    statuses = []
    for time.now in (0.0, 3599.0, 3600.0):
        statuses.append((await ask("GET", address))[0])
    _, body, headers = await ask("GET", address)

    assert [200, 200, 403] == statuses
    assert "application/xml" == headers["Content-Type"]
    assert b"<Code>Forbidden</Code><Message>Request has expired</Message>" in body
    assert 200 == (await ask("GET", address.partition("?")[0]))[0]
    assert 200 == (await ask("GET", await signed(emulator, ask)))[0]


@pytest.mark.parametrize("forge", [("expires=", "expires=9"), ("signature=", "signature=0")])
async def test_a_forged_address_is_refused(
    emulator: Emulator, video: str, ask: Ask, forge: tuple[str, str]
) -> None:
    """Nobody can lengthen the life of an address."""
    address = await signed(emulator, ask)

    assert 403 == (await ask("GET", address.replace(*forge)))[0]
    assert 403 == (await ask("GET", f"{video}?signature=%C3%A9"))[0]


async def test_there_is_no_video_before_its_time(
    emulator: Emulator, ask: Ask, time: SimpleNamespace
) -> None:
    """Neither an unfinished generation nor an unknown one has a video or a still."""
    await ask("POST", f"{emulator.base_url}/luma-ai/generations", json={"user_prompt": "x"})
    [name] = emulator.generations
    paths = (f"videos/{name}.mp4", f"frames/{name}.png", "videos/nobody.mp4", "else")

    assert [404] * 4 == [(await ask("GET", f"{emulator.cdn_url}/{path}"))[0] for path in paths]


async def test_stills_are_images(emulator: Emulator, video: str, ask: Ask) -> None:
    """The thumbnail and the last frame are two different images."""
    _, [shown], _ = await ask("GET", f"{emulator.base_url}/luma-ai/generation?ids[]=a")
    stills = [await ask("GET", shown[name]["url"]) for name in ("thumbnail", "last_frame")]

    assert [200, 200] == [status for status, _, _ in stills]
    assert all(content.startswith(b"\x89PNG\r\n\x1a\n") for _, content, _ in stills)
    assert stills[0][1] != stills[1][1]


async def test_a_key_that_came_here_is_seen(emulator: Emulator, video: str, ask: Ask) -> None:
    """A key sent to the wrong host works there, and is found in the log."""
    await ask("GET", video, key="sk-secret")
    await ask("GET", video, key=None)

    assert ["Bearer sk-secret", None] == [request.authorization for request in emulator.requests]
    assert [("video", ("a",)), ("video", ("a",))] == [(r.route, r.ids) for r in emulator.requests]
