"""The host of the videos: ranges, entity tags and URLs that expire.

It needs no key and accepts any. The request log shows a key that was sent here by mistake.
"""

import hashlib
import hmac
import re
from email.utils import format_datetime
from functools import partial
from itertools import repeat
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from aiohttp import web

from luma_async.emulator import mp4
from luma_async.emulator.film import film, still
from luma_async.emulator.handler import add_route
from luma_async.emulator.http_errors import HttpError, reason_phrase
from luma_async.emulator.responses import Response
from luma_async.emulator.service import IncomingRequest, Service
from luma_async.emulator.world import Generation

_ZEROS = bytes(1 << 20)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def add_routes(app: web.Application, service: Service) -> None:
    """Add the routes of the host of the videos."""
    serve = partial(add_route, app=app, service=service, host="cdn", on_error=_error_response)
    for method in ("GET", "HEAD"):
        serve(method, "/videos/{id}.mp4", "video", _video)
        serve(method, "/frames/{id}-last.png", "image", partial(_frame, last=True))
        serve(method, "/frames/{id}.png", "image", partial(_frame, last=False))
        serve(method, "/images/{id}.png", "image", _image)
    serve("*", "/{rest:.*}", "unknown", _not_found)


def _video(service: Service, request: IncomingRequest) -> Response:
    generation = _finished_generation(service, request)
    _check_signature(service, request)
    content = film(generation.order.prompt, generation.order.aspect_ratio)
    padding = service.settings.video_padding_bytes
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}-{padding}"'
    modified = format_datetime(service.clock.date(generation.created_at), usegmt=True)
    headers = {
        "Content-Type": "video/mp4",
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": modified,
    }
    if padding:
        content += mp4.free_box_header(padding)
    size = len(content) + padding
    unchanged = request.headers.get("if-range", etag) in {etag, modified}
    requested = _parse_range(request.headers.get("range", ""), size) if unchanged else None
    if requested is None:
        return Response(200, headers, _padded_chunks(content, 0, size))
    start, end = requested
    if start >= end:
        raise HttpError(416, f"bytes */{size}")
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Response(206, headers, _padded_chunks(content, start, end))


def _frame(service: Service, request: IncomingRequest, *, last: bool) -> Response:
    order = _finished_generation(service, request).order
    return _png(still(order.prompt, order.aspect_ratio, last=last))


def _image(service: Service, request: IncomingRequest) -> Response:
    _check_signature(service, request)
    return _png(still(request.logged.ids[0], "1:1", last=False))


def _not_found(_: Service, request: IncomingRequest) -> Response:
    raise HttpError(404, f"There is nothing at {request.logged.path}")


def _png(content: bytes) -> Response:
    return Response(200, {"Content-Type": "image/png"}, (content,))


def _error_response(_: Service, __: IncomingRequest, error: HttpError) -> Response:
    code = reason_phrase(error.status).title().replace(" ", "")
    message = escape(error.message)
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    headers = {"Content-Type": "application/xml"}
    if error.status == 416:
        headers["Content-Range"] = error.message
    return Response(error.status, headers, (text.encode(),))


def _finished_generation(service: Service, request: IncomingRequest) -> Generation:
    generation = service.world.get(request.logged.ids[0])
    if not service.world.moment(generation, service.clock.now()).has_video:
        raise HttpError(404, "There is no video yet")
    return generation


def _check_signature(service: Service, request: IncomingRequest) -> None:
    """Raise `HttpError` for a signed URL that is forged or expired; unsigned URLs always work."""
    query = parse_qs(request.logged.query, errors="replace")
    expires, signature = query.get("expires", [""])[0], query.get("signature", [""])[0]
    if not (expires or signature):
        return
    expected = service.signature(request.logged.ids[0], expires)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise HttpError(403, "The signature does not match")
    # URLs count whole milliseconds, so the time has to be rounded in the same way.
    if round(service.clock.date(service.clock.now()).timestamp(), 3) >= float(expires):
        raise HttpError(403, "Request has expired")


def _parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the start and the end of a range, or None for the whole file.

    The end is exclusive. A range whose start is not below its end cannot be satisfied. Several
    ranges, and ranges that are not valid, select the whole file, as RFC 9110 allows.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[0] == "bytes=-":
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    start = int(match[1])
    if match[2] and int(match[2]) < start:
        return None
    return start, min(size, int(match[2]) + 1 if match[2] else size)


def _padded_chunks(content: bytes, start: int, end: int) -> tuple[bytes, ...]:
    """Return the bytes from `start` to `end` of the content followed by zeros."""
    zeros_start = max(start, len(content))
    blocks, rest = divmod(max(0, end - zeros_start), len(_ZEROS))
    return (content[start:end], *repeat(_ZEROS, blocks), _ZEROS[:rest])
