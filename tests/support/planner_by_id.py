"""A planner whose states are found by their ids, as subscriptions find them."""

from collections.abc import Callable, Collection
from typing import Any

from luma_async._api.sansio.http_status import PollFailure
from luma_async._tracking.sansio.poll_planner import PollPlanner
from luma_async._tracking.sansio.poll_state import Poll, PollState
from luma_async.settings import PollPolicy


class PlannerById:
    """Plans requests for ids, each of which somebody waits for until it is discarded."""

    def __init__(self, policy: PollPolicy, size: int, random: Callable[[], float]) -> None:
        self._policy = policy
        self._planner = PollPlanner(policy, size, random)
        self._states: dict[str, PollState] = {}
        self.size = self._planner.size
        self.durations = self._planner.durations
        self.next_request = self._planner.next_request
        self.next_poll = self._planner.next_poll

    def add(self, generation_id: str, now: float, **options: Any) -> PollState:
        """Begin to ask for an id."""
        state = self._states[generation_id] = self._planner.add(generation_id, now, **options)
        return state

    def discard(self, generation_id: str) -> None:
        """Stop asking for an id, if it is asked for."""
        if (state := self._states.pop(generation_id, None)) is not None:
            self._planner.discard(state)

    def expedite(self, generation_id: str, now: float) -> None:
        """Make an id due now."""
        self._planner.expedite(self._states[generation_id], now)

    def poll_alone(self, generation_id: str, now: float) -> None:
        """Ask for an id in a request of its own."""
        self._planner.poll_alone(self._states[generation_id], now)

    def finished(self, generation_id: str, now: float) -> float | None:
        """Say that an id has ended."""
        state = self._states.get(generation_id)
        return None if state is None else state.finished(now)

    def unfinished(self, generation_id: str, asked_at: float, **known: Any) -> None:
        """Say that an id had not ended."""
        if (state := self._states.get(generation_id)) is not None:
            self._planner.unfinished(state, asked_at, **known)

    def videoless(self, generation_id: str, now: float) -> None:
        """Say that an id has ended, and its video is not there yet."""
        if (state := self._states.get(generation_id)) is not None:
            state.videoless(now, self._policy.video_grace)

    def seconds_left(self, generation_id: str, now: float) -> float | None:
        """Return in how many seconds an id will more likely have ended than not."""
        return self._states[generation_id].seconds_left(now)

    def answered(self, poll: Poll, now: float, found: Collection[str]) -> None:
        """Answer a request."""
        self._planner.answered(poll, now, found)

    def failed(self, poll: Poll, now: float, failure: PollFailure, **options: Any) -> str | None:
        """Let a request fail, and return the id to blame."""
        return self._planner.failed(poll, now, failure, **options)
