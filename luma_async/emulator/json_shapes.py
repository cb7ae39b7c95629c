"""The JSON of the service's responses, as recorded in public."""

from datetime import datetime
from typing import Any

import attrs

from luma_async.emulator.film import SIZES
from luma_async.emulator.timeline import FAILED, Moment
from luma_async.emulator.world import Generation


@attrs.frozen(kw_only=True)
class MediaUrls:
    """The URLs of a generation's video and stills."""

    video: str
    download: str
    thumbnail: str
    last_frame: str


def generation(
    item: Generation,
    moment: Moment,
    *,
    created_at: datetime,
    estimate: float | None,
    urls: MediaUrls,
) -> dict[str, Any]:
    """Return a generation as create, get and extend show it."""
    body: dict[str, Any] = {
        "id": item.id,
        "prompt": item.order.prompt,
        "state": moment.state,
        "created_at": _iso_date(created_at),
        "video": None,
        "liked": None,
        "estimate_wait_seconds": None if estimate is None else round(estimate, 3),
    }
    if moment.state == FAILED:
        body["failure_reason"] = moment.failure_reason or "The video could not be generated"
    if moment.has_video:
        body |= _media(item, urls)
    return body


def _media(item: Generation, urls: MediaUrls) -> dict[str, Any]:
    width, height = SIZES[item.order.aspect_ratio]
    size = {"width": width, "height": height}
    return {
        "video": {"url": urls.video, **size, "thumbnail": None, "download_url": urls.download},
        "thumbnail": {"url": urls.thumbnail, **size},
        "last_frame": {"url": urls.last_frame, **size},
    }


def summary(item: Generation) -> dict[str, str]:
    """Return a generation as the list shows it."""
    return {"luma_generation_id": item.id, "prompt": item.order.prompt}


def error(
    status: int, message: str, *, path: str, request_id: str, timestamp: datetime
) -> dict[str, Any]:
    """Return the body of an error."""
    return {
        "message": message,
        "path": path,
        "requestId": request_id,
        "statusCode": status,
        "timestamp": _iso_date(timestamp, timespec="milliseconds"),
    }


def _iso_date(date: datetime, *, timespec: str = "microseconds") -> str:
    return date.isoformat(timespec=timespec).replace("+00:00", "Z")
