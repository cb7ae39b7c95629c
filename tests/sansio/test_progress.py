"""What a series of answers says of one generation."""

from attrs import evolve

from luma_async._sansio.progress import Progress
from luma_async.errors import GenerationFailedError, NotFoundError
from luma_async.models import Generation, Video
from luma_async.settings import PollPolicy

POLICY = PollPolicy(missing_grace=120, missing_answers=5, video_grace=60)
QUEUED = Generation(id="g-1", state="queued")
DREAMING = evolve(QUEUED, state="dreaming")
VIDEOLESS = evolve(QUEUED, state="completed")
COMPLETED = evolve(VIDEOLESS, video=Video(url="https://cdn.example.com/1.mp4"))
FAILED = evolve(QUEUED, state="failed")


def test_a_generation_is_followed_to_its_video() -> None:
    """Each change of state is told once, and the last one is the ending."""
    progress = Progress("g-1", POLICY)
    answers = [QUEUED, QUEUED, DREAMING, DREAMING, COMPLETED]
    assert [True, False, True, False, True] == [
        progress.seen(answer, now) for now, answer in enumerate(answers)
    ]
    assert COMPLETED == progress.ending
    assert COMPLETED == progress.latest


def test_what_the_caller_knows_already_is_no_news() -> None:
    """The state that the create was answered with does not count as a change."""
    progress = Progress("g-1", POLICY, QUEUED)
    assert not progress.seen(QUEUED, 0)
    assert progress.seen(DREAMING, 1)
    assert progress.ending is None


def test_a_failure_is_an_ending() -> None:
    """Whoever waits decides what a failed generation is to them."""
    progress = Progress("g-1", POLICY)
    assert progress.seen(FAILED, 0)
    assert FAILED == progress.ending


def test_s09_a_step_back_is_no_error() -> None:
    """The service may queue again what it had begun."""
    progress = Progress("g-1", POLICY)
    assert [True, True] == [progress.seen(DREAMING, 0), progress.seen(QUEUED, 1)]
    assert progress.ending is None


def test_s11_a_video_may_come_after_the_word_completed() -> None:
    """A completed generation counts from when its video is there."""
    progress = Progress("g-1", POLICY, DREAMING)
    empty = evolve(VIDEOLESS, video=Video(width=1280))
    assert [False, False] == [progress.seen(VIDEOLESS, 0), progress.seen(empty, 59.9)]
    assert (None, DREAMING) == (progress.ending, progress.latest)
    assert progress.seen(COMPLETED, 59.95)
    assert COMPLETED == progress.ending


def test_s11_a_video_that_does_not_come_ends_the_wait() -> None:
    """After the grace the error holds the generation, which is paid."""
    progress = Progress("g-1", POLICY)
    progress.seen(VIDEOLESS, 10)
    progress.seen(VIDEOLESS, 70)
    assert isinstance(progress.ending, GenerationFailedError)
    assert VIDEOLESS == progress.ending.generation
    assert "it is paid: get() it later" in str(progress.ending)


def test_s11_the_grace_for_a_video_begins_anew_after_a_step_back() -> None:
    """Only the time counts for which a completed generation lacks its video."""
    progress = Progress("g-1", POLICY)
    progress.seen(VIDEOLESS, 0)
    progress.seen(DREAMING, 30)
    progress.seen(VIDEOLESS, 70)
    assert progress.ending is None


def test_s01_a_missing_generation_is_given_up_after_time_and_answers() -> None:
    """Neither a few answers in a long time nor many in a short one are enough."""
    few = Progress("g-1", POLICY)
    for now in (0, 100, 200, 300):
        few.missed(now)
    assert few.ending is None
    many = Progress("g-1", POLICY)
    for now in range(100):
        many.missed(now)
    assert many.ending is None
    for progress in (few, many):
        progress.missed(400)
        assert isinstance(progress.ending, NotFoundError)
        assert "g-1" in str(progress.ending)


def test_h17_a_generation_that_appears_starts_the_grace_anew() -> None:
    """A service that finds it again has not lost it."""
    progress = Progress("g-1", POLICY)
    for now in (0, 30, 60, 90):
        progress.missed(now)
    progress.seen(QUEUED, 100)
    for now in (130, 160, 190, 220):
        progress.missed(now)
    assert progress.ending is None
