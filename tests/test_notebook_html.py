"""How generations and outcomes look in a notebook."""

from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given, strategies as st

from luma_async.errors import (
    BadRequestError,
    GenerationFailedError,
    LumaError,
    SubmissionUnknownError,
)
from luma_async.models import Generation, Order, Video
from luma_async.outcome import Outcome

HOSTILE = """"><script>alert(1)</script><img src=x onerror='alert(1)'>&lt;"""
URL = "https://cdn.example.com/1.mp4?a=1&b=2"
STILL = "https://cdn.example.com/1.jpg"
SIGNED = "https://cdn.example.com/1.mp4?X-Amz-Signature=CANARY"
ORDER = Order("A red fox")
FAILED = Generation(id="g-1", state="failed", prompt="A red fox", failure_reason="No fox.")

ALLOWED = {
    "div": {"style"},
    "p": {"style"},
    "strong": set(),
    "bdi": set(),
    "video": {"controls", "playsinline", "preload", "poster", "src", "aria-label", "style"},
    "a": {"href"},
}


class Page(HTMLParser):
    """Reads HTML, and holds it to the tags and attributes that we write."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.media: dict[str, str | None] = {}
        self.open: list[str] = []
        self.tags = 0
        self.feed(html.encode().decode())  # as it is saved
        self.close()
        assert [] == self.open
        assert html.count("<") == self.tags

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, and what a player plays."""
        names = [name for name, _ in attrs]
        assert set(names) <= ALLOWED[tag]
        assert len(set(names)) == len(names)
        self.open.append(tag)
        self.tags += 1
        if tag == "video":
            self.media = dict(attrs)
        if tag == "p":
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        """Every tag is closed where it should be."""
        assert tag == self.open.pop()
        self.tags += 1

    def handle_data(self, data: str) -> None:
        """Gather the text of a line."""
        if "p" in self.open:
            self.lines[-1] += data


def look(value: Generation | Outcome) -> Page:
    """Show a value as a notebook does."""
    return Page(value._repr_html_())


def completed(video: Video) -> Generation:
    """Return a generation with a video."""
    return Generation(id="g-1", state="completed", prompt="A red fox", video=video)


def test_a_completed_generation_is_its_video() -> None:
    """The cell shows what was paid for, with a player."""
    page = look(completed(Video(url=URL, thumbnail=STILL)))
    assert ["A red fox", "completed: g-1"] == page.lines
    assert (URL, STILL, "none", "A red fox") == tuple(
        page.media[name] for name in ("src", "poster", "preload", "aria-label")
    )
    assert "controls" in page.media


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/1.mp4", "HTTPS://cdn.example.com/1.mp4"])
def test_addresses_of_the_web_are_played(url: str) -> None:
    """Those of the emulator are plain http."""
    assert url == look(completed(Video(url=url))).media["src"]


def test_a_video_without_a_still_shows_its_first_picture() -> None:
    """So much of it is fetched, and no more."""
    page = look(completed(Video(url=URL)))
    assert "poster" not in page.media
    assert "metadata" == page.media["preload"]


@pytest.mark.parametrize("url", [SIGNED, "https://me:secret@cdn.example.com/1.mp4"])
def test_an_address_that_is_a_secret_is_not_shown(url: str) -> None:
    """Whoever is given the notebook could fetch the video with it, or more."""
    assert "cdn.example.com" not in completed(Video(url=url, thumbnail=url))._repr_html_()


def test_what_cannot_play_a_video_has_a_link() -> None:
    """Some sites that show notebooks leave out the player."""
    assert ">The video</a></video>" in completed(Video(url=URL))._repr_html_()


@pytest.mark.parametrize(
    ("generation", "line"),
    [
        (Generation(id="g-1", state="queued"), "queued: g-1"),
        (
            Generation(id="g-1", state="queued", estimate_wait_seconds=41.6),
            "queued: g-1, about 42 s left",
        ),
        (
            Generation(id="g-1", state="dreaming", estimate_wait_seconds=90, seconds_left=7),
            "dreaming: g-1, about 7 s left",
        ),
        (
            Generation(id="g-1", state="dreaming", estimate_wait_seconds=90, seconds_left=-1),
            "dreaming: g-1, about 0 s left",
        ),
        (
            Generation(id="g-1", state="a word of tomorrow", video=Video(url=URL)),
            "a word of tomorrow: g-1",
        ),
        (Generation(id="g-1", state=""), "g-1"),
    ],
    ids=["no-more-known", "service-knows", "client-knows-better", "overdue", "new-word", "no-word"],
)
def test_a_running_generation_says_how_far_it_is(generation: Generation, line: str) -> None:
    """What the client has learned goes before what the service expects."""
    assert ([line], {}) == (look(generation).lines, look(generation).media)


@pytest.mark.parametrize(
    ("reason", "line"), [("No fox.", "reason: No fox."), (None, "reason: not given")]
)
def test_a_failed_generation_says_why(reason: str | None, line: str) -> None:
    """There is no time left that would be worth a word."""
    generation = Generation(
        id="g-1", state="failed", failure_reason=reason, estimate_wait_seconds=5
    )
    assert ["failed: g-1", line] == look(generation).lines


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " javascript:alert(1)//https://",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//cdn.example.com/1.mp4",
        "ht\ntps://cdn.example.com",
        "",
    ],
)
def test_addresses_that_are_not_of_the_web_are_left_out(url: str) -> None:
    """A browser would follow them, or run them."""
    assert {} == look(completed(Video(url=url, thumbnail=STILL))).media
    assert "poster" not in look(completed(Video(url=URL, thumbnail=url))).media


def test_a_video_that_has_not_appeared_is_no_player() -> None:
    """It may be published later."""
    generation = Generation(id="g-1", state="completed")
    assert {} == look(generation).media == look(completed(Video(download_url=SIGNED))).media


def test_no_signed_address_is_shown() -> None:
    """A notebook is saved and passed on, and whoever has the address can fetch the video."""
    generation = completed(Video(url=URL, thumbnail=STILL, download_url=SIGNED))
    outcome = Outcome(order=ORDER, generation=generation)
    assert "CANARY" not in generation._repr_html_() + outcome._repr_html_()


def test_the_colours_are_those_of_the_notebook() -> None:
    """It can be read on light and on dark ground."""
    assert "color" not in completed(Video(url=URL))._repr_html_() + FAILED._repr_html_()


def test_a_completed_outcome_is_its_video() -> None:
    """As the generation is by itself."""
    generation = completed(Video(url=URL))
    assert generation._repr_html_() == Outcome(order=ORDER, generation=generation)._repr_html_()


def unknown(order: Order) -> SubmissionUnknownError:
    """Return the error of an order that may be accepted."""
    return SubmissionUnknownError(order=order, sent_at=datetime.now(UTC), reason="it broke")


def test_an_order_that_may_be_paid_says_so() -> None:
    """Before anybody pays again, they have to look."""
    prompt, warning = look(Outcome(order=ORDER, error=unknown(ORDER))).lines
    assert "A red fox" == prompt
    assert warning.startswith("This order may be paid: ")
    assert "Before you pay again, look" in warning


def test_an_order_that_was_refused_says_why() -> None:
    """With the name of the error, by which it can be looked up."""
    error = BadRequestError("No foxes.", status=400)
    lines = look(Outcome(order=ORDER, error=error)).lines
    assert ["A red fox", "BadRequestError: HTTP 400: No foxes."] == lines


def test_a_failure_is_told_once() -> None:
    """The generation says all that its error would repeat."""
    outcome = Outcome(order=ORDER, generation=FAILED, error=GenerationFailedError(FAILED))
    assert FAILED._repr_html_() == outcome._repr_html_()


def test_what_is_known_of_a_generation_is_shown_beside_an_error() -> None:
    """It was ordered, and can be waited for by its id."""
    generation = Generation(id="g-1", state="queued")
    lines = look(Outcome(order=ORDER, generation=generation, error=LumaError("closed"))).lines
    assert ["queued: g-1", "LumaError: closed"] == lines


def test_long_texts_are_cut() -> None:
    """A prompt may have 32 KiB, and a notebook has other cells."""
    lines = look(Generation(id="g-1", state="queued", prompt="fox " * 8000)).lines
    assert ["fox " * 124 + "fox…", "queued: g-1"] == lines


TEXTS = (
    st.text(max_size=40) | st.text("<>&\"'/=!-x \x00\ud800\u202e", max_size=40) | st.just(HOSTILE)
)
ADDRESSES = st.none() | TEXTS | TEXTS.map("https://".__add__)


def shows(generation: Generation) -> Iterator[Page]:
    """Show a generation by itself, in an outcome, and in errors."""
    order = Order(generation.prompt or "")
    yield look(generation)
    for error in (None, unknown(order), LumaError(generation.failure_reason)):
        yield look(Outcome(order=order, generation=generation, error=error))
        yield look(Outcome(order=order, error=error))


@given(
    st.builds(
        Generation,
        id=TEXTS,
        state=TEXTS | st.sampled_from(["completed", "failed"]),
        prompt=st.none() | TEXTS,
        failure_reason=st.none() | TEXTS,
        estimate_wait_seconds=st.none() | st.floats(),
        video=st.none() | st.builds(Video, url=ADDRESSES, thumbnail=ADDRESSES),
    )
)
def test_nothing_that_is_sent_becomes_part_of_the_page(generation: Generation) -> None:
    """Whatever a prompt, a state or an address holds, it stays text, and it can be saved."""
    for page in shows(generation):
        for name in ("src", "poster"):
            assert (page.media.get(name) or "https://").lower().startswith("https://")


def test_hostile_text_is_shown_as_it_is() -> None:
    """A reader sees what was written."""
    generation = Generation(id=HOSTILE, state=HOSTILE, prompt=HOSTILE)
    assert [HOSTILE, f"{HOSTILE}: {HOSTILE}"] == look(generation).lines
