"""The plot that the documentation shows: requests against delay."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

_STYLES = {
    "bound": {"color": "#888888", "linestyle": ":"},
    "batched loop": {"color": "#d1495b", "linestyle": "--", "marker": "s"},
    "luma_async, cold": {"color": "#00798c", "linestyle": "-", "marker": "o"},
    "luma_async, warm": {"color": "#1b4965", "linestyle": "-", "marker": "^"},
}


def draw(curves: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> None:
    """Draw the curves into an SVG file that is the same for the same curves."""
    mpl.rcParams.update({"svg.hashsalt": "luma-async", "font.size": 11, "svg.fonttype": "path"})
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
    axes.legend()
    figure.savefig(path, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
