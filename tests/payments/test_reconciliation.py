"""Finding orders whose answer was lost: an id is adopted, or absence believed, without a doubt."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from attrs import evolve, field, frozen
from hypothesis import given, settings, strategies as st

from luma_async._payments.sansio.receipt import order_digest
from luma_async._payments.sansio.reconciliation import Verdict, candidates, reconcile
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import Record, Run
from luma_async.batch.ledger.sansio.settlement import receipt_of, resolve_unknown
from luma_async.models import AspectRatio, GenerationSummary, Order
from tests.support.memory_ledger import MemoryTransaction

ZERO = datetime(2026, 3, 1, tzinfo=UTC)
PRICE = 500_000
RUNS = [Run(number=1, has_baseline=True)]

LACKS_LATER = "it is not in the account's list, which shows no later order either"


def at(seconds: float) -> datetime:
    """Return a moment of the tests."""
    return ZERO + timedelta(seconds=seconds)


def unknown(
    name: str = "fox",
    prompt: str = "A fox",
    *,
    shape: AspectRatio = "16:9",
    extends: str | None = None,
    run: int | None = 1,
    lost_at: float = 10.0,
) -> Record:
    """Make an order whose answer was lost."""
    return Record(
        order_id=name,
        number=int(lost_at),
        order=Order(prompt, aspect_ratio=shape, extends=extends),
        state="unknown",
        attempts=1,
        run=run,
        tokens=PRICE,
        reason="timeout",
        sent_at=at(lost_at - 5),
        unknown_at=at(lost_at),
    )


def receipt(
    generation: str,
    prompt: str,
    *,
    sent_at: float,
    adopted: bool = False,
    extends: str | None = None,
) -> Record:
    """Make an order whose id is known."""
    return Record(
        order_id=generation,
        number=1000 + int(sent_at),
        order=Order(prompt, extends=extends),
        state="submitted",
        attempts=1,
        run=1,
        tokens=PRICE,
        generation_id=generation,
        adopted=adopted,
        sent_at=at(sent_at),
        submitted_at=at(sent_at + 1),
    )


BEFORE = receipt("g-hare", "A hare", sent_at=1)
AFTER = receipt("g-lynx", "A lynx", sent_at=11)
HARE, LYNX = ("g-hare", "A hare"), ("g-lynx", "A lynx")
Line = tuple[str, str | None]


def judge(
    records: Iterable[Record],
    *lines: Line,
    seen: Mapping[str, int] | None = None,
    runs: Sequence[Run] = RUNS,
) -> Verdict:
    """Compare some records with a list."""
    listed = [GenerationSummary(id=name, prompt=prompt) for name, prompt in lines]
    receipts = [receipt_of(one) for one in records]
    with_baseline = {run.number for run in runs if run.has_baseline}
    verdict = reconcile(receipts, listed, with_baseline=with_baseline, seen=seen or {})
    names = Counter([*verdict.found, *verdict.absent, *verdict.doubts])
    assert Counter(one.order_id for one in records if one.state == "unknown") == names
    return verdict


def doubt(verdict: Verdict, name: str = "fox") -> str:
    """Return why an order is held."""
    assert {} == verdict.found
    assert frozenset() == verdict.absent
    return verdict.doubts[name]


class TestFinding:
    """Orders that are adopted."""

    def test_the_one_generation_that_it_can_be_is_the_one(self) -> None:
        """It was not there before, belongs to no order, and has the prompt."""
        verdict = judge([BEFORE, unknown()], HARE, ("g-1", "A fox"))
        assert ({"fox": "g-1"}, frozenset(), {}) == (verdict.found, verdict.absent, verdict.doubts)

    def test_nothing_is_said_where_nothing_is_asked(self) -> None:
        """Without an unknown order there is nothing to find."""
        assert Verdict(found={}, absent=frozenset(), doubts={}) == judge([BEFORE], HARE)

    @pytest.mark.parametrize("accepted", [0, 1, 2, 3])
    def test_s33_equal_orders_may_be_exchanged(self, accepted: int) -> None:
        """Of three, as many are found as there are; the others are absent."""
        rows = [unknown(f"fox {number}", lost_at=number) for number in (7, 8, 9)]
        generations = [(f"g-{number}", "A fox") for number in range(accepted)]
        verdict = judge([BEFORE, AFTER, *rows], HARE, LYNX, *generations)
        assert {name for name, _ in generations} == set(verdict.found.values())
        assert 3 - accepted == len(verdict.absent)

    def test_s35_one_generation_more_than_orders_leaves_all_in_doubt(self) -> None:
        """Somebody else asked for the same: a person is to look."""
        rows = [unknown(f"fox {number}", lost_at=number) for number in (7, 8)]
        generations = [(f"g-{number}", "A fox") for number in range(3)]
        verdict = judge([BEFORE, AFTER, *rows], HARE, LYNX, *generations)
        assert "the account has 3 generations that it may be" == doubt(verdict, "fox 7")
        assert {"fox 7", "fox 8"} == set(verdict.doubts)

    def test_s34_what_was_there_before_is_not_it(self) -> None:
        """An older generation of the same prompt is in the baseline."""
        verdict = judge([BEFORE, AFTER, unknown()], HARE, LYNX, ("old", "A fox"), seen={"old": 1})
        assert ({}, frozenset({"fox"})) == (verdict.found, verdict.absent)
        lines = (HARE, ("old", "A fox"), ("g-1", "A fox"))
        assert {"fox": "g-1"} == judge([BEFORE, unknown()], *lines, seen={"old": 1}).found

    def test_what_belongs_to_an_order_is_not_it(self) -> None:
        """An equal order that was accepted keeps its generation."""
        verdict = judge(
            [BEFORE, unknown(), receipt("g-1", "A fox", sent_at=20)], HARE, ("g-1", "A fox")
        )
        assert ({}, frozenset({"fox"})) == (verdict.found, verdict.absent)

    def test_orders_of_two_runs_get_what_their_runs_may_have_made(self) -> None:
        """What the second baseline shows was made by the first run."""
        first, second = unknown("first"), unknown("second", run=2, lost_at=30)
        runs = [*RUNS, Run(number=2, has_baseline=True)]
        lines = (HARE, ("g-1", "A fox"), ("g-2", "A fox"))
        for rows in ([first, second], [second, first]):
            verdict = judge([BEFORE, *rows], *lines, runs=runs, seen={"g-1": 2})
            assert {"first": "g-1", "second": "g-2"} == verdict.found

    def test_s35_a_run_did_not_make_more_than_it_sent(self) -> None:
        """Two new ones since the second run, which lost one: one of them is somebody else's."""
        rows = [unknown("first"), unknown("second", run=2, lost_at=30)]
        runs = [*RUNS, Run(number=2, has_baseline=True)]
        verdict = judge([BEFORE, *rows], HARE, ("g-1", "A fox"), ("g-2", "A fox"), runs=runs)
        assert "the account has 2 generations that it may be" == doubt(verdict, "second")

    def test_an_extension_is_found_where_the_list_is_known_to_show_them(self) -> None:
        """Another one is there with its own prompt, and not with its parent's."""
        other = receipt("g-child", "A hare with a hat", sent_at=1, extends="g-0")
        records = [other, unknown(extends="g-0")]
        lines = (("g-child", "A hare with a hat"), ("g-1", "A fox"))
        assert {"fox": "g-1"} == judge(records, *lines).found


class TestDoubts:
    """Lists that say nothing."""

    def test_a_run_without_a_baseline_holds(self) -> None:
        """What was there before is not known; no run at all is no better."""
        expected = "the account could not be listed before it was sent"
        for run, runs in [(1, []), (1, [Run(number=1)]), (2, RUNS), (None, RUNS)]:
            assert expected == doubt(
                judge([BEFORE, unknown(run=run)], HARE, ("g-1", "A fox"), runs=runs)
            )

    def test_s30_without_a_receipt_the_list_is_not_believed(self) -> None:
        """Nobody knows whether it shows prompts as they were ordered; an adopted id is no proof."""
        adopted = receipt("g-hare", "A hare", sent_at=1, adopted=True)
        expected = "the account's list shows no order that is known to be accepted"
        for records in ([unknown()], [adopted, unknown()]):
            assert expected == doubt(judge(records, HARE, ("g-1", "A fox")))

    @pytest.mark.parametrize("shown", [None, "A har", "A hare, cinematic", ""])
    def test_s30_a_list_that_rewrites_prompts_is_not_believed(self, shown: str | None) -> None:
        """One receipt with another prompt is enough, beside others that are right."""
        verdict = judge([BEFORE, AFTER, unknown()], LYNX, ("g-hare", shown), ("g-1", "A fox"))
        expected = "the account's list shows prompts otherwise than they were ordered"
        assert expected == doubt(verdict)

    def test_s31_a_list_that_lags_is_not_believed(self) -> None:
        """It lacks what was accepted before."""
        between = receipt("g-mouse", "A mouse", sent_at=6)
        verdict = judge([BEFORE, between, unknown()], HARE, ("g-1", "A fox"))
        assert "the account's list lacks orders that were accepted earlier" == doubt(verdict)

    def test_s32_a_list_that_is_cut_is_not_believed(self) -> None:
        """It shows the newest ones alone."""
        verdict = judge([BEFORE, AFTER, unknown()], LYNX, ("g-1", "A fox"))
        assert "the account's list lacks orders that were accepted earlier" == doubt(verdict)

    def test_s30_a_new_generation_without_a_prompt_may_be_it(self) -> None:
        """One that is the result of an earlier run is no danger to a later one."""
        lines = (HARE, ("g-1", "A fox"), ("g-2", None))
        expected = "the account's list shows new generations without a prompt"
        assert expected == doubt(judge([BEFORE, unknown()], *lines))
        assert expected == doubt(judge([BEFORE, unknown()], *lines, seen={"g-2": 2}))
        verdict = judge([BEFORE, unknown()], *lines, seen={"g-2": 1})
        assert {"fox": "g-1"} == verdict.found

    def test_s33_the_same_prompt_with_other_options_holds(self) -> None:
        """The list does not tell which of the two it shows."""
        rows = [unknown(), unknown("square", shape="1:1", lost_at=9)]
        verdict = judge([BEFORE, *rows], HARE, ("g-1", "A fox"))
        assert {"fox", "square"} == set(verdict.doubts)
        assert "orders of the same prompt and other options are unknown as well" == doubt(verdict)

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"state": "rejected"}, id="dismissed"),
            pytest.param({"state": "planned"}, id="to be sent again"),
            pytest.param(
                {"state": "done", "attempts": 2, "generation_id": "g-2"}, id="sent a second time"
            ),
        ],
    )
    def test_s33_what_was_given_up_may_be_there_all_the_same(self, changes: dict[str, Any]) -> None:
        """A person stopped looking for it, and the generation may be its."""
        square = evolve(unknown("square", shape="1:1", lost_at=9), **changes)
        verdict = judge([BEFORE, square, unknown()], HARE, ("g-1", "A fox"), ("g-2", "A fox"))
        assert "orders of the same prompt and other options are unknown as well" == doubt(verdict)

    @pytest.mark.parametrize("shape", ["16:9", "1:1"])
    def test_an_equal_order_on_its_way_holds(self, shape: AspectRatio) -> None:
        """The generation may be that one's, whose answer has not come."""
        other = evolve(unknown("other", shape=shape, lost_at=9), state="submitting")
        verdict = judge([BEFORE, other, unknown()], HARE, ("g-1", "A fox"))
        assert "an order of the same prompt is under way" == doubt(verdict)

    @pytest.mark.parametrize("state", ["unknown", "submitting"])
    def test_s36_extensions_hold_until_one_was_seen(
        self, state: Literal["unknown", "submitting"]
    ) -> None:
        """The list may show a child with its parent's prompt, which is that of another order."""
        child = evolve(unknown("child", "With a hat", extends="g-0", lost_at=9), state=state)
        verdict = judge([BEFORE, child, unknown()], HARE, ("g-1", "A fox"))
        assert "it is not known how the account's list shows extensions" == doubt(verdict)


class TestAbsence:
    """Orders that may be paid for once more."""

    def test_s31_it_is_believed_only_of_a_list_that_reaches_beyond(self) -> None:
        """An order that was sent after this one was given up has to be there."""
        assert LACKS_LATER == doubt(judge([BEFORE, unknown()], HARE))
        assert {"fox"} == judge([BEFORE, AFTER, unknown()], HARE, LYNX).absent

    def test_s31_a_slow_answer_of_an_earlier_order_proves_nothing(self) -> None:
        """It was made before this one, and its answer alone came behind."""
        slow = evolve(receipt("g-slow", "A lynx", sent_at=4), submitted_at=at(20))
        assert LACKS_LATER == doubt(judge([BEFORE, slow, unknown()], HARE, ("g-slow", "A lynx")))

    def test_a_receipt_without_a_time_of_sending_counts_from_its_answer(self) -> None:
        """Nothing earlier is known of it; one without any time proves nothing."""
        later = evolve(AFTER, sent_at=None)
        assert {"fox"} == judge([BEFORE, later, unknown()], HARE, LYNX).absent
        timeless = evolve(later, submitted_at=None)
        assert LACKS_LATER == doubt(judge([BEFORE, timeless, unknown()], HARE, LYNX))

    def test_an_order_without_any_time_is_held(self) -> None:
        """Nothing can be later than it."""
        row = evolve(unknown(), sent_at=None, unknown_at=None)
        assert LACKS_LATER == doubt(judge([BEFORE, AFTER, row], HARE, LYNX))

    def test_the_list_has_to_reach_beyond_all_equal_orders(self) -> None:
        """The one that is there may be the older one, and the younger one not shown yet."""
        rows = [unknown("younger", lost_at=20), unknown("older")]
        verdict = judge([BEFORE, AFTER, *rows], HARE, LYNX, ("g-1", "A fox"))
        assert ({"younger": "g-1"}, {"older": LACKS_LATER}) == (verdict.found, verdict.doubts)

    @pytest.mark.parametrize("prompt", ["A f", "A fox, cinematic", "a fox", "A fox "])
    def test_s30_a_new_generation_that_nobody_knows_may_be_it(self, prompt: str) -> None:
        """Its prompt may be kept otherwise than the receipts have shown."""
        verdict = judge([BEFORE, AFTER, unknown()], HARE, LYNX, ("g-1", prompt))
        expected = "the account has new generations of other prompts, and it may be one of them"
        assert expected == doubt(verdict)

    def test_what_is_found_or_under_way_explains_a_new_generation(self) -> None:
        """They are no orders of unknown prompts."""
        way = evolve(unknown("way", "A mouse", lost_at=13), state="submitting")
        owl = unknown("owl", "An owl", lost_at=8)
        lines = (HARE, LYNX, ("g-mouse", "A mouse"), ("g-owl", "An owl"))
        verdict = judge([BEFORE, AFTER, way, owl, unknown()], *lines)
        assert ({"owl": "g-owl"}, frozenset({"fox"})) == (verdict.found, verdict.absent)

    def test_s32_what_was_there_before_has_to_be_there_still(self) -> None:
        """The list is cut, or somebody deletes from it."""
        expected = "the account's list lacks generations that were there before"
        assert expected == doubt(judge([BEFORE, AFTER, unknown()], HARE, LYNX, seen={"old": 1}))
        verdict = judge([BEFORE, AFTER, unknown()], HARE, LYNX, seen={"later": 2})
        assert {"fox"} == verdict.absent

    def test_s23_an_order_that_was_answered_with_anothers_id_is_never_absent(self) -> None:
        """It was accepted; only what it became is not known."""
        book = MemoryTransaction()
        for one in (BEFORE, AFTER, evolve(unknown(), state="submitting")):
            book.write(one)
        book.write_run(RUNS[0])
        row = rules.accept(book, "fox", "g-hare", at=at(9))
        assert "it was accepted under an id that is another order's" == doubt(
            judge(book.records(), HARE, LYNX)
        )
        verdict = judge(book.records(), HARE, LYNX, ("g-1", "A fox"))
        assert {row.order_id: "g-1"} == verdict.found


class TestSettling:
    """What is noted of it."""

    def book(self, *records: Record) -> MemoryTransaction:
        """Make a book with a run that has a baseline."""
        book = MemoryTransaction()
        for one in (BEFORE, *records):
            book.write(one)
        book.write_run(RUNS[0])
        return book

    def test_an_order_that_is_found_is_adopted(self) -> None:
        """Its record says so."""
        book = self.book(unknown())
        listed = [
            GenerationSummary(id=name, prompt=prompt) for name, prompt in (HARE, ("g", "A fox"))
        ]
        record, is_absent = resolve_unknown(book, "fox", listed, at=at(99))
        assert ("submitted", "g", True, at(99), False) == (
            record.state,
            record.generation_id,
            record.adopted,
            record.submitted_at,
            is_absent,
        )
        assert record == book.find("fox")
        assert (record, False) == resolve_unknown(book, "fox", [], at=at(100))

    def test_why_it_is_held_is_noted_once(self) -> None:
        """The last look counts, behind what had happened to it."""
        book = self.book(unknown(), AFTER)
        resolve_unknown(book, "fox", [], at=at(99))
        listed = [GenerationSummary(id=name, prompt=prompt) for name, prompt in (HARE, LYNX)]
        record, is_absent = resolve_unknown(book, "fox", listed, at=at(99))
        assert "timeout; looked for: it is not in the account's list" == record.reason
        assert is_absent
        record, is_absent = resolve_unknown(book, "fox", [], at=at(99))
        assert record.reason is not None
        assert record.reason.startswith("timeout; looked for: the account's list shows no order")
        assert 1 == record.reason.count("looked for")
        assert not is_absent

    def test_an_order_without_a_reason_gets_one(self) -> None:
        """As one that a person has written into the ledger."""
        book = self.book(evolve(unknown(), reason=None))
        record, _ = resolve_unknown(book, "fox", [], at=at(99))
        assert (record.reason or "").startswith("; looked for: ")

    def test_candidates_are_for_a_person_to_look_at(self) -> None:
        """All that nobody claims and that has the prompt, older ones included."""
        listed = [
            GenerationSummary(id=name, prompt=prompt)
            for name, prompt in (HARE, ("g-1", "A fox"), ("g-2", None), ("old", "A fox"))
        ]
        assert ["g-1", "old"] == candidates("A fox", {BEFORE.generation_id}, listed)
        assert [] == candidates("A hare", {BEFORE.generation_id}, listed)


# A history of an account, of which the rules see only records and a list.

Fate = Literal[
    "receipt", "accepted", "refused", "dismissed", "failed", "sent again", "under way", "clash"
]
PROMPTS = ["A fox in the snow", "One hare", "The lynx of the north at night"]
LONG_AGO = -1000.0


@frozen
class Sent:
    """One order of ours: when it was sent, and how long making and answering took."""

    prompt: str
    shape: AspectRatio
    fate: Fate
    is_made: bool
    starts_after: float
    made_after: float
    ends_after: float


@frozen
class Made:
    """A generation as the service knows it, and the order of ours that it is of."""

    name: str
    prompt: str
    at: float
    of: Order | None


@frozen
class History:
    """What happened, and what is known of it."""

    records: list[Record] = field(factory=list)
    made: list[Made] = field(factory=list)
    runs: list[Run] = field(factory=list)
    seen: dict[str, int] = field(factory=dict)
    accepted: set[str] = field(factory=set)


CHANGES: dict[Fate, dict[str, Any]] = {
    "clash": {"reason": f"{rules.GIVEN_TWICE}x"},
    "dismissed": {"state": "rejected"},
    "failed": {"state": "planned", "unknown_at": None},
    "under way": {"state": "submitting", "unknown_at": None},
}

FATES: dict[Fate, int] = {
    "receipt": 6,
    "accepted": 4,
    "refused": 4,
    "dismissed": 1,
    "failed": 1,
    "sent again": 1,
    "under way": 1,
    "clash": 1,
}
"""How often each of them is to come up, about."""

SENT = st.builds(
    Sent,
    prompt=st.sampled_from(PROMPTS),
    shape=st.sampled_from(["16:9"] * 9 + ["1:1"]),
    fate=st.sampled_from(list(Counter(FATES).elements())),
    is_made=st.booleans(),
    starts_after=st.sampled_from([0.0, 1.0, 5.0, 40.0]),
    made_after=st.sampled_from([0.0, 1.0, 3.0]),
    ends_after=st.sampled_from([0.0, 1.0, 10.0, 60.0]),
)
LAST = Sent(
    "A mouse at the end",
    "16:9",
    "receipt",
    is_made=True,
    starts_after=0.0,
    made_after=0.0,
    ends_after=0.0,
)


@st.composite
def histories(draw: st.DrawFn, lag: float) -> History:
    """Let one or two programs send orders, one of which may die, with others on the account."""
    history = History()
    for number in range(draw(st.integers(0, 3))):
        prompt = draw(st.sampled_from(PROMPTS))
        history.made.append(Made(f"old-{number}", prompt, LONG_AGO + number, None))
    now = 0.0
    for run in range(1, draw(st.integers(1, 2)) + 1):
        claimed = {record.generation_id for record in history.records}
        for one in history.made:
            if one.at <= now - lag and one.name not in claimed:
                history.seen.setdefault(one.name, run)
        history.runs.append(Run(number=run, has_baseline=True))
        for sent in draw(st.lists(SENT, max_size=5)):
            now += sent.starts_after
            _send(history, sent, run, now)
        if draw(st.sampled_from([False, False, True])):
            history.made.append(Made(f"foreign-{run}", "Somebody's", now, None))
        now += 100.0
        if draw(st.booleans()):
            _send(history, LAST, run, now)
    return history


def _send(history: History, sent: Sent, run: int, now: float) -> None:
    order = Order(sent.prompt, aspect_ratio=sent.shape)
    number = len(history.records) + 1
    made_at = now + sent.made_after
    ends_at = made_at + sent.ends_after
    record = Record(
        order_id=str(number),
        number=number,
        order=order,
        state="unknown",
        attempts=1,
        run=run,
        tokens=PRICE,
        reason="lost",
        sent_at=at(now),
        unknown_at=at(ends_at),
    )

    twice = sent.fate == "sent again"
    count = int(sent.is_made) + twice if twice or sent.fate == "under way" else 1
    names = [f"g-{number}-{n}" for n in range(count if sent.fate != "refused" else 0)]
    history.made.extend(Made(name, sent.prompt, made_at, order) for name in names)
    if sent.fate in ("accepted", "clash"):
        history.accepted.add(record.order_id)
    if sent.fate == "failed":
        history.seen[names[0]] = 1
    if twice:
        # The first attempt was made as well, and nobody knows.
        record = evolve(record, attempts=2, tokens=2 * PRICE)
    if sent.fate == "receipt" or (twice and sent.is_made):
        record = evolve(
            record,
            state="submitted",
            generation_id=names[-1],
            unknown_at=None,
            submitted_at=at(ends_at),
        )
    history.records.append(evolve(record, **CHANGES.get(sent.fate, {})))


def _shown(prompt: str, rewriting: str) -> str | None:
    match rewriting:
        case "cut":
            return prompt[:12]
        case "none":
            return None if len(prompt) > 12 else prompt
        case "expanded":
            return f"{prompt}, cinematic" if len(prompt) > 12 else prompt
    return prompt


@pytest.mark.protocol
@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_whatever_happened_nothing_is_mistaken_and_nothing_paid_twice(data: st.DataObject) -> None:
    """I get no video of somebody else's, and pay for none again that I have paid for.

    The list may lag, be cut to its newest lines, or change long prompts. Equal orders of ours may
    be exchanged for each other, as nothing tells them apart.
    """
    lag = data.draw(st.sampled_from([0.0, 0.0, 0.0, 1.0, 5.0, 30.0]))
    history = data.draw(histories(lag))
    latest = max((one.at for one in history.made), default=0.0)
    look_at = latest + data.draw(st.sampled_from([0.0, 1.0, 10.0, 200.0]))
    shown = sorted((one for one in history.made if one.at <= look_at - lag), key=lambda one: one.at)
    if history.made and history.made[0].at < 0:
        # What is cut from an account that was empty cannot be missed.
        shown = shown[-data.draw(st.sampled_from([3, 8, *[100] * 6])) :]
    rewriting = data.draw(st.sampled_from([*[""] * 6, "cut", "none", "expanded"]))
    listed = [
        GenerationSummary(id=one.name, prompt=_shown(one.prompt, rewriting))
        for one in data.draw(st.permutations(shown))
    ]

    verdict = reconcile(
        [receipt_of(one) for one in history.records],
        listed,
        with_baseline={run.number for run in history.runs if run.has_baseline},
        seen=history.seen,
    )

    orders = {record.order_id: record.order for record in history.records}
    owners = {one.name: one.of for one in history.made}
    for name, generation in verdict.found.items():
        owner = owners[generation]
        assert owner is not None
        assert order_digest(orders[name]) == order_digest(owner)
    adopted = list(verdict.found.values())
    claimed = [record.generation_id for record in history.records]
    assert len(adopted) == len({*adopted} - {*claimed})
    rows = [record for record in history.records if record.state == "unknown"]
    for prompt in PROMPTS:
        names = {record.order_id for record in rows if record.order.user_prompt == prompt}
        assert len(names & verdict.absent) <= len(names - history.accepted)
