"""When to ask for which generations."""

import math
from itertools import count, pairwise

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from luma_async._sansio.cadence import Cadence
from luma_async.settings import PollPolicy

POLICY = PollPolicy(min_interval=3.0, max_interval=30.0, growth=0.1, jitter=0.0)
MOST_STRETCH = 8.0


def cadence(policy: PollPolicy = POLICY, *, size: int = 20, chance: float = 0.5) -> Cadence:
    """Make a plan in which chance always falls the same way."""
    return Cadence(policy, size, lambda: chance)


def follow(plan: Cadence, until: float, *, latency: float = 0.0) -> list[float]:
    """Answer every request, without news, and tell when they were made."""
    made = []
    while (due := plan.next_request()) is not None and due <= until:
        names = plan.take(due)
        plan.answered(names, due + latency)
        made.append(due)
    return made


def test_without_ids_there_is_nothing_to_ask() -> None:
    """An idle client is silent."""
    plan = cadence()
    assert plan.next_request() is None
    assert [] == plan.take(1_000.0)


def test_a_new_id_is_asked_for_after_the_shortest_interval() -> None:
    """A generation that was just ordered is not finished."""
    plan = cadence()
    plan.add("a", 100.0)
    assert 103.0 == plan.next_request()
    assert [] == plan.take(102.9)
    assert ["a"] == plan.take(103.0)
    assert plan.next_request() is None


@pytest.mark.parametrize(
    ("estimate", "first"),
    [(None, 3.0), (1.0, 3.0), (12.0, 12.0), (600.0, 30.0), (-50.0, 3.0), (1e308, 30.0)],
    ids=["none", "short", "estimate", "long", "negative", "huge"],
)
def test_the_estimate_of_the_service_is_waited_for(estimate: float | None, first: float) -> None:
    """Within the shortest and the longest interval."""
    plan = cadence()
    plan.add("a", 0.0, estimate=estimate)
    assert first == plan.next_request()


def test_the_interval_grows_while_nothing_changes() -> None:
    """The delay of the news stays in proportion to the wait."""
    plan = cadence()
    plan.add("a", 0.0)
    times = follow(plan, 1_000.0)
    intervals = [later - sooner for sooner, later in pairwise(times)]
    assert 3.0 == intervals[0]
    assert all(math.isclose(now, later) or now < later for now, later in pairwise(intervals))
    assert math.isclose(30.0, intervals[-1])
    assert len(times) < 60


def test_a_change_brings_the_interval_back() -> None:
    """A generation that moves is watched more closely."""
    plan = cadence()
    plan.add("a", 0.0)
    now = follow(plan, 500.0)[-1]
    plan.changed("a", now)
    due = plan.next_request()
    assert due is not None
    plan.answered(plan.take(due), due)
    after = plan.next_request()
    assert after is not None
    assert 3.0 <= after - due <= 30.0 * 0.1 + 0.1


def test_an_estimate_made_anew_counts_from_then() -> None:
    """What is left of it is waited for."""
    plan = cadence()
    plan.add("a", 0.0)
    names = plan.take(3.0)
    plan.changed("a", 4.0, estimate=20.0)
    plan.answered(names, 4.0)
    assert 24.0 == plan.next_request()


def test_news_of_an_unknown_id_are_ignored() -> None:
    """S02: what nobody waits for is not planned."""
    plan = cadence()
    plan.changed("a", 0.0)
    plan.discard("a")
    assert plan.next_request() is None


def test_a_request_is_filled_with_those_that_are_due_next() -> None:
    """A request with room to spare costs the same."""
    plan = cadence(size=3)
    for number, name in enumerate("abcde"):
        plan.add(name, float(number))
    assert ["a", "b", "c"] == plan.take(3.0)
    assert 6.0 == plan.next_request()
    assert ["d", "e"] == plan.take(6.0)


def test_a_discarded_id_is_not_asked_for() -> None:
    """Nobody waits for it any more."""
    plan = cadence()
    plan.add("a", 0.0)
    plan.add("b", 1.0)
    plan.discard("a")
    assert 4.0 == plan.next_request()
    assert ["b"] == plan.take(4.0)
    plan.discard("b")
    plan.answered(["b"], 5.0)
    assert plan.next_request() is None


def test_an_id_that_comes_back_during_its_request_waits_for_its_end() -> None:
    """No id is in two requests at once, not even one that was given up for a moment."""
    plan = cadence()
    plan.add("a", 0.0)
    names = plan.take(3.0)
    plan.discard("a")
    plan.add("a", 3.5)
    plan.hasten("a", 3.6)
    assert plan.next_request() is None
    plan.answered(names, 5.0)
    assert 8.0 == plan.next_request()


def test_an_id_in_a_hurry_is_due_now() -> None:
    """It does not wait for its interval, and is asked for once."""
    plan = cadence()
    plan.add("a", 0.0)
    plan.add("b", 0.0)
    plan.hasten("b", 1.0)
    plan.hasten("b", 1.0)
    assert 1.0 == plan.next_request()
    names = plan.take(1.0)
    assert ["b", "a"] == names
    plan.hasten("a", 1.5)
    assert plan.next_request() is None
    plan.answered(names, 2.0)
    assert 5.0 == plan.next_request()


@pytest.mark.parametrize(("chance", "due"), [(0.0, 4.0 + 2.7), (0.5, 7.0), (1.0, 4.0 + 3.3)])
def test_intervals_vary_by_the_jitter(chance: float, due: float) -> None:
    """Many clients do not ask in step."""
    plan = cadence(PollPolicy(min_interval=3.0, max_interval=30.0, jitter=0.1), chance=chance)
    plan.add("a", 0.0)
    first = plan.next_request()
    plan.answered(plan.take(4.0), 4.0)
    after = plan.next_request()
    assert first is not None
    assert after is not None
    assert math.isclose(due - 4.0, first)
    assert math.isclose(due, after)


def test_h25_a_limit_stretches_all_intervals_and_answers_bring_them_back() -> None:
    """Doubled with each 429, up to eightfold; halved with each answer."""
    plan = cadence()
    plan.add("a", 0.0)
    now, gaps = 3.0, []
    for _ in range(5):
        names = plan.take(now)
        plan.changed("a", now)
        plan.failed(names, asked_at=now, now=now, limited=True)
        due = plan.next_request()
        assert due is not None
        gaps.append(due - now)
        now = due
    assert [6.0, 12.0, 24.0, 24.0, 24.0] == gaps
    for _ in range(4):
        names = plan.take(now)
        plan.changed("a", now)
        plan.answered(names, now)
        due = plan.next_request()
        assert due is not None
        gaps.append(due - now)
        now = due
    assert [12.0, 6.0, 3.0, 3.0] == gaps[5:]


def test_n33_while_the_service_fails_one_request_at_a_time_looks_for_it() -> None:
    """The pause doubles from a quarter of the shortest interval to the longest interval."""
    plan = cadence(size=1)
    for number in range(100):
        plan.add(str(number), 0.0)
    now = 3.0
    pauses: list[float] = []
    for _ in range(8):
        names = plan.take(now)
        if pauses:
            assert plan.next_request() is None
            assert [] == plan.take(now + 100.0)
        plan.failed(names, asked_at=now, now=now)
        due = plan.next_request()
        assert due is not None
        pauses.append(due - now)
        now = due
    assert [0.75, 1.5, 3.0, 6.0, 12.0, 24.0, 30.0, 30.0] == pauses
    plan.answered(plan.take(now), now)
    assert now == plan.next_request()


def test_requests_that_fail_together_slow_down_once() -> None:
    """Eight requests that met one outage are one outage."""
    plan = cadence(size=1)
    for number in range(9):
        plan.add(str(number), 0.0)
    together = [plan.take(3.0) for _ in range(8)]
    for names in together:
        plan.failed(names, asked_at=3.0, now=4.0, limited=True)
    assert 4.75 == plan.next_request()
    plan.answered(plan.take(4.75), 4.75)
    plan.answered(plan.take(10.0), 10.0)


def test_ids_that_failed_queue_behind_the_others() -> None:
    """S16: a request that the service chokes on does not keep it from the rest."""
    plan = cadence(size=2)
    for name in "abcd":
        plan.add(name, 0.0)
    poisoned = plan.take(3.0)
    plan.failed(poisoned, asked_at=3.0, now=3.0)
    assert (["a", "b"], ["c", "d"]) == (poisoned, plan.take(10.0))


@pytest.mark.parametrize(
    ("retry_after", "due"),
    [(None, 6.0), (0.1, 6.0), (60.0, 63.0), (1e9, 123.0)],
    ids=["none", "short", "H26 a minute", "H30 for ever"],
)
def test_the_pause_that_the_service_asks_for_is_kept(retry_after: float | None, due: float) -> None:
    """Up to two minutes; beyond that the client looks again."""
    plan = cadence()
    plan.add("a", 0.0)
    plan.failed(plan.take(3.0), asked_at=3.0, now=3.0, retry_after=retry_after)
    assert due == plan.next_request()


@pytest.mark.parametrize("size", [20, 7, 1000])
def test_i10_ten_thousand_ids_are_swept_with_the_fewest_requests(size: int) -> None:
    """Every id is asked for once before any is asked for again, however slow the sweep."""
    plan = cadence(size=size)
    names = [f"g-{number}" for number in range(10_000)]
    for name in names:
        plan.add(name, 0.0)
    now = 3.0
    asked: list[str] = []
    for _ in range(math.ceil(len(names) / size)):
        some = plan.take(now)
        asked += some
        now += 0.1
        plan.answered(some, now)
    # The last request has room for some of the first again.
    assert names == asked[: len(names)]
    assert len(asked) - len(names) < size


def test_n34_after_a_suspension_there_is_one_question_and_no_burst() -> None:
    """The questions that were missed are not made up for."""
    plan = cadence()
    plan.add("a", 0.0)
    plan.answered(plan.take(10_000.0), 10_000.0)
    assert [] == plan.take(10_000.0)
    due = plan.next_request()
    assert due is not None
    assert due >= 10_003.0


@settings(deadline=None, max_examples=60)
@given(
    st.floats(0.5, 5),
    st.floats(1, 10),
    st.floats(0, 1),
    st.floats(0, 0.5),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_the_interval_between_two_questions_stays_within_the_policy(
    shortest: float,
    factor: float,
    growth: float,
    jitter: float,
    chances: list[float],
) -> None:
    """Alone, an id is asked for neither sooner nor later than the policy says."""
    policy = PollPolicy(
        min_interval=shortest, max_interval=shortest * factor, growth=growth, jitter=jitter
    )
    numbers = count()
    plan = Cadence(policy, 20, lambda: chances[next(numbers) % len(chances)])
    plan.add("a", 0.0)
    times = follow(plan, shortest * factor * 10)
    assert times
    for sooner, later in pairwise(times):
        assert (1 - jitter) * shortest <= later - sooner + 1e-6
        assert later - sooner <= (1 + jitter) * shortest * factor + 1e-6


NAMES = st.sampled_from([f"g-{number}" for number in range(12)])


class Events(RuleBasedStateMachine):
    """Any series of events under a moving clock."""

    size = 3

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        numbers = count()
        policy = PollPolicy(min_interval=3.0, max_interval=30.0, growth=0.1, jitter=0.1)
        self.plan = Cadence(policy, self.size, lambda: (next(numbers) * 0.618) % 1)
        self.wanted: set[str] = set()
        self.under_way: list[tuple[list[str], float]] = []

    @rule(seconds=st.floats(0, 60))
    def pass_time(self, seconds: float) -> None:
        """Let the clock move."""
        self.now += seconds

    @rule(name=NAMES, estimate=st.none() | st.floats(0, 100))
    def add(self, name: str, estimate: float | None) -> None:
        """Begin to wait."""
        if name not in self.wanted:
            self.wanted.add(name)
            self.plan.add(name, self.now, estimate=estimate)

    @rule(name=NAMES)
    def discard(self, name: str) -> None:
        """Cease to wait."""
        self.wanted.discard(name)
        self.plan.discard(name)

    @rule(name=NAMES)
    def hasten(self, name: str) -> None:
        """Look at once."""
        if name in self.wanted:
            self.plan.hasten(name, self.now)

    @rule(name=NAMES, estimate=st.none() | st.floats(0, 100))
    def change(self, name: str, estimate: float | None) -> None:
        """Bring news."""
        self.plan.changed(name, self.now, estimate=estimate)

    @rule()
    def take(self) -> None:
        """Make a request, if it is time for one."""
        due = self.plan.next_request()
        names = self.plan.take(self.now)
        assert bool(names) == (due is not None and due <= self.now)
        if names:
            self.under_way.append((names, self.now))

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 100))
    def answer(self, place: int) -> None:
        """Answer one of the requests."""
        names, _ = self.under_way.pop(place % len(self.under_way))
        self.plan.answered(names, self.now)

    @precondition(lambda self: self.under_way)
    @rule(
        place=st.integers(0, 100), limited=st.booleans(), retry_after=st.none() | st.floats(0, 1e6)
    )
    def fail(self, place: int, *, limited: bool, retry_after: float | None) -> None:
        """Let one of the requests fail."""
        names, asked_at = self.under_way.pop(place % len(self.under_way))
        self.plan.failed(
            names, asked_at=asked_at, now=self.now, limited=limited, retry_after=retry_after
        )

    @invariant()
    def no_id_is_in_two_requests(self) -> None:
        """Nothing is asked for twice at once, and no request is too long."""
        asked = [name for names, _ in self.under_way for name in names]
        assert len(set(asked)) == len(asked)
        assert all(0 < len(names) <= self.size for names, _ in self.under_way)

    def teardown(self) -> None:
        """Once the service answers, every id that is waited for is asked for, again and again."""
        for names, _ in self.under_way:
            self.plan.answered(names, self.now)
        for _ in range(2):
            missing = set(self.wanted)
            horizon = self.now + 120 * 1.1 + 30 * MOST_STRETCH * 1.1 * 2
            while missing:
                due = self.plan.next_request()
                assert due is not None
                assert due <= horizon
                self.now = max(self.now, due)
                names = self.plan.take(self.now)
                assert set(names) <= self.wanted
                missing.difference_update(names)
                self.plan.answered(names, self.now)


Events.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
TestAnySeriesOfEvents = Events.TestCase


def test_h25_a_limit_never_makes_an_interval_longer_than_twice_the_longest() -> None:
    """The news of a long wait is not half an hour late because of a short crowd."""
    plan = cadence()
    plan.add("a", 0.0)
    now = 1_000.0
    for _ in range(3):
        names = plan.take(now)
        plan.failed(names, asked_at=now, now=now, limited=True)
        due = plan.next_request()
        assert due is not None
        assert due - now <= 60.0
        now = due


def _ask(plan: Cadence, poisons: set[str], now: float) -> tuple[list[str], bool, float]:
    """Make the next request of a service that chokes on some ids."""
    due = plan.next_request()
    assert due is not None
    now = max(now, due)
    names = plan.take(now)
    if choked := bool(poisons & set(names)):
        plan.failed(names, asked_at=now, now=now, spoiled=True)
    else:
        for name in names:
            plan.discard(name)
        plan.answered(names, now)
    return names, choked, now


@pytest.mark.parametrize("poisons", [{"7"}, {"0"}, {"3", "15"}])
def test_s16_one_id_that_spoils_a_request_is_found_and_the_others_are_served(
    poisons: set[str],
) -> None:
    """A request that fails twice alike is halved until the culprit is alone."""
    plan = cadence(size=20)
    for number in range(20):
        plan.add(str(number), 0.0)
    now, served, requests = 0.0, set[str](), 0
    while served != {str(number) for number in range(20)} - poisons:
        names, choked, now = _ask(plan, poisons, now)
        served.update(() if choked else names)
        requests += 1
    # Halving twenty takes five steps, each with at most two requests, besides the two alike.
    assert requests <= len(poisons) * 2 * 5 + 3


def test_an_outage_splits_nothing_that_failed_only_once() -> None:
    """Two hundred ids, and a service that fails as a whole: each request is tried as it was."""
    plan = cadence(size=20)
    for number in range(200):
        plan.add(str(number), 0.0)
    now = 3.0
    for _ in range(10):
        names = plan.take(now)
        assert 20 == len(names)
        plan.failed(names, asked_at=now, now=now, spoiled=True)
        due = plan.next_request()
        assert due is not None
        now = due


def test_an_answer_brings_ids_back_together() -> None:
    """What was split is asked for in one request again."""
    plan = cadence(size=20)
    for number in range(4):
        plan.add(str(number), 0.0)
    now = 3.0
    for _ in range(2):
        names = plan.take(now)
        plan.failed(names, asked_at=now, now=now, spoiled=True)
        now += 100
    for _ in range(2):
        names = plan.take(now)
        assert 2 == len(names)
        plan.answered(names, now)
    assert 4 == len(plan.take(now + 100))


def test_an_id_that_was_discarded_meanwhile_is_not_split() -> None:
    """Nobody waits for it any more."""
    plan = cadence(size=20)
    plan.add("a", 0.0)
    plan.add("b", 0.0)
    for now in (3.0, 103.0):
        names = plan.take(now)
        plan.discard("a")
        plan.failed(names, asked_at=now, now=now, spoiled=True)
    assert ["b"] == plan.take(203.0)
    plan.discard("b")
    plan.answered(["b"], 204.0)
    assert plan.next_request() is None
