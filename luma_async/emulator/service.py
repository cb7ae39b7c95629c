"""The state of one emulated service, shared by both of its hosts.

Handlers run on an event loop while a test reads from another thread. Every access to the account,
the faults and the request log holds `lock`, and nothing waits while it holds the lock.
"""

import hashlib
import hmac
import random
import threading
import uuid

import attrs

from luma_async.emulator import json_shapes
from luma_async.emulator.clock import Clock
from luma_async.emulator.faults import FaultQueue
from luma_async.emulator.http_errors import HttpError
from luma_async.emulator.json_shapes import MediaUrls
from luma_async.emulator.rate_limit import RateLimit
from luma_async.emulator.request_log import RequestLog, WireRequest
from luma_async.emulator.responses import Response
from luma_async.emulator.settings import Settings
from luma_async.emulator.world import Generation, World


@attrs.frozen(kw_only=True)
class IncomingRequest:
    """A request as the handlers see it; `body` is None if it was too long to be received."""

    logged: WireRequest
    content_type: str
    body: bytes | None
    headers: dict[str, str]


class Service:
    """The state of one service and the rules that both hosts share."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.lock: threading.RLock = threading.RLock()
        self.settings = settings
        self.clock = clock
        self.world: World = World(settings)
        self.faults: FaultQueue = FaultQueue()
        self.request_log: RequestLog = RequestLog()
        self.cdn_url = "http://127.0.0.1"
        self._rate_limit = RateLimit(settings.requests_per_second)
        self._signing_key = hashlib.sha256(f"{settings.seed}:addresses".encode()).digest()

    def authorize(self, request: IncomingRequest) -> None:
        """Check the key and the rate limit; raises `HttpError`."""
        scheme, _, credentials = (request.logged.authorization or "").partition(" ")
        expected = self.settings.api_key
        key = credentials.strip().encode("utf-8", "surrogateescape")
        accepted = bool(key) if expected is None else hmac.compare_digest(key, expected.encode())
        if scheme.lower() != "bearer" or not accepted:
            raise HttpError(401)
        retry_after = self._rate_limit.acquire(self.clock.now())
        if retry_after is not None:
            raise HttpError(429, retry_after=retry_after)

    def error_response(self, request: IncomingRequest, error: HttpError) -> Response:
        """Return the API's response to an error."""
        rng = random.Random(f"{self.settings.seed}:request:{request.logged.number}")
        body = json_shapes.error(
            error.status,
            error.message,
            path=request.logged.path,
            request_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            timestamp=self.clock.date(self.clock.now()),
        )
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return Response.from_json(error.status, body, headers)

    def generation_json(self, generation: Generation) -> dict[str, object]:
        """Return a generation as the API shows it now."""
        now = self.clock.now()
        estimates = self.settings.estimates
        return json_shapes.generation(
            generation,
            self.world.moment(generation, now),
            created_at=self.clock.date(generation.created_at),
            estimate=self.world.seconds_left(generation, now) if estimates else None,
            urls=self.media_urls(generation.id),
        )

    def media_urls(self, generation_id: str) -> MediaUrls:
        """Return the URLs of a generation's files; the download URL expires."""
        video = f"{self.cdn_url}/videos/{generation_id}.mp4"
        return MediaUrls(
            video=video,
            download=self._signed(video, generation_id),
            thumbnail=f"{self.cdn_url}/frames/{generation_id}.png",
            last_frame=f"{self.cdn_url}/frames/{generation_id}-last.png",
        )

    def image_urls(self, image_id: str) -> dict[str, str]:
        """Return the URLs of an uploaded image, as the upload route shows them."""
        image = f"{self.cdn_url}/images/{image_id}.png"
        return {"presigned_url": self._signed(image, image_id), "public_url": image}

    def signature(self, file_id: str, expires: str) -> str:
        """Return the signature of a URL that expires at a POSIX timestamp."""
        text = f"{file_id}:{expires}".encode()
        return hmac.new(self._signing_key, text, hashlib.sha256).hexdigest()

    def _signed(self, url: str, file_id: str) -> str:
        end = self.clock.date(self.clock.now() + self.settings.url_lifetime_seconds)
        expires = f"{end.timestamp():.3f}"
        return f"{url}?expires={expires}&signature={self.signature(file_id, expires)}"
