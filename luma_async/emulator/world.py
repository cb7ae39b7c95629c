"""The account and its generations.

Nothing here does I/O. The time is always an argument, in seconds since the emulator started to
serve. Random numbers depend on the seed alone: the same sequence of orders gives the same ids and
durations.
"""

import random
import uuid
from collections.abc import Iterable
from typing import Literal

import attrs

from luma_async.emulator import timeline
from luma_async.emulator.http_errors import HttpError
from luma_async.emulator.orders import Order
from luma_async.emulator.settings import PRICE, Settings
from luma_async.emulator.timeline import COMPLETED, Moment, MomentLike, Timeline

PaidRoute = Literal["create", "extend"]


@attrs.frozen(kw_only=True)
class Bill:
    """One paid order; `at` is in seconds since the emulator started to serve."""

    id: str
    route: PaidRoute
    prompt: str
    parent: str | None
    tokens: int
    at: float


@attrs.frozen(kw_only=True)
class Generation:
    """A generation; its state is a function of the time."""

    id: str
    order: Order
    parent: str | None
    created_at: float
    timeline: Timeline


@attrs.frozen(kw_only=True)
class KnownGeneration:
    """What the service knows about a generation at one time."""

    id: str
    prompt: str
    aspect_ratio: str
    parent: str | None
    created_at: float
    state: str
    has_video: bool
    failure_reason: str | None


class World:
    """The account of one service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._generations: dict[str, Generation] = {}
        self._bills: list[Bill] = []
        self._scripts: dict[str | None, Timeline] = {}

    @property
    def bills(self) -> tuple[Bill, ...]:
        """Every paid order, the oldest first; forgetting a generation refunds nothing."""
        return tuple(self._bills)

    def create(self, order: Order, now: float) -> Generation:
        """Accept and bill an order; raises `HttpError` if the credits do not suffice."""
        return self._pay("create", order, None, now)

    def extend(self, parent: str, order: Order, now: float) -> Generation:
        """Accept and bill an order that continues a completed generation.

        Raises `HttpError` if the generation is unknown or not completed, or if the credits do not
        suffice.
        """
        if self.moment(self.get(parent), now).state != COMPLETED:
            raise HttpError(400, f"Generation {parent} is not completed")
        return self._pay("extend", order, parent, now)

    def place(
        self, generation_id: str, prompt: str, moments: Iterable[MomentLike], now: float
    ) -> None:
        """Add a generation without billing it."""
        self._generations[generation_id] = Generation(
            id=generation_id,
            order=Order(prompt=prompt),
            parent=None,
            created_at=now,
            timeline=timeline.to_timeline(moments),
        )

    def get(self, generation_id: str) -> Generation:
        """Return a generation; raises `HttpError` if the id is unknown."""
        try:
            return self._generations[generation_id]
        except KeyError:
            raise HttpError(404, f"Generation {generation_id} not found") from None

    def get_many(self, ids: Iterable[str]) -> list[Generation]:
        """Return the generations of these ids, in their order; unknown ids are skipped."""
        return [self._generations[item] for item in ids if item in self._generations]

    def listed(self, now: float) -> list[Generation]:
        """Return the generations that the list shows, the newest first."""
        visible_until = now - self._settings.list_lag_seconds
        newest_first = reversed(self._generations.values())
        return [item for item in newest_first if item.created_at <= visible_until]

    def moment(self, generation: Generation, now: float) -> Moment:
        """Return the state of a generation."""
        return timeline.moment_at(generation.timeline, self._service_age(generation, now))

    def seconds_left(self, generation: Generation, now: float) -> float | None:
        """Return the real seconds until a generation is done; None if it is or never will be."""
        left = timeline.seconds_left(generation.timeline, self._service_age(generation, now))
        return None if left is None else left / self._settings.time_scale

    def describe(self, now: float) -> dict[str, KnownGeneration]:
        """Return what is known about every generation, by id."""
        return {item.id: self._describe(item, now) for item in self._generations.values()}

    def script(self, key: str | None, moments: Iterable[MomentLike]) -> None:
        """Set the timeline of a generation or of future orders.

        `key` is an id, known or future, or a prompt, or None for every order without a script. The
        seconds of a known generation still count from its creation.
        """
        script = timeline.to_timeline(moments)
        if key in self._generations:
            self._generations[key] = attrs.evolve(self._generations[key], timeline=script)
        else:
            self._scripts[key] = script

    def forget(self, generation_id: str) -> None:
        """Remove a generation; `KeyError` if the id is unknown."""
        del self._generations[generation_id]

    def _pay(self, route: PaidRoute, order: Order, parent: str | None, now: float) -> Generation:
        limit = self._settings.credits
        if limit is not None and (len(self._bills) + 1) * PRICE > limit:
            raise HttpError(403)
        rng = random.Random(f"{self._settings.seed}:{len(self._bills)}")
        generation_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        ordinary = timeline.random_timeline(self._settings, rng)
        script_keys = (generation_id, order.prompt, None)
        scripts = [self._scripts[key] for key in script_keys if key in self._scripts]
        generation = Generation(
            id=generation_id,
            order=order,
            parent=parent,
            created_at=now,
            timeline=scripts[0] if scripts else ordinary,
        )
        bill = Bill(
            id=generation_id, route=route, prompt=order.prompt, parent=parent, tokens=PRICE, at=now
        )
        self._generations[generation_id] = generation
        self._bills.append(bill)
        return generation

    def _service_age(self, generation: Generation, now: float) -> float:
        return (now - generation.created_at) * self._settings.time_scale

    def _describe(self, generation: Generation, now: float) -> KnownGeneration:
        moment = self.moment(generation, now)
        return KnownGeneration(
            id=generation.id,
            prompt=generation.order.prompt,
            aspect_ratio=generation.order.aspect_ratio,
            parent=generation.parent,
            created_at=generation.created_at,
            state=moment.state,
            has_video=moment.has_video,
            failure_reason=moment.failure_reason,
        )
