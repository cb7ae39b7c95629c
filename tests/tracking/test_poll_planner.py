"""Which ids are asked for, when, and what follows from how that ended."""

import math
from collections.abc import Collection, Iterable
from itertools import count, pairwise

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from luma_async._api.sansio.http_status import PollFailure
from luma_async._tracking.sansio.duration_models import Kind
from luma_async._tracking.sansio.poll_state import Poll
from luma_async.settings import PollPolicy
from tests.support.planner_by_id import PlannerById

POLICY = PollPolicy(jitter=0.0, min_interval=1.0)
QUICK = PollPolicy(jitter=0.0, min_interval=1.0, request_worth=1e-3, expected_seconds=0.5)
"""Everything ends at once, so that nothing but the shortest interval holds questions up."""


def planner(
    policy: PollPolicy = POLICY, *, size: int = 20, ids: int = 0, chance: float = 0.5
) -> PlannerById:
    """Make a plan for some ids in which chance always falls the same way."""
    plan = PlannerById(policy, size, lambda: chance)
    for name in numbered(ids):
        plan.add(name, 0.0)
    return plan


def numbered(many: int) -> list[str]:
    """Return the names of some ids."""
    return [f"{number}" for number in range(many)]


def due(plan: PlannerById, now: float = 0.0) -> float:
    """Return when the next request is due, which has to be some time."""
    time = plan.next_request(now)
    assert time is not None
    assert math.isfinite(time)
    return time


def ask(plan: PlannerById, now: float = 0.0) -> Poll:
    """Make the next request as soon as it is due."""
    poll = plan.next_poll(max(now, due(plan, now)))
    assert poll is not None
    return poll


def answer(
    plan: PlannerById, poll: Poll, *, at: float | None = None, missing: Collection[str] = ()
) -> float:
    """Answer that all but some are unfinished; tell when."""
    now = poll.asked_at if at is None else at
    found = [name for name in poll.ids if name not in missing]
    for name in found:
        plan.unfinished(name, poll.asked_at)
    plan.answered(poll, now, found)
    return now


def choke(
    plan: PlannerById,
    poll: Poll,
    culprits: Iterable[str],
    *,
    failure: PollFailure = PollFailure.SPOILED,
) -> str | None:
    """Fail a question that holds one of some culprits, and answer another; tell who is to blame."""
    if {*culprits} & {*poll.ids}:
        return plan.failed(poll, poll.asked_at, failure, kind="broken")
    answer(plan, poll)
    return None


def follow(plan: PlannerById, until: float, *, now: float = 0.0) -> list[Poll]:
    """Answer every request, without news, and tell which were made."""
    made = []
    while (time := plan.next_request(now)) is not None and max(now, time) <= until:
        now = max(now, time)
        made.append(ask(plan, now))
        answer(plan, made[-1])
    return made


def test_without_ids_there_is_nothing_to_ask() -> None:
    """An idle client is silent."""
    plan = planner()
    assert plan.next_request(0.0) is None
    assert plan.next_poll(1_000.0) is None


def test_a_new_id_is_not_asked_for_before_the_shortest_interval_is_over() -> None:
    """A generation that was just ordered is not finished."""
    plan = planner(QUICK)
    plan.add("a", 100.0)
    assert 101.0 == plan.next_request(100.0)
    assert plan.next_poll(100.9) is None
    poll = plan.next_poll(101.0)
    assert poll is not None
    assert (["a"], 101.0) == (poll.ids, poll.asked_at)
    assert plan.next_request(101.0) is None


def test_an_id_that_has_existed_for_long_is_asked_for_now() -> None:
    """Nothing is known of it since it began."""
    plan = planner()
    plan.add("a", 1_000.0, age=900.0)
    assert 1_000.0 >= due(plan, 1_000.0)


@pytest.mark.parametrize(
    ("estimate", "sooner", "later"),
    [(0.0, 1.0, 3.0), (1.0, 1.0, 3.0), (12.0, 6.0, 12.0), (60.0, 30.0, 60.0), (86_400.0, 60, 60)],
    ids=["none left", "short", "seconds", "a minute", "a day"],
)
def test_the_estimate_of_the_service_is_used(estimate: float, sooner: float, later: float) -> None:
    """It is asked for the first time when it may first be over, within the policy's bounds."""
    plan = planner()
    plan.add("a", 100.0, estimate=estimate)
    assert sooner <= due(plan, 100.0) - 100.0 <= later


@pytest.mark.parametrize(
    "estimate", [None, -50.0, 86_401.0, 1e308, math.inf, math.nan], ids=lambda value: f"{value}"
)
def test_an_estimate_that_cannot_be_meant_is_none(estimate: float | None) -> None:
    """Then what was learned of others says when."""
    plan = planner(ids=1)
    expected = plan.next_request(0.0)
    plan = planner()
    plan.add("0", 0.0, estimate=estimate)
    assert expected == plan.next_request(0.0)


def test_an_estimate_made_anew_counts_from_then() -> None:
    """What is left of it is waited for."""
    plan = planner()
    plan.add("a", 0.0, estimate=10.0)
    poll = ask(plan)
    plan.unfinished("a", poll.asked_at, estimate=60.0)
    plan.answered(poll, poll.asked_at, ["a"])
    assert 30.0 <= due(plan) - poll.asked_at <= 60.0


def test_creates_and_extends_are_learned_apart() -> None:
    """What takes different times is expected at different times."""
    plan = planner()
    for number in range(60):
        name = str(number)
        plan.add(name, 0.0, certain=True, kind="extend")
        plan.finished(name, 2.0)
        plan.discard(name)
    plan.add("create", 0.0)
    plan.add("extend", 0.0, kind="extend")
    left = [plan.seconds_left(name, 0.0) for name in ("extend", "create")]
    assert left[0] is not None
    assert left[1] is not None
    assert left[0] * 5 < left[1]


def test_intervals_stay_between_the_shortest_and_the_longest() -> None:
    """However long it takes, nobody is forgotten, and nobody is hammered."""
    times = [poll.asked_at for poll in follow(planner(ids=1), 5_000.0)]
    intervals = [later - sooner for sooner, later in pairwise(times)]
    assert all(1.0 <= interval <= 60.0 for interval in intervals)
    assert 5_000 / 60 <= len(times) < 1_000


@pytest.mark.protocol
@settings(deadline=None, max_examples=60)
@given(
    st.floats(0.1, 5),
    st.floats(1, 100),
    st.floats(1e-6, 100),
    st.floats(0.1, 1_000),
    st.tuples(st.floats(0, 0.5), st.lists(st.floats(0, 1), min_size=1, max_size=5)),
)
def test_the_interval_between_two_questions_stays_within_the_policy(
    shortest: float,
    factor: float,
    worth: float,
    expected: float,
    variation: tuple[float, list[float]],
) -> None:
    """Alone, an id is asked for neither sooner nor later than the policy says."""
    jitter, chances = variation
    longest = shortest * factor
    policy = PollPolicy(
        min_interval=shortest,
        max_interval=longest,
        request_worth=worth,
        expected_seconds=expected,
        jitter=jitter,
    )
    numbers = count()
    plan = PlannerById(policy, 20, lambda: chances[next(numbers) % len(chances)])
    plan.add("a", 0.0)
    times = [poll.asked_at for poll in follow(plan, longest * 10)][:50]
    assert len(times) > 5
    for sooner, later in pairwise(times):
        assert shortest <= later - sooner + 1e-6
        # What has almost certainly ended waits a second each second, no longer their square.
        assert later - sooner <= (1 + 2 * jitter) * longest + 1e-6


def test_news_of_an_unknown_id_are_ignored() -> None:
    """S02: what nobody waits for is not planned."""
    plan = planner()
    plan.unfinished("a", 0.0, age=5.0, estimate=20.0)
    plan.videoless("a", 0.0)
    plan.discard("a")
    assert plan.finished("a", 0.0) is None
    assert plan.next_request(0.0) is None


def test_a_request_is_filled_with_those_that_are_due_next() -> None:
    """A request with room to spare costs the same."""
    plan = planner(size=3)
    for number, name in enumerate("abcde"):
        plan.add(name, number * 1.5)
    poll = ask(plan, 6.0)
    assert {*"abc"} == {*poll.ids}
    assert "as they have probably waited long enough together" == poll.reason
    assert {*"de"} == {*ask(plan, poll.asked_at).ids}
    assert plan.next_request(poll.asked_at) is None


def test_a_discarded_id_is_not_asked_for() -> None:
    """Nobody waits for it any more."""
    plan = planner()
    plan.add("a", 0.0)
    plan.add("b", 1.0)
    plan.discard("a")
    poll = ask(plan)
    assert ["b"] == poll.ids
    plan.discard("b")
    answer(plan, poll)
    assert plan.next_request(1_000.0) is None


def test_an_id_that_comes_back_during_its_request_waits_for_its_end() -> None:
    """No id is in two requests at once, not even one that was given up for a moment."""
    plan = planner(QUICK, ids=1)
    poll = ask(plan)
    plan.discard("0")
    plan.add("0", 3.5)
    plan.expedite("0", 3.6)
    assert plan.next_request(100.0) is None
    answer(plan, poll, at=5.0)
    assert 6.0 == plan.next_request(5.0)


def test_an_id_in_a_hurry_is_due_now() -> None:
    """It does not wait for its interval, takes others along, and is asked for once."""
    plan = planner(QUICK)
    plan.add("a", 0.0)
    plan.add("b", 0.0)
    plan.expedite("b", 1.0)
    plan.expedite("b", 1.0)
    assert 1.0 >= due(plan, 1.0)
    poll = ask(plan, 1.0)
    assert {*"ab"} == {*poll.ids}
    assert "as one of them is to wait no longer" == poll.reason
    plan.expedite("a", 1.5)
    assert plan.next_request(1.5) is None
    answer(plan, poll, at=2.0)
    assert 3.0 == plan.next_request(2.0)


def test_intervals_vary_by_the_jitter() -> None:
    """Many clients do not ask in step."""
    policy = PollPolicy(jitter=0.1)
    sooner, usual, later = (due(planner(policy, ids=1, chance=chance)) for chance in (0, 0.5, 1))
    assert 0.85 * usual < sooner < 0.97 * usual
    assert 1.03 * usual < later < 1.15 * usual


def test_h25_after_429_questions_are_rarer_and_recover_within_minutes() -> None:
    """A request is dearer for a while, and then no longer."""
    plan, usual = planner(ids=1), planner(ids=1)
    for _ in range(3):
        poll = ask(plan)
        plan.failed(poll, poll.asked_at, PollFailure.LIMITED)
    now = poll.asked_at
    few = follow(plan, now + 120, now=now)
    many = follow(usual, now + 120, now=now)
    assert 0 < len(few) < 0.7 * len(many)
    now += 240
    assert abs(len(follow(plan, now + 600, now=now)) - len(follow(usual, now + 600, now=now))) <= 2


def test_h25_a_limit_never_makes_an_interval_longer_than_twice_the_longest() -> None:
    """The news of a long wait is not half an hour late because of a short crowd."""
    plan = planner(PollPolicy(jitter=0.0, expected_seconds=1e5), ids=1)
    poll = ask(plan)
    for _ in range(6):
        plan.failed(poll, poll.asked_at, PollFailure.LIMITED)
        later = ask(plan, poll.asked_at)
        assert later.asked_at - poll.asked_at <= 120.0
        poll = later
    answer(plan, poll)
    assert due(plan, poll.asked_at) - poll.asked_at <= 120.0


@pytest.mark.parametrize("meaning", [PollFailure.DOWN, PollFailure.SPOILED])
def test_n33_while_the_service_fails_one_request_at_a_time_looks_for_it(
    meaning: PollFailure,
) -> None:
    """The pause doubles from the shortest interval to the longest."""
    plan = planner(size=20, ids=100)
    poll = ask(plan)
    pauses = []
    for _ in range(9):
        now = poll.asked_at
        plan.failed(poll, now, meaning, kind="broken")
        poll = ask(plan, now)
        pauses.append(round(poll.asked_at - now, 6))
        assert plan.next_request(poll.asked_at + 100) is None
        assert plan.next_poll(poll.asked_at + 100) is None
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0] == pauses
    now = answer(plan, poll)
    assert now >= due(plan, now)


def test_requests_that_fail_together_slow_down_once() -> None:
    """Eight requests that met one outage are one outage."""
    plan = planner(QUICK, size=1, ids=9)
    together = [plan.next_poll(3.0) for _ in range(8)]
    for poll in together:
        assert poll is not None
        plan.failed(poll, 4.0, PollFailure.LIMITED)
    assert 5.0 == plan.next_request(4.0)
    answer(plan, ask(plan, 4.0))
    assert 5.0 >= due(plan, 5.0)


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [(None, 1.0), (0.1, 1.0), (60.0, 60.0), (1e9, 120.0)],
    ids=["none", "short", "H26 a minute", "H30 for ever"],
)
def test_the_pause_that_the_service_asks_for_is_kept(
    retry_after: float | None, pause: float
) -> None:
    """Up to two minutes; beyond that the client looks again."""
    plan = planner(QUICK, ids=1)
    poll = ask(plan)
    plan.failed(poll, poll.asked_at, PollFailure.DOWN, retry_after=retry_after)
    assert poll.asked_at + pause == plan.next_request(poll.asked_at)


@pytest.mark.protocol
@pytest.mark.parametrize("size", [20, 7, 1000])
def test_i10_ten_thousand_ids_are_swept_with_the_fewest_requests(size: int) -> None:
    """Every id is asked for once before any is asked for again."""
    names = numbered(10_000)
    plan = planner(size=size, ids=len(names))
    asked: list[str] = []
    for _ in range(math.ceil(len(names) / size)):
        poll = plan.next_poll(60.0)
        assert poll is not None
        asked += poll.ids
        answer(plan, poll, at=60.1)
    assert len(names) == len(asked)
    assert {*names} == {*asked}


def test_n34_after_a_suspension_there_is_one_question_and_no_burst() -> None:
    """The questions that were missed are not made up for."""
    plan = planner(ids=1)
    poll = plan.next_poll(10_000.0)
    assert poll is not None
    answer(plan, poll)
    assert plan.next_poll(10_000.0) is None
    assert 10_001.0 <= due(plan, 10_000.0)


def search(many: int, culprits: set[str], meaning: PollFailure) -> tuple[int, set[str]]:
    """Ask until all others are served and the culprits were alone; tell how often, and for whom."""
    plan = planner(ids=many)
    served: set[str] = set()
    alone: set[str] = set()
    now, requests = 0.0, 0
    while served | alone != {*numbered(many)}:
        poll = ask(plan, now)
        now = poll.asked_at
        requests += 1
        assert requests < 100
        choke(plan, poll, culprits, failure=meaning)
        if not culprits & {*poll.ids}:
            served.update(poll.ids)
        elif len(poll.ids) == 1:
            alone.update(poll.ids)
    return requests, served


@pytest.mark.parametrize("many", range(2, 21))
@pytest.mark.parametrize("meaning", [PollFailure.SPOILED, PollFailure.REFUSED])
def test_s16_one_id_that_spoils_requests_is_found_and_the_others_are_served(
    many: int, meaning: PollFailure
) -> None:
    """A request that fails twice alike is halved until the culprit is alone."""
    for culprit in numbered(many):
        requests, served = search(many, {culprit}, meaning)
        assert {*numbered(many)} - {culprit} == served
        assert requests - 1 <= 2 * math.ceil(math.log2(many)) + 1


@settings(deadline=None)
@given(st.integers(3, 20), st.integers(0, 19), st.integers(1, 19), st.booleans())
def test_s17_two_ids_that_spoil_requests_are_found_and_the_others_are_served(
    many: int, place: int, distance: int, refused: bool
) -> None:
    """Each costs as much as one by itself."""
    first = place % many
    second = (first + 1 + distance % (many - 1)) % many
    culprits = {str(first), str(second)}
    requests, served = search(
        many, culprits, PollFailure.REFUSED if refused else PollFailure.SPOILED
    )
    assert {*numbered(many)} - culprits == served
    assert requests - 1 <= 2 * (2 * math.ceil(math.log2(many)) + 1)


def longest_silence(culprits: set[str], *, many: int, hours: float = 1.0) -> float:
    """Return for how long at most none of the others was answered."""
    plan = planner(ids=many)
    now = heard = silence = 0.0
    while now < hours * 3600:
        poll = ask(plan, now)
        now = poll.asked_at
        choke(plan, poll, culprits)
        if not culprits & {*poll.ids}:
            heard = now
        silence = max(silence, now - heard)
    return silence


@pytest.mark.protocol
@pytest.mark.parametrize("many", [20, 40])
@pytest.mark.parametrize("culprits", [{"19"}, {"18", "19"}])
def test_those_who_spoil_requests_keep_nobody_else_waiting(culprits: set[str], many: int) -> None:
    """They are asked for alone, ever more rarely, and the others as if they were not there."""
    assert longest_silence(culprits, many=many) < 150


@pytest.mark.protocol
@pytest.mark.parametrize("many", [20, 40])
@pytest.mark.parametrize("culprits", [{"0"}, {"0", "1"}, {"0", "5"}])
def test_those_who_are_found_last_keep_nobody_else_waiting(culprits: set[str], many: int) -> None:
    """A question for one of them alone is no way to look whether the service is back."""
    assert longest_silence(culprits, many=many) < 150


@pytest.mark.parametrize("size", [20, 7, 2])
def test_an_outage_halves_few_requests_and_blames_nobody(size: int) -> None:
    """A thousand ids, and an hour in which the service chokes on everything."""
    plan = planner(size=size, ids=1000)
    now = 0.0
    halved: set[int] = set()
    while now < 3600:
        poll = ask(plan, now)
        now = poll.asked_at
        assert choke(plan, poll, poll.ids) is None
        if len(poll.ids) < size:
            halved.update(int(name) for name in poll.ids)
    # The groups are those that were asked for together at first.
    assert len(halved) <= 10 * size
    asked: set[str] = set()
    requests = 0
    while asked < {*numbered(1000)}:
        poll = ask(plan, now)
        now = answer(plan, poll)
        asked.update(poll.ids)
        requests += 1
    assert requests <= 1000 / size + 25
    assert now <= 3600 + 60 + 30


@pytest.mark.parametrize("failures", range(1, 16))
def test_an_outage_teaches_no_smaller_size(failures: int) -> None:
    """That halves are answered after it, and what was halved was not, says nothing of sizes."""
    plan = planner(ids=20)
    now = 0.0
    for number in range(failures + 30):
        poll = ask(plan, now)
        now = poll.asked_at
        choke(plan, poll, poll.ids if number < failures else ())
    assert 20 == plan.size.limit


def test_a_lone_id_that_is_refused_is_blamed() -> None:
    """There is nothing else in the request that the service might mean."""
    plan = planner(ids=1)
    poll = ask(plan)
    assert "0" == plan.failed(poll, poll.asked_at, PollFailure.REFUSED)


def test_a_lone_id_that_spoils_is_blamed_once_others_were_answered_meanwhile() -> None:
    """Before that it may be the service."""
    policy = PollPolicy(request_worth=1e-3, min_interval=1.0, expected_seconds=0.5, jitter=0.1)
    plan = planner(policy, ids=3, chance=0.0)
    plan.poll_alone("0", 1.0)
    first = plan.next_poll(1.0)
    assert first is not None
    assert plan.failed(first, 1.0, PollFailure.SPOILED) is None
    now = 1.0
    for _ in range(2):
        for name in "12":
            plan.expedite(name, now)
        others = ask(plan, now)
        assert {"1", "2"} == set(others.ids)
        now = answer(plan, others)
    plan.expedite("0", now)
    third = ask(plan, now)
    assert ["0"] == third.ids
    assert "0" == plan.failed(third, third.asked_at, PollFailure.SPOILED)


def test_an_id_that_is_to_blame_is_asked_for_alone_ever_more_rarely() -> None:
    """From the shortest interval to the longest, and it slows down nobody else."""
    plan = planner(ids=2)
    plan.poll_alone("0", 0.0)
    now = 0.0
    times: list[float] = []
    while len(times) < 9:
        poll = ask(plan, now)
        now = poll.asked_at
        if "0" in poll.ids:
            assert ["0"] == poll.ids
            assert poll.alone
            assert "for that id alone" == poll.reason
            times.append(now)
        choke(plan, poll, {"0"}, failure=PollFailure.REFUSED)
    intervals = [later - sooner for sooner, later in pairwise(times)]
    for expected, interval in zip([1, 2, 4, 8, 16, 32, 60, 60], intervals, strict=True):
        assert expected <= interval <= expected + 2


def test_an_id_that_was_to_blame_returns_to_the_others() -> None:
    """Once it is answered, it costs no request of its own."""
    plan = planner(QUICK, ids=2)
    plan.poll_alone("0", 0.0)
    poll = ask(plan)
    plan.failed(poll, 0.0, PollFailure.REFUSED)
    plan.expedite("0", 10.0)
    poll = ask(plan, 10.0)
    assert ["0"] == poll.ids
    answer(plan, poll)
    assert {*"01"} == {*ask(plan, 20.0).ids}


def test_one_that_is_given_up_while_it_is_to_blame_is_forgotten() -> None:
    """Neither alone nor with others."""
    plan = planner(ids=1)
    for given_up_before in (True, False):
        poll = ask(plan)
        if given_up_before:
            plan.discard("0")
        assert given_up_before == (plan.failed(poll, poll.asked_at, PollFailure.REFUSED) is None)
        plan.discard("0")
        assert plan.next_request(1_000.0) is None
        plan.add("0", 0.0)


def test_suspects_whom_nobody_waits_for_any_more_are_not_asked_for() -> None:
    """Those who are left are, and where none is there is no request."""
    plan = planner(ids=2)
    poll = ask(plan)
    plan.failed(poll, poll.asked_at, PollFailure.SPOILED)
    plan.discard("0")
    again = ask(plan, poll.asked_at)
    assert ["1"] == again.ids
    assert "to find the id that spoils requests" == again.reason
    plan.discard("1")
    answer(plan, again)
    assert plan.next_request(1_000.0) is None


def test_where_all_suspects_are_given_up_there_is_no_request() -> None:
    """There is nobody left to ask for."""
    plan = planner(ids=2)
    poll = ask(plan)
    plan.failed(poll, poll.asked_at, PollFailure.SPOILED)
    plan.discard("0")
    plan.discard("1")
    assert plan.next_poll(1_000.0) is None
    assert plan.next_request(1_000.0) is None


def test_suspects_that_were_given_up_hurry_nobody_else() -> None:
    """Who is not due yet waits for its time."""
    plan = planner(ids=2)
    poll = ask(plan)
    now = poll.asked_at
    plan.failed(poll, now, PollFailure.SPOILED)
    plan.add("new", now)
    plan.discard("0")
    plan.discard("1")
    assert plan.next_poll(now + 1.5) is None
    assert now + 2 < due(plan, now + 1.5)


def test_a_suspect_that_comes_back_is_asked_for_once() -> None:
    """With the suspects, not besides them."""
    plan = planner(QUICK, ids=2)
    poll = ask(plan)
    plan.failed(poll, poll.asked_at, PollFailure.SPOILED)
    plan.discard("0")
    plan.add("0", poll.asked_at)
    again = ask(plan, poll.asked_at)
    assert {*"01"} == {*again.ids}
    assert plan.next_request(1_000.0) is None


def test_s18_a_request_that_is_too_long_is_halved_for_good() -> None:
    """Down to a single id, with nobody to blame and no pause."""
    plan = planner(ids=20)
    now, sizes = 0.0, []
    for _ in range(5):
        poll = ask(plan, now)
        now = poll.asked_at
        sizes.append(len(poll.ids))
        if len(poll.ids) > 1:
            assert plan.failed(poll, now, PollFailure.TOO_LARGE) is None
    assert [20, 10, 5, 2, 1] == sizes
    assert 1 == plan.size.limit
    assert plan.failed(poll, now, PollFailure.TOO_LARGE) is None
    assert now + 1 == plan.next_request(now)


def test_s18_those_whose_request_was_too_long_are_asked_for_again_at_once() -> None:
    """They had waited long enough before."""
    plan = planner(ids=20)
    now = 0.0
    for expected in (20, 10, 5, 2, 1):
        poll = ask(plan, now)
        assert expected == len(poll.ids)
        assert now in (0.0, poll.asked_at)
        now = poll.asked_at
        plan.failed(poll, now, PollFailure.TOO_LARGE)


def test_s18_suspects_are_not_asked_for_in_a_request_that_is_too_long() -> None:
    """What was learned meanwhile holds for them too."""
    plan = planner(size=4, ids=8)
    spoiled, too_large = plan.next_poll(60.0), plan.next_poll(60.0)
    assert spoiled is not None
    assert too_large is not None
    plan.failed(too_large, 60.0, PollFailure.TOO_LARGE)
    plan.failed(spoiled, 60.0, PollFailure.SPOILED)
    assert len(ask(plan, 60.0).ids) <= plan.size.limit == 2


def fail_if_longer_than(most: int, *, groups: int) -> int:
    """Let whole groups of 20 fail where the service takes fewer; tell the size that is learned.

    Of each group one request fails twice, and then its halves are asked for.
    """
    plan = planner(ids=20 * groups)
    now = 0.0
    for _ in range(groups):
        poll = ask(plan, now)
        while len(poll.ids) > most:
            now = poll.asked_at
            plan.failed(poll, now, PollFailure.REFUSED, kind="broken")
            poll = ask(plan, now)
        now = answer(plan, poll)
        for name in poll.ids:
            plan.discard(name)
        poll = ask(plan, now)
        now = answer(plan, poll)
        for name in poll.ids:
            plan.discard(name)
    return plan.size.limit


def test_one_group_that_fails_whole_but_is_answered_in_halves_teaches_no_size() -> None:
    """The service may have come back just then."""
    assert 20 == fail_if_longer_than(10, groups=1)


def test_two_groups_that_fail_whole_but_are_answered_in_halves_teach_a_size() -> None:
    """Nobody in them is to blame, but their number."""
    assert 10 == fail_if_longer_than(10, groups=2)


def test_s19_answers_that_end_at_the_same_place_twice_teach_the_size() -> None:
    """The service takes the first ten alone, and that is what it is asked for."""
    plan = planner(ids=40)
    # All have been found before.
    for _ in range(2):
        answer(plan, ask(plan, 60.0))
    for expected in (20, 10):
        poll = ask(plan, 120.0)
        answer(plan, poll, missing=poll.ids[10:])
        assert expected == plan.size.limit
    assert 10 == len(ask(plan, 200.0).ids)


def miss(plan: PlannerById, name: str, now: float) -> float:
    """Let an id be missing in company, and be there alone."""
    poll = ask(plan, now)
    assert name in poll.ids
    now = answer(plan, poll, missing=[name])
    plan.poll_alone(name, now)
    poll = ask(plan, now)
    assert [name] == poll.ids
    return answer(plan, poll)


def test_an_id_that_is_missing_in_company_but_there_alone_twice_teaches_a_size() -> None:
    """It was the company that was too large."""
    plan = planner(size=3, ids=3)
    now = miss(plan, "1", 0.0)
    assert 3 == plan.size.limit
    poll = ask(plan, now + 10)
    while "1" not in poll.ids or len(poll.ids) < 3:
        poll = ask(plan, answer(plan, poll, missing=["1"]) + 10)
    now = answer(plan, poll, missing=["1"])
    plan.poll_alone("1", now)
    answer(plan, ask(plan, now))
    assert 1 == plan.size.limit


def test_an_id_that_is_missing_alone_too_teaches_no_size() -> None:
    """It is not there, that is all."""
    plan = planner(size=3, ids=3)
    now = 0.0
    for _ in range(5):
        poll = ask(plan, now)
        now = answer(plan, poll, missing=["1"])
        plan.poll_alone("1", now)
        now = answer(plan, ask(plan, now), missing=["1"]) + 10
    assert 3 == plan.size.limit


def test_an_id_that_was_missing_is_asked_for_again_with_the_others() -> None:
    """It may not have got about yet."""
    plan = planner(QUICK, ids=2)
    poll = ask(plan)
    now = answer(plan, poll, missing=["1"])
    assert now + 1 <= due(plan, now) <= now + 60
    assert {*"01"} == {*ask(plan, now + 60).ids}


def test_an_id_that_is_to_be_certain_is_asked_for_alone_and_now() -> None:
    """Others are not in its request."""
    plan = planner(QUICK, ids=3)
    plan.poll_alone("1", 0.2)
    plan.poll_alone("1", 0.3)
    assert 0.3 >= due(plan, 0.3)
    poll = ask(plan, 0.3)
    assert (["1"], True) == (poll.ids, poll.alone)
    assert 1.0 == plan.next_request(0.3)
    assert {*"02"} == {*ask(plan, 0.3).ids}


def test_an_id_that_is_isolated_during_its_request_waits_for_its_end() -> None:
    """No id is in two requests at once."""
    plan = planner(ids=1)
    poll = ask(plan)
    plan.poll_alone("0", poll.asked_at)
    assert plan.next_request(poll.asked_at) is None


def test_a_video_that_is_late_is_looked_for_at_a_steady_interval() -> None:
    """Twenty times until the grace is over."""
    plan = planner(PollPolicy(jitter=0.0, video_grace=60.0), ids=1)
    poll = ask(plan)
    now = poll.asked_at
    plan.videoless("0", now)
    assert plan.seconds_left("0", now) is None
    plan.answered(poll, now, ["0"])
    for _ in range(20):
        poll = ask(plan, now)
        assert math.isclose(3.0, poll.asked_at - now)
        now = poll.asked_at
        plan.videoless("0", now)
        plan.answered(poll, now, ["0"])


def test_what_ends_without_its_video_is_learned_from_once() -> None:
    """Its end is the end of the work; the rest says nothing of how long that takes."""
    plan = planner()
    plan.add("a", 0.0, certain=True)
    plan.videoless("a", 40.0)
    plan.videoless("a", 50.0)
    assert plan.finished("a", 60.0) is None
    assert 1 == plan.durations.durations["create"].seen


def test_what_ended_too_soon_and_goes_on_is_planned_like_the_others() -> None:
    """S09: a service that takes back what it said."""
    plan = planner(PollPolicy(jitter=0.0, video_grace=20.0), ids=1)
    poll = ask(plan)
    plan.videoless("0", poll.asked_at)
    now = answer(plan, poll)
    assert due(plan, now) > now + 2
    assert plan.seconds_left("0", now) is not None


def test_the_seconds_that_are_left_are_likely() -> None:
    """At first what is expected, then less, though never nothing."""
    plan = planner(PollPolicy(jitter=0.0, expected_seconds=45.0), ids=1)
    plan.add("estimated", 0.0, estimate=300.0)
    left = [plan.seconds_left(name, 0.0) for name in ("0", "estimated")]
    assert [45.0, 300.0] == [pytest.approx(45.0, rel=0.05), pytest.approx(300.0, rel=0.05)]
    assert [pytest.approx(45.0, rel=0.05), pytest.approx(300.0, rel=0.05)] == left
    overdue = plan.seconds_left("0", 1_000.0)
    assert overdue is not None
    assert overdue > 0


def test_what_has_ended_was_probably_over_for_half_of_the_interval() -> None:
    """From the last look to this one."""
    plan = planner()
    plan.add("a", 0.0, certain=True)
    plan.unfinished("a", 30.0)
    assert 5.0 == plan.finished("a", 40.0)


def test_of_uncertain_ages_nothing_is_learned() -> None:
    """Nobody knows when it began, nor for how long it has been over."""
    plan = planner(ids=1)
    plan.unfinished("0", 30.0)
    assert plan.finished("0", 40.0) is None
    assert {} == plan.durations.durations


def test_an_answer_that_tells_its_age_makes_it_certain() -> None:
    """From then on it is learned from."""
    plan = planner(ids=1)
    plan.unfinished("0", 30.0, age=500.0)
    left = plan.seconds_left("0", 30.0)
    assert left is not None
    assert left > 100
    assert 5.0 == plan.finished("0", 40.0)
    assert 1 == plan.durations.durations["create"].seen
    assert plan.durations.durations["create"].median_seconds > 45


def test_an_answer_that_is_late_teaches_nothing_again() -> None:
    """What was asked for later has been answered sooner."""
    plan = planner()
    plan.add("a", 0.0, certain=True)
    plan.unfinished("a", 30.0)
    before = plan.durations.learned
    plan.unfinished("a", 20.0)
    assert before == plan.durations.learned
    assert 5.0 == plan.finished("a", 40.0)


def test_what_is_learned_brings_the_questions_to_where_they_pay() -> None:
    """Where all take two minutes, few questions are asked before."""

    def questions_before_two_minutes(plan: PlannerById) -> int:
        plan.add("new", 0.0, certain=True)
        return len(follow(plan, 110.0))

    naive, taught = planner(), planner()
    for number in range(100):
        name = str(number)
        taught.add(name, 0.0, certain=True)
        taught.unfinished(name, 115.0)
        taught.finished(name, 125.0)
        taught.discard(name)
    assert questions_before_two_minutes(taught) < 0.6 * questions_before_two_minutes(naive)


@pytest.mark.parametrize("estimate", [60.0, 600.0])
def test_what_ends_long_before_its_estimate_is_learned_from(estimate: float) -> None:
    """A service may well be quicker than it says."""
    plan = planner()
    plan.add("a", 0.0, certain=True, estimate=estimate)
    assert 1.0 == plan.finished("a", 2.0)
    plan.add("b", 0.0, estimate=estimate)
    assert 0 < due(plan) <= 60


@pytest.mark.parametrize("late", [0.0, 1.0, 100.0, 10_000.0])
def test_what_should_have_ended_by_now_is_asked_for_soon(late: float) -> None:
    """Whoever begins to wait when the estimate is over hears at once, and not after another."""
    plan = planner()
    plan.add("a", 1000.0 + late, age=30.0 + late, certain=True, estimate=30.0)
    assert due(plan, 1000.0 + late) <= 1000.0 + late + 3.0


NAMES = st.sampled_from([f"g-{number}" for number in range(12)])
ESTIMATES = st.none() | st.floats(0, 100)


class Events(RuleBasedStateMachine):
    """Any series of events under a moving clock."""

    size = 3
    policy = PollPolicy(min_interval=3.0, max_interval=30.0, jitter=0.1, expected_seconds=20.0)

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        numbers = count()
        self.plan = PlannerById(self.policy, self.size, lambda: (next(numbers) * 0.618) % 1)
        self.wanted: set[str] = set()
        self.under_way: list[Poll] = []
        # From when an id may be asked for that is neither in a hurry nor suspected.
        self.earliest: dict[str, float] = {}

    @property
    def asked(self) -> list[str]:
        """Return the ids that are asked for at this moment."""
        return [name for poll in self.under_way for name in poll.ids]

    @rule(seconds=st.floats(0, 60))
    def pass_time(self, seconds: float) -> None:
        """Let the clock move."""
        self.now += seconds

    @rule(name=NAMES, age=st.just(0.0) | st.floats(0, 500), certain=st.booleans(), left=ESTIMATES)
    def add(self, name: str, age: float, left: float | None, *, certain: bool) -> None:
        """Begin to wait."""
        if name not in self.wanted:
            self.wanted.add(name)
            kind: Kind = "extend" if name == "g-0" else "create"
            self.plan.add(name, self.now, age=age, certain=certain, kind=kind, estimate=left)

    @rule(name=NAMES)
    def discard(self, name: str) -> None:
        """Cease to wait."""
        self.wanted.discard(name)
        self.earliest.pop(name, None)
        self.plan.discard(name)

    @rule(name=NAMES)
    def expedite(self, name: str) -> None:
        """Look at once."""
        if name in self.wanted:
            self.earliest.pop(name, None)
            self.plan.expedite(name, self.now)

    @rule(name=NAMES)
    def poll_alone(self, name: str) -> None:
        """Look at once, without company."""
        if name in self.wanted and name not in self.asked:
            self.earliest.pop(name, None)
            self.plan.poll_alone(name, self.now)

    @rule(name=NAMES)
    def say_that_the_video_is_late(self, name: str) -> None:
        """Bring news that stand apart."""
        self.plan.videoless(name, self.now)

    @rule()
    def take(self) -> None:
        """Make a request, if it is time for one."""
        due = self.plan.next_request(self.now)
        poll = self.plan.next_poll(self.now)
        if poll is None:
            return
        assert due is not None
        assert due <= self.now
        assert {*poll.ids} <= self.wanted
        assert 0 < len(poll.ids) <= self.size
        if poll.group is None:
            # What was learned while suspects were asked for holds from their next halving on.
            assert len(poll.ids) <= self.plan.size.limit
            if not poll.alone:
                assert all(self.earliest.get(name, 0.0) <= self.now for name in poll.ids)
        self.under_way.append(poll)

    @precondition(lambda self: self.under_way)
    @rule(
        place=st.integers(0, 100),
        update=st.lists(
            st.sampled_from(["unfinished", "aged", "estimated", "ended", "late", "missing", ""]),
            min_size=size,
            max_size=size,
        ),
        estimate=ESTIMATES,
    )
    def answer(self, place: int, update: list[str], estimate: float | None) -> None:
        """Answer one of the requests."""
        poll = self.under_way.pop(place % len(self.under_way))
        found = [*poll.ids]
        for name, said in zip(poll.ids, update, strict=False):
            if said == "unfinished":
                self.plan.unfinished(name, poll.asked_at)
            elif said == "aged":
                self.plan.unfinished(name, poll.asked_at, age=15.0)
            elif said == "estimated":
                self.plan.unfinished(name, poll.asked_at, estimate=estimate)
            elif said == "late":
                self.plan.videoless(name, self.now)
            elif said == "missing":
                found.remove(name)
            elif said == "ended":
                delay = self.plan.finished(name, self.now)
                assert delay is None or 0 <= delay < math.inf
                self.discard(name)
        self.plan.answered(poll, self.now, found)
        for name in {*poll.ids} & self.wanted:
            self.earliest[name] = self.now + self.policy.min_interval

    @precondition(lambda self: self.under_way)
    @rule(
        place=st.integers(0, 100),
        meaning=st.sampled_from(PollFailure),
        kind=st.sampled_from(["broken", "hanging"]),
        retry_after=st.none() | st.floats(0, 1e6),
    )
    def fail(self, place: int, meaning: PollFailure, kind: str, retry_after: float | None) -> None:
        """Let one of the requests fail."""
        poll = self.under_way.pop(place % len(self.under_way))
        blamed = self.plan.failed(poll, self.now, meaning, kind=kind, retry_after=retry_after)
        if blamed is not None:
            assert [blamed] == poll.ids
            assert blamed in self.wanted

    @invariant()
    def no_id_is_in_two_requests(self) -> None:
        """Nothing is asked for twice at once."""
        assert len({*self.asked}) == len(self.asked)

    @invariant()
    def there_is_always_an_answer_when(self) -> None:
        """The next request is due at some time, or there is none to make."""
        due = self.plan.next_request(self.now)
        assert due is None or math.isfinite(due)
        assert due is not None or self.wanted <= {*self.asked} or self.under_way
        for name in self.wanted:
            left = self.plan.seconds_left(name, self.now)
            assert left is None or 0 <= left < math.inf

    def teardown(self) -> None:
        """Once the service answers, every id that is waited for is asked for, again and again."""
        while self.under_way:
            self._answer_all(self.under_way.pop())
        for _ in range(3):
            missing = {*self.wanted}
            # Questions may be rarer after 429, and the service may have asked for two minutes.
            horizon = self.now + 2 * self.policy.max_interval + 120 + 30
            while missing:
                due = self.plan.next_request(self.now)
                assert due is not None
                assert due <= horizon
                self.now = max(self.now, due)
                poll = self.plan.next_poll(self.now)
                if poll is None:
                    continue
                assert {*poll.ids} <= self.wanted
                missing.difference_update(poll.ids)
                self._answer_all(poll)

    def _answer_all(self, poll: Poll) -> None:
        for name in poll.ids:
            self.plan.unfinished(name, poll.asked_at)
        self.plan.answered(poll, self.now, poll.ids)


Events.TestCase.settings = settings(deadline=None, max_examples=100, stateful_step_count=50)
TestAnySeriesOfEvents = pytest.mark.protocol(Events.TestCase)


def test_a_culprit_stays_alone_while_the_service_is_down() -> None:
    """That its lone question fails for another reason does not clear it."""
    plan = planner(POLICY, ids=4)
    plan.poll_alone("0", 1.0)
    poll = plan.next_poll(1.0)
    assert poll is not None
    assert ["0"] == poll.ids
    assert plan.failed(poll, 1.0, PollFailure.DOWN) is None
    others = plan.next_poll(300.0)
    assert others is not None
    assert {"1", "2", "3"} == set(others.ids)
    plan.answered(others, 300.0, others.ids)
    again = plan.next_poll(300.0)
    assert again is not None
    assert (["0"], True) == (again.ids, again.alone)


def test_a_lone_id_is_not_blamed_while_others_fail_now_and_then() -> None:
    """A service that fails at random would pass for one with bad ids."""
    plan = planner(POLICY, ids=3)
    plan.poll_alone("0", 1.0)
    lone = ask(plan, 1.0)
    plan.failed(lone, 1.0, PollFailure.SPOILED)
    for name in "12":
        plan.expedite(name, 100.0)
    others = ask(plan, 100.0)
    plan.failed(others, 100.0, PollFailure.DOWN)
    plan.answered(ask(plan, 200.0), 200.0, "12")
    lone = ask(plan, 200.0)
    assert ["0"] == lone.ids
    for name in "12":
        plan.expedite(name, 201.0)
    plan.answered(ask(plan, 201.0), 201.0, "12")
    assert plan.failed(lone, 202.0, PollFailure.SPOILED) is None


def test_who_comes_back_is_taken_up_where_it_was_left() -> None:
    """A wait in many short waits neither asks more often nor starts anew each time."""
    plan = planner(POLICY)
    first = plan.add("a", 0.0, certain=True)
    due = plan.next_request(0.0)
    assert due is not None
    for now in range(int(due)):
        plan.discard("a")
        assert plan.add("a", float(now)) is first
        assert math.isclose(due, plan.next_request(now) or 0.0)
    poll = plan.next_poll(due)
    assert poll is not None
    plan.unfinished("a", due)
    plan.answered(poll, due, ["a"])
    again = plan.next_request(due)
    plan.discard("a")
    plan.add("a", due)
    assert again == plan.next_request(due)
    plan.finished("a", due)
    plan.discard("a")
    assert plan.add("a", due) is not first


def test_only_so_many_who_left_are_remembered() -> None:
    """Memory is bounded, however many come and go."""
    plan = planner(POLICY)
    states = {}
    for number in range(10_001):
        states[number] = plan.add(str(number), 0.0)
        plan.discard(str(number))
    assert plan.add("0", 0.0) is not states[0]
    assert plan.add("10000", 0.0) is states[10_000]


def test_suspects_that_came_back_and_are_too_many_wait_for_their_time() -> None:
    """Nothing is asked for rather than no id at all."""
    plan = planner(POLICY, size=4, ids=4)
    poll = ask(plan, 60.0)
    now = poll.asked_at
    plan.failed(poll, now, PollFailure.SPOILED, kind="broken")
    plan.size.refused(4)
    for name in poll.ids:
        plan.finished(name, now)
        plan.discard(name)
        plan.add(name, now + 5.0)
    assert plan.next_poll(now + 5.0) is None
    assert set(poll.ids) == set(ask(plan, now + 200.0).ids)
