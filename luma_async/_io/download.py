"""Fetches one video into a file, through broken transfers and expired addresses."""

import logging
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import aiohttp
import anyio
from anyio import to_thread
from attrs import define

from luma_async._io.cdn import Cdn, TransferError
from luma_async._io.limits import Gate
from luma_async._io.partial import PartialFile
from luma_async._sansio.retry import backoff
from luma_async.errors import DownloadError, VideoExpiredError
from luma_async.models import Generation
from luma_async.settings import RetryPolicy

_LOG = logging.getLogger("luma_async")
MAX_VIDEO_BYTES = 2 * 1024**3
_BATCH_BYTES = 1024 * 1024
_SLOWEST_BYTES_PER_SECOND = 1000
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-\d{1,18}|\*)/(\d{1,18})")


@define(eq=False)
class Downloader:
    """Downloads videos; `refresh` asks the service for a generation with fresh addresses."""

    _cdn: Cdn
    _gate: Gate
    _policy: RetryPolicy
    _stall_timeout: float
    _refresh: Callable[[str], Awaitable[Generation]]
    _chance: Callable[[], float] = random.random

    async def download(self, generation: Generation, target: Path, *, overwrite: bool) -> Path:
        """Store a video under `target`, complete and durable, or not at all.

        Raises:
            DownloadError: It could not be fetched or stored.
            LumaError: The service refused to give a fresh address.
        """
        part = await to_thread.run_sync(
            lambda: PartialFile.open(target, generation.id, overwrite=overwrite)
        )
        try:
            await self._fill(part, generation)
            await to_thread.run_sync(part.publish)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(part.close)
        return target

    async def _fill(self, part: PartialFile, generation: Generation) -> None:
        refreshed = False
        failures = 0
        while True:
            size = part.size
            try:
                await self._transfer(part, _address(generation))
                return
            except VideoExpiredError:
                if refreshed:
                    raise
                generation, refreshed = await self._refresh(generation.id), True
                continue
            except TransferError as error:
                failures = 1 if part.size > size + _BATCH_BYTES else failures + 1
                if failures >= self._policy.attempts:
                    raise DownloadError(f"{error}, {failures} times in a row") from None
                _LOG.info("download of %s: %s; trying again", generation.id, error)
            await self._gate.pause(backoff(self._policy, failures, self._chance))

    async def _transfer(self, part: PartialFile, address: str) -> None:
        headers = {}
        if part.size and part.etag is not None:
            headers = {"Range": f"bytes={part.size}-", "If-Range": part.etag}
        async with self._cdn.get(address, headers) as response:
            total = await self._agree(part, response)
            if response.status != 416:
                await self._copy(part, response, total)
        if total is not None and part.size != total:
            raise TransferError(f"{part.size:,} of {total:,} bytes came")
        if (problem := await to_thread.run_sync(part.check_structure)) is not None:
            await to_thread.run_sync(part.restart, None)
            raise TransferError(f"what came is not the video: {problem}")

    async def _agree(self, part: PartialFile, response: aiohttp.ClientResponse) -> int | None:
        """Make the partial file fit what is coming; return the size of the whole, if known."""
        start, total = _extent(response)
        if start != part.size or start == 0 or _is_encoded(response):
            etag = response.headers.get("ETag", "")
            await to_thread.run_sync(part.restart, etag if etag.startswith('"') else None)
        if start != part.size or _is_encoded(response):
            raise TransferError("the video's host sent another part than was asked for")
        if (total or 0) > MAX_VIDEO_BYTES:
            raise DownloadError(f"the video is larger than {MAX_VIDEO_BYTES:,} bytes")
        return total

    async def _copy(
        self, part: PartialFile, response: aiohttp.ClientResponse, total: int | None
    ) -> None:
        batch = bytearray()
        try:
            async for chunk in self._fast_enough(response.content):
                batch += chunk
                if part.size + len(batch) > (total or MAX_VIDEO_BYTES):
                    raise DownloadError("the video's host sent more than it announced")
                if len(batch) >= _BATCH_BYTES:
                    await to_thread.run_sync(part.append, bytes(batch))
                    batch.clear()
        except (aiohttp.ClientError, TimeoutError, TransferError):
            # What has come need not come again.
            await to_thread.run_sync(part.append, bytes(batch))
            raise
        await to_thread.run_sync(part.append, bytes(batch))

    async def _fast_enough(self, content: aiohttp.StreamReader) -> AsyncGenerator[bytes]:
        least = self._stall_timeout * _SLOWEST_BYTES_PER_SECOND
        end, came = anyio.current_time() + self._stall_timeout, 0
        async for chunk in content.iter_any():
            yield chunk
            came += len(chunk)
            if anyio.current_time() >= end:
                if came < least:
                    raise TransferError("the transfer is too slow")
                end, came = anyio.current_time() + self._stall_timeout, 0


def _address(generation: Generation) -> str:
    address = generation.video.address if generation.video is not None else None
    if address is None:
        raise DownloadError(f"generation {generation.id} ({generation.state}) has no video yet")
    return address


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


def _is_encoded(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("Content-Encoding", "identity") != "identity"
