"""The gallery of a batch: a page to look at its videos, which needs nothing but them beside it."""

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import resources

_MARKUP = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&"})


def page(
    title: str, results: Sequence[Mapping[str, object]], *, running: bool, made_at: datetime
) -> str:
    """Return the page, in ASCII; its videos are looked for beside it.

    Args:
        title: The name of the batch.
        results: The lines of ``results.jsonl``, in the order in which they are shown.
        running: Whether the page is going to be made again; it then reloads itself.
        made_at: The time the results are from.
    """
    data = {
        "results": [dict(result) for result in results],
        "running": running,
        "made_at": made_at.isoformat(),
    }
    # Neither text holds a "<" of its own, so that none of them can be taken for a place to fill.
    name = html.escape(title).encode("ascii", "xmlcharrefreplace").decode()
    content = json.dumps(data, separators=(",", ":")).translate(_MARKUP)
    return _template().replace("<!-- title -->", name).replace("<!-- data -->", content)


@cache
def _template() -> str:
    """Read the template, and let its own style and script be the only ones that may run."""
    text = resources.files("luma_async.batch").joinpath("gallery.html").read_text("utf-8")
    for kind in ("style", "script"):
        inline = text.partition(f"<{kind}>")[2].partition(f"</{kind}>")[0]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        text = text.replace(f"<!-- {kind} -->", f"sha256-{digest}")
    return text
