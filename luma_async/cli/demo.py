"""A demonstration: many videos made, followed and fetched, on the embedded emulator."""

import math
from collections.abc import Sequence
from contextlib import aclosing, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup
from attrs import define, evolve, field
from rich.console import Console
from rich.live import Live
from rich.table import Table

from luma_async.cli.money import format_tokens
from luma_async.client import LumaClient
from luma_async.emulator import Emulator
from luma_async.errors import ConfigurationError, LumaError
from luma_async.models import Generation, Order
from luma_async.outcome import Outcome
from luma_async.settings import Limits, PollPolicy

LOOP_SECONDS = 3.0
"""The interval of the loop that the demonstration compares itself with."""


@define(eq=False)
class Demo:
    """Runs some orders through a client against an emulator, and shows what happens.

    The first video is continued twice, so that there is a chain of extensions.

    Attributes:
        results: What it took, for other programs.
    """

    orders: Sequence[Order]
    folder: Path = field(kw_only=True)
    speed: float = field(kw_only=True)
    seed: int = field(kw_only=True)
    failure_rate: float = field(kw_only=True)
    console: Console = field(kw_only=True)
    _seconds: list[float] = field(factory=list, init=False)
    _ordered: int = field(default=0, init=False)
    _downloaded: int = field(default=0, init=False)
    _errors: list[str] = field(factory=list, init=False)
    results: dict[str, Any] = field(factory=dict, init=False)

    async def run(self) -> int:
        """Make the videos, print what that took, and return how many could not be made.

        Raises:
            ConfigurationError: There is nothing to make.
            OSError: The folder cannot be made, or no port is free.
        """
        if not self.orders or not self.speed > 0:
            raise ConfigurationError("the demo needs prompts and a speed above 0")
        await anyio.Path(self.folder).mkdir(parents=True, exist_ok=True)
        began = anyio.current_time()
        async with (
            Emulator(
                time_scale=self.speed, seed=self.seed, failure_rate=self.failure_rate
            ) as service,
            self._client(service.base_url) as luma,
        ):
            live = Live(get_renderable=lambda: self._table(luma), console=self.console)
            with live if self.console.is_terminal else nullcontext():
                await self._make_all(luma)
            self._report(luma, service, anyio.current_time() - began)
        return len(self._errors)

    def _client(self, base_url: str) -> LumaClient:
        """Make a client whose pace and intervals are those of the defaults, on faster time."""
        limits = Limits()
        return LumaClient(
            "any-key-will-do",
            base_url=base_url,
            limits=evolve(limits, requests_per_second=limits.requests_per_second * self.speed),
            polling=PollPolicy().at_speed(self.speed),
        )

    async def _make_all(self, luma: LumaClient) -> None:
        numbers = {id(order): number for number, order in enumerate(self.orders, 1)}
        async with (
            anyio.create_task_group() as group,
            aclosing(luma.generate_many(self.orders)) as outcomes,
        ):
            async for outcome in outcomes:
                number = numbers[id(outcome.order)]
                if (generation := self._take(outcome)) is not None:
                    group.start_soon(self._keep, luma, generation, f"{number:03}")
                    if number == 1:
                        group.start_soon(self._continue, luma, generation, group)

    async def _continue(self, luma: LumaClient, parent: Generation, group: TaskGroup) -> None:
        """Extend a video twice, each time from the end of the last."""
        for name in ("001-extended", "001-extended-again"):
            order = evolve(self.orders[0], extends=parent.id)
            async for outcome in luma.generate_many([order]):
                extended = self._take(outcome)
            if extended is None:
                return
            group.start_soon(self._keep, luma, extended, name)
            parent = extended

    def _take(self, outcome: Outcome) -> Generation | None:
        self._ordered += 1
        generation = outcome.generation
        if generation is not None and generation.created_at is not None:
            passed = datetime.now(UTC) - generation.created_at
            self._seconds.append(passed.total_seconds() * self.speed)
        if outcome.error is not None:
            self._say(f"{outcome.order.excerpt!r}: {outcome.error}")
            return None
        return generation

    async def _keep(self, luma: LumaClient, generation: Generation, name: str) -> None:
        try:
            await luma.download(generation, self.folder / f"{name}.mp4", overwrite=True)
        except LumaError as error:
            self._say(f"{name}: {error}")
            return
        self._downloaded += 1
        if not self.console.is_terminal and self._downloaded % 10 == 0:
            self.console.print(f"{self._downloaded} videos downloaded")

    def _say(self, problem: str) -> None:
        self._errors.append(problem)
        self.console.print(problem, markup=False, highlight=False, soft_wrap=True)

    def _table(self, luma: LumaClient) -> Table:
        now = luma.statistics()
        table = Table.grid(padding=(0, 2))
        ordered = now.requests.get("create", 0) + now.requests.get("extend", 0)
        table.add_row("ordered", f"{ordered} of {len(self.orders) + 2}")
        table.add_row("at the service", f"{now.waiting}")
        table.add_row("downloaded", f"{self._downloaded}")
        table.add_row("spent", format_tokens(now.tokens_spent))
        table.add_row("status requests", f"{now.requests.get('get', 0)}")
        return table

    def _report(self, luma: LumaClient, service: Emulator, seconds: float) -> None:
        done, sent = luma.statistics(), service.requests
        loop = sum(math.ceil(one / LOOP_SECONDS) for one in self._seconds)
        asked = sum(request.route == "get" for request in sent)
        self.results = {
            "downloaded": self._downloaded,
            "folder": str(self.folder),
            "failed": len(self._errors),
            "orders_sent": self._ordered,
            "orders_billed": service.billed,
            "tokens_spent": done.tokens_spent,
            "status_requests": asked,
            "status_requests_of_a_loop": loop,
            "seconds": round(seconds, 1),
        }
        table = Table.grid(padding=(0, 2))
        table.add_row("videos downloaded", f"{self._downloaded}, in {self.folder}/")
        table.add_row("billed by the service", f"{service.billed} orders of {self._ordered} sent")
        spent = format_tokens(done.tokens_spent)
        table.add_row("spent", f"{spent}, had it been the real service")
        table.add_row("status requests sent", f"{asked}")
        table.add_row(f"a GET per video every {LOOP_SECONDS:g} s", f"{loop} requests")
        table.add_row("time", f"{seconds:.1f} s, as {seconds * self.speed:.0f} s of the service")
        self.console.print(table)
