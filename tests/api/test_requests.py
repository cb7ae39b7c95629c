"""What is sent for each call, and what is refused before any byte is."""

import json
import math
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, strategies as st

from luma_async._api.sansio import requests, validation
from luma_async.errors import ConfigurationError
from luma_async.models import Generation, Order

GENERATION = Generation(id="66bcb5f6-7c32", state="completed")
IMAGE = "https://example.com/cat.png"


def body_of(request: requests.Request) -> object:
    """Read what a request would send."""
    assert request.body is not None
    return json.loads(request.body)


def test_a_create_sends_what_the_page_shows() -> None:
    """Addresses that were not given are left out, as the service refuses empty ones."""
    request = requests.submit(Order("Flying jellyfish"))
    assert ("create", "POST", "/luma-ai/generations") == (
        request.route,
        request.method,
        request.target,
    )
    assert {
        "user_prompt": "Flying jellyfish",
        "aspect_ratio": "16:9",
        "expand_prompt": True,
    } == body_of(request)


def test_a_create_sends_the_images_that_were_given() -> None:
    """Both pictures travel as addresses."""
    order = Order(
        "A cat",
        aspect_ratio="9:21",
        expand_prompt=False,
        image_url=IMAGE,
        image_end_url="http://example.com/end.png",
    )
    assert {
        "user_prompt": "A cat",
        "aspect_ratio": "9:21",
        "expand_prompt": False,
        "image_url": IMAGE,
        "image_end_url": "http://example.com/end.png",
    } == body_of(requests.submit(order))


def test_an_extend_names_its_parent_in_the_path() -> None:
    """The body is that of a create."""
    request = requests.submit(Order("with a hat", extends="7c880e75-1:luma"))
    assert ("extend", "/luma-ai/generations/7c880e75-1%3Aluma/extend") == (
        request.route,
        request.target,
    )
    assert requests.submit(Order("with a hat")).body == request.body


@pytest.mark.parametrize(
    ("request_", "paid"),
    [
        (requests.submit(Order("a")), True),
        (requests.submit(Order("a", extends="b")), True),
        (requests.get(["a"]), False),
        (requests.list_all(), False),
        (requests.upload(IMAGE), False),
    ],
    ids=["create", "extend", "get", "list", "upload"],
)
def test_only_create_and_extend_cost_money(request_: requests.Request, *, paid: bool) -> None:
    """What is paid is known from the request."""
    assert paid == request_.is_paid


def test_many_ids_are_asked_for_in_the_documented_form() -> None:
    """Each id has its position: ids[0], ids[1], ..."""
    request = requests.get(["a", "b:luma/ray-2", "c"])
    assert "/luma-ai/generation" == request.path
    assert [("ids[0]", "a"), ("ids[1]", "b:luma/ray-2"), ("ids[2]", "c")] == parse_qsl(
        request.query
    )
    assert f"{request.path}?{request.query}" == request.target


def test_the_list_and_the_upload_have_their_own_paths() -> None:
    """They are as the page says."""
    assert ("GET", "/luma-ai/generations", None) == (
        requests.list_all().method,
        requests.list_all().target,
        requests.list_all().body,
    )
    upload = requests.upload(IMAGE)
    assert ("POST", "/luma-ai/generations/file-upload") == (upload.method, upload.target)
    assert {"url": IMAGE} == body_of(upload)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200))
def test_a_prompt_arrives_to_the_letter(prompt: str) -> None:
    """U05: no normalisation, no escaping that a reader would not undo."""
    if prompt.strip():
        sent = json.loads(requests.submit(Order(prompt)).body or b"")
        assert prompt == sent["user_prompt"]


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_prompt_is_sent_or_refused(prompt: str) -> None:
    """U03, U04: no text brings another error than ours."""
    try:
        request = requests.submit(Order(prompt))
    except ConfigurationError:
        return
    assert prompt == json.loads((request.body or b"").decode("utf-8"))["user_prompt"]


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param("two\nlines\tand a tab\r\n", id="U04 newline and tab"),
        pytest.param("e\u0301 \u00e9", id="U05 NFC and NFD"),
        pytest.param("\u202bshalom\u202c", id="U05 right to left"),
        pytest.param("\U0001f468\u200d\U0001f469\u200d\U0001f467", id="U05 emoji ZWJ"),
        pytest.param("a" * 32 * 1024, id="U02 as long as can be"),
    ],
)
def test_unusual_prompts_are_sent_as_they_are(prompt: str) -> None:
    """What the service can read is not ours to judge."""
    sent = json.loads(requests.submit(Order(prompt)).body or b"")
    assert prompt == sent["user_prompt"]


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        pytest.param("", "is empty", id="U01 empty"),
        pytest.param(" \n\t\u00a0", "is empty", id="U01 whitespace"),
        pytest.param("a" * (32 * 1024 + 1), "longer than 32,768 bytes", id="U02 too long"),
        pytest.param("\u20ac" * 11_000, "longer than 32,768 bytes", id="U02 too long in UTF-8"),
        pytest.param("a\ud83d", "U\\+D83D", id="U03 half a character"),
        pytest.param("a\x00b", "U\\+0000", id="U04 NUL"),
        pytest.param("a\x1b[2J", "U\\+001B", id="U04 escape sequence"),
        pytest.param("a\x85", "U\\+0085", id="U04 C1 control"),
        pytest.param(None, "expected text, not NoneType", id="U01 nothing"),
        pytest.param(b"cat", "expected text, not bytes", id="U01 bytes"),
    ],
)
def test_a_prompt_that_cannot_work_is_refused(prompt: str, problem: str) -> None:
    """It costs nothing to be told before the order is paid."""
    with pytest.raises(ConfigurationError, match=f"user_prompt:? .*{problem}") as caught:
        requests.submit(Order(prompt))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        pytest.param({"aspect_ratio": "19:9"}, "aspect_ratio='19:9'", id="U09 19:9"),
        pytest.param({"aspect_ratio": "16x9"}, "expected one of 1:1, 16:9", id="U09 16x9"),
        pytest.param({"aspect_ratio": "0:0"}, "aspect_ratio='0:0'", id="U09 0:0"),
        pytest.param({"aspect_ratio": 1.777}, "aspect_ratio=1.777", id="U09 number"),
        pytest.param({"aspect_ratio": None}, "aspect_ratio=None", id="U09 nothing"),
        pytest.param({"aspect_ratio": ["16:9"]}, "aspect_ratio=\\['16:9'\\]", id="U09 list"),
        pytest.param({"expand_prompt": 1}, "expand_prompt=1", id="U17 a number for a truth"),
        pytest.param({"expand_prompt": None}, "expand_prompt=None", id="U17 nothing"),
        pytest.param({"image_url": "file:///etc/passwd"}, "image_url: ", id="U10 file"),
        pytest.param({"image_url": "data:image/png;base64,AA"}, "image_url: ", id="U10 data"),
        pytest.param({"image_url": ""}, "image_url: ", id="U10 empty"),
        pytest.param({"image_url": b"https://a.b/"}, "image_url: .*bytes", id="U10 bytes"),
        pytest.param({"image_url": "https://a:b@c.de/"}, "image_url: ", id="U10 userinfo"),
        pytest.param({"image_end_url": "cat.png"}, "image_end_url: ", id="U10 a file name"),
        pytest.param({"image_end_url": IMAGE + "a" * 5000}, "image_end_url: ", id="U10 long"),
        pytest.param({"extends": "../list"}, "no id of a generation", id="U13 a path"),
        pytest.param({"extends": ""}, "no id of a generation", id="U13 empty"),
        pytest.param({"extends": 7}, "no id of a generation", id="U13 a number"),
    ],
)
def test_an_option_that_cannot_work_is_refused_by_name(
    options: dict[str, object], problem: str
) -> None:
    """The error names the option, and nothing was sent."""
    with pytest.raises(ConfigurationError, match=problem):
        requests.submit(Order("A cat", **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("ratio", ["1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21"])
def test_all_shapes_of_the_service_are_taken(ratio: str) -> None:
    """The seven are those that the service documents."""
    sent = body_of(requests.submit(Order("A cat", aspect_ratio=ratio)))  # type: ignore[arg-type]
    assert isinstance(sent, dict)
    assert ratio == sent["aspect_ratio"]


@pytest.mark.parametrize("name", ["a", "66bcb5f6-7c32-449d-9742", "7c880e75:x", "a" * 256, "_1.b"])
def test_an_id_of_the_service_is_passed(name: str) -> None:
    """Ids are opaque, within what an address can hold."""
    assert name == validation.check_id(name)
    assert name == validation.id_of(name)
    assert name == validation.id_of(Generation(id=name, state="queued"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "-",
        "a/b",
        "a?b",
        "a b",
        "a\n",
        "a" * 257,
        "\ud800",
        "\u0661",
        "a%2f",
        None,
        7,
    ],
    ids=repr,
)
def test_what_could_change_the_address_is_no_id(name: object) -> None:
    """An id cannot lead a request to another route."""
    with pytest.raises(ConfigurationError, match="is no id of a generation") as caught:
        validation.check_id(name)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_many_targets_are_named_once_and_in_order() -> None:
    """Asking twice for one generation costs no second id."""
    assert ["b", "66bcb5f6-7c32", "a"] == validation.unique_ids(["b", GENERATION, "a", "b"])
    assert [] == validation.unique_ids([])


@pytest.mark.parametrize("single", ["abc", GENERATION], ids=["id", "generation"])
def test_a_single_target_is_not_taken_for_many(single: str | Generation) -> None:
    """The letters of an id are no ids."""
    with pytest.raises(ConfigurationError, match="expected generations or ids, not"):
        validation.check_targets(single)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(None, math.inf), (0, 0.0), (1.5, 1.5), (math.inf, math.inf), (10**400, math.inf)],
    ids=["none", "zero", "float", "infinity", "huge"],
)
def test_a_timeout_is_a_number_of_seconds(timeout: object, seconds: float) -> None:
    """None, or what is too large to be counted, is no limit."""
    assert seconds == validation.check_timeout(timeout)


@pytest.mark.parametrize("timeout", [-1, -0.001, math.nan, True, "5", [], -math.inf], ids=repr)
def test_a_timeout_that_is_none_is_refused(timeout: object) -> None:
    """U12: negative deadlines, NaN and truths are mistakes."""
    with pytest.raises(ConfigurationError, match=r"timeout=.*: expected seconds"):
        validation.check_timeout(timeout)


@pytest.mark.parametrize("number", [None, 1, 10_000])
def test_any_whole_number_may_be_in_flight(number: object) -> None:
    """None stands for no bound."""
    validation.check_max_in_flight(number)


@pytest.mark.parametrize("number", [0, -1, True, 1.5, math.nan, "8"], ids=repr)
def test_a_number_in_flight_that_cannot_work_is_refused(number: object) -> None:
    """U12: concurrency 0, -1, True are mistakes."""
    with pytest.raises(ConfigurationError, match=r"max_in_flight=.*: expected 1 or more"):
        validation.check_max_in_flight(number)
