"""What a series of answers says of one generation."""

from attrs import define, field

from luma_async._api.sansio.responses import unknown_id
from luma_async.errors import GenerationFailedError, LumaError, NotFoundError
from luma_async.models import Generation
from luma_async.settings import PollPolicy


def has_video_or_failed(generation: Generation) -> bool:
    """Whether it failed, or was completed and its video is published."""
    if generation.is_completed:
        return generation.video is not None and generation.video.address is not None
    return generation.is_failed


@define(eq=False)
class Progress:
    """Follows one generation from response to response, until there is a `result`.

    Attributes:
        latest: The newest that is known; a completed one counts from when its video is there.
        ending: The finished generation, or why it will not be waited for any longer.
    """

    _id: str
    _policy: PollPolicy
    latest: Generation | None = None
    result: Generation | LumaError | None = field(default=None, init=False)
    _missed: int = field(default=0, init=False)
    _missing_since: float | None = field(default=None, init=False)
    _grace_is_over: bool = field(default=False, init=False)
    _videoless_since: float | None = field(default=None, init=False)

    def seen(self, generation: Generation, now: float) -> bool:
        """Take in what a response says; return whether the generation has moved on.

        What has ended stays so, in spite of later responses.
        """
        if self.result is not None:
            return False
        self._missed, self._missing_since = 0, None
        if generation.is_completed and not has_video_or_failed(generation):
            # The service may say so before the file is published.
            if self._videoless_since is None:
                self._videoless_since = now
            if now - self._videoless_since >= self._policy.video_grace:
                self.result = GenerationFailedError(generation)
            return False
        self._videoless_since = None
        moved = self.latest is None or self.latest.state != generation.state
        self.latest = generation
        if has_video_or_failed(generation):
            self.result = generation
        return moved

    def repeated(self) -> None:
        """Take in that an answer says the same of the generation as the one before."""
        self._missed, self._missing_since = 0, None
        self._videoless_since = None

    @property
    def is_overdue(self) -> bool:
        """Whether it has been missing from answers for as long as is granted."""
        return self._missed >= self._policy.missing_answers and self._grace_is_over

    def missed(self, now: float, *, alone: bool) -> None:
        """Take in that an answer does not hold the generation.

        A new one may take the service a moment to find, so it is given up only after
        `PollPolicy.missing_grace` and `PollPolicy.missing_answers` answers in a row, and by an
        answer to a question for it alone: one for many may have been cut short.
        """
        self._count(now)
        if alone and self.is_overdue and self.result is None:
            self.result = unknown_id(self._id)

    def refused(self, error: LumaError, now: float) -> None:
        """Take in that a question for the generation alone failed, while others are answered."""
        self._count(now)
        if self.is_overdue and self.result is None:
            self.result = unknown_id(self._id) if isinstance(error, NotFoundError) else error

    def _count(self, now: float) -> None:
        self._missed += 1
        if self._missing_since is None:
            self._missing_since = now
        self._grace_is_over = now - self._missing_since >= self._policy.missing_grace
