"""The emulator's time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Counts the seconds that the emulator has served; while it is stopped, the count stands still.

    It reads `source` if given, else the clock of the event loop that serves, which may be virtual.
    `started_at` is the date of second 0 and must have a time zone; None is the date of
    construction.
    """

    def __init__(
        self, source: Callable[[], float] | None = None, started_at: datetime | None = None
    ) -> None:
        self._source = source
        self._elapsed: Callable[[], float] | None = None
        self._elapsed_before = 0.0
        self.started_at: datetime = started_at or datetime.now(UTC)

    def start(self, loop_time: Callable[[], float]) -> None:
        """Start counting by `loop_time`, or by the clock's source if it has one."""
        if self._elapsed is not None:
            return
        source = self._source or loop_time
        origin = source() - self._elapsed_before
        self._elapsed = lambda: source() - origin

    def stop(self) -> None:
        """Stop counting until the next start."""
        self._elapsed_before = self.now()
        self._elapsed = None

    def now(self) -> float:
        """Return the seconds served; may be called from any thread."""
        elapsed = self._elapsed
        return self._elapsed_before if elapsed is None else elapsed()

    def date(self, seconds: float) -> datetime:
        """Return the date in UTC when the count was `seconds`."""
        return self.started_at.astimezone(UTC) + timedelta(seconds=seconds)
