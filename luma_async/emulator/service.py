"""One emulated service: everything that both of its hosts share.

Handlers run on an event loop while a test looks on from another thread. Every access to the world,
the faults and the log therefore holds `lock`, and nobody waits for anything while holding it.
"""

import hashlib
import hmac
import random
import threading
import uuid

import attrs

from luma_async.emulator import json_shapes
from luma_async.emulator.clock import Clock
from luma_async.emulator.faults import FaultDesk
from luma_async.emulator.http_errors import RefusalError
from luma_async.emulator.json_shapes import Addresses
from luma_async.emulator.rate_limit import RateLimit
from luma_async.emulator.request_log import WireLog, WireRequest
from luma_async.emulator.responses import Answer
from luma_async.emulator.settings import Settings
from luma_async.emulator.world import Generation, World


@attrs.frozen(kw_only=True)
class Asked:
    """A request as the handlers see it; `body` is None when it was too long to be received."""

    wire: WireRequest
    content_type: str
    body: bytes | None
    headers: dict[str, str]


class Service:
    """The state of one service and the rules that hold on both hosts."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.lock: threading.RLock = threading.RLock()
        self.settings = settings
        self.clock = clock
        self.world: World = World(settings)
        self.desk: FaultDesk = FaultDesk()
        self.wire: WireLog = WireLog()
        self.cdn_url = "http://127.0.0.1"
        self._rate = RateLimit(settings.requests_per_second)
        self._secret = hashlib.sha256(f"{settings.seed}:addresses".encode()).digest()

    def admit(self, asked: Asked) -> None:
        """Check the key and the rate; raises `RefusalError`."""
        scheme, _, key = (asked.wire.authorization or "").partition(" ")
        wanted = self.settings.api_key
        given = key.strip().encode("utf-8", "surrogateescape")
        accepted = bool(given) if wanted is None else hmac.compare_digest(given, wanted.encode())
        if scheme.lower() != "bearer" or not accepted:
            raise RefusalError(401, "Unauthorized")
        wait = self._rate.take(self.clock.now())
        if wait is not None:
            raise RefusalError(429, "Too many requests", retry_after=wait)

    def refuse(self, asked: Asked, refusal: RefusalError) -> Answer:
        """Word an error of the API."""
        chance = random.Random(f"{self.settings.seed}:request:{asked.wire.number}")
        body = json_shapes.error(
            refusal.status,
            refusal.message,
            path=asked.wire.path,
            request_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            timestamp=self.clock.date(self.clock.now()),
        )
        wait = refusal.retry_after
        return Answer.of_json(
            refusal.status, body, {} if wait is None else {"Retry-After": str(wait)}
        )

    def show(self, generation: Generation) -> dict[str, object]:
        """Return a generation as the API shows it now."""
        now = self.clock.now()
        estimates = self.settings.estimates
        return json_shapes.generation(
            generation,
            self.world.moment(generation, now),
            created_at=self.clock.date(generation.created_at),
            estimate=self.world.seconds_left(generation, now) if estimates else None,
            addresses=self.addresses(generation.id),
        )

    def addresses(self, generation_id: str) -> Addresses:
        """Return where the files of a generation are; the download's address expires."""
        video = f"{self.cdn_url}/videos/{generation_id}.mp4"
        return Addresses(
            video=video,
            download=self._signed(video, generation_id),
            thumbnail=f"{self.cdn_url}/frames/{generation_id}.png",
            last_frame=f"{self.cdn_url}/frames/{generation_id}-last.png",
        )

    def image_addresses(self, image_id: str) -> dict[str, str]:
        """Return where an uploaded image is, as an upload shows it."""
        image = f"{self.cdn_url}/images/{image_id}.png"
        return {"presigned_url": self._signed(image, image_id), "public_url": image}

    def _signed(self, url: str, name: str) -> str:
        end = self.clock.date(self.clock.now() + self.settings.url_lifetime_seconds)
        expires = f"{end.timestamp():.3f}"
        return f"{url}?expires={expires}&signature={self.signature(name, expires)}"

    def signature(self, name: str, expires: str) -> str:
        """Return what proves that this service gave out an address until then."""
        text = f"{name}:{expires}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()
