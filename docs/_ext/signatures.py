"""Makes signatures legible: types by the names that our source has for them, short defaults."""

import re

from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

from luma_async.batch.ledger.sansio.record import OrderState
from luma_async.batch.ledger.sansio.transitions import OnUnknown
from luma_async.models import AspectRatio

ALIASES = {"AspectRatio": AspectRatio, "OnUnknown": OnUnknown, "OrderState": OrderState}
OPTIONS = re.compile(r"\b(Limits|PollPolicy|RetryPolicy|Timeouts|Budget)\([^()]+\)")


def shorten(text: str) -> str:
    """Say ``AspectRatio`` for what it stands for, and ``Limits()`` for all of its defaults."""
    for name, kind in ALIASES.items():
        for mode in ("smart", "fully-qualified-except-typing"):
            text = text.replace(stringify_annotation(kind, mode), name)
    return OPTIONS.sub(r"\1()", text).replace("= NOTHING", "= ...").replace("=NOTHING", "=...")


def shorten_signature(*event: object) -> tuple[str | None, str | None]:
    *_, signature, returned = event
    return signature and shorten(str(signature)), returned and shorten(str(returned))


def put_types_beside_names(*event: object) -> None:
    """Let an attribute have its type in its headline, where napoleon has it below the text."""
    lines = event[-1]
    headline = 0
    for place, line in enumerate(lines):
        if line.startswith(".. attribute::"):
            headline = place
        elif line.startswith("   :type: "):
            del lines[place]
            lines.insert(headline + 1, shorten(line))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-process-docstring", put_types_beside_names, priority=900)
    return {"parallel_read_safe": True}
