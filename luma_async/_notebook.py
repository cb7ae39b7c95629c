"""HTML for notebooks, made of plain text, in the colours of the notebook.

Notebooks are saved and passed on, and browsers trust them. So nothing here is a script, all text
is escaped, only http(s) URLs pass, and the signed URL of a video is not shown.
"""

import re
from collections.abc import Iterable
from html import escape

_MAX_TEXT = 500
# A signature in the query, or a password before the host.
_SECRET = re.compile(
    r"[?&](x-(amz|goog)-[a-z-]+|signature|sig|token|policy)=|//[^/?#]*@", re.IGNORECASE
)


def block(parts: Iterable[str]) -> str:
    """Put lines and players into one element."""
    return f'<div style="overflow-wrap: anywhere">{"".join(parts)}</div>'


def line(text: str, label: str = "") -> str:
    """Write a line of text, with a label before it."""
    start = f"<strong><bdi>{_text(label)}</bdi>:</strong> " if label else ""
    # What others wrote may run from right to left, and is not to turn our own words round.
    return f'<p style="margin: 0.25em 0">{start}<bdi>{_text(text)}</bdi></p>'


def player(video_url: str | None, thumbnail_url: str | None, title: str) -> str:
    """Play a video; nothing where its URL is not to be shown."""
    url, thumbnail = _url(video_url), _url(thumbnail_url)
    if not url:
        return ""
    # With a picture to show, nothing of the video is fetched before somebody plays it.
    still = f'preload="none" poster="{thumbnail}"' if thumbnail else 'preload="metadata"'
    style = "display: block; height: 18rem; max-width: 100%"
    return (
        f'<video controls playsinline {still} src="{url}" aria-label="{_text(title)}"'
        f' style="{style}"><a href="{url}">The video</a></video>'
    )


def _text(text: str) -> str:
    return _escape(text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…")


def _url(url: str | None) -> str:
    if url is None or not url.lower().startswith(("https://", "http://")):
        return ""
    return "" if _SECRET.search(url) else _escape(url)


def _escape(text: str) -> str:
    # JSON can hold halves of characters, with which a notebook could not be saved.
    return escape(text.encode(errors="replace").decode())
