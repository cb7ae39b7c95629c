"""The page of the web programs, in a real browser, before a program that serves it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from luma_async.emulator import Emulator, Fault
from tests.support.web_programs import WebProgram

pytest.importorskip("selenium", reason="selenium is installed for `nox -s browser` alone")

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

HOSTILE = "</script><img src=x onerror=\"document.title='broken'\"><script>alert(1)</script>"
BEHIND_A_PROXY = """
import os
from aiohttp import web
from web_aiohttp import app

ANSWERS = [
    (500, '{"error": "Internal server error."}'),
    (502, "<h1>Bad gateway</h1>"),
    (503, '{"message": "no healthy upstream"}'),
    (504, ""),
    (202, '{"id": '),
]


@web.middleware
async def proxy(request, handler):
    answer = await handler(request)
    if request.method == "POST" and ANSWERS:
        status, text = ANSWERS.pop(0)
        return web.Response(status=status, text=text)
    return answer


app.middlewares.append(proxy)
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]))
"""
"""A program that spoils the answers to the first orders, after it has carried them out."""


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    """Return a service whose videos take two seconds."""
    with Emulator(estimates=True).running_in_thread() as emulator:
        emulator.script(None, [(0, "pending"), (1, "processing"), (2, "completed")])
        yield emulator


@pytest.fixture(scope="module")
def program(service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProgram]:
    """Return the program that serves the page."""
    folder = tmp_path_factory.mktemp("web")
    with WebProgram("web_aiohttp", folder, service.base_url) as program:
        yield program


@pytest.fixture
def browser(chromium: Any, program: WebProgram) -> Iterator[Any]:
    """Return a browser that shows the page; a test fails whose page complains on the console."""
    resize(chromium, 1280, 900)
    chromium.get(program.url)
    yield chromium
    complaints = chromium.get_log("browser")
    chromium.get("about:blank")
    assert [] == complaints


def resize(browser: Any, width: int, height: int) -> None:
    """Give the window another size; a phone is narrower than a window may be."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def find(browser: Any, selector: str) -> Any:
    """Return an element."""
    return browser.find_element(By.CSS_SELECTOR, selector)


def text(browser: Any, selector: str) -> str:
    """Return the text of an element, as it was written."""
    return str(find(browser, selector).get_property("textContent"))


def wait(browser: Any, condition: Callable[[], object]) -> Any:
    """Wait until something is so."""
    return WebDriverWait(browser, 60, poll_frequency=0.05).until(lambda _: condition())


def order(browser: Any, prompt: str) -> None:
    """Type a prompt into the page, which has the focus, and order by keyboard."""
    wait(browser, lambda: browser.switch_to.active_element.get_attribute("id") == "wish")
    browser.switch_to.active_element.send_keys(prompt, Keys.TAB, Keys.ENTER)


def is_playing(browser: Any) -> bool:
    """Tell whether the video has begun to move."""
    script = "const video = document.querySelector('video'); return !video.paused"
    return bool(browser.execute_script(f"{script} && video.currentTime > 0.1"))


def bills(service: Emulator, prompt: str) -> int:
    """Count how often a prompt was paid."""
    return sum(bill.prompt == prompt for bill in service.ledger)


def remember(browser: Any, *names: str) -> None:
    """Note each text that some elements show from now on, however briefly."""
    browser.execute_script(
        "window.seen = {};"
        "for (const name of arguments) {"
        "  const element = document.getElementById(name), texts = seen[name] = [];"
        "  new MutationObserver(() => texts.push(element.textContent))"
        "    .observe(element, { childList: true });"
        "}",
        *names,
    )


def test_a_prompt_becomes_a_video(browser: Any, service: Emulator) -> None:
    """I type a prompt, see how it is getting on and how long it takes, and then the video."""
    service.script("A pear", [(0, "pending"), (5, "completed")])
    remember(browser, "state", "left")
    order(browser, "A pear")
    wait(browser, lambda: is_playing(browser))
    seen = browser.execute_script("return seen")
    states = list(dict.fromkeys(seen["state"]))

    assert ["Ordering", "Looking for it", "pending"] == states[:3]
    assert any(words.startswith("Probably about ") for words in seen["left"])
    assert "completed" == states[-1] == text(browser, "#state")
    assert "A pear" == text(browser, "#prompt")
    assert "" == text(browser, "#left") == text(browser, "#reason")
    assert "completed · New video" == browser.title
    # Who goes by keyboard is still where the order was given.
    assert "button" == browser.switch_to.active_element.tag_name
    assert 1 == bills(service, "A pear")


def test_a_reload_goes_on(browser: Any, service: Emulator) -> None:
    """The address names the video: reloaded, or opened by somebody else, it shows the same."""
    service.script("A bench", [(0, "processing"), (8, "completed")])
    order(browser, "A bench")
    wait(browser, lambda: text(browser, "#state") in ("pending", "processing"))
    browser.refresh()
    wait(browser, lambda: text(browser, "#state") in ("pending", "processing"))
    wait(browser, lambda: is_playing(browser))
    address = browser.current_url
    browser.get("about:blank")
    browser.get(address)
    wait(browser, lambda: is_playing(browser))

    assert "A bench" == text(browser, "#prompt")
    assert 1 == bills(service, "A bench")


def test_a_failure_is_said(browser: Any, service: Emulator) -> None:
    """A video that could not be made says why, and the page does not ask again."""
    service.script("A tower", [(0, "failed")])
    order(browser, "A tower")
    wait(browser, lambda: text(browser, "#state") == "failed")

    assert "The video could not be generated" == text(browser, "#reason")
    assert "failed" == find(browser, "#video").get_attribute("class")
    assert not find(browser, "video").is_displayed()
    assert browser.execute_script("return source.readyState === EventSource.CLOSED")


def test_a_hostile_prompt_is_text(browser: Any) -> None:
    """A prompt is shown as it is, whatever it is made of."""
    order(browser, HOSTILE)
    wait(browser, lambda: is_playing(browser))

    assert HOSTILE == text(browser, "#prompt")
    assert [] == browser.find_elements(By.CSS_SELECTOR, "img")
    assert "completed · New video" == browser.title


def test_a_refusal_is_said_and_can_be_tried_again(browser: Any, service: Emulator) -> None:
    """Without credits nothing is paid; once there are some, I order it, even if I reload then."""
    service.inject(Fault(route="create", prompt="A cup", status=403))
    order(browser, "A cup")
    wait(browser, lambda: text(browser, "#state") == "Not ordered")
    assert "No video can be ordered now. Nothing was paid." == text(browser, "#reason")
    service.inject(Fault(route="create", prompt="A cup", delay=3.0))
    find(browser, "button").click()
    wait(browser, lambda: bills(service, "A cup"))
    browser.refresh()
    wait(browser, lambda: is_playing(browser))
    browser.get_log("browser")

    assert 1 == bills(service, "A cup")


def test_a_doubtful_order_is_not_sent_again(browser: Any, service: Emulator) -> None:
    """Where nobody knows whether it was paid, pressing again does not pay a second time."""
    service.inject(Fault(route="create", prompt="A letter", drop="after"))
    order(browser, "A letter")
    for _ in range(2):
        wait(browser, lambda: "may have been paid" in text(browser, "#reason"))
        find(browser, "button").click()
    wait(browser, lambda: find(browser, "button").is_enabled())
    wait(browser, lambda: "may have been paid" in text(browser, "#reason"))
    browser.get_log("browser")

    assert 1 == bills(service, "A letter")


def test_a_double_click_orders_once(browser: Any, service: Emulator) -> None:
    """However often I press while it is being ordered, it is ordered once."""
    service.inject(Fault(route="create", prompt="A boat", delay=2.0))
    find(browser, "#wish").send_keys("A boat")
    browser.execute_script(
        "for (let n = 0; n < 5; n++) document.querySelector('form').requestSubmit()"
    )
    wait(browser, lambda: is_playing(browser))

    assert 1 == bills(service, "A boat")


def test_an_order_survives_a_reload(browser: Any, service: Emulator) -> None:
    """I reload while it is being ordered: sent again, it is the same order."""
    service.inject(Fault(route="create", prompt="A raft", delay=3.0))
    order(browser, "A raft")
    wait(browser, lambda: bills(service, "A raft"))
    browser.refresh()
    wait(browser, lambda: is_playing(browser))
    browser.get_log("browser")

    assert "A raft" == text(browser, "#prompt")
    assert 1 == bills(service, "A raft")


def test_what_a_proxy_answers_is_no_refusal(
    browser: Any, service: Emulator, tmp_path: Path
) -> None:
    """My order is paid, and errors come in the place of its id: asking again pays nothing."""
    (tmp_path / "behind_a_proxy.py").write_text(BEHIND_A_PROXY)
    command = [sys.executable, "behind_a_proxy.py"]
    with WebProgram("web_aiohttp", tmp_path, service.base_url, *command) as own:
        browser.get(own.url)
        remember(browser, "state", "reason")
        order(browser, "A veil")
        wait(browser, lambda: is_playing(browser))
        seen = browser.execute_script("return seen")
    browser.get_log("browser")

    again = "Asking again; that does not pay twice."
    said = ["Internal server error.", *["No answer came."] * 4]
    assert [f"{words} {again}" for words in said] == [words for words in seen["reason"] if words]
    assert "Not ordered" not in seen["state"]
    assert 1 == bills(service, "A veil")


def test_who_can_help_is_said_in_the_end(browser: Any, service: Emulator, tmp_path: Path) -> None:
    """After two minutes without an answer the page says whom to ask; later I can try again."""
    with WebProgram("web_aiohttp", tmp_path, service.base_url) as own:
        browser.get(own.url)
        own.stop()
        order(browser, "A bottle")
        wait(browser, lambda: "No answer came. Asking again" in text(browser, "#reason"))
        browser.execute_script(
            "const later = performance.now() + 120_001; performance.now = () => later"
        )
        wait(browser, lambda: text(browser, "#state") == "Perhaps ordered")
        assert "Ask the operator of this service" in text(browser, "#reason")
        own.start(own.port)
        find(browser, "button").click()
        wait(browser, lambda: is_playing(browser))
    browser.get_log("browser")

    assert 1 == bills(service, "A bottle")


def test_a_restart_of_the_server_is_lived_through(
    browser: Any, service: Emulator, tmp_path: Path
) -> None:
    """The server goes and comes back: the page says so, and goes on by itself."""
    service.script("A phoenix", [(0, "processing"), (600, "completed")])
    with WebProgram("web_aiohttp", tmp_path, service.base_url) as own:
        browser.get(own.url)
        order(browser, "A phoenix")
        wait(browser, lambda: text(browser, "#state") in ("pending", "processing"))
        own.stop()
        wait(browser, lambda: text(browser, "#state") == "Connection lost")
        (name,) = [bill.id for bill in service.ledger if bill.prompt == "A phoenix"]
        service.script(name, [(0, "completed")])
        own.start(own.port)
        wait(browser, lambda: is_playing(browser))
    browser.get_log("browser")

    assert 1 == bills(service, "A phoenix")


def test_a_phone_is_wide_enough(browser: Any) -> None:
    """On a phone nothing sticks out, whatever the prompt."""
    resize(browser, 390, 844)
    order(browser, "Very" * 100)
    wait(browser, lambda: is_playing(browser))

    assert 390 == browser.execute_script("return document.documentElement.scrollWidth")


def test_a_screen_reader_hears_changes_and_no_countdown(browser: Any) -> None:
    """States are announced as they change; the seconds that pass are not."""
    assert "status" == find(browser, "#state").find_element(By.XPATH, "..").get_attribute("role")
    assert "timer" == find(browser, "#left").get_attribute("role")
    assert "wish" == find(browser, "label").get_attribute("for")


def test_what_got_in_all_the_same_could_not_run(browser: Any) -> None:
    """The browser runs no script but the page's own."""
    browser.execute_script(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = `broken`';"
        "document.body.append(script)"
    )
    complaints = wait(browser, lambda: browser.get_log("browser"))

    assert "New video" == browser.title
    assert all("Content Security Policy" in complaint["message"] for complaint in complaints)
