"""The built documentation: `nox -s docs` builds it, and then runs this."""

import inspect
import os
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args
from urllib.parse import unquote, urldefrag

import attrs
import pytest

import luma_async
import luma_async.batch
import luma_async.emulator
from luma_async.batch import OnUnknown, OrderState
from luma_async.models import AspectRatio

SITE = Path(os.environ.get("LUMA_ASYNC_SITE", "no-site"))
SAFE = ("https://", "http://127.0.0.1:", "data:", "mailto:")
PACKAGES = (luma_async, luma_async.batch, luma_async.emulator)

if not SITE.joinpath("objects.inv").exists():
    pytest.skip("`nox -s docs` builds the site and checks it", allow_module_level=True)


class Page(HTMLParser):
    """What a page can be linked by, and what it links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.unnamed_images = 0
        self.has_description = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the ids and addresses of an element."""
        values = dict(attrs)
        self.ids |= {value for value in (values.get("id"), values.get("name")) if value}
        self.links += [value for value in (values.get("href"), values.get("src")) if value]
        self.unnamed_images += tag == "img" and not values.get("alt")
        self.has_description |= values.get("name") == "description"


@pytest.fixture(scope="module")
def pages() -> dict[Path, Page]:
    """Return all pages of the site by their paths."""
    paths = [path.relative_to(SITE) for path in SITE.rglob("*.html")]
    written = [(SITE / path).resolve() for path in paths if not path.parts[0].startswith("_")]
    return {path: Page(path) for path in written}


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Return the names that the reference describes."""
    packed = SITE.joinpath("objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ")[0] for line in zlib.decompress(packed).decode().splitlines()}


def written(pages: dict[Path, Page]) -> list[Page]:
    """Return the pages that somebody wrote; the index and the search are made by Sphinx."""
    made = {"genindex.html", "search.html", "py-modindex.html"}
    return [page for path, page in pages.items() if path.name not in made]


def test_links_lead_somewhere(pages: dict[Path, Page]) -> None:
    """No link within the site ends in nothing, be it a page, a place on it, or a file."""
    broken = []
    for page in pages.values():
        for link in page.links:
            address, anchor = urldefrag(link)
            address = address.partition("?")[0]
            if ":" in address or address.startswith("//"):
                continue
            target = (page.path.parent / unquote(address)).resolve() if address else page.path
            lost = not target.is_file() or (
                anchor and target in pages and unquote(anchor) not in pages[target].ids
            )
            if lost:
                broken.append(f"{page.path.relative_to(SITE.resolve())}: {link}")
    assert [] == broken


def test_links_to_others_are_safe(pages: dict[Path, Page]) -> None:
    """Links that leave the site are absolute, and encrypted unless they stay on the machine."""
    outward = {link for page in pages.values() for link in page.links if ":" in urldefrag(link)[0]}
    wrong = {link for link in outward if not link.startswith(SAFE)}
    assert set() == wrong


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    """Who reads is seen by nobody but the host of the site."""
    for path, page in pages.items():
        text = path.read_text(encoding="utf-8")
        assert 'src="http' not in text, page.path
        assert '<link rel="stylesheet" type="text/css" href="http' not in text, page.path


def test_pictures_are_described(pages: dict[Path, Page]) -> None:
    """Who does not see a picture is told what is in it."""
    assert [] == [page.path for page in pages.values() if page.unnamed_images]


def public_names() -> Iterator[str]:
    """Yield all that can be imported, and the methods and fields of the classes among it."""
    for package in PACKAGES:
        for name in package.__all__:
            if name.startswith("__"):
                continue
            full, value = f"{package.__name__}.{name}", getattr(package, name)
            yield full
            if inspect.isclass(value) and package is not luma_async.emulator:
                yield from (f"{full}.{member}" for member in members(value))


def members(kind: type) -> set[str]:
    """Return the names of the methods, properties and fields of a class itself."""
    methods = {
        name for name, value in vars(kind).items() if callable(value) or isinstance(value, property)
    }
    fields = {field.name for field in attrs.fields(kind)} if attrs.has(kind) else set()
    return {name for name in methods | fields if not name.startswith("_")}


@pytest.mark.parametrize("name", list(public_names()))
def test_the_reference_is_complete(name: str, names: set[str]) -> None:
    """Whatever can be imported can be looked up."""
    assert name in names


def test_the_reference_names_all_choices() -> None:
    """What may be written for a choice of words is what the types allow."""
    text = SITE.joinpath("llms-full.txt").read_text(encoding="utf-8")
    for kind in (AspectRatio, OnUnknown, OrderState):
        choices = ", ".join(f"'{choice}'" for choice in get_args(kind))
        assert choices in " ".join(text.split())


def test_every_page_says_what_it_is_about(pages: dict[Path, Page]) -> None:
    """A search engine, and a program that reads `llms.txt`, have a line for each page."""
    listing = SITE.joinpath("llms.txt").read_text(encoding="utf-8").splitlines()
    for page in written(pages):
        name = page.path.relative_to(SITE.resolve()).as_posix()
        (line,) = (line for line in listing if f"]({name})" in line)
        assert len(line.partition("): ")[2]) > 20
        assert page.has_description, name
