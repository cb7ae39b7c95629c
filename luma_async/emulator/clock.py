"""The emulator's time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Counts the seconds during which the emulator has been serving.

    The count is 0 until the emulator serves, and stands still between two spells of serving. Its
    source is `source` where one is given, else the clock of the event loop that serves, so that a
    loop with virtual time moves the emulator's world as well.

    `started_at` is the date that second 0 stands for; None takes the date of construction. It has
    to know its time zone.
    """

    def __init__(
        self, source: Callable[[], float] | None = None, started_at: datetime | None = None
    ) -> None:
        self._own_source = source
        self._reading: Callable[[], float] | None = None
        self._passed = 0.0
        self.started_at: datetime = started_at or datetime.now(UTC)

    def start(self, loop_time: Callable[[], float]) -> None:
        """Let time pass, as read from `loop_time` unless the clock has a source of its own."""
        if self._reading is not None:
            return
        source = self._own_source or loop_time
        origin = source() - self._passed
        self._reading = lambda: source() - origin

    def stop(self) -> None:
        """Let time stand still until the next start."""
        self._passed = self.now()
        self._reading = None

    def now(self) -> float:
        """Return the seconds that have passed; any thread may ask."""
        reading = self._reading
        return self._passed if reading is None else reading()

    def date(self, seconds: float) -> datetime:
        """Return the date at which the count stood at `seconds`."""
        return self.started_at.astimezone(UTC) + timedelta(seconds=seconds)
