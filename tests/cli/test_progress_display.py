"""What a person sees of a batch while it runs."""

from collections.abc import Callable

import anyio
import pytest

from luma_async import Order, Statistics
from luma_async.batch import OrderState, Record
from luma_async.cli.progress_display import ProgressDisplay

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def records(count: int, state: OrderState = "planned") -> list[Record]:
    """Make the records of some orders."""
    return [
        Record(order_id=f"{n}", number=n, order=Order(f"Fox {n}"), state=state, tokens=500_000)
        for n in range(count)
    ]


def learned(median: float | None, p90: float | None = None) -> Callable[[], Statistics]:
    """Pretend that a client has learned how long videos take."""
    return lambda: Statistics(median_seconds=median, p90_seconds=p90)


async def test_where_nobody_watches_a_line_is_printed_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A log shows that something happens, and how far it is."""
    display = ProgressDisplay(learned(None), 10)
    display.begin(records(3, "submitted"))
    async with display.shown():
        await anyio.sleep(25.0)
    lines = capsys.readouterr().err.splitlines()
    assert ["0 of 3 videos done, 3 at the service, 0.75 US dollars spent"] * 2 == lines


async def test_the_end_is_expected_by_how_long_a_video_takes() -> None:
    """Before any pace is known, what was learned of one video tells about all."""
    display = ProgressDisplay(learned(60.0), 10)
    display.begin(records(20))
    assert 150.0 == display.seconds_left()
    assert "about 2 min left" in display.line()
    display.begin(records(20, "done"))
    assert 0.0 == display.seconds_left()
    assert "left" not in display.line()


async def test_the_end_is_expected_by_the_pace_once_there_is_one() -> None:
    """Ten videos in a hundred seconds, and ten more to go."""
    display = ProgressDisplay(learned(60.0), 10)
    display.begin([])
    await anyio.sleep(100.0)
    for record in [*records(20), *records(10, "done")]:
        display.update(record)
    assert 100.0 == display.seconds_left()


async def test_a_long_wait_is_told_in_hours() -> None:
    """Nobody counts in thousands of seconds."""
    display = ProgressDisplay(learned(600.0), 1)
    display.begin(records(12))
    assert "about 2.1 h left" in display.line()
    display.begin(records(1))
    display = ProgressDisplay(learned(20.0), 1)
    display.begin(records(1))
    assert "about 30 s left" in display.line()


async def test_a_person_sees_counts_money_and_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal everything is in one place, and is up to date."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    display = ProgressDisplay(learned(60.0, 90.0), 10)
    display.begin(records(4))
    async with display.shown():
        display.update(records(1, "unknown")[0])
        await anyio.sleep(1.0)
    screen = capsys.readouterr().err
    assert "60 s (median), 90 s (p90)" in screen
    assert "finish expected" in screen
    assert "held" in screen


async def test_before_anything_is_learned_no_end_is_expected(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guess would be worth nothing."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    display = ProgressDisplay(learned(None), 10)
    display.begin(records(4))
    async with display.shown():
        await anyio.sleep(1.0)
    assert "finish expected" not in capsys.readouterr().err
