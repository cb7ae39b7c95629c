"""The account and its generations: what was ordered, what it cost and what has become of it.

Nothing here does input or output. The time is an argument everywhere, in seconds since the
emulator began to serve, and chance comes from the seed alone: the same orders in the same sequence
give the same ids and the same durations.
"""

import random
import uuid
from collections.abc import Iterable, Sequence
from typing import Literal

import attrs

from luma_async.emulator import timeline
from luma_async.emulator.http_errors import RefusalError
from luma_async.emulator.orders import Order
from luma_async.emulator.settings import PRICE, Settings
from luma_async.emulator.timeline import COMPLETED, Moment, Sketch, Timeline

PaidRoute = Literal["create", "extend"]


@attrs.frozen(kw_only=True)
class Bill:
    """One paid order as the bank sees it; `at` is in seconds since the emulator began to serve."""

    id: str
    route: PaidRoute
    prompt: str
    parent: str | None
    tokens: int
    at: float


@attrs.frozen(kw_only=True)
class Generation:
    """One generation as its order made it; what it is by now depends on the time."""

    id: str
    order: Order
    parent: str | None
    created_at: float
    timeline: Timeline


@attrs.frozen(kw_only=True)
class KnownGeneration:
    """What the service knows of a generation at one moment."""

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
        """Every paid order, the oldest first; forgetting a generation pays nothing back."""
        return tuple(self._bills)

    def create(self, order: Order, now: float) -> Generation:
        """Accept and bill an order; raises `RefusalError` when the credits do not suffice."""
        return self._pay("create", order, None, now)

    def extend(self, parent: str, order: Order, now: float) -> Generation:
        """Accept and bill an order that goes on from a completed generation.

        Raises `RefusalError` when there is no such generation, when it is not completed, or when
        the credits do not suffice.
        """
        if self.moment(self.find(parent), now).state != COMPLETED:
            raise RefusalError(400, f"Generation {parent} is not completed")
        return self._pay("extend", order, parent, now)

    def place(self, generation: Generation) -> None:
        """Put a generation into the world that nobody paid for here."""
        self._generations[generation.id] = generation

    def find(self, generation_id: str) -> Generation:
        """Return a generation; raises `RefusalError` when there is none of this id."""
        try:
            return self._generations[generation_id]
        except KeyError:
            raise RefusalError(404, f"Generation {generation_id} not found") from None

    def known(self, ids: Iterable[str]) -> list[Generation]:
        """Return the generations of these ids, in their order; unknown ones are left out."""
        return [self._generations[name] for name in ids if name in self._generations]

    def listed(self, now: float) -> list[Generation]:
        """Return the account's generations, the newest first, as the lagging list shows them."""
        visible_until = now - self._settings.list_lag_seconds
        newest_first = reversed(self._generations.values())
        return [item for item in newest_first if item.created_at <= visible_until]

    def moment(self, generation: Generation, now: float) -> Moment:
        """Return the state that a generation is in."""
        return timeline.moment_at(generation.timeline, self._service_age(generation, now))

    def seconds_left(self, generation: Generation, now: float) -> float | None:
        """Return the real seconds until a generation is done; None when it is, or never will be."""
        left = timeline.seconds_left(generation.timeline, self._service_age(generation, now))
        return None if left is None else left / self._settings.time_scale

    def describe(self, now: float) -> dict[str, KnownGeneration]:
        """Return what is known of every generation by now."""
        return {name: self._describe(item, now) for name, item in self._generations.items()}

    def script(self, key: str | None, sketch: Sketch) -> None:
        """Set the timeline of the generation of this id, or of orders to come.

        `key` is an id, known or yet to be drawn, or a prompt, or None for every order that no other
        script names. A known generation keeps its date of creation, from which the seconds count.
        """
        moments = timeline.read(sketch)
        if key in self._generations:
            self._generations[key] = attrs.evolve(self._generations[key], timeline=moments)
        else:
            self._scripts[key] = moments

    def forget(self, generation_id: str) -> None:
        """Lose a generation, as if its id had never been given out; `KeyError` if unknown."""
        del self._generations[generation_id]

    def _pay(self, route: PaidRoute, order: Order, parent: str | None, now: float) -> Generation:
        limit = self._settings.credits
        if limit is not None and (len(self._bills) + 1) * PRICE > limit:
            raise RefusalError(403, "You've run out of credits. Top up the balance to go on.")
        chance = random.Random(f"{self._settings.seed}:{len(self._bills)}")
        generation_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        moments = timeline.drawn(self._settings, chance)
        generation = Generation(
            id=generation_id,
            order=order,
            parent=parent,
            created_at=now,
            timeline=self._scripted((generation_id, order.prompt, None), moments),
        )
        bill = Bill(
            id=generation_id, route=route, prompt=order.prompt, parent=parent, tokens=PRICE, at=now
        )
        self._generations[generation_id] = generation
        self._bills.append(bill)
        return generation

    def _scripted(self, keys: Sequence[str | None], otherwise: Timeline) -> Timeline:
        return next((self._scripts[key] for key in keys if key in self._scripts), otherwise)

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
