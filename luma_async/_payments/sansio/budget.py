"""What a client has spent, and what it has set aside for paid requests under way."""

from collections.abc import Generator
from contextlib import contextmanager

from attrs import define, field

from luma_async.errors import BudgetExceededError
from luma_async.settings import Budget


@define(eq=False)
class Reservation:
    """The price of one paid request, set aside before it is sent."""

    tokens: int
    spent: bool = False

    def spend(self) -> None:
        """Keep the tokens for good: the order was accepted, or may have been."""
        self.spent = True


@define(eq=False)
class BudgetTracker:
    """Keeps a client within its `Budget`."""

    _budget: Budget
    spent: int = field(default=0, init=False)
    _reserved: int = field(default=0, init=False)

    @contextmanager
    def reserve(self) -> Generator[Reservation]:
        """Set the price of one order aside; it is given back unless it was spent.

        Raises:
            BudgetExceededError: The budget does not allow for another order.
        """
        price = self._budget.per_create
        committed = self.spent + self._reserved
        if self._budget.tokens is not None and committed + price > self._budget.tokens:
            raise BudgetExceededError(budget=self._budget.tokens, committed=committed, needed=price)
        reservation = Reservation(price)
        self._reserved += price
        try:
            yield reservation
        finally:
            self._reserved -= price
            if reservation.spent:
                self.spent += price
