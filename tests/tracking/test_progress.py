"""What a series of answers says of one generation."""

import pytest
from attrs import evolve

from luma_async._tracking.sansio.progress import Progress, has_video_or_failed
from luma_async.errors import BadRequestError, GenerationFailedError, NotFoundError, ServerError
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
    assert COMPLETED == progress.result
    assert COMPLETED == progress.latest


def test_what_the_caller_knows_already_is_no_news() -> None:
    """The state that the create was answered with does not count as a change."""
    progress = Progress("g-1", POLICY, QUEUED)
    assert not progress.seen(QUEUED, 0)
    assert progress.seen(DREAMING, 1)
    assert progress.result is None


def test_a_failure_is_an_ending() -> None:
    """Whoever waits decides what a failed generation is to them."""
    progress = Progress("g-1", POLICY)
    assert progress.seen(FAILED, 0)
    assert FAILED == progress.result


def test_s09_a_step_back_is_no_error() -> None:
    """The service may queue again what it had begun."""
    progress = Progress("g-1", POLICY)
    assert [True, True] == [progress.seen(DREAMING, 0), progress.seen(QUEUED, 1)]
    assert progress.result is None


def test_s11_a_video_may_come_after_the_word_completed() -> None:
    """A completed generation counts from when its video is there."""
    progress = Progress("g-1", POLICY, DREAMING)
    empty = evolve(VIDEOLESS, video=Video(width=1280))
    assert [False, False] == [progress.seen(VIDEOLESS, 0), progress.seen(empty, 59.9)]
    assert (None, DREAMING) == (progress.result, progress.latest)
    assert progress.seen(COMPLETED, 59.95)
    assert COMPLETED == progress.result


def test_s11_a_video_that_does_not_come_ends_the_wait() -> None:
    """After the grace the error holds the generation, which is paid."""
    progress = Progress("g-1", POLICY)
    progress.seen(VIDEOLESS, 10)
    progress.seen(VIDEOLESS, 70)
    assert isinstance(progress.result, GenerationFailedError)
    assert VIDEOLESS == progress.result.generation
    assert "it is paid: get() it later" in str(progress.result)


def test_s11_the_grace_for_a_video_begins_anew_after_a_step_back() -> None:
    """Only the time counts for which a completed generation lacks its video."""
    progress = Progress("g-1", POLICY)
    progress.seen(VIDEOLESS, 0)
    progress.seen(DREAMING, 30)
    progress.seen(VIDEOLESS, 70)
    assert progress.result is None


def test_s01_a_missing_generation_is_given_up_after_time_and_answers() -> None:
    """Neither a few answers in a long time nor many in a short one are enough."""
    few = Progress("g-1", POLICY)
    for now in (0, 100, 200, 300):
        few.missed(now, alone=True)
    many = Progress("g-1", POLICY)
    for now in range(100):
        many.missed(now, alone=True)
    for progress in (few, many):
        assert not progress.is_overdue
        assert progress.result is None
        progress.missed(400, alone=True)
        assert progress.is_overdue
        assert isinstance(progress.result, NotFoundError)
        assert "g-1" in str(progress.result)


def test_s01_an_answer_for_many_is_no_verdict() -> None:
    """It may have been cut short; a question for the id alone has to say the same."""
    progress = Progress("g-1", POLICY)
    for now in range(0, 1_000, 10):
        progress.missed(now, alone=False)
    assert progress.is_overdue
    assert progress.result is None
    progress.missed(1_000, alone=True)
    assert isinstance(progress.result, NotFoundError)


def test_s01_whoever_is_not_overdue_is_asked_for_with_others() -> None:
    """The grace is over at its very end, and not before."""
    progress = Progress("g-1", POLICY)
    for now in (0, 30, 60, 90, 119.9):
        progress.missed(now, alone=False)
    assert not progress.is_overdue
    progress.missed(120, alone=False)
    assert progress.is_overdue


def test_h17_a_generation_that_appears_starts_the_grace_anew() -> None:
    """A service that finds it again has not lost it."""
    progress = Progress("g-1", POLICY)
    for now in (0, 30, 60, 90):
        progress.missed(now, alone=True)
    progress.seen(QUEUED, 100)
    for now in (130, 160, 190, 220):
        progress.missed(now, alone=True)
    assert progress.result is None
    progress.missed(250, alone=True)
    assert isinstance(progress.result, NotFoundError)


def test_h17_the_same_answer_as_before_starts_the_grace_anew_as_well() -> None:
    """What is said again is there again."""
    progress = Progress("g-1", POLICY, QUEUED)
    for now in range(0, 500, 100):
        progress.missed(now, alone=False)
    assert progress.is_overdue
    progress.repeated()
    assert not progress.is_overdue
    progress.missed(500, alone=True)
    assert (None, QUEUED) == (progress.result, progress.latest)


def test_s16_a_generation_whose_question_is_refused_ends_in_that_error() -> None:
    """After the grace, as others are answered; until then it is asked for again."""
    progress = Progress("g-1", POLICY)
    errors = [ServerError("it chokes", status=500) for _ in range(5)]
    for now, error in zip((0, 40, 80, 119, 120), errors, strict=True):
        assert progress.result is None
        progress.refused(error, now)
    assert errors[-1] is progress.result


def test_s01_a_generation_that_is_refused_as_unknown_is_named() -> None:
    """The service's own 404 may not say which one it is about."""
    progress = Progress("g-1", POLICY)
    for now in range(0, 150, 30):
        progress.refused(NotFoundError("Cannot GET", status=404), now)
    assert isinstance(progress.result, NotFoundError)
    assert "g-1" in str(progress.result)


def test_s16_missing_and_refused_answers_count_together() -> None:
    """Neither of them holds the generation."""
    progress = Progress("g-1", POLICY)
    for now in (0, 30, 60, 90):
        progress.missed(now, alone=False)
    refusal = BadRequestError("no such id", status=400)
    progress.refused(refusal, 120)
    assert refusal is progress.result


@pytest.mark.parametrize("later", [QUEUED, VIDEOLESS, FAILED, evolve(COMPLETED, prompt="new")])
@pytest.mark.parametrize("result", [COMPLETED, FAILED])
def test_s10_what_has_ended_stays_so(result: Generation, later: Generation) -> None:
    """Whatever a later answer says of it."""
    progress = Progress("g-1", POLICY)
    progress.seen(result, 0)
    assert not progress.seen(later, 1_000)
    assert (result, result) == (progress.result, progress.latest)


def test_s10_a_failed_wait_stays_so() -> None:
    """Those who wait have been told already."""
    progress = Progress("g-1", POLICY)
    for now in range(0, 500, 100):
        progress.missed(now, alone=True)
    result = progress.result
    assert not progress.seen(COMPLETED, 500)
    assert result is progress.result
    assert progress.latest is None


@pytest.mark.parametrize("result", [COMPLETED, FAILED])
def test_s10_what_has_ended_does_not_go_missing(result: Generation) -> None:
    """A service may forget what is finished; the video is there all the same."""
    missing, refused = Progress("g-1", POLICY), Progress("g-1", POLICY)
    for progress in (missing, refused):
        progress.seen(result, 0)
    for now in range(100, 1_000, 100):
        missing.missed(now, alone=True)
        refused.refused(ServerError("gone", status=500), now)
    assert [result, result] == [missing.result, refused.result]


@pytest.mark.parametrize(
    ("generation", "ended"),
    [
        (QUEUED, False),
        (DREAMING, False),
        (VIDEOLESS, False),
        (evolve(VIDEOLESS, video=Video(width=1280)), False),
        (COMPLETED, True),
        (evolve(VIDEOLESS, video=Video(download_url="https://cdn.example.com/1")), True),
        (FAILED, True),
        (evolve(QUEUED, state="error"), True),
    ],
    ids=["queued", "dreaming", "no video", "no address", "url", "signed", "failed", "error"],
)
def test_a_generation_has_ended_with_its_video_or_its_failure(
    generation: Generation, *, ended: bool
) -> None:
    """Nothing more will happen to it."""
    assert ended == has_video_or_failed(generation)


def test_s11_the_grace_for_a_video_begins_anew_after_the_same_words_again() -> None:
    """Also where the answers between are the very same as before."""
    progress = Progress("g-1", POLICY, DREAMING)
    progress.seen(VIDEOLESS, 10)
    progress.repeated()
    progress.seen(VIDEOLESS, 80)
    assert progress.result is None
