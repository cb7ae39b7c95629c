"""A client spends no more than its budget."""

from contextlib import ExitStack, suppress

import pytest
from hypothesis import given, strategies as st

from luma_async._payments.sansio.budget import BudgetTracker
from luma_async.errors import BudgetExceededError, LumaError
from luma_async.settings import Budget


def test_what_was_spent_is_kept() -> None:
    """An order that was accepted, or may have been, is paid."""
    budget_tracker = BudgetTracker(Budget())
    with budget_tracker.reserve() as reservation:
        assert 0 == budget_tracker.spent
        reservation.spend()
    assert 500_000 == budget_tracker.spent


def test_what_was_not_spent_is_given_back() -> None:
    """An order that was refused costs nothing, and frees its part of the budget."""
    budget_tracker = BudgetTracker(Budget(tokens=500_000))
    with pytest.raises(LumaError, match="refused"), budget_tracker.reserve():
        raise LumaError("refused")
    assert 0 == budget_tracker.spent
    with budget_tracker.reserve() as reservation:
        reservation.spend()
    assert 500_000 == budget_tracker.spent


def test_what_was_spent_stays_spent_when_the_caller_is_gone() -> None:
    """An error after the payment does not undo it."""
    budget_tracker = BudgetTracker(Budget())
    with suppress(LumaError), budget_tracker.reserve() as reservation:
        reservation.spend()
        raise LumaError("too late")
    assert 500_000 == budget_tracker.spent


def test_p43_orders_under_way_count_before_they_are_paid() -> None:
    """Many orders at once cannot pass the budget together."""
    budget_tracker = BudgetTracker(Budget(tokens=1_200_000))
    with ExitStack() as under_way:
        under_way.enter_context(budget_tracker.reserve())
        under_way.enter_context(budget_tracker.reserve())
        with pytest.raises(BudgetExceededError) as caught:
            under_way.enter_context(budget_tracker.reserve())
    error = caught.value
    assert (1_200_000, 1_000_000, 500_000) == (error.budget, error.committed, error.needed)
    assert (
        "this request costs 500,000 tokens, and 1,000,000 of the budget of 1,200,000 are spent or "
        "set aside; nothing was sent"
    ) == str(error)


@given(
    st.integers(0, 10_000_000),
    st.integers(0, 1_000_000),
    st.lists(st.booleans(), max_size=60),
)
def test_no_series_of_orders_passes_the_budget(
    tokens: int, price: int, endings: list[bool]
) -> None:
    """Whatever is accepted or refused, what is spent stays within."""
    budget_tracker = BudgetTracker(Budget(tokens=tokens, per_create=price))
    for accepted in endings:
        try:
            with budget_tracker.reserve() as reservation:
                if accepted:
                    reservation.spend()
        except BudgetExceededError:
            assert budget_tracker.spent + price > tokens
    assert budget_tracker.spent <= tokens
