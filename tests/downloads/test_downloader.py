"""Videos are fetched whole or not at all, whatever their host and the way to it do."""

import asyncio
import fcntl
import itertools
import logging
import os
import shutil
import sys
import threading
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import anyio
import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint

from luma_async import Generation, Limits, LumaClient, RetryPolicy, Timeouts, Video
from luma_async._api.rate_limiter import RateLimiter
from luma_async._downloads.cdn import Cdn
from luma_async._downloads.downloader import Downloader
from luma_async._downloads.part_file import PartFile
from luma_async.emulator import Emulator, Fault
from luma_async.emulator.film import film
from luma_async.errors import ClientStateError, DownloadError, LumaError, VideoExpiredError
from tests.support.video_host import Asked, Reply, VideoHost, answer, mp4, serving

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.virtual_time,
    pytest.mark.usefixtures("nothing_left_behind"),
]

KEY = "sk-secret"
NAME = "jellyfish"
FILM = film("Flying jellyfish", "16:9")
VIDEO = mp4(3_000)
OTHER = mp4(3_000)[:-1] + b"!"
QUICK = RetryPolicy(first_delay=0.0)

Serve: TypeAlias = Callable[..., Awaitable[VideoHost]]
Open: TypeAlias = Callable[..., Awaitable[LumaClient]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Close whatever a test has opened."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def time() -> SimpleNamespace:
    """Give out the emulator's clock, set by hand: `time.now`, in seconds."""
    return SimpleNamespace(now=0.0)


@pytest.fixture
async def emulator(stack: AsyncExitStack, time: SimpleNamespace) -> Emulator:
    """Start a service that has one finished video."""
    emulator = Emulator(clock=lambda: time.now, api_key=KEY)
    emulator.place(NAME, "Flying jellyfish")
    return await stack.enter_async_context(emulator)


@pytest.fixture
async def padded(stack: AsyncExitStack) -> Emulator:
    """Start a service whose video has 4 MiB more than it needs."""
    emulator = Emulator(video_padding_bytes=2**22)
    emulator.place(NAME, "Flying jellyfish")
    return await stack.enter_async_context(emulator)


@pytest.fixture
def open_client(stack: AsyncExitStack) -> Open:
    """Open clients that do not wait between attempts."""

    async def start(emulator: Emulator, **options: Any) -> LumaClient:
        settings: dict[str, Any] = {"retries": QUICK, "limits": Limits(requests_per_second=10_000)}
        client = LumaClient(KEY, base_url=emulator.base_url, **settings | options)
        return await stack.enter_async_context(client)

    return start


@pytest.fixture
async def luma(emulator: Emulator, open_client: Open) -> LumaClient:
    """Open a client of that service."""
    return await open_client(emulator)


@pytest.fixture
def serve(stack: AsyncExitStack) -> Serve:
    """Start hosts of videos that give these replies."""

    async def start(*replies: Reply, **options: Any) -> VideoHost:
        return await stack.enter_async_context(VideoHost(*replies, **options))

    return start


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return where the video is to be stored, in a folder of its own."""
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder / "jellyfish.mp4"


async def begin(target: Path, data: bytes) -> None:
    """Leave behind what an earlier download of a video of 3,000 bytes had fetched."""

    def write() -> None:
        part = PartFile(target, NAME, False)
        part.open()
        part.restart('"v1"', len(VIDEO))
        part.append(data)
        part.close()

    await to_thread.run_sync(write)


def at(host: VideoHost) -> Generation:
    """Return a finished generation whose video is at a host."""
    return Generation(id=NAME, state="completed", video=Video(url=host.url))


def names(target: Path) -> list[str]:
    """Return the names of all that is in the folder of the target."""
    return sorted(path.name for path in target.parent.iterdir())


def part_of(target: Path) -> Path:
    """Return where the beginning of a video is kept."""
    return target.with_name(f"{target.name}.part")


def ranges(host: VideoHost) -> list[tuple[str | None, str | None]]:
    """Return which parts a host was asked for."""
    return [(asked.get("range"), asked.get("if-range")) for asked in host.asked]


def of_videos(emulator: Emulator) -> list[int | None]:
    """Return how the emulator answered the requests for videos."""
    return [request.status for request in emulator.requests if request.host == "cdn"]


async def test_a_video_is_stored_whole(emulator: Emulator, luma: LumaClient, target: Path) -> None:
    """A download returns the path of a file that equals the original, and leaves nothing else."""
    assert target == await luma.download(NAME, str(target))
    assert FILM == target.read_bytes()
    assert ["jellyfish.mp4"] == names(target)
    assert {"get": 1, "download": 1} == luma.statistics().requests


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cut", [0, 1, 100, 400, 1_000, 10_000, 20_000, len(FILM) - 1])
async def test_a_cut_transfer_goes_on_where_it_broke(
    emulator: Emulator, luma: LumaClient, target: Path, cut: int, reset: bool
) -> None:
    """D01: wherever a connection breaks, the file is the original in the end."""
    emulator.inject(Fault(route="video", cut_at=cut, reset=reset))

    await luma.download(NAME, target)

    assert FILM == target.read_bytes()
    assert 2 == len(of_videos(emulator))


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cut", [0, 1, 2**20, 2**20 + 1, 2_500_000, 3 * 2**20])
async def test_what_was_stored_is_not_fetched_again(
    padded: Emulator, open_client: Open, target: Path, cut: int, reset: bool
) -> None:
    """D01: a broken transfer costs the last mebibyte at most."""
    padded.inject(Fault(route="video", cut_at=cut, reset=reset))
    luma = await open_client(padded)

    await luma.download(NAME, target)

    assert FILM + (2**22 + 8).to_bytes(4) + b"free" + bytes(2**22) == target.read_bytes()
    if cut > 2_000_000 and not reset:
        assert [200, 206] == of_videos(padded)


@pytest.mark.parametrize("cut", [1, 8, 16, 23, 24, 1_500, 2_999])
async def test_the_rest_is_asked_for_by_range(
    luma: LumaClient, serve: Serve, target: Path, cut: int
) -> None:
    """D01: only what is missing is asked for, and only if the content is still the same."""
    await begin(target, VIDEO[:cut])
    host = await serve(serving(VIDEO))

    await luma.download(at(host), target)

    assert VIDEO == target.read_bytes()
    assert [(f"bytes={cut}-", '"v1"')] == ranges(host)


async def test_a_video_in_many_pieces_comes_together(
    luma: LumaClient, serve: Serve, target: Path
) -> None:
    """D01: a host that breaks off after every 1.5 MiB is asked as often as that takes."""
    video = mp4(15 * 1024 * 1024)
    host = await serve(serving(video, cut=3 * 512 * 1024))

    await luma.download(at(host), target)

    assert video == target.read_bytes()
    # aiohttp forgets what was not read yet when a connection ends, so that it may be a few more.
    assert 10 <= len(host.asked) <= 15


@pytest.mark.parametrize("etag", [None, 'W/"v1"', "v1", '"\xe9"'])
async def test_without_a_strong_validator_it_starts_over(
    luma: LumaClient, serve: Serve, target: Path, etag: str | None
) -> None:
    """D01: bytes that nothing proves to belong together are not put together."""
    host = await serve(serving(OTHER, etag, cut=2_000), serving(VIDEO, etag))

    await luma.download(at(host), target)

    assert VIDEO == target.read_bytes()
    assert [(None, None), (None, None)] == ranges(host)


def parts(
    *, start: int = 1_000, total: int | None = 3_000, **headers: str
) -> Callable[[Asked], Iterable[bytes]]:
    """Return a reply that is asked for a part, and sends one of another film."""
    fields = {"ETag": '"v1"', **{name.replace("_", "-"): text for name, text in headers.items()}}
    if total is not None:
        fields.setdefault("Content-Range", f"bytes {start}-{total - 1}/{total}")
    return lambda _: (answer(206, OTHER[start:total], fields),)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(lambda _: (answer(200, OTHER[:2_000] + b"?" * 9),), id="D02 whole"),
        pytest.param(parts(start=999), id="D03 other start"),
        pytest.param(parts(start=0, total=2_500), id="D03 from the start"),
        pytest.param(parts(total=2_999), id="D03 smaller"),
        pytest.param(parts(total=3_001), id="D03 larger"),
        pytest.param(parts(total=None), id="D03 no Content-Range"),
        pytest.param(
            parts(total=None, Content_Type="multipart/byteranges; boundary=x"), id="D03 multipart"
        ),
        pytest.param(parts(Content_Range="bytes 1000-2999/*"), id="D03 no total"),
        pytest.param(parts(Content_Range="lines one-two"), id="D03 gibberish"),
        pytest.param(parts(Content_Encoding="gzip"), id="D07 encoded"),
        pytest.param(parts(ETag='"v2"'), id="D16 other content"),
        pytest.param(lambda _: (answer(416),), id="D05 no size"),
        pytest.param(
            lambda _: (answer(416, b"", {"Content-Range": "bytes */900"}),), id="D05 smaller"
        ),
    ],
)
async def test_a_part_that_does_not_fit_is_not_used(
    luma: LumaClient, serve: Serve, target: Path, reply: Reply
) -> None:
    """What does not continue the file makes it start over, and ends in the right one."""
    await begin(target, VIDEO[:1_000])
    host = await serve(reply, serving(VIDEO))

    await luma.download(at(host), target)

    assert VIDEO == target.read_bytes()
    assert [("bytes=1000-", '"v1"'), (None, None)] == ranges(host)


async def test_a_host_without_ranges_sends_everything_again(
    luma: LumaClient, serve: Serve, target: Path
) -> None:
    """D02: the whole in answer to a request for a part takes the place of what was there."""
    await begin(target, OTHER[:1_000])
    host = await serve(lambda _: serving(VIDEO)({}))

    await luma.download(at(host), target)

    assert VIDEO == target.read_bytes()
    assert 1 == len(host.asked)


async def test_a_video_that_changes_meanwhile_is_not_mixed(
    luma: LumaClient, serve: Serve, target: Path
) -> None:
    """D16: the new content comes whole, as If-Range makes the host send it."""
    await begin(target, OTHER[:2_000])
    host = await serve(serving(VIDEO, '"v2"'))

    await luma.download(at(host), target)

    assert VIDEO == target.read_bytes()
    assert [("bytes=2000-", '"v1"')] == ranges(host)


@pytest.mark.parametrize("etag", ['"v1"', None])
async def test_a_part_that_nobody_asked_for_is_a_beginning(
    luma: LumaClient, serve: Serve, target: Path, etag: str | None
) -> None:
    """D03: a host that sends pieces of its own choosing is asked for the next one."""
    headers = {"Content-Range": "bytes 0-999/3000"} | ({"ETag": etag} if etag else {})
    host = await serve(answer(206, VIDEO[:1_000], headers), serving(VIDEO))

    await luma.download(at(host), target)

    assert VIDEO == target.read_bytes()


async def test_a_file_that_was_complete_is_only_given_its_name(
    emulator: Emulator, luma: LumaClient, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D05, D11: after a failed rename, the host says that nothing is missing, and that is all."""
    done = await luma.get(NAME)
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *_: Path("/nowhere").stat())
    with pytest.raises(DownloadError, match="cannot write"):
        await luma.download(done, target)
    assert FILM == part_of(target).read_bytes()
    monkeypatch.setattr(os, "replace", replace)

    await luma.download(done, target)

    assert FILM == target.read_bytes()
    assert [200, 416] == of_videos(emulator)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(200, b"<html>Please log in</html>"), id="D06 HTML"),
        pytest.param(answer(200, b'{"error": "gone"}'), id="D06 JSON"),
        pytest.param(answer(200), id="D06 empty"),
        pytest.param(answer(200, sized=False), id="D06 nothing"),
        pytest.param(answer(200, VIDEO[:-1], sized=False), id="D06 cut, of no announced length"),
        pytest.param(answer(200, VIDEO[:-1], {"Content-Length": "3000"}), id="D01 always cut"),
        pytest.param(answer(200, VIDEO, {"Content-Encoding": "gzip"}), id="D07 encoded"),
        pytest.param(answer(416, b"", {"Content-Range": "bytes */0"}), id="D05 nothing there"),
        pytest.param(answer(416, b"", {"Content-Range": "bytes */3000"}), id="D05 nothing asked"),
        pytest.param(answer(503), id="out of order"),
        pytest.param(b"", id="hung up"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="no HTTP"),
    ],
)
async def test_what_is_no_whole_video_gets_no_name(
    luma: LumaClient, serve: Serve, target: Path, reply: Reply
) -> None:
    """A wrong answer is asked for again a few times, and then is an error; nothing is left."""
    host = await serve(reply)

    with pytest.raises(DownloadError, match="4 times in a row") as caught:
        await luma.download(at(host), target)
    assert DownloadError is type(caught.value)
    assert [] == names(target)
    # aiohttp repeats a request by itself when a connection ends without a byte.
    assert len(host.asked) == (8 if reply == b"" else 4)


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Encoding": "Identity"}, {"Content-Encoding": ""}]
)
async def test_a_length_is_not_needed(
    luma: LumaClient, serve: Serve, target: Path, headers: dict[str, str]
) -> None:
    """D06: a video that ends with its connection is whole if its own boxes say so."""
    host = await serve(answer(200, VIDEO, headers, sized=False))

    await luma.download(at(host), target)

    assert VIDEO == target.read_bytes()


async def test_a_wrong_answer_may_be_followed_by_the_right_one(
    emulator: Emulator, luma: LumaClient, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """D06: a host that apologises with 200 and HTML is asked again; the log says so."""
    caplog.set_level(logging.INFO, "luma_async")
    emulator.inject(Fault(route="video", body="<html>Sorry</html>"))

    await luma.download(NAME, target)

    assert FILM == target.read_bytes()
    first, last = caplog.messages
    assert "(what came is not the video: it is no MP4 file) and is repeated" in first
    assert f"the video of generation jellyfish is stored, {len(FILM)} bytes" == last


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, b"", {"Content-Length": "3000000000"}),
        answer(206, VIDEO, {"Content-Range": "bytes 0-2999/3000000000"}),
    ],
)
async def test_a_video_too_large_to_be_one_is_not_begun(
    luma: LumaClient, serve: Serve, target: Path, reply: Reply
) -> None:
    """D08: three gigabytes are refused by their announcement."""
    host = await serve(reply)

    with pytest.raises(DownloadError, match="larger than 2,147,483,648 bytes"):
        await luma.download(at(host), target)
    assert [[], 1] == [names(target), len(host.asked)]


@pytest.mark.parametrize(
    "headers", [{"ETag": '"v1"'}, {"ETag": '"v1"', "Content-Range": "bytes 0-2999/3000"}]
)
async def test_a_body_without_end_is_left(
    stack: AsyncExitStack, serve: Serve, target: Path, headers: dict[str, str]
) -> None:
    """D08: what passes the limit, or the size announced, is thrown away."""

    def endless(_: Asked) -> Iterable[bytes]:
        status = 206 if "Content-Range" in headers else 200
        yield answer(status, VIDEO, headers, sized=False)
        yield from itertools.repeat(bytes(65_536))

    host = await serve(endless)
    cdn = Cdn(True, 5.0, 5.0)
    cdn.open()
    stack.push_async_callback(cdn.close)
    downloader = Downloader(
        cdn, RateLimiter(Limits()), QUICK, 5.0, lambda _: asyncio.Future(), max_bytes=3_000_000
    )

    with pytest.raises(DownloadError, match="more than it announced"):
        await downloader.download(at(host), target, overwrite=False)
    assert [] == names(target)


async def test_a_transfer_that_stalls_is_broken_off(
    emulator: Emulator, open_client: Open, serve: Serve, target: Path
) -> None:
    """D04: a host that falls silent in the middle is asked for the rest."""
    luma = await open_client(emulator, timeouts=Timeouts(stall=0.2))
    host = await serve(serving(VIDEO, cut=2_000), serving(VIDEO), stalls=1)

    await luma.download(at(host), target)

    assert VIDEO == target.read_bytes()
    assert ("bytes=2000-", '"v1"') == ranges(host)[1]


async def test_a_transfer_that_drips_is_broken_off(
    emulator: Emulator, open_client: Open, serve: Serve, target: Path
) -> None:
    """D04: less than 1,000 bytes a second count as nothing, but are kept."""
    luma = await open_client(emulator, timeouts=Timeouts(stall=0.2))

    def drops(asked: Asked) -> Iterable[bytes]:
        head, body = serving(VIDEO)(asked)
        yield head
        yield from (body[place : place + 1] for place in range(len(body)))

    host = await serve(drops, serving(VIDEO), drip=0.02)

    await luma.download(at(host), target)

    assert VIDEO == target.read_bytes()
    assert '"v1"' == ranges(host)[1][1]


async def test_a_transfer_that_is_slow_but_steady_is_not_broken_off(
    emulator: Emulator, open_client: Open, serve: Serve, target: Path
) -> None:
    """D04: the time as a whole has no limit."""
    luma = await open_client(emulator, timeouts=Timeouts(stall=0.3))

    def steady(asked: Asked) -> Iterable[bytes]:
        head, body = serving(mp4(30_000))(asked)
        yield head
        yield from (body[place : place + 1_000] for place in range(0, len(body), 1_000))

    host = await serve(steady, drip=0.025)

    await luma.download(at(host), target)

    assert 1 == len(host.asked)


async def test_an_expired_address_is_asked_for_anew(
    emulator: Emulator, luma: LumaClient, target: Path, time: SimpleNamespace
) -> None:
    """D17, S15: a video that was waited for long ago can still be downloaded."""
    done = await luma.get(NAME)
    time.now = 4_000.0

    await luma.download(done, target)

    assert FILM == target.read_bytes()
    routes = [(request.route, request.status) for request in emulator.requests]
    assert [("get", 200), ("video", 403), ("get", 200), ("video", 200)] == routes


async def test_an_address_may_expire_in_the_middle(
    padded: Emulator, open_client: Open, target: Path
) -> None:
    """S15: what came by one address is continued by the next one."""
    padded.inject(Fault(route="video", cut_at=2_500_000))
    padded.inject(Fault(route="video", status=403))
    luma = await open_client(padded)

    await luma.download(NAME, target)

    assert FILM == target.read_bytes()[: len(FILM)]
    assert [200, 403, 206] == of_videos(padded)


async def test_each_address_that_brought_something_may_expire(
    luma: LumaClient, emulator: Emulator, serve: Serve, target: Path
) -> None:
    """S15: in a transfer of many hours, more than one address expires."""
    pieces = [
        answer(
            206,
            VIDEO[start : start + 1_000],
            {"Content-Range": f"bytes {start}-{start + 999}/3000", "ETag": '"v1"'},
        )
        for start in (0, 1_000, 2_000)
    ]
    host = await serve(*(reply for piece in pieces for reply in (answer(403), piece)))
    asked: list[str] = []

    async def refresh(name: str) -> Generation:
        asked.append(name)
        return at(host)

    cdn = Cdn(True, 5.0, 5.0)
    cdn.open()
    downloader = Downloader(cdn, RateLimiter(Limits()), QUICK, 5.0, refresh)
    await downloader.download(at(host), target, overwrite=False)
    await cdn.close()

    assert VIDEO == target.read_bytes()
    assert [NAME] * 3 == asked


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_an_address_that_stays_refused_is_an_error_of_its_own(
    emulator: Emulator, luma: LumaClient, target: Path, status: int
) -> None:
    """D17, S15: the service is asked once for another address; no key is ever shown for it."""
    emulator.inject(Fault(route="video", status=status, times=None))

    with pytest.raises(VideoExpiredError, match=f"HTTP {status}"):
        await luma.download(NAME, target)
    assert ["get", "video", "get", "video"] == [request.route for request in emulator.requests]
    assert [] == names(target)


async def test_a_refused_video_does_not_cost_what_had_come(
    padded: Emulator, open_client: Open, target: Path
) -> None:
    """S15: the beginning stays, for the day on which the service gives a good address."""
    padded.inject(Fault(route="video", cut_at=2_500_000))
    padded.inject(Fault(route="video", status=410, times=2))
    luma = await open_client(padded)
    with pytest.raises(VideoExpiredError):
        await luma.download(NAME, target)
    assert [f"{target.name}.part", f"{target.name}.part.json"] == names(target)

    await luma.download(NAME, target)

    assert FILM == target.read_bytes()[: len(FILM)]
    assert [200, 410, 410, 206] == of_videos(padded)


async def test_the_newest_address_is_used(
    emulator: Emulator, luma: LumaClient, target: Path, time: SimpleNamespace
) -> None:
    """S14: given an id, the service is asked where the video is now."""
    first = await luma.get(NAME)
    time.now = 10.0
    await luma.download(NAME, target)

    query = emulator.requests[-1].query
    assert query.startswith("expires=")
    assert first.video is not None
    assert first.video.download_url is not None
    assert query not in first.video.download_url


async def test_a_video_that_does_not_exist_yet_cannot_be_fetched(
    emulator: Emulator, luma: LumaClient, target: Path
) -> None:
    """A generation under way is asked for, and named together with its state."""
    running = await luma.create("Slow jellyfish")

    with pytest.raises(DownloadError, match=r"\(pending\) has no video yet"):
        await luma.download(running, target)
    assert [[], []] == [names(target), of_videos(emulator)]


async def test_the_key_never_reaches_the_host_of_the_videos(
    emulator: Emulator, luma: LumaClient, serve: Serve, target: Path, time: SimpleNamespace
) -> None:
    """D17: neither at first, nor on resuming, after a redirect, or with a fresh address."""
    done = await luma.get(NAME)
    elsewhere = await serve(serving(FILM))
    emulator.inject(Fault(route="video", cut_at=10_000))
    emulator.inject(Fault(route="video", status=401))
    emulator.inject(Fault(route="video", status=302, body="", headers={"Location": elsewhere.url}))

    await luma.download(done, target)

    assert FILM == target.read_bytes()
    assert [200, 401, 302] == of_videos(emulator)
    assert {None} == {r.authorization for r in emulator.requests if r.host == "cdn"}
    assert {f"Bearer {KEY}"} == {r.authorization for r in emulator.requests if r.host == "api"}
    assert all("authorization" not in asked for asked in elsewhere.asked)


async def test_a_folder_that_vanishes_is_an_error_of_the_download(
    luma: LumaClient, serve: Serve, target: Path
) -> None:
    """D18: nothing can be stored where nothing is any more."""

    def reply(asked: Asked) -> Iterable[bytes]:
        shutil.rmtree(target.parent)
        yield from serving(VIDEO)(asked)

    host = await serve(reply)

    with pytest.raises(DownloadError, match="cannot write"):
        await luma.download(at(host), target)
    assert not target.parent.exists()


async def test_a_second_task_does_not_disturb_the_first(
    luma: LumaClient, serve: Serve, target: Path
) -> None:
    """D14: of many downloads of one target at once, one writes and the others are told."""
    host = await serve(serving(VIDEO))

    results = await asyncio.gather(
        *(luma.download(at(host), target) for _ in range(10)), return_exceptions=True
    )

    assert 1 == results.count(target)
    assert 9 == sum(isinstance(result, DownloadError) for result in results)
    assert VIDEO == target.read_bytes()
    assert ["jellyfish.mp4"] == names(target)


async def test_hundreds_of_downloads_take_turns(
    luma: LumaClient, serve: Serve, target: Path
) -> None:
    """Any number of downloads may be asked for at once; a few dozen are under way."""
    host = await serve(serving(VIDEO))
    targets = [target.with_name(f"{number}.mp4") for number in range(200)]

    await asyncio.gather(*(luma.download(at(host), each) for each in targets))

    assert [VIDEO] * 200 == [each.read_bytes() for each in targets]


PROCESS = """
import asyncio, sys
from luma_async import Generation, LumaClient, Video

async def main():
    async with LumaClient("sk-secret", base_url="http://127.0.0.1:9") as luma:
        done = Generation(id="jellyfish", state="completed", video=Video(url=sys.argv[1]))
        await luma.download(done, sys.argv[2])

asyncio.run(main())
"""


async def test_a_process_that_is_killed_leaves_a_beginning(
    luma: LumaClient, serve: Serve, target: Path
) -> None:
    """D13, D14: while another process is at it, it has the file; killed, it leaves what came."""
    video = mp4(3 * 1024 * 1024)
    host = await serve(serving(video, cut=5 * 512 * 1024), serving(video), stalls=1)
    part = part_of(target)

    command = [sys.executable, "-c", PROCESS, host.url, str(target)]
    async with await anyio.open_process(command) as process:
        with anyio.fail_after(20):
            while not part.exists() or part.stat().st_size < 1024 * 1024:
                await checkpoint()
        with pytest.raises(DownloadError, match="another download"):
            await luma.download(at(host), target)
        process.kill()
        await process.wait()
    size = part.stat().st_size
    assert not target.exists()

    await luma.download(at(host), target)

    assert video == target.read_bytes()
    assert (f"bytes={size}-", '"v1"') == ranges(host)[1]


def is_free(target: Path) -> bool:
    """Tell whether nobody holds the partial file, and so no descriptor of it is open."""
    with suppress(FileNotFoundError), part_of(target).open("rb") as part:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


def by_asyncio(work: "asyncio.Task[Path]", _: anyio.CancelScope) -> None:
    """Cancel as `asyncio.timeout` does."""
    work.cancel()


def by_anyio(_: "asyncio.Task[Path]", scope: anyio.CancelScope) -> None:
    """Cancel as `anyio.fail_after` does."""
    scope.cancel()


@pytest.mark.parametrize("cancel", [by_asyncio, by_anyio])
async def test_a_download_can_be_cancelled_at_any_point(
    luma: LumaClient,
    serve: Serve,
    target: Path,
    cancel: Callable[["asyncio.Task[Path]", anyio.CancelScope], None],
) -> None:
    """D15: whatever was going on, the file is closed, and a later call goes on from there."""
    video = mp4(2 * 1024 * 1024 + 5)
    host = await serve(serving(video))
    before = asyncio.all_tasks()

    for turns in [*range(40), *range(40, 400, 20)]:
        scope = anyio.CancelScope()

        async def work(scope: anyio.CancelScope = scope) -> Path:
            with scope:
                await luma.download(at(host), target)
            return target

        task = asyncio.create_task(work())
        for _ in range(turns):
            await checkpoint()
        cancel(task, scope)
        await asyncio.wait([task])
        assert is_free(target)
        if target.exists():
            assert video == target.read_bytes()
            target.unlink()

    await luma.download(at(host), target)
    assert video == target.read_bytes()
    assert ["jellyfish.mp4"] == names(target)
    ours = {task for task in asyncio.all_tasks() - before if "VideoHost" not in repr(task)}
    assert set() == ours


async def test_a_deadline_keeps_what_had_come(luma: LumaClient, serve: Serve, target: Path) -> None:
    """D15: a download that took too long for its caller goes on with the next call."""
    video = mp4(2 * 1024 * 1024)
    host = await serve(serving(video, cut=3 * 512 * 1024), serving(video), stalls=1)
    task = asyncio.create_task(luma.download(at(host), target))
    while not part_of(target).exists() or not part_of(target).stat().st_size:
        await checkpoint()
    task.cancel()
    await asyncio.wait([task])
    size = part_of(target).stat().st_size

    await luma.download(at(host), target)

    assert video == target.read_bytes()
    assert (f"bytes={size}-", '"v1"') == ranges(host)[1]


async def test_cancelling_waits_for_the_disk(
    luma: LumaClient, serve: Serve, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D15: while the system stores the file nobody closes it; then the cancellation is told."""
    host = await serve(serving(VIDEO))
    storing, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        storing.set()
        assert go_on.wait(20)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    task = asyncio.create_task(luma.download(at(host), target))
    while not storing.is_set():
        await checkpoint()
    for _ in range(3):
        task.cancel()
        await checkpoint()
    waited = not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert waited
    assert VIDEO == target.read_bytes()
    assert ["jellyfish.mp4"] == names(target)


async def test_closing_the_client_ends_its_downloads(
    emulator: Emulator, open_client: Open, serve: Serve, target: Path
) -> None:
    """A download under way says that the client was closed, and keeps what had come."""
    luma = await open_client(emulator)
    host = await serve(serving(mp4(2_000_000), cut=1_500_000), stalls=9)
    task = asyncio.create_task(luma.download(at(host), target))
    while not part_of(target).exists() or not part_of(target).stat().st_size:
        await checkpoint()

    await luma.close()

    with pytest.raises(ClientStateError, match="closed"):
        await task
    assert is_free(target)
    assert f"{target.name}.part" in names(target)


async def test_a_large_video_needs_little_memory(
    stack: AsyncExitStack, open_client: Open, target: Path
) -> None:
    """50 MiB pass through the memory of a few."""
    size = 50 * 1024 * 1024
    emulator = Emulator(video_padding_bytes=size)
    emulator.place(NAME, "Flying jellyfish")
    await stack.enter_async_context(emulator)
    luma = await open_client(emulator)

    tracemalloc.start()
    try:
        await luma.download(NAME, target)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert size + 8 + len(FILM) == target.stat().st_size
    assert target.read_bytes().startswith(FILM)
    assert peak < 8 * 1024 * 1024


async def test_no_error_is_of_another_kind_or_tells_the_address(
    luma: LumaClient, serve: Serve, target: Path
) -> None:
    """Whatever a host does, what comes is an error of ours, and a signed address stays secret."""
    replies = [answer(500), answer(302, b"", {"Location": "http://[x"}), answer(200, b"x"), b"\0"]
    for reply in replies:
        host = await serve(reply)
        video = Video(download_url=f"{host.url}?signature=secret-to-all")
        generation = Generation(id=NAME, state="completed", video=video)
        with pytest.raises(LumaError) as caught:
            await luma.download(generation, target)
        assert "secret-to-all" not in f"{caught.value!r} {caught.value.__cause__!r}"
