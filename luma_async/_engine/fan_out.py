"""Many orders, a bounded number of them in flight."""

import math
from collections.abc import AsyncGenerator, AsyncIterable, Iterable

import anyio
from attrs import define, field

from luma_async._engine.engine import Engine
from luma_async._payments.sansio.circuit_breaker import ACCOUNT_ERRORS, CircuitBreaker
from luma_async._runtime.task_pool import TaskPool
from luma_async._tracking.waits import wait_for_one
from luma_async.errors import (
    BudgetExceededError,
    ClientStateError,
    GenerationFailedError,
    LumaError,
    SubmissionUnknownError,
)
from luma_async.models import Generation, Order
from luma_async.outcome import Outcome

Orders = Iterable[Order | str] | AsyncIterable[Order | str]


@define(eq=False)
class FanOut:
    """Creates and waits for orders from an iterable that is read as slots become free.

    A slot is acquired before an order is read, and released when its outcome is consumed. So
    nothing is paid for a consumer that has stopped consuming.
    """

    _engine: Engine
    _orders: Orders
    _slots: anyio.Semaphore
    _creating: anyio.Semaphore
    _breaker: CircuitBreaker = field(factory=CircuitBreaker, init=False)
    _running: dict[str, Outcome] = field(factory=dict, init=False)
    _pool: TaskPool[Outcome] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._pool = TaskPool("luma_async order", self._task_done)

    async def outcomes(self) -> AsyncGenerator[Outcome]:
        """Yield the outcome of each order as it ends.

        Raises:
            LumaError: No further order was read, as it would have met the same error.
            Exception: What reading the orders raised, after all that were read have ended.
        """
        self._pool.spawn(self._feed())
        try:
            async for outcome in self._pool:
                self._slots.release()
                yield outcome
        finally:
            try:
                await self._pool.close()
            finally:
                await self._report_unclaimed()
        if self._breaker.opened_by is not None:
            raise self._breaker.opened_by

    def _task_done(self) -> None:
        if self._pool.failure is not None:
            self._breaker.open(self._pool.failure)
            # The order has no outcome that would release its slot.
            self._slots.release()

    async def _feed(self) -> None:
        orders = _each(self._orders)
        while True:
            await self._slots.acquire()
            await self._creating.acquire()
            if self._breaker.opened_by is not None:
                return
            try:
                order = await anext(orders)
            except StopAsyncIteration:
                return
            self._pool.spawn(self._run(order if isinstance(order, Order) else Order(order)))

    async def _run(self, order: Order) -> None:
        generation = None
        try:
            generation = await self._create(order)
            self._running[generation.id] = Outcome(order=order, generation=generation)
            done = await wait_for_one(self._engine.tracker, generation, math.inf)
            outcome = Outcome(order=order, generation=done)
        except GenerationFailedError as error:
            outcome = Outcome(order=order, generation=error.generation, error=error)
        except LumaError as error:
            outcome = Outcome(order=order, generation=generation, error=error)
        if generation is not None:
            self._running.pop(generation.id, None)
        self._pool.put(outcome)

    async def _create(self, order: Order) -> Generation:
        try:
            generation = await self._engine.submit(order)
        except SubmissionUnknownError as error:
            self._breaker.record_unknown(error)
            raise
        except (*ACCOUNT_ERRORS, BudgetExceededError, ClientStateError) as error:
            self._breaker.open(error)
            raise
        finally:
            self._creating.release()
        self._breaker.record_success()
        return generation

    async def _report_unclaimed(self) -> None:
        unclaimed = [*self._running.values(), *[outcome async for outcome in self._pool]]
        for outcome in unclaimed:
            if outcome.generation is not None or isinstance(outcome.error, SubmissionUnknownError):
                self._engine.submitter.report_unclaimed(outcome)


async def _each(orders: Orders) -> AsyncGenerator[Order | str]:
    if isinstance(orders, AsyncIterable):
        async for order in orders:
            yield order
    else:
        for order in orders:
            yield order
