"""Fetches one video into a file, through broken transfers and expired addresses."""

import logging
import random
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import aiohttp
import anyio
from attrs import define, field

from luma_async._api.rate_limiter import RateLimiter
from luma_async._api.sansio.retry import backoff
from luma_async._downloads.cdn import Cdn, TransferError
from luma_async._downloads.part_file import PartFile, strong
from luma_async._runtime import clock, telemetry
from luma_async._runtime.shield import in_thread
from luma_async.errors import DownloadError, VideoExpiredError
from luma_async.models import Generation
from luma_async.settings import RetryPolicy

MAX_VIDEO_BYTES = 2 * 1024**3
_BATCH_BYTES = 1024 * 1024
_MIN_BYTES_PER_SECOND = 1000
# More would each hold a connection that they hardly use, and run out of files.
_MAX_CONCURRENT = 32
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18})")


@define(eq=False)
class Downloader:
    """Downloads videos; `refresh` asks the service for a generation with fresh addresses."""

    _cdn: Cdn
    _rate_limiter: RateLimiter
    _policy: RetryPolicy
    _stall_timeout: float
    _refresh: Callable[[str], Awaitable[Generation]]
    _random: Callable[[], float] = random.random
    _max_bytes: int = MAX_VIDEO_BYTES
    _slots: anyio.Semaphore = field(factory=partial(anyio.Semaphore, _MAX_CONCURRENT), init=False)

    async def download(self, generation: Generation, target: Path, *, overwrite: bool) -> Path:
        """Store a video under `target`, complete and durable, or not at all.

        Raises:
            DownloadError: It could not be fetched or stored.
            LumaError: The service refused to give a fresh address.
        """
        attributes = {telemetry.GENERATION: generation.id}
        with telemetry.span("download", attributes, current=True) as span:
            async with self._slots:
                size = await self._store(PartFile(target, generation.id, overwrite), generation)
            span.set(telemetry.SIZE, size)
        message = "the video of generation %s is stored, %d bytes"
        telemetry.log(
            logging.INFO,
            "video.stored",
            {**attributes, telemetry.SIZE: size},
            message,
            generation.id,
            size,
        )
        return target

    async def _store(self, part: PartFile, generation: Generation) -> int:
        try:
            await in_thread(part.open)
            await self._fill(part, generation)
            await in_thread(part.publish)
        except DownloadError as error:
            error.generation_id = generation.id
            error.add_note(f"Generation {generation.id} is paid, and can be downloaded again.")
            raise
        finally:
            await in_thread(part.close)
        return part.size

    async def _fill(self, part: PartFile, generation: Generation) -> None:
        failures, reached, expired_at = 0, part.size, -1
        while True:
            try:
                await self._transfer(part, _url(generation))
                return
            except VideoExpiredError:
                # An address that brought something was fresh, and may have expired meanwhile.
                if part.size <= expired_at:
                    raise
                expired_at = part.size
                generation = await self._refresh(generation.id)
                continue
            except TransferError as error:
                failures += 1
                if part.size >= reached + _BATCH_BYTES:
                    failures, reached = 1, part.size
                if failures >= self._policy.attempts:
                    raise DownloadError(f"{error}, {failures} times in a row") from None
                delay = backoff(self._policy, failures, self._random)
                attributes = {telemetry.GENERATION: generation.id}
                telemetry.repeated("download", delay, error, attributes, str(error))
            await self._rate_limiter.pause(delay)

    async def _transfer(self, part: PartFile, url: str) -> None:
        headers = {}
        if part.size and part.etag is not None:
            headers = {"Range": f"bytes={part.size}-", "If-Range": part.etag}
        async with self._cdn.get(url, headers) as response:
            total = await self._agree(part, response)
            if response.status != 416:
                await self._copy(part, response, total)
        if total is not None and part.size != total:
            raise TransferError(f"{part.size:,} of {total:,} bytes came")
        if (problem := await in_thread(part.check_structure)) is not None:
            await in_thread(part.restart, None)
            raise TransferError(f"what came is not the video: {problem}")

    async def _agree(self, part: PartFile, response: aiohttp.ClientResponse) -> int | None:
        """Make the partial file fit what is coming; return the size of the whole, if known."""
        start, total = _extent(response)
        if start == 0 and not _is_encoded(response):
            await in_thread(part.restart, strong(response.headers.get("ETag")), total)
        elif start != part.size or not _is_same(part, response, total) or _is_encoded(response):
            await in_thread(part.restart, None)
            raise TransferError("the video's host sent another part than was asked for")
        if (total or 0) > self._max_bytes:
            raise DownloadError(f"the video is larger than {self._max_bytes:,} bytes")
        return total

    async def _copy(
        self, part: PartFile, response: aiohttp.ClientResponse, total: int | None
    ) -> None:
        batch = bytearray()
        pace = _Pace(self._stall_timeout)
        try:
            async for chunk in response.content.iter_any():
                batch += chunk
                if part.size + len(batch) > (self._max_bytes if total is None else total):
                    await in_thread(part.restart, None)
                    raise DownloadError("the video's host sent more than it announced")
                if len(batch) >= _BATCH_BYTES:
                    await in_thread(part.append, bytes(batch))
                    batch.clear()
                pace.note(len(chunk))
        except (aiohttp.ClientError, TimeoutError, TransferError):
            # What has come need not come again.
            await in_thread(part.append, bytes(batch))
            raise
        await in_thread(part.append, bytes(batch))


@define(eq=False)
class _Pace:
    """Breaks off a transfer that brings something, but too little."""

    _window: float
    _end: float = field(init=False)
    _came: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._end = clock.now() + self._window

    def note(self, count: int) -> None:
        """Count bytes that came.

        Raises:
            TransferError: Too few have come of late.
        """
        self._came += count
        now = clock.now()
        if now < self._end:
            return
        if self._came < self._window * _MIN_BYTES_PER_SECOND:
            raise TransferError("the transfer is too slow")
        self._end, self._came = now + self._window, 0


def _url(generation: Generation) -> str:
    url = generation.video.address if generation.video is not None else None
    if url is None:
        raise DownloadError(f"generation {generation.id} ({generation.state}) has no video yet")
    return url


def _extent(response: aiohttp.ClientResponse) -> tuple[int, int | None]:
    """Say where in the video an answer begins, and how large the video is."""
    if response.status == 200:
        return 0, response.content_length
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if found is None:
        return -1, None
    start, total = found.groups()
    # An answer that there is nothing after `total` is right for a file of that size.
    return int(total if start is None else start), int(total)


def _is_same(part: PartFile, response: aiohttp.ClientResponse, total: int | None) -> bool:
    # Not every host honours If-Range.
    return response.headers.get("ETag", part.etag) == part.etag and part.total in (None, total)


def _is_encoded(response: aiohttp.ClientResponse) -> bool:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    return encoding not in ("", "identity")
