"""Many orders, a bounded number of them at the service at a time."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Iterable

import anyio
from attrs import define, field

from luma_async._engine.engine import Engine
from luma_async._tracking.waits import wait_for_one
from luma_async.errors import (
    AuthenticationError,
    BudgetExceededError,
    ClientStateError,
    GenerationFailedError,
    LumaError,
    OutOfCreditsError,
    PermissionDeniedError,
    SubmissionUnknownError,
)
from luma_async.models import Generation, Order
from luma_async.outcome import Outcome

Orders = Iterable[Order | str] | AsyncIterable[Order | str]

_HOPELESS = (
    AuthenticationError,
    BudgetExceededError,
    ClientStateError,
    OutOfCreditsError,
    PermissionDeniedError,
)
_UNKNOWN_IN_A_ROW = 3


@define(eq=False)
class FanOut:
    """Creates and waits for orders from an iterable that is read as slots become free.

    A slot is taken before an order is read, and given back when its outcome is taken. So
    nothing is paid for a consumer that has stopped consuming.
    """

    _engine: Engine
    _orders: Orders
    _slots: anyio.Semaphore
    _creating: anyio.Semaphore
    _outcomes: "asyncio.Queue[Outcome | None]" = field(factory=asyncio.Queue, init=False)
    _tasks: set["asyncio.Task[None]"] = field(factory=set, init=False)
    _running: dict[str, Outcome] = field(factory=dict, init=False)
    _unknown: int = field(default=0, init=False)
    _stopped_by: BaseException | None = field(default=None, init=False)

    async def outcomes(self) -> AsyncGenerator[Outcome]:
        """Yield how each order ended, in the order in which they do.

        Raises:
            LumaError: No further order was read, as it would have met the same error.
            Exception: What reading the orders raised, after all that were read have ended.
        """
        self._spawn(self._feed())
        try:
            while (outcome := await self._outcomes.get()) is not None:
                self._slots.release()
                yield outcome
        finally:
            await self._abandon()
        if self._stopped_by is not None:
            raise self._stopped_by

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="luma_async order")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self._stop(error)
        if not self._tasks:
            self._outcomes.put_nowait(None)

    async def _feed(self) -> None:
        orders = _each(self._orders)
        while True:
            await self._slots.acquire()
            await self._creating.acquire()
            if self._stopped_by is not None:
                return
            try:
                order = await anext(orders)
            except StopAsyncIteration:
                return
            self._spawn(self._run(order if isinstance(order, Order) else Order(order)))

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
        self._outcomes.put_nowait(outcome)

    async def _create(self, order: Order) -> Generation:
        try:
            generation = await self._engine.submit(order)
        except SubmissionUnknownError as error:
            self._unknown += 1
            if self._unknown == _UNKNOWN_IN_A_ROW:
                self._stop(error)
            raise
        except _HOPELESS as error:
            self._stop(error)
            raise
        finally:
            self._creating.release()
        self._unknown = 0
        return generation

    def _stop(self, error: BaseException) -> None:
        self._stopped_by = self._stopped_by or error
        # Whoever waits for a slot is to find out now.
        self._slots.release()

    async def _abandon(self) -> None:
        """End what still runs, and tell of what was paid and nobody has heard of."""
        for task in self._tasks:
            task.cancel()
        try:
            with anyio.CancelScope(shield=True):
                if self._tasks:
                    await asyncio.wait(self._tasks)
        finally:
            self._disclose_unheard()

    def _disclose_unheard(self) -> None:
        unheard = [*self._running.values()]
        while not self._outcomes.empty():
            outcome = self._outcomes.get_nowait()
            if outcome is not None and _is_paid(outcome):
                unheard.append(outcome)
        for outcome in unheard:
            self._engine.submitter.report_unclaimed(outcome)


def _is_paid(outcome: Outcome) -> bool:
    return outcome.generation is not None or isinstance(outcome.error, SubmissionUnknownError)


async def _each(orders: Orders) -> AsyncGenerator[Order | str]:
    if isinstance(orders, AsyncIterable):
        async for order in orders:
            yield order
    else:
        for order in orders:
            yield order
