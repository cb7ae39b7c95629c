"""The page that a batch is looked at with, as text."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from luma_async.batch.gallery import page

MADE_AT = datetime(2026, 1, 1, 12, 3, tzinfo=UTC)


class Reader(HTMLParser):
    """Takes a page apart: its elements, and the text in each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += attrs
        self.open.append(f"{tag}#{dict(attrs)['id']}" if "id" in dict(attrs) else tag)

    def handle_data(self, data: str) -> None:
        """Note a text under the element that it follows."""
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], "")
            self.texts[self.open[-1]] += data


def read(title: str = "Still lives", *prompts: str, running: bool = False) -> Reader:
    """Return the page of a batch with these prompts, taken apart."""
    results = [
        {"order": f"k{number}", "number": number, "state": "planned", "prompt": prompt}
        for number, prompt in enumerate(prompts, 1)
    ]
    return Reader(page(title, results, running=running, made_at=MADE_AT))


def data(reader: Reader) -> dict[str, object]:
    """Return what the page was told."""
    told = json.loads(reader.texts["script#data"])
    assert isinstance(told, dict)
    return told


HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<!-- <script>",
    "<!-- data -->",
    "]]>&lt;/script&gt;",
    "'\"><svg onload=alert(1)>",
    "\u2028\u2029\\u003c/script>",
    "half a character: \ud83c",
    "Ein Fuchs 🦊 läuft",
]


@pytest.mark.parametrize("prompt", HOSTILE)
def test_no_prompt_breaks_out(prompt: str) -> None:
    """Whatever a prompt is made of, the page has the same elements, and shows it as it is."""
    reader = read("Still lives", prompt)

    assert read("Still lives", "Flying jellyfish").tags == reader.tags
    assert [prompt] == _prompts(reader)


def _prompts(reader: Reader) -> list[str]:
    results = data(reader)["results"]
    assert isinstance(results, list)
    return [result["prompt"] for result in results]


@pytest.mark.parametrize("title", [text for text in HOSTILE if "\ud83c" not in text])
def test_no_title_breaks_out(title: str) -> None:
    """A folder may have any name."""
    reader = read(title, "Flying jellyfish")

    assert read("Still lives", "Flying jellyfish").tags == reader.tags
    assert (title, title) == (reader.texts["title"], reader.texts["h1"])


@pytest.mark.parametrize("text", HOSTILE)
def test_every_page_can_be_written(text: str) -> None:
    """Half a character in a name or prompt does not keep the page from its file."""
    assert page(text, [{"prompt": text}], running=False, made_at=MADE_AT).isascii()


@pytest.mark.parametrize("running", [True, False])
def test_the_page_knows_how_far_the_batch_is(*, running: bool) -> None:
    """Everything known of every order is there, and whether more is to come."""
    told = data(read("Still lives", "a pear", "a bench", running=running))

    assert {
        "results": [
            {"order": "k1", "number": 1, "state": "planned", "prompt": "a pear"},
            {"order": "k2", "number": 2, "state": "planned", "prompt": "a bench"},
        ],
        "running": running,
        "made_at": "2026-01-01T12:03:00+00:00",
    } == told


def test_a_batch_without_orders_has_a_page() -> None:
    """The page of an empty batch is whole."""
    reader = read()

    assert [] == data(reader)["results"]
    assert ["title", "h1"] == [tag for tag in reader.tags if tag in ("title", "h1")]


def test_ten_thousand_orders_fit() -> None:
    """No order is left out."""
    assert 10_000 == len(_prompts(read("Many", *["a pear"] * 10_000)))


def test_nothing_is_loaded_from_elsewhere() -> None:
    """The page names no other host, and the browser is told to load nothing but local videos."""
    reader = read("Still lives", "Flying jellyfish")
    policy = next(value for name, value in reader.attributes if name == "content" and value)
    addresses = [value for name, value in reader.attributes if name in ("src", "href")]

    assert [
        "default-src 'none'",
        "style-src 'sha256'",
        "script-src 'sha256'",
        "media-src 'self' file:",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ] == re.sub(r"sha256-[\w+/]{43}=", "sha256", policy).split("; ")
    assert ["data:,", "videos/"] == addresses
    assert [] == [text for text in reader.texts.values() if "://" in text]
