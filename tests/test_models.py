"""The values that go in and come out."""

import pickle
from typing import Any, get_args

import attrs
import pytest

from luma_async.errors import GenerationFailedError
from luma_async.models import (
    AspectRatio,
    Generation,
    GenerationSummary,
    Order,
    Statistics,
    UploadedImage,
    Video,
)
from luma_async.outcome import Outcome

ORDER = Order("Flying jellyfish", aspect_ratio="1:1", extends="g-0")
GENERATION = Generation(id="g-1", state="queued", raw={"id": "g-1", "new": [1]})
VALUES = [
    Video(url="https://cdn.example.com/1.mp4", width=1280),
    GENERATION,
    GenerationSummary(id="g-1", prompt="a"),
    UploadedImage(id="i", presigned_url="https://signed", public_url="https://public"),
    ORDER,
    Outcome(order=ORDER, generation=GENERATION),
    Statistics(requests={"get": 3}, waiting=2),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_are_frozen_and_can_be_stored(value: Any) -> None:
    """They travel through process pools and task queues, and nobody changes them."""
    restored = pickle.loads(pickle.dumps(value))
    assert value == restored
    assert repr(value) == repr(restored)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, attrs.fields(type(value))[0].name, "other")


def test_all_that_the_service_sent_is_stored_as_well() -> None:
    """Fields that are not known yet survive."""
    assert {"id": "g-1", "new": [1]} == pickle.loads(pickle.dumps(GENERATION)).raw


@pytest.mark.parametrize(
    ("state", "completed", "failed"),
    [
        ("pending", False, False),
        ("queued", False, False),
        ("processing", False, False),
        ("dreaming", False, False),
        ("completed", True, False),
        ("failed", False, True),
        ("error", False, True),
        ("", False, False),
        ("a word of tomorrow", False, False),
    ],
)
def test_a_state_says_whether_anything_more_will_happen(
    state: str, *, completed: bool, failed: bool
) -> None:
    """An unknown word means that it is not finished."""
    generation = Generation(id="g-1", state=state)
    assert (completed, failed, completed or failed) == (
        generation.is_completed,
        generation.is_failed,
        generation.is_done,
    )


@pytest.mark.parametrize(
    ("video", "address"),
    [
        (Video(url="u", download_url="d"), "d"),
        (Video(url="u"), "u"),
        (Video(download_url="d"), "d"),
        (Video(), None),
    ],
    ids=["both", "open", "signed", "none"],
)
def test_a_video_is_fetched_from_its_signed_address(video: Video, address: str | None) -> None:
    """The open address stands in where there is no signed one."""
    assert address == video.address


def test_signed_addresses_are_not_shown() -> None:
    """Whoever has one can fetch the file, so that logs must not hold it."""
    video = Video(url="https://open", download_url="https://CANARY")
    generation = Generation(id="g", state="completed", video=video, raw={"x": "CANARY"})
    image = UploadedImage(id="i", presigned_url="https://CANARY", public_url="https://public")
    outcome = Outcome(order=ORDER, generation=generation)
    error = GenerationFailedError(generation)
    assert "CANARY" not in f"{video!r} {generation!r} {image!r} {outcome!r} {error!r} {error}"
    assert "https://open" in repr(generation)


def test_what_was_sent_beside_takes_no_part_in_comparisons() -> None:
    """Two answers that say the same are the same."""
    assert Generation(id="g-1", state="queued") == GENERATION
    assert hash(Generation(id="g-1", state="queued")) == hash(GENERATION)


def test_an_order_needs_a_prompt_and_no_more() -> None:
    """The rest has the defaults of the service; options are given by name."""
    order = Order("A cat")
    assert ("16:9", True, None, None, None) == (
        order.aspect_ratio,
        order.expand_prompt,
        order.image_url,
        order.image_end_url,
        order.extends,
    )
    with pytest.raises(TypeError):
        Order("A cat", "1:1")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("prompt", "excerpt"),
    [("a", "a"), ("a" * 60, "a" * 60), ("a" * 61, "a" * 57 + "...")],
    ids=["short", "just", "long"],
)
def test_messages_show_the_beginning_of_a_prompt(prompt: str, excerpt: str) -> None:
    """Sixty characters tell which order is meant."""
    assert excerpt == Order(prompt).excerpt


def test_the_shapes_are_those_of_the_service() -> None:
    """Seven of them."""
    assert ("1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21") == get_args(AspectRatio)


def test_a_new_client_has_done_nothing() -> None:
    """And knows nothing yet of how long things take."""
    assert Statistics(median_seconds=None, p90_seconds=None) == Statistics()
    assert (0, 0, 0, 0) == attrs.astuple(Statistics())[1:5]
