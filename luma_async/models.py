"""The values that go in and come out. They are frozen, hold no client, and can be pickled."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from attrs import field, frozen

from luma_async._notebook import block, line, player

AspectRatio = Literal["1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21"]
"""The shapes that the service makes."""

COMPLETED = frozenset({"completed"})
FAILED = frozenset({"failed", "error"})


@frozen(kw_only=True)
class Video:
    """Where the service has put a finished video.

    Attributes:
        url: The address of the MP4 file; None while the service has not published it.
        width: In pixels.
        height: In pixels.
        thumbnail: The address of a still picture.
        download_url: A signed address that ends after about an hour. Whoever has it can fetch
            the video, so it does not appear in the value's `repr`.
    """

    url: str | None = None
    width: int | None = None
    height: int | None = None
    thumbnail: str | None = None
    download_url: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str | None:
        """Where to fetch the file, at the signed address where there is one."""
        return self.download_url or self.url


@frozen(kw_only=True)
class Generation:
    """What the service said of one generation when it was asked.

    Attributes:
        id: The service's name for it; all that is needed to come back to it.
        state: The service's own word, such as ``pending``, ``queued``, ``processing``,
            ``dreaming``, ``completed`` or ``failed``. New words may come; a word that is not
            known means that the generation is not finished.
        prompt: The prompt as the service keeps it.
        created_at: When the service took the order.
        estimate_wait_seconds: How long the service expects it to take from now.
        video: Where the video is, once completed.
        failure_reason: What the service says of a failure.
        raw: All that the service sent, fields unknown to this package included. Treat it as
            read-only. It takes no part in comparisons.
        seconds_left: In how many seconds it will more likely be finished than not, by what the
            client has learned; set by `LumaClient.watch` alone. It takes no part in comparisons.
    """

    id: str
    state: str
    prompt: str | None = None
    created_at: datetime | None = None
    estimate_wait_seconds: float | None = None
    video: Video | None = None
    failure_reason: str | None = None
    raw: Mapping[str, Any] = field(factory=dict, eq=False, repr=False)
    seconds_left: float | None = field(default=None, eq=False)

    @property
    def is_completed(self) -> bool:
        """Whether the service finished it with a video."""
        return self.state in COMPLETED

    @property
    def is_failed(self) -> bool:
        """Whether the service gave it up."""
        return self.state in FAILED

    @property
    def is_done(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.is_completed or self.is_failed

    def _repr_html_(self) -> str:
        return block(html_parts(self))


def html_parts(generation: Generation) -> Iterator[str]:
    """Show a generation in a notebook: its video, or how far it is, or why there is none."""
    if generation.is_completed and generation.video is not None:
        video = generation.video
        yield player(video.url, video.thumbnail, generation.prompt or generation.id)
    if generation.prompt:
        yield line(generation.prompt)
    seconds = generation.seconds_left
    if seconds is None:
        seconds = generation.estimate_wait_seconds
    is_running = seconds is not None and not generation.is_done
    left = f", about {max(seconds or 0.0, 0.0):.0f} s left" if is_running else ""
    yield line(f"{generation.id}{left}", label=generation.state)
    if generation.is_failed:
        yield line(generation.failure_reason or "not given", label="reason")


@frozen(kw_only=True)
class GenerationSummary:
    """One line of the account's list: a generation that exists, whoever ordered it."""

    id: str
    prompt: str | None = None


@frozen(kw_only=True)
class UploadedImage:
    """An image that the service has copied to its own storage.

    Attributes:
        id: The service's name for the image.
        presigned_url: A signed address of the copy; not part of the `repr`.
        public_url: The address to give as `image_url` or `image_end_url` of an order.
    """

    id: str
    presigned_url: str = field(repr=False)
    public_url: str


@frozen
class Order:
    """One video to pay for: the arguments of `LumaClient.create` or `LumaClient.extend`.

    Attributes:
        user_prompt: What the video shows, in words.
        aspect_ratio: The shape of the picture.
        expand_prompt: Whether the service may elaborate the prompt.
        image_url: An http(s) address of the picture that the video begins with.
        image_end_url: An http(s) address of the picture that it ends with.
        extends: The id of a completed generation that this one continues; None for a new video.
    """

    user_prompt: str
    aspect_ratio: AspectRatio = field(default="16:9", kw_only=True)
    expand_prompt: bool = field(default=True, kw_only=True)
    image_url: str | None = field(default=None, kw_only=True)
    image_end_url: str | None = field(default=None, kw_only=True)
    extends: str | None = field(default=None, kw_only=True)

    @property
    def excerpt(self) -> str:
        """The beginning of the prompt, for messages."""
        return self.user_prompt if len(self.user_prompt) <= 60 else self.user_prompt[:57] + "..."


@frozen(kw_only=True)
class Durations:
    """How long generations of one kind take, from the order to the end, as a client has learned.

    Attributes:
        seen: How many this client has followed to their end.
        median_seconds: Half of them take longer.
        p90_seconds: One of ten takes longer.
    """

    seen: int
    median_seconds: float
    p90_seconds: float


@frozen(kw_only=True)
class Statistics:
    """What a client has done so far, what it is doing now, and what it has learned.

    Attributes:
        requests: HTTP requests sent, by route: ``create``, ``extend``, ``get``, ``list``,
            ``upload``, ``download``. Every request on the wire counts, repeated ones included.
        ids_asked: How many ids all the ``get`` requests asked for together.
        waiting: Ids that somebody waits for.
        in_flight: Requests to the API under way.
        tokens_spent: Tokens of paid requests that were accepted, or whose outcome is unknown.
        finished: Ids that were followed until their waits ended.
        mean_delay_seconds: How long after its end an end was heard of, on average. It is an
            estimate, half of the time since the question before; None without any.
        ids_per_request: How many ids a status request holds at the most:
            `Limits.ids_per_request`, or what the service turned out to take.
        median_seconds: The median of ``durations["create"]``; None before the first.
        p90_seconds: Likewise.
        durations: What was learned, for ``create`` and ``extend``, once one has been seen to
            finish.
    """

    requests: Mapping[str, int] = field(factory=dict)
    ids_asked: int = 0
    waiting: int = 0
    in_flight: int = 0
    tokens_spent: int = 0
    finished: int = 0
    mean_delay_seconds: float | None = None
    ids_per_request: int | None = None
    median_seconds: float | None = None
    p90_seconds: float | None = None
    durations: Mapping[str, Durations] = field(factory=dict)
