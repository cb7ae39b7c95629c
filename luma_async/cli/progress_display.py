"""What a person sees of a batch while it runs."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, nullcontext
from datetime import datetime, timedelta

import anyio
from attrs import define, field
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from luma_async.batch import OrderState, Record
from luma_async.cli.money import format_dollars
from luma_async.cli.output import note
from luma_async.models import Statistics

_AT_SERVICE: tuple[OrderState, ...] = ("submitting", "submitted")
_LOADING: tuple[OrderState, ...] = ("completed", "downloading")
_FAILED: tuple[OrderState, ...] = ("rejected", "failed")
# Before so many videos are done, their pace says little.
_ENOUGH = 10
_LINE_SECONDS = 10.0
_REFRESH_SECONDS = 0.25


@define(eq=False)
class ProgressDisplay:
    """The state of a batch, live in a terminal and in lines elsewhere."""

    _statistics: Callable[[], Statistics]
    _max_in_flight: int
    _records: dict[str, Record] = field(factory=dict, init=False)
    _began: float = field(factory=anyio.current_time, init=False)
    _done_before: int = field(default=0, init=False)

    def begin(self, records: Iterable[Record]) -> None:
        """Take the state in which a run begins."""
        for record in records:
            self.update(record)
        self._done_before = self._count("done")

    def update(self, record: Record) -> None:
        """Take the new state of an order."""
        self._records[record.order_id] = record

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show it on stderr while the context lasts: live in a terminal, else in lines."""
        console = Console(stderr=True)
        # Results that go to the same terminal appear above the display, others are left alone.
        live = Live(
            get_renderable=self._table,
            console=console,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),
            transient=True,
        )
        with live if console.is_terminal else nullcontext():
            work = self._refresh(live) if console.is_terminal else self._print_lines()
            task = asyncio.create_task(work)
            try:
                yield
            finally:
                task.cancel()

    async def _refresh(self, live: Live) -> None:
        while True:
            live.refresh()
            await anyio.sleep(_REFRESH_SECONDS)

    async def _print_lines(self) -> None:
        while True:
            await anyio.sleep(_LINE_SECONDS)
            note(self.line())

    def line(self) -> str:
        """Say how far the batch is."""
        left = self.seconds_left()
        parts = [f"{self._count('done')} of {len(self._records)} videos done"]
        parts += [
            f"{self._count(*states)} {name}" for name, states in _PARTS if self._count(*states)
        ]
        parts.append(f"{format_dollars(self._tokens)} spent")
        if left is not None and left > 0:
            parts.append(f"about {_span(left)} left")
        return ", ".join(parts)

    def seconds_left(self) -> float | None:
        """Estimate when all is done: by the pace so far, or by how long a video takes."""
        left = self._count("planned", *_AT_SERVICE, *_LOADING)
        done = self._count("done") - self._done_before
        if done >= _ENOUGH:
            return left * (anyio.current_time() - self._began) / done
        seconds = self._statistics().median_seconds
        if seconds is None:
            return None
        return seconds * (left / self._max_in_flight + 0.5) if left else 0.0

    @property
    def _tokens(self) -> int:
        return sum(record.tokens for record in self._records.values())

    def _count(self, *states: OrderState) -> int:
        counts = Counter(record.state for record in self._records.values())
        return sum(counts[state] for state in states)

    def _table(self) -> Table:
        learned, left = self._statistics(), self.seconds_left()
        table = Table.grid(padding=(0, 2))
        done = f"{self._count('done')} of {len(self._records)}"
        table.add_row("done", done, ProgressBar(len(self._records), self._count("done"), width=30))
        for name, states in _PARTS:
            table.add_row(name, f"{self._count(*states)}")
        table.add_row("spent", format_dollars(self._tokens))
        if learned.median_seconds is not None and learned.p90_seconds is not None:
            usual = f"{learned.median_seconds:.0f} s (median), {learned.p90_seconds:.0f} s (p90)"
            table.add_row("a video takes", usual)
        if left is not None:
            at = datetime.now().astimezone() + timedelta(seconds=left)
            table.add_row("finish expected", f"{at:%H:%M}, in {_span(left)}")
        return table


_PARTS: tuple[tuple[str, tuple[OrderState, ...]], ...] = (
    ("planned", ("planned",)),
    ("at the service", _AT_SERVICE),
    ("downloading", _LOADING),
    ("failed", _FAILED),
    ("held", ("unknown",)),
)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
