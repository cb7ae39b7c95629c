"""The host of the videos: ranges, entity tags and addresses that expire.

It wants no key and refuses none: the log shows whether one was sent to it by mistake.
"""

import hashlib
import hmac
import re
from datetime import datetime
from email.utils import format_datetime
from itertools import repeat
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from aiohttp import web

from luma_async.emulator import handler, mp4
from luma_async.emulator.film import film, still
from luma_async.emulator.handler import Respond
from luma_async.emulator.http_errors import RefusalError
from luma_async.emulator.responses import Answer, phrase
from luma_async.emulator.service import Asked, Service
from luma_async.emulator.world import Generation

_BLOCK = bytes(1 << 20)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def add_routes(app: web.Application, service: Service) -> None:
    """Let an application answer as the host of the videos."""

    def serve(method: str, path: str, route: str, respond: Respond) -> None:
        handle = handler.handler(service, "cdn", route, respond, _refuse)
        app.router.add_route(method, path, handle)

    for method in ("GET", "HEAD"):
        serve(method, "/videos/{id}.mp4", "video", _video)
        serve(method, "/frames/{id}-last.png", "image", _last_frame)
        serve(method, "/frames/{id}.png", "image", _thumbnail)
        serve(method, "/images/{id}.png", "image", _image)
    serve("*", "/{rest:.*}", "unknown", _unknown)


def _video(service: Service, asked: Asked) -> Answer:
    generation = _finished(service, asked)
    _check_signature(service, asked)
    content = film(generation.order.prompt, generation.order.aspect_ratio)
    padding = service.settings.video_padding_bytes
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}-{padding}"'
    modified = _http_date(service.clock.date(generation.created_at))
    headers = {
        "Content-Type": "video/mp4",
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Last-Modified": modified,
    }
    if padding:
        content += mp4.free_box_header(padding)
    size = len(content) + padding
    if asked.headers.get("if-range", tag) not in {tag, modified}:
        return Answer(200, headers, _pieces(content, 0, size))
    wanted = _wanted(asked.headers.get("range", ""), size)
    if wanted is None:
        return Answer(200, headers, _pieces(content, 0, size))
    first, end = wanted
    if first >= end:
        raise RefusalError(416, f"bytes */{size}")
    headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
    return Answer(206, headers, _pieces(content, first, end))


def _last_frame(service: Service, asked: Asked) -> Answer:
    order = _finished(service, asked).order
    return _png(still(order.prompt, order.aspect_ratio, last=True))


def _thumbnail(service: Service, asked: Asked) -> Answer:
    order = _finished(service, asked).order
    return _png(still(order.prompt, order.aspect_ratio, last=False))


def _image(service: Service, asked: Asked) -> Answer:
    _check_signature(service, asked)
    return _png(still(asked.wire.ids[0], "1:1", last=False))


def _unknown(_: Service, asked: Asked) -> Answer:
    raise RefusalError(404, f"There is nothing at {asked.wire.path}")


def _png(content: bytes) -> Answer:
    return Answer(200, {"Content-Type": "image/png"}, (content,))


def _refuse(_: Service, __: Asked, refusal: RefusalError) -> Answer:
    code = phrase(refusal.status).title().replace(" ", "")
    message = escape(refusal.message)
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    headers = {"Content-Type": "application/xml"}
    if refusal.status == 416:
        headers["Content-Range"] = refusal.message
    return Answer(refusal.status, headers, (text.encode(),))


def _finished(service: Service, asked: Asked) -> Generation:
    generation = service.world.find(asked.wire.ids[0])
    if not service.world.moment(generation, service.clock.now()).has_video:
        raise RefusalError(404, "There is no video yet")
    return generation


def _check_signature(service: Service, asked: Asked) -> None:
    """Refuse a signed address that is forged or has expired; an unsigned one always works."""
    query = parse_qs(asked.wire.query, errors="replace")
    expires, given = query.get("expires", [""])[0], query.get("signature", [""])[0]
    if not (expires or given):
        return
    wanted = service.signature(asked.wire.ids[0], expires)
    if not hmac.compare_digest(wanted.encode(), given.encode()):
        raise RefusalError(403, "The signature does not match")
    # Addresses count whole milliseconds, so the time has to be rounded like them.
    if round(service.clock.date(service.clock.now()).timestamp(), 3) >= float(expires):
        raise RefusalError(403, "Request has expired")


def _wanted(header: str, size: int) -> tuple[int, int] | None:
    """Return where a range begins and ends, or None for the whole.

    The end is the first byte that is not part of it, so an empty range cannot be satisfied. Several
    ranges at once, and whatever else cannot be read, ask for the whole, as the standard allows.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[0] == "bytes=-":
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    first = int(match[1])
    if match[2] and int(match[2]) < first:
        return None
    return first, min(size, int(match[2]) + 1 if match[2] else size)


def _pieces(content: bytes, first: int, end: int) -> tuple[bytes, ...]:
    """Return the bytes from `first` up to `end` of the content followed by zeros without end."""
    start_of_zeros = max(first, len(content))
    blocks, rest = divmod(max(0, end - start_of_zeros), len(_BLOCK))
    return (content[first:end], *repeat(_BLOCK, blocks), _BLOCK[:rest])


def _http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)
