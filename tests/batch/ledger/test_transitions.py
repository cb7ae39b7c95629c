"""The life of an order, and what is left to do for it."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from attrs import evolve

from luma_async._payments.sansio.receipt import order_digest
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import NewOrder, OrderState, Record, Run
from luma_async.batch.ledger.sansio.transitions import AT_SERVICE, FOLLOWING, OnUnknown, next_step
from luma_async.errors import BudgetExceededError, ConfigurationError, LedgerError
from luma_async.models import Order
from tests.support.memory_ledger import MemoryTransaction

PRICE = 500_000
SENT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LATER = SENT + timedelta(seconds=5)
STATES: tuple[OrderState, ...] = get_args(OrderState)
HAS_ID = ("submitted", "completed", "downloading", "done", "failed")
PAID = ("submitting", "unknown", *HAS_ID)

# Written out once more: this is what the money is kept by.
LEGAL = {
    ("planned", "submitting"),
    ("submitting", "planned"),
    ("submitting", "submitted"),
    ("submitting", "rejected"),
    ("submitting", "unknown"),
    ("submitted", "completed"),
    ("submitted", "failed"),
    ("completed", "downloading"),
    ("downloading", "done"),
    ("rejected", "planned"),
    ("failed", "planned"),
    ("unknown", "planned"),
    ("unknown", "submitted"),
    ("unknown", "rejected"),
}

Change = Callable[[MemoryTransaction, str], Record]

CHANGES: dict[OrderState, tuple[Change, ...]] = {
    "submitting": (
        lambda transaction, order_id: rules.mark_submitting(
            transaction, order_id, at=LATER, price=PRICE, budget=None
        ),
    ),
    "submitted": (
        lambda transaction, order_id: rules.accept(transaction, order_id, "g-new", at=LATER),
    ),
    "planned": (
        lambda transaction, order_id: rules.mark_planned(
            transaction, order_id, reason="busy", price=PRICE
        ),
        lambda transaction, order_id: rules.retry(transaction, [order_id])[0],
    ),
    "rejected": (
        lambda transaction, order_id: rules.reject(transaction, order_id, reason="no", price=PRICE),
        rules.dismiss,
    ),
    "unknown": (
        lambda transaction, order_id: rules.mark_unknown(
            transaction, order_id, reason="lost", at=LATER
        ),
    ),
    "completed": (lambda transaction, order_id: rules.complete(transaction, order_id, at=LATER),),
    "failed": (
        lambda transaction, order_id: rules.fail(transaction, order_id, reason="broken", at=LATER),
    ),
    "downloading": (
        lambda transaction, order_id: rules.begin_download(
            transaction, order_id, file="videos/1.mp4"
        ),
    ),
    "done": (
        lambda transaction, order_id: rules.finish(
            transaction, order_id, size=9, sha256="ab", at=LATER
        ),
    ),
}


def record(state: OrderState = "planned", order_id: str = "fox", number: int = 1) -> Record:
    """Make an order as it is in some state."""
    return Record(
        order_id=order_id,
        number=number,
        order=Order("A fox"),
        state=state,
        attempts=int(state != "planned"),
        tokens=PRICE if state in PAID else 0,
        generation_id=f"g-{order_id}" if state in HAS_ID else None,
        sent_at=SENT if state != "planned" else None,
        unknown_at=SENT if state == "unknown" else None,
        file="videos/1.mp4" if state in ("downloading", "done") else None,
    )


def book_of(*records: Record) -> MemoryTransaction:
    """Make a transaction with some orders."""
    transaction = MemoryTransaction()
    for one in records:
        transaction.write(one)
    return transaction


def new(*prompts: str, **options: Any) -> list[NewOrder]:
    """Make orders without names."""
    return [NewOrder(Order(prompt, **options)) for prompt in prompts]


STEPS: dict[OrderState, str | None] = {
    "planned": "submit",
    "submitting": "give up",
    "submitted": "wait",
    "completed": "download",
    "downloading": "download",
    "done": None,
    "rejected": None,
    "failed": None,
}


class TestStates:
    """Which state may follow on which."""

    def test_the_map_is_as_promised(self) -> None:
        """Every state has its place in it."""
        assert set(STATES) == set(FOLLOWING)
        assert LEGAL == {(state, then) for state in STATES for then in FOLLOWING[state]}

    @pytest.mark.parametrize(("state", "then"), list(itertools.product(STATES, STATES)), ids=str)
    def test_an_order_goes_where_it_may_and_nowhere_else(
        self, state: OrderState, then: OrderState
    ) -> None:
        """Each rule moves it there, or leaves it untouched and says where it is."""
        for change in CHANGES[then]:
            transaction = book_of(record(state))
            if (state, then) in LEGAL or (state == then == "downloading"):
                moved = change(transaction, "fox")
                assert then == moved.state
                assert [moved] == transaction.records()
            else:
                with pytest.raises(LedgerError, match=f"order 1 is {state}, and cannot become"):
                    change(transaction, "fox")
                assert [record(state)] == transaction.records()

    @pytest.mark.parametrize("then", STATES)
    def test_an_order_that_is_not_there_goes_nowhere(self, then: OrderState) -> None:
        """Its name is in the message."""
        for change in CHANGES[then]:
            with pytest.raises(LedgerError, match="there is no order 'hare' in this batch"):
                change(book_of(record()), "hare")

    def test_what_takes_up_a_place_at_the_service(self) -> None:
        """It is on its way, or being made."""
        assert {"submitting", "submitted"} == AT_SERVICE

    def test_what_a_run_has_nothing_to_do_for(self) -> None:
        """An order is at its end with a file, or with a plain no."""
        assert {"done", "rejected", "failed"} == {one for one in STATES if record(one).is_final}

    @pytest.mark.parametrize("on_unknown", get_args(OnUnknown))
    def test_each_state_has_its_next_step(self, on_unknown: OnUnknown) -> None:
        """Only of an order in doubt the policy says what to do: hold it, or look for it."""
        expected = {**STEPS, "unknown": None if on_unknown == "hold" else "resolve"}
        assert expected == {one: next_step(record(one), on_unknown) for one in STATES}


class TestPlanning:
    """How orders get into a batch."""

    def test_p32_the_same_file_twice_adds_nothing(self) -> None:
        """Two equal lines are two orders, and the same two the next time."""
        transaction = MemoryTransaction()
        lines = new("A fox", "A hare", "A fox")
        assert 3 == rules.plan(transaction, lines)
        before = transaction.records()
        assert 0 == rules.plan(transaction, lines)
        assert before == transaction.records()
        assert ["A fox", "A hare", "A fox"] == [one.order.user_prompt for one in before]
        assert [1, 2, 3] == [one.number for one in before]
        assert 3 == len({one.order_id for one in before})
        assert {"planned"} == {one.state for one in before}

    def test_p32_a_file_may_be_reordered_and_grow(self) -> None:
        """Only what is new is added, behind what was there."""
        transaction = MemoryTransaction()
        rules.plan(transaction, new("A fox", "A hare"))
        assert 2 == rules.plan(transaction, new("A lynx", "A hare", "A fox", "A fox"))
        assert ["A fox", "A hare", "A lynx", "A fox"] == [
            one.order.user_prompt for one in transaction.records()
        ]

    def test_p32_what_is_gone_from_the_file_stays(self) -> None:
        """An order that may be paid is not forgotten."""
        transaction = MemoryTransaction()
        rules.plan(transaction, new("A fox", "A hare"))
        assert 0 == rules.plan(transaction, new("A hare"))
        assert 2 == len(transaction.records())

    @pytest.mark.parametrize(
        "options",
        [
            {"aspect_ratio": "1:1"},
            {"expand_prompt": False},
            {"image_url": "https://example.org/a"},
            {"image_end_url": "https://example.org/a"},
            {"extends": "g-1"},
        ],
        ids=str,
    )
    def test_the_same_prompt_with_other_options_is_another_order(
        self, options: dict[str, Any]
    ) -> None:
        """All that is ordered counts."""
        assert order_digest(Order("A fox")) == order_digest(Order("A fox"))
        assert order_digest(Order("A fox")) != order_digest(Order("A fox", **options))
        transaction = MemoryTransaction()
        assert 2 == rules.plan(transaction, [*new("A fox"), *new("A fox", **options)])

    def test_a_name_of_the_callers_own_is_kept(self) -> None:
        """The same name with the same content is the same order, in one call and in two."""
        transaction = MemoryTransaction()
        fox = NewOrder(Order("A fox"), "a.jsonl:1", order_id="f")
        assert 1 == rules.plan(transaction, [fox, fox])
        assert 0 == rules.plan(transaction, [fox])
        assert [("f", "a.jsonl:1")] == [(one.order_id, one.source) for one in transaction.records()]

    @pytest.mark.parametrize(
        ("sources", "message"),
        [
            (
                ("a:1", "b:2"),
                "b:2: the id 'f' belongs to another order in this batch already, from a:1",
            ),
            (
                (None, None),
                "an order: the id 'f' belongs to another order .*, from an earlier call",
            ),
        ],
    )
    def test_a_name_does_not_stand_for_two_orders(
        self, sources: tuple[str | None, str | None], message: str
    ) -> None:
        """It is refused, in the words of whoever has to correct it."""
        transaction = MemoryTransaction()
        rules.plan(transaction, [NewOrder(Order("A fox"), sources[0], order_id="f")])
        with pytest.raises(ConfigurationError, match=message):
            rules.plan(transaction, [NewOrder(Order("A hare"), sources[1], order_id="f")])

    def test_an_order_without_a_name_is_counted_without_those_that_have_one(self) -> None:
        """A name that is given to one line makes no other order of the next."""
        transaction = MemoryTransaction()
        rules.plan(transaction, new("A fox"))
        assert 1 == rules.plan(transaction, [NewOrder(Order("A fox"), order_id="f"), *new("A fox")])


class TestRuns:
    """What a run notes before it sends anything."""

    def test_runs_are_counted(self) -> None:
        """None of them has a baseline at first."""
        transaction = MemoryTransaction()
        assert [Run(number=1), Run(number=2)] == [
            rules.begin_run(transaction),
            rules.begin_run(transaction),
        ]
        assert [Run(number=1), Run(number=2)] == transaction.runs()

    def test_s34_a_baseline_is_what_belongs_to_others(self) -> None:
        """What became of our own orders is no part of it, nor what was seen by an earlier run."""
        transaction = book_of(record("done"))
        first, second = rules.begin_run(transaction), rules.begin_run(transaction)
        rules.set_baseline(transaction, first, ["old", "g-fox"])
        rules.set_baseline(transaction, second, iter(["old", "g-fox", "newer"]))
        assert {"old": 1, "newer": 2} == transaction.seen()
        assert [True, True] == [run.has_baseline for run in transaction.runs()]


class TestSending:
    """The note that has to be durable before a byte leaves."""

    def test_an_intent_counts_as_paid(self) -> None:
        """It says when, in which run, and how often."""
        transaction = book_of(evolve(record(), reason="busy", unknown_at=SENT))
        rules.begin_run(transaction)
        rules.begin_run(transaction)
        sent = rules.mark_submitting(transaction, "fox", at=SENT, price=PRICE, budget=PRICE)
        expected = evolve(
            record(), state="submitting", attempts=1, run=2, tokens=PRICE, sent_at=SENT
        )
        assert expected == sent
        assert PRICE == transaction.spent()

    def test_without_a_run_it_belongs_to_none(self) -> None:
        """A single order may be run by itself."""
        assert (
            None
            is rules.mark_submitting(book_of(record()), "fox", at=SENT, price=1, budget=None).run
        )

    @pytest.mark.parametrize("state", PAID)
    def test_p43_the_budget_counts_what_is_in_the_ledger(self, state: OrderState) -> None:
        """Whatever became of an order that may be paid, and in whichever run, it counts."""
        transaction = book_of(record(), record(state, "other", 2))
        with pytest.raises(BudgetExceededError) as raised:
            rules.mark_submitting(transaction, "fox", at=SENT, price=PRICE, budget=2 * PRICE - 1)
        error = raised.value
        assert (2 * PRICE - 1, PRICE, PRICE) == (error.budget, error.committed, error.needed)
        assert "planned" == rules.get_record(transaction, "fox").state
        rules.mark_submitting(transaction, "fox", at=SENT, price=PRICE, budget=2 * PRICE)

    def test_p43_a_second_attempt_is_paid_a_second_time(self) -> None:
        """The first one, of which nobody knows, still counts."""
        transaction = book_of(record("unknown"))
        rules.retry(transaction, ["fox"])
        assert PRICE == transaction.spent()
        assert (
            2 * PRICE
            == rules.mark_submitting(transaction, "fox", at=SENT, price=PRICE, budget=None).tokens
        )

    @pytest.mark.parametrize("change", [rules.mark_planned, rules.reject])
    def test_what_was_not_accepted_is_not_paid(self, change: Callable[..., Record]) -> None:
        """The tokens of this attempt come back, and only those."""
        transaction = book_of(evolve(record("submitting"), tokens=2 * PRICE))
        changed = change(transaction, "fox", reason="no", price=PRICE)
        assert (PRICE, "no") == (changed.tokens, changed.reason)

    @pytest.mark.parametrize("change", [rules.mark_planned, rules.reject])
    def test_a_price_that_rose_meanwhile_makes_no_debt(self, change: Callable[..., Record]) -> None:
        """An order cannot have cost less than nothing."""
        changed = change(book_of(record("unknown")), "fox", reason="no", price=2 * PRICE)
        assert 0 == changed.tokens


class TestOutcomes:
    """What becomes of an order that was sent."""

    def test_an_accepted_order_has_an_id(self) -> None:
        """It is as paid as before, and has nothing to explain."""
        transaction = book_of(evolve(record("submitting"), reason="x"))
        accepted = rules.accept(transaction, "fox", "g-1", at=LATER)
        expected = evolve(
            record("submitting"), state="submitted", generation_id="g-1", submitted_at=LATER
        )
        assert expected == accepted == transaction.holder("g-1")

    @pytest.mark.parametrize("state", HAS_ID)
    def test_s23_an_id_of_another_order_is_no_answer(self, state: OrderState) -> None:
        """Both are flagged, neither is mixed up, and the second one is in doubt."""
        transaction = book_of(record(state, "other", 2), record("submitting"))
        given = rules.accept(transaction, "fox", "g-other", at=LATER)
        assert ("unknown", None, LATER, PRICE) == (
            given.state,
            given.generation_id,
            given.unknown_at,
            given.tokens,
        )
        assert "the service gave g-other to order 2 as well" in (given.reason or "")
        expected = evolve(record(state, "other", 2), reason="order 1 was given this id, too")
        assert expected == transaction.find("other") == transaction.holder("g-other")

    def test_nobody_knows_what_became_of_it(self) -> None:
        """It is counted as paid, with the reason and the time."""
        transaction = book_of(record("submitting"))
        lost = rules.mark_unknown(transaction, "fox", reason="timeout", at=LATER)
        assert ("timeout", LATER, PRICE) == (lost.reason, lost.unknown_at, lost.tokens)
        assert "why" == rules.set_reason(transaction, "fox", "why").reason

    def test_the_ordinary_life(self) -> None:
        """From the answer to the file; what it was, when and where is noted."""
        transaction = book_of(record("submitted"))
        rules.set_reason(transaction, "fox", "no answer for an hour")
        rules.complete(transaction, "fox", at=SENT)
        rules.begin_download(transaction, "fox", file="videos/old.mp4")
        rules.begin_download(transaction, "fox", file="videos/1.mp4")
        rules.set_reason(transaction, "fox", "the disk was full")
        assert evolve(
            record("submitted"),
            state="done",
            completed_at=SENT,
            done_at=LATER,
            file="videos/1.mp4",
            size=9,
            sha256="ab",
        ) == rules.finish(transaction, "fox", size=9, sha256="ab", at=LATER)

    def test_s38_a_generation_may_fail(self) -> None:
        """It stays paid, and keeps its id."""
        failed = rules.fail(book_of(record("submitted")), "fox", reason="nsfw", at=LATER)
        assert ("failed", "g-fox", "nsfw", LATER, PRICE) == (
            failed.state,
            failed.generation_id,
            failed.reason,
            failed.completed_at,
            failed.tokens,
        )


class TestPersons:
    """What a person may decide."""

    @pytest.mark.parametrize("state", ["unknown", "submitting"])
    def test_an_order_in_doubt_is_adopted(self, state: OrderState) -> None:
        """The record tells that its id was found, and did not come with the answer."""
        adopted = rules.adopt(book_of(record(state)), "fox", "g-1", at=LATER)
        assert ("submitted", "g-1", True) == (
            adopted.state,
            adopted.generation_id,
            adopted.adopted,
        )

    @pytest.mark.parametrize("state", sorted(set(STATES) - {"unknown", "submitting"}))
    def test_an_order_that_is_not_in_doubt_is_not_adopted(self, state: OrderState) -> None:
        """Its record stays as it is."""
        transaction = book_of(record(state))
        with pytest.raises(LedgerError, match=f"order 1 is {state}, and not in doubt"):
            rules.adopt(transaction, "fox", "g-1", at=LATER)
        assert [record(state)] == transaction.records()

    def test_s23_no_two_orders_become_one_generation(self) -> None:
        """A person is told whose it is."""
        transaction = book_of(record("unknown"), record("done", "other", 2))
        with pytest.raises(LedgerError, match="g-other is what order 2 became"):
            rules.adopt(transaction, "fox", "g-other", at=LATER)
        assert "unknown" == rules.get_record(transaction, "fox").state

    def test_nothing_is_adopted_for_an_order_that_is_not_there(self) -> None:
        """Its name is in the message."""
        with pytest.raises(LedgerError, match="no order 'hare'"):
            rules.adopt(MemoryTransaction(), "hare", "g-1", at=LATER)

    @pytest.mark.parametrize(
        ("state", "reason", "expected"),
        [
            ("unknown", "timeout", "dismissed; timeout"),
            ("submitting", None, "dismissed; nobody knows what became of it"),
        ],
    )
    def test_a_dismissed_order_stays_counted(
        self, state: OrderState, reason: str | None, expected: str
    ) -> None:
        """It is not sent again, and its reason is kept."""
        dismissed = rules.dismiss(book_of(evolve(record(state), reason=reason)), "fox")
        assert ("rejected", PRICE, expected) == (
            dismissed.state,
            dismissed.tokens,
            dismissed.reason,
        )

    @pytest.mark.parametrize("state", ["rejected", "failed", "unknown", "submitting"])
    def test_an_order_is_planned_anew(self, state: OrderState) -> None:
        """What it had become is forgotten; what it cost is not."""
        before = evolve(
            record(state), submitted_at=SENT, completed_at=SENT, adopted=True, reason="x", file="f"
        )
        (planned,) = rules.retry(book_of(before), iter(["fox"]))
        assert (
            evolve(
                record(),
                attempts=1,
                tokens=before.tokens,
                reason="x",
                sent_at=SENT,
            )
            == planned
        )

    def test_s34_what_failed_is_not_taken_for_an_equal_order_later(self) -> None:
        """Its generation stays known as one that nobody is to adopt."""
        transaction = book_of(record("failed"), record("unknown", "other", 2))
        rules.begin_run(transaction)
        rules.begin_run(transaction)
        rules.retry(transaction, ["fox", "other"])
        assert {"g-fox": 1} == transaction.seen()

    def test_one_that_cannot_be_planned_anew_is_named(self) -> None:
        """Whoever undoes it undoes all of it."""
        transaction = book_of(record("failed"), record("done", "other", 2))
        with pytest.raises(LedgerError, match="order 2 is done, and cannot become planned"):
            rules.retry(transaction, ["fox", "other"])
