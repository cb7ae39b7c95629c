"""How values look in a notebook: plain HTML in the notebook's own colours.

Notebooks are saved and passed on, and browsers trust them. So nothing here is a script, all text
is escaped, only http(s) addresses pass, and the signed address of a video is not shown.
"""

import re
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from luma_async.errors import SubmissionUnknownError

if TYPE_CHECKING:
    from luma_async.models import Generation, Outcome, Video

_LONGEST_TEXT = 500
# A signature in the query, or a password before the host.
_SECRET = re.compile(
    r"[?&](x-(amz|goog)-[a-z-]+|signature|sig|token|policy)=|//[^/?#]*@", re.IGNORECASE
)


def generation_html(generation: "Generation") -> str:
    """Show the video, or how far it is, or why there is none."""
    return _block(_generation(generation))


def outcome_html(outcome: "Outcome") -> str:
    """Show the video, or what is known without it and what went wrong."""
    return _block(_outcome(outcome))


def _block(parts: Iterator[str]) -> str:
    return f'<div style="overflow-wrap: anywhere">{"".join(parts)}</div>'


def _outcome(outcome: "Outcome") -> Iterator[str]:
    generation, error = outcome.generation, outcome.error
    if generation is None:
        yield _line(outcome.order.user_prompt)
    else:
        yield from _generation(generation)
    if isinstance(error, SubmissionUnknownError):
        yield _line(str(error), label="This order may be paid")
    elif error is not None and not (generation is not None and generation.is_failed):
        yield _line(str(error), label=type(error).__name__)


def _generation(generation: "Generation") -> Iterator[str]:
    if generation.is_completed and generation.video is not None:
        yield _player(generation.video, generation.prompt or generation.id)
    if generation.prompt:
        yield _line(generation.prompt)
    yield _line(f"{generation.id}{_time_left(generation)}", label=generation.state)
    if generation.is_failed:
        yield _line(generation.failure_reason or "not given", label="reason")


def _player(video: "Video", title: str) -> str:
    url, thumbnail = _address(video.url), _address(video.thumbnail)
    if not url:
        return ""
    # With a picture to show, nothing of the video is fetched before somebody plays it.
    still = f'preload="none" poster="{thumbnail}"' if thumbnail else 'preload="metadata"'
    style = "display: block; height: 18rem; max-width: 100%"
    return (
        f'<video controls playsinline {still} src="{url}" aria-label="{_text(title)}"'
        f' style="{style}"><a href="{url}">The video</a></video>'
    )


def _time_left(generation: "Generation") -> str:
    """Say how long it will take, if the client or else the service knows."""
    seconds = generation.seconds_left
    if seconds is None:
        seconds = generation.estimate_wait_seconds
    return "" if seconds is None or generation.is_done else f", about {max(seconds, 0):.0f} s left"


def _line(text: str, label: str = "") -> str:
    start = f"<strong><bdi>{_text(label)}</bdi>:</strong> " if label else ""
    # What others wrote may run from right to left, and is not to turn our own words round.
    return f'<p style="margin: 0.25em 0">{start}<bdi>{_text(text)}</bdi></p>'


def _text(text: str) -> str:
    return _escape(text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…")


def _address(url: str | None) -> str:
    if url is None or not url.lower().startswith(("https://", "http://")):
        return ""
    return "" if _SECRET.search(url) else _escape(url)


def _escape(text: str) -> str:
    # JSON can hold halves of characters, with which a notebook could not be saved.
    return escape(text.encode(errors="replace").decode())
