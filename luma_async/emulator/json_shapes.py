"""How the service's answers look, as they were recorded in public."""

from datetime import datetime
from typing import Any

import attrs

from luma_async.emulator.film import SIZES
from luma_async.emulator.timeline import FAILED, Moment
from luma_async.emulator.world import Generation


@attrs.frozen(kw_only=True)
class Addresses:
    """Where the video of one generation and its stills are."""

    video: str
    download: str
    thumbnail: str
    last_frame: str


def date(moment: datetime, *, timespec: str = "microseconds") -> str:
    """Write a date as the service does."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def generation(
    item: Generation,
    moment: Moment,
    *,
    created_at: datetime,
    estimate: float | None,
    addresses: Addresses,
) -> dict[str, Any]:
    """Return a generation as create, get and extend show it."""
    shown: dict[str, Any] = {
        "id": item.id,
        "prompt": item.order.prompt,
        "state": moment.state,
        "created_at": date(created_at),
        "video": None,
        "liked": None,
        "estimate_wait_seconds": None if estimate is None else round(estimate, 3),
    }
    if moment.state == FAILED:
        shown["failure_reason"] = moment.failure_reason or "The video could not be generated"
    if moment.has_video:
        shown |= _video(item, addresses)
    return shown


def _video(item: Generation, addresses: Addresses) -> dict[str, Any]:
    width, height = SIZES[item.order.aspect_ratio]
    size = {"width": width, "height": height}
    video = {"url": addresses.video, **size, "thumbnail": None, "download_url": addresses.download}
    return {
        "video": video,
        "thumbnail": {"url": addresses.thumbnail, **size},
        "last_frame": {"url": addresses.last_frame, **size},
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
        "timestamp": date(timestamp, timespec="milliseconds"),
    }
