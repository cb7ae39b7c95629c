"""The page that a batch is looked at with, in a real browser."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from luma_async.batch.gallery import page
from luma_async.emulator.film import film

pytest.importorskip("selenium", reason="selenium is installed for `nox -s browser` alone")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

HOSTILE = "</script><img src=x onerror=\"document.title='broken'\"><script>alert(1)</script>"
REASON = "the prompt did not pass <b>moderation</b>"
PROMPTS = ["a pear", "a bench", "a bowl on the counter", HOSTILE, "a cup", "a boat", "a tower"]


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """Return a browser of desktop size; a test fails whose page complains on the console."""
    resize(chromium, 1280, 900)
    yield chromium
    complaints = chromium.get_log("browser")
    chromium.get("about:blank")
    assert [] == complaints


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a batch, which holds a video of each shape."""
    (tmp_path / "videos").mkdir()
    for name, aspect_ratio in [("wide", "16:9"), ("tall", "9:16")]:
        content = film("Flying jellyfish", aspect_ratio)
        (tmp_path / f"videos/{name} #1.mp4").write_bytes(content)
    return tmp_path


def result(number: int, prompt: str, state: str = "done", **more: object) -> dict[str, object]:
    """Return what is known of an order."""
    known: dict[str, object] = {
        "order": f"k{number}",
        "number": number,
        "state": state,
        "prompt": prompt,
        "aspect_ratio": "16:9",
        "reason": None,
        "file": None,
        "usd": None,
    }
    if state == "done":
        known |= {"file": "videos/wide #1.mp4", "usd": 0.25, "seconds": 61.2, "bytes": 40_000}
    return known | more


def batch() -> list[dict[str, object]]:
    """Return the results of a small batch in which everything has happened."""
    tall = "videos/tall #1.mp4"
    return [
        result(1, "a pear", generation_id="id-of-the-pear"),
        result(2, "a bench"),
        result(3, "a bowl on the counter", file=tall, aspect_ratio=None, extends="c3f1"),
        result(4, HOSTILE),
        result(5, "a cup", "rejected", reason=REASON),
        result(6, "a boat", "unknown", reason="the connection broke"),
        result(7, "a tower", "submitted"),
    ]


def show(
    browser: Any, folder: Path, results: list[dict[str, object]], *, running: bool = False
) -> None:
    """Open the page of a batch."""
    text = page("Still lives", results, running=running, made_at=datetime.now(UTC))
    (folder / "index.html").write_text(text, encoding="utf-8")
    browser.get((folder / "index.html").as_uri())


def resize(browser: Any, width: int, height: int) -> None:
    """Give the window another size; a phone is narrower than a window may be."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def wait(browser: Any, condition: Callable[[Any], object]) -> Any:
    """Wait until something is so."""
    return WebDriverWait(browser, 20, poll_frequency=0.05).until(condition)


def find(browser: Any, selector: str) -> Any:
    """Return an element."""
    return browser.find_element(By.CSS_SELECTOR, selector)


def shown(browser: Any) -> list[str]:
    """Return the prompts of the cards that are shown."""
    script = "return [...document.querySelectorAll('.card:not([hidden]) .prompt')]"
    texts: list[str] = browser.execute_script(f"{script}.map((prompt) => prompt.textContent)")
    return texts


def press(browser: Any, *keys: str) -> None:
    """Press keys, wherever the focus is."""
    ActionChains(browser).send_keys(*keys).perform()


def focused(browser: Any) -> str:
    """Return the id of what has the focus."""
    return str(browser.switch_to.active_element.get_attribute("id"))


def is_playing(browser: Any, selector: str) -> bool:
    """Tell whether a video has begun to move."""
    script = "const video = document.querySelector(arguments[0]); return video && !video.paused"
    return bool(browser.execute_script(f"{script} && video.currentTime > 0.1", selector))


def test_every_order_is_a_card(browser: Any, folder: Path) -> None:
    """Each order is there with its prompt, state, cost and time, or with what went wrong."""
    show(browser, folder, batch())
    cards = [card.text.split("\n") for card in browser.find_elements(By.CSS_SELECTOR, ".card")]

    assert PROMPTS == shown(browser)
    assert ["a pear", "Done", "$0.25", "61 s", "No. 1"] == cards[0]
    assert ["Rejected", REASON, "a cup", "Rejected", "No. 5"] == cards[4]
    assert ["Held: look before paying again", "the connection broke"] == cards[5][:2]
    assert ["Being made", "a tower"] == cards[6][:2]


def test_the_head_sums_up(browser: Any, folder: Path) -> None:
    """Title, counts, money and time are said above the videos."""
    show(browser, folder, batch())
    chips = [chip.text.split("\n") for chip in browser.find_elements(By.CSS_SELECTOR, "#chips *")]
    facts = find(browser, ".facts").text.split("\n")

    assert ("Still lives", "Still lives") == (browser.title, find(browser, "h1").text)
    assert ["4 of 7 orders done", "$1.00 spent"] == facts[:2]
    assert facts[2].startswith("As of ")
    for chip in (["All", "7"], ["Done", "4"], ["Running", "1"], ["Failed", "1"], ["Held", "1"]):
        assert chip in chips
    assert not find(browser, "#show-waiting").is_displayed()


def test_the_first_picture_is_seen_and_hovering_plays(browser: Any, folder: Path) -> None:
    """A video stands still until the pointer is over it; it then plays without sound."""
    show(browser, folder, batch())
    video = wait(browser, lambda _: find(browser, "#order-k1 video"))
    wait(browser, lambda _: video.get_property("readyState") >= 2)
    assert video.get_property("paused")
    ActionChains(browser).move_to_element(video).perform()
    wait(browser, lambda _: is_playing(browser, "#order-k1 video"))

    assert video.get_property("muted")
    assert video.get_property("loop")
    ActionChains(browser).move_to_element(find(browser, "h1")).perform()
    wait(browser, lambda _: video.get_property("paused"))


def test_a_video_has_its_own_shape(browser: Any, folder: Path) -> None:
    """A card is as tall as its video wants, even where the order does not say how tall that is."""
    show(browser, folder, batch())
    wait(browser, lambda _: stage_shape(browser, "#order-k3") < 1)

    assert 16 / 9 == pytest.approx(stage_shape(browser, "#order-k1"), abs=0.02)
    assert 9 / 16 == pytest.approx(stage_shape(browser, "#order-k3"), abs=0.02)


def stage_shape(browser: Any, card: str) -> float:
    """Return the width of the picture of a card, divided by its height."""
    size = find(browser, f"{card} .stage").size
    return float(size["width"] / size["height"])


def test_filters_are_kept_by_the_address(browser: Any, folder: Path) -> None:
    """States and words choose what is shown, and still do after a reload."""
    show(browser, folder, batch())
    find(browser, "#show-failed").click()
    find(browser, "#show-held").click()
    assert ["a cup", "a boat"] == shown(browser)
    press(browser, "/")
    press(browser, "BOAT a")
    assert ["a boat"] == shown(browser)
    browser.refresh()

    assert ["a boat"] == shown(browser)
    assert "BOAT a" == find(browser, "#search").get_property("value")
    assert "true" == find(browser, "#show-held").get_attribute("aria-pressed")
    assert "false" == find(browser, "#show-all").get_attribute("aria-pressed")
    assert "1 of 7 orders" == find(browser, "#count").text
    find(browser, "#search").send_keys(Keys.CONTROL, "a", Keys.BACKSPACE)
    find(browser, "#show-all").click()
    assert PROMPTS == shown(browser)


def test_nothing_found_is_said(browser: Any, folder: Path) -> None:
    """A search that fits nothing says so, and offers a way back."""
    show(browser, folder, batch())
    find(browser, "#search").send_keys("zebra")
    assert "0 of 7 orders" == find(browser, "#count").text
    assert "Nothing here matches." == find(browser, "#empty p").text
    find(browser, "#everything").click()

    assert PROMPTS == shown(browser)


def test_an_empty_batch_has_a_page(browser: Any, folder: Path) -> None:
    """Before the first order there is nothing to see, and nothing to choose from."""
    show(browser, folder, [])

    assert "Nothing has been ordered yet." == find(browser, "#empty").text
    assert not find(browser, "#search").is_displayed()


def test_everything_goes_by_keyboard(browser: Any, folder: Path) -> None:
    """Arrows go from card to card and from video to video; Enter opens, Escape closes."""
    show(browser, folder, batch())
    press(browser, "/")
    press(browser, Keys.ENTER)
    assert "order-k1" == focused(browser)
    wait(browser, lambda _: is_playing(browser, "#order-k1 video"))
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ARROW_RIGHT)
    assert "order-k2" == focused(browser)
    press(browser, Keys.END)
    assert "order-k7" == focused(browser)
    press(browser, Keys.HOME, Keys.ENTER)
    wait(browser, lambda _: is_playing(browser, "#screen video"))
    assert not is_playing(browser, "#order-k1 video")
    assert "id-of-the-pear" in find(browser, "#details").text
    press(browser, *[Keys.ARROW_RIGHT] * 9, *[Keys.ARROW_LEFT] * 4)
    assert "a bowl on the counter" == find(browser, "#whole-prompt").text
    assert "3 of 7" == find(browser, "#place").text
    press(browser, Keys.ESCAPE)

    wait(browser, lambda _: "order-k3" == focused(browser))
    assert not find(browser, "#viewer").is_displayed()


def test_the_grid_is_one_stop_of_the_tab_key(browser: Any, folder: Path) -> None:
    """Thousands of cards are not in the way of those who go on by Tab."""
    show(browser, folder, batch())
    press(browser, "/")
    press(browser, Keys.TAB)
    assert "order-k1" == focused(browser)
    press(browser, Keys.TAB)

    assert not focused(browser).startswith("order-")


def test_the_arrow_down_goes_to_the_card_below(browser: Any, folder: Path) -> None:
    """In a grid of three columns, down is three further, and up is back."""
    show(browser, folder, [result(number, "a pear") for number in range(12)])
    columns = browser.execute_script(
        "return [...document.querySelectorAll('.card')]"
        ".filter((card, _, [first]) => card.offsetTop === first.offsetTop).length"
    )
    press(browser, "/")
    press(browser, Keys.ENTER, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert f"order-k{1 + columns}" == focused(browser)
    press(browser, Keys.ARROW_UP)

    assert "order-k1" == focused(browser)


def test_a_phone_is_wide_enough(browser: Any, folder: Path) -> None:
    """On a phone nothing sticks out, neither of the page nor of the large view."""
    resize(browser, 390, 844)
    show(browser, folder, [*batch(), result(8, "Very" * 100, aspect_ratio="21:9")])
    assert 390 == browser.execute_script("return document.documentElement.scrollWidth")
    find(browser, "#order-k4").click()

    wait(browser, lambda _: is_playing(browser, "#screen video"))
    assert find(browser, "#about").get_property("scrollWidth") <= 390


def test_those_who_want_no_motion_get_none(browser: Any, folder: Path) -> None:
    """Where motion is not wanted, a video plays when it is opened and not before."""
    wish = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [wish]})
    show(browser, folder, batch())
    video = wait(browser, lambda _: find(browser, "#order-k1 video"))
    wait(browser, lambda _: video.get_property("readyState") >= 2)
    ActionChains(browser).move_to_element(video).perform()
    assert video.get_property("paused")
    find(browser, "#order-k1").click()

    wait(browser, lambda _: is_playing(browser, "#screen video"))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_hostile_prompts_do_nothing(browser: Any, folder: Path) -> None:
    """A prompt is shown as it is, whatever it is made of."""
    show(browser, folder, [result(1, HOSTILE, "failed", reason=HOSTILE, source=HOSTILE)])
    find(browser, "#order-k1").click()

    assert HOSTILE == find(browser, "#whole-prompt").text
    assert "Still lives" == browser.title
    assert [] == browser.find_elements(By.CSS_SELECTOR, "img")


def test_what_got_in_all_the_same_could_not_run(browser: Any, folder: Path) -> None:
    """The browser runs no script and loads no picture but what the page came with."""
    show(browser, folder, batch())
    browser.execute_script(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = `broken`';"
        "const image = document.createElement('img');"
        "image.src = 'https://example.invalid/';"
        "document.body.append(script, image)"
    )
    complaints = wait(browser, lambda _: browser.get_log("browser"))

    assert "Still lives" == browser.title
    assert all("Content Security Policy" in complaint["message"] for complaint in complaints)


def test_a_missing_video_is_said(browser: Any, folder: Path) -> None:
    """Where a file was moved away, its card says so."""
    show(browser, folder, [result(1, "a pear", file="videos/gone.mp4")])
    said = wait(browser, lambda _: find(browser, "#order-k1 .stage").text)
    browser.get_log("browser")

    assert "videos/gone.mp4 is missing, or this browser cannot play it." == said


def test_of_a_thousand_videos_few_are_loaded(browser: Any, folder: Path) -> None:
    """Only videos near the window are held, wherever it was scrolled to."""
    show(browser, folder, [result(number, f"pear {number}") for number in range(1000)])
    for number in (0, 500, 999):
        browser.execute_script(f"document.getElementById('order-k{number}').scrollIntoView()")
        wait(browser, partial(find, selector=f"#order-k{number} video"))
        loaded = wait(browser, lambda _: videos_loaded(browser) < 60 and videos_loaded(browser))
        assert 1 < loaded < 60
    assert 1000 == len(shown(browser))


def videos_loaded(browser: Any) -> int:
    """Return how many videos have an address."""
    return int(browser.execute_script("return document.querySelectorAll('video[src]').length"))


def test_ten_thousand_cards_can_be_filtered(browser: Any, folder: Path) -> None:
    """Search works with any number of orders."""
    show(browser, folder, [result(number, f"pear {number}") for number in range(10_000)])
    browser.execute_script(
        "const search = document.getElementById('search');"
        "search.value = '77';"
        "search.dispatchEvent(new Event('input'));"
    )
    expected = [f"pear {number}" for number in range(10_000) if "77" in str(number)]
    wait(browser, lambda _: expected == shown(browser))


def test_while_running_the_page_keeps_itself_up_to_date(browser: Any, folder: Path) -> None:
    """The page reloads itself, and place, filter and focus are as they were."""
    planned = [result(number, f"pear {number}", "planned") for number in range(100)]
    show(browser, folder, planned, running=True)
    assert find(browser, "#status").text.startswith("Still running, as of ")
    find(browser, "#show-waiting").click()
    browser.execute_script("scrollTo(0, 1500)")
    text = page("Made anew", planned, running=False, made_at=datetime.now(UTC))
    (folder / "index.html").write_text(text, encoding="utf-8")
    wait(browser, lambda _: browser.title == "Made anew")

    wait(browser, lambda _: 1500 == browser.execute_script("return Math.round(scrollY)"))
    assert "true" == find(browser, "#show-waiting").get_attribute("aria-pressed")
    assert "show-waiting" == focused(browser)


def test_who_looks_is_not_disturbed(browser: Any, folder: Path) -> None:
    """As long as a video is open the page stays as it is."""
    show(browser, folder, batch(), running=True)
    find(browser, "#order-k1").click()
    browser.execute_script("window.isOld = true; window.opened = Date.now()")
    wait(browser, lambda _: browser.execute_script("return Date.now() - window.opened > 7000"))

    assert browser.execute_script("return window.isOld")
    assert find(browser, "#viewer").is_displayed()
