"""The plot that the documentation shows: requests against delay."""

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

# The drawing is put into the page, and what has this colour takes that of the page's text. The
# others are dark enough for a white page and light enough for a black one.
_TEXT = "#010203"
_STYLES = {
    "bound": {"color": "#888888", "linestyle": ":"},
    "batched loop": {"color": "#d1495b", "linestyle": "--", "marker": "s"},
    "luma_async, cold": {"color": "#00868b", "linestyle": "-", "marker": "o"},
    "luma_async, warm": {"color": "#8e63c7", "linestyle": "-", "marker": "^"},
}
_STROKES = "stroke-linejoin: round; stroke-linecap: butt"
_LABEL = (
    "Requests for each generation against the mean delay. The tracker's curves lie close to the "
    "bound; the batched loop needs a third to a half more requests for the same delay."
)


def draw(curves: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> None:
    """Draw the curves into an SVG file that is the same for the same curves."""
    colours = dict.fromkeys(
        ["text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"], _TEXT
    )
    mpl.rcParams.update(
        {"svg.hashsalt": "luma-async", "font.size": 11, "svg.fonttype": "path", **colours}
    )
    figure, axes = plt.subplots(figsize=(7.2, 4.4))
    for name, points in curves.items():
        requests, delays = zip(*sorted(points), strict=True)
        axes.plot(requests, delays, label=name, markersize=4, **_STYLES[name])
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = [0.2, 0.5, 1, 2]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    seconds = [0.5, 1, 2, 5, 10]
    axes.set_yticks(seconds, [f"{second:g} s" for second in seconds])
    axes.minorticks_off()
    axes.set_xlabel("status requests for each generation")
    axes.set_ylabel("mean delay of the news")
    axes.set_title("1,000 generations at once, 20 ids a request")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(framealpha=0)
    text = StringIO()
    figure.savefig(
        text, format="svg", metadata={"Date": None}, bbox_inches="tight", transparent=True
    )
    plt.close(figure)
    path.write_text(_for_a_page(text.getvalue()), encoding="utf-8")


def _for_a_page(svg: str) -> str:
    """Make an SVG file a part of a page, without a size, a preamble or a colour of its own."""
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg[svg.index("<svg") :])
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    # Its style sheet would be one for the whole page.
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    opening = f'<svg class="drawing" style="{_STROKES}" role="img" aria-label="{_LABEL}"'
    return svg.replace("<svg", opening, 1).replace(_TEXT, "currentColor")
