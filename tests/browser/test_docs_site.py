"""The documentation, as it looks in a real browser, on a desk and on a phone."""

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("selenium", reason="selenium is installed for `nox -s browser` alone")

SITE = Path(os.environ.get("LUMA_ASYNC_SITE", "no-site")).resolve()
PAGES = sorted(
    str(path.relative_to(SITE))
    for path in SITE.rglob("*.html")
    if not path.relative_to(SITE).parts[0].startswith("_")
)

pytestmark = pytest.mark.skipif(not PAGES, reason="`nox -s docs` builds the site")

BROKEN_IMAGES = """
return [...document.images]
  .filter((image) => !(image.complete && image.naturalWidth))
  .map((image) => image.src)
"""
# How much drawings stand out from the page; WCAG 2.2 asks 3 of graphics and 4.5 of text.
FAINTEST = """
const light = (colour) => {
  const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
  const [red, green, blue] = parts.map(
    (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const page = light(getComputedStyle(document.body).backgroundColor);
const contrast = (colour) => {
  const [dark, bright] = [page, light(colour)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
};
const parts = document.querySelectorAll('svg.drawing :is(path, rect, text, use):not(defs *)');
return Math.min(...[...parts].flatMap((part) => {
  const style = getComputedStyle(part);
  const opaque = (name) => Number(style[name + 'Opacity']) * Number(style.opacity) === 1;
  return ['fill', 'stroke']
    .filter((name) => style[name].startsWith('rgb(') && opaque(name))
    .map((name) => contrast(style[name]));
}));
"""


def show(chromium: Any, page: str, *, width: int = 1280, theme: str = "light") -> None:
    """Open a page in a window of some width, in one of the two themes."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chromium.get(f"file://{SITE / page}")
    chromium.execute_script("document.body.dataset.theme = arguments[0]", theme)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_a_phone_and_is_whole(chromium: Any, page: str) -> None:
    """Nothing sticks out to the side, no picture is missing, and the console is quiet."""
    show(chromium, page, width=390)
    assert 390 == chromium.execute_script("return document.documentElement.scrollWidth")
    assert [] == chromium.execute_script(BROKEN_IMAGES)
    assert [] == chromium.get_log("browser")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", ["explanation/tracker.html", "explanation/architecture.html"])
def test_drawings_can_be_seen_in_either_theme(chromium: Any, page: str, theme: str) -> None:
    """Lines and letters of a drawing stand out from the page, be it white or black."""
    show(chromium, page, theme=theme)
    assert chromium.execute_script(FAINTEST) >= 3
