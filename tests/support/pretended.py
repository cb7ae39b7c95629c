"""A pretended service for the tracker alone: it answers without a wire, in virtual time."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import anyio

from luma_async import Generation, Limits, PollPolicy, Video
from luma_async._api.rate_limiter import RateLimiter
from luma_async._api.sansio.responses import StatusResult
from luma_async._tracking.tracker import Tracker

VIDEO = Video(url="https://videos.example/1.mp4")


def pending(name: str, **fields: Any) -> Generation:
    """Make a generation that runs."""
    return Generation(**{"id": name, "state": "processing", **fields})


def completed(name: str, **fields: Any) -> Generation:
    """Make a generation that has its video."""
    return Generation(**{"id": name, "state": "completed", "video": VIDEO, **fields})


class Pretended:
    """Answers questions as a test says, and remembers them.

    Attributes:
        asked: The ids of each request.
        times: When each was made.
        failure: Why the next answer is none.
        date: What the service's clock says.
        refusal: Why a question for some ids has no answer.
        tracker: The tracker that asks.
    """

    def __init__(
        self,
        state: Callable[[str, float], Generation | None],
        *,
        limits: Limits = Limits(requests_per_second=10_000),  # noqa: B008
        polling: PollPolicy = PollPolicy(),  # noqa: B008
        latency: float = 0.05,
    ) -> None:
        self._state = state
        self._latency = latency
        self.asked: list[tuple[str, ...]] = []
        self.times: list[float] = []
        self.failure: Callable[[], BaseException | None] = lambda: None
        self.refusal: Callable[[Sequence[str]], BaseException | None] = lambda names: None
        self.shape: Callable[[list[Generation]], Sequence[Generation]] = list
        self.problems: Sequence[str] = ()
        self.date: Callable[[], datetime | None] = lambda: None
        self.rate_limiter = RateLimiter(limits)
        self.tracker = Tracker(self.ask, self.rate_limiter, limits, polling)

    async def ask(
        self, names: Sequence[str], known: Callable[[str], Generation | None]
    ) -> StatusResult:
        """Answer one request, after a while."""
        self.asked.append(tuple(names))
        self.times.append(anyio.current_time())
        await anyio.sleep(self._latency)
        if (error := self.failure() or self.refusal(names)) is not None:
            raise error
        now = anyio.current_time()
        there = [found for name in names if (found := self._state(name, now)) is not None]
        return StatusResult(generations=self.shape(there), problems=self.problems, date=self.date())


def done_after(seconds: float) -> Callable[[str, float], Generation]:
    """Let all generations be done at a time."""
    return lambda name, now: completed(name) if now >= seconds else pending(name)
