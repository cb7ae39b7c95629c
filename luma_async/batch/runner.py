"""Runs the orders of a batch, a bounded number of them at the service."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from contextvars import Context, copy_context
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
from attrs import define, field

from luma_async._payments.sansio.circuit_breaker import ACCOUNT_ERRORS, CircuitBreaker
from luma_async._runtime import clock, telemetry
from luma_async._runtime.failpoints import failpoint
from luma_async._runtime.task_pool import TaskPool
from luma_async.batch.account_list import AccountList
from luma_async.batch.journal import Journal
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import OrderState, Record, Run
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.batch.ledger.sansio.transitions import AT_SERVICE
from luma_async.batch.options import BatchOptions
from luma_async.batch.order_run import LOST, BatchOutcome, OrderRun, unknown_error
from luma_async.client import LumaClient
from luma_async.errors import ConnectError, LedgerError, LumaError, RateLimitError

_LOGGER = "luma_async.batch"
_MAX_SENDING = 16


@define(eq=False)
class Runner:
    """One run of a batch.

    Orders that are paid already are followed at once, however many; planned ones are sent as slots
    at the service become free. A cancelled task first completes and records a payment that is in
    flight.
    """

    _journal: Journal
    _luma: LumaClient
    _folder: Path
    _options: BatchOptions
    _breaker: CircuitBreaker = field(init=False)
    _account_list: AccountList = field(init=False)
    _planned: deque[Record] = field(factory=deque, init=False)
    _states: dict[str, OrderState] = field(factory=dict, init=False)
    _running: set[str] = field(factory=set, init=False)
    _at_service: set[str] = field(factory=set, init=False)
    _sending: set[str] = field(factory=set, init=False)
    _wakeup: asyncio.Event = field(factory=asyncio.Event, init=False)
    _context: Context = field(factory=copy_context, init=False)
    _pool: TaskPool[BatchOutcome] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._breaker = CircuitBreaker(self._options.outage_timeout)
        self._account_list = AccountList(self._luma)
        self._pool = TaskPool("luma_async batch", self._task_done)
        self._journal.observers.append(self._note)

    async def outcomes(self) -> AsyncGenerator[BatchOutcome]:
        """Yield the outcome of each order that was not final, as it ends.

        Raises:
            LumaError: No more orders were sent, as each would have met the same error.
        """
        run, records = await self._journal.ledger.transact(_begin, name="run")
        if run is None or self._pool.cancelled():
            return
        with telemetry.span("batch", {"luma_async.batch.orders": len(records)}) as span:
            self._context = span.context()
            telemetry.log(
                logging.INFO,
                "batch.began",
                {"luma_async.batch.orders": len(records)},
                "a batch of %d orders began",
                len(records),
                logger=_LOGGER,
            )
            self._start_all(run, records)
            try:
                async for outcome in self._pool:
                    yield outcome
                opened_by = None if self._pool.cancelled() else self._breaker.opened_by
                if (error := self._pool.failure or opened_by) is not None:
                    raise error
            finally:
                await self.close()

    def stop(self) -> None:
        """Send no more orders, and cancel what is no payment in flight."""
        self._pool.cancel()

    async def close(self) -> None:
        """Stop, and wait for the payments in flight."""
        await self._pool.close()

    def is_running(self, order_id: str) -> bool:
        """Return whether an order is in progress."""
        return order_id in self._running

    def _start_all(self, run: Run, records: list[Record]) -> None:
        self._states = {record.order_id: record.state for record in records}
        for record in records:
            if record.state == "unknown":
                # `_begin` may have changed it.
                self._journal.notify(record)
        self._planned.extend(record for record in records if record.state == "planned")
        for record in records:
            if not record.is_final and record.state != "planned":
                self._start(record)
        self._pool.spawn(self._feed(run), self._context.copy())

    def _start(self, record: Record) -> None:
        self._running.add(record.order_id)
        if record.state in AT_SERVICE:
            self._at_service.add(record.order_id)
        # A copy for each, as a span that begins in one task is not a parent in the others.
        self._pool.spawn(self._run(record), self._context.copy())

    def _task_done(self) -> None:
        if self._pool.failure is not None and not self._pool.cancelled():
            # What a task raises, as an error of the ledger, would meet the other orders too.
            self._pool.cancel()
        self._wakeup.set()

    async def _feed(self, run: Run) -> None:
        """Send the planned orders one after the other; some may be planned again meanwhile."""
        if self._planned:
            await self._take_baseline(run)
        while self._breaker.opened_by is None and (self._planned or len(self._pool) > 1):
            self._wakeup.clear()
            delay = self._breaker.delay(clock.now())
            if self._planned and not delay and self._has_room():
                record = self._planned.popleft()
                self._sending.add(record.order_id)
                self._at_service.add(record.order_id)
                self._start(record)
            else:
                with anyio.move_on_after(delay or None):
                    await self._wakeup.wait()

    def _has_room(self) -> bool:
        is_full = len(self._at_service) >= self._options.max_in_flight
        return not is_full and len(self._sending) < _MAX_SENDING

    async def _take_baseline(self, run: Run) -> None:
        """Record what the account has before anything is sent, so that it is not adopted."""
        while self._breaker.opened_by is None:
            await anyio.sleep(self._breaker.delay(clock.now()))
            try:
                listed = await self._luma.list()
            except (ConnectError, RateLimitError) as error:
                self._record_failure(error)
                continue
            except ACCOUNT_ERRORS as error:
                self._breaker.open(error)
                return
            except LumaError as error:
                telemetry.log(
                    logging.WARNING,
                    "batch.no_baseline",
                    telemetry.describe(error),
                    "The account cannot be listed (%s); orders whose answer gets lost are held",
                    type(error).__name__,
                    logger=_LOGGER,
                )
                return
            self._breaker.record_response()
            failpoint("baseline: listed")
            baseline = partial(
                rules.set_baseline, run=run, generation_ids=[one.id for one in listed]
            )
            await self._journal.ledger.transact(baseline, name="baseline")
            return

    async def _run(self, record: Record) -> None:
        order_run = OrderRun(
            record.order_id,
            self._journal,
            self._luma,
            self._folder,
            self._options,
            self._account_list,
        )
        try:
            outcome = await order_run.run()
        except LedgerError:
            raise
        except LumaError as error:
            self._record_failure(error)
            self._planned.appendleft(record)
        else:
            if outcome.record.state == "planned":
                self._planned.append(outcome.record)
            else:
                self._pool.put(outcome)
        finally:
            for order_ids in (self._running, self._at_service, self._sending):
                order_ids.discard(record.order_id)
            self._wakeup.set()

    def _record_failure(self, error: LumaError) -> None:
        """Record what keeps all orders from being sent, and log for how long."""
        before = self._breaker.delay(clock.now())
        self._breaker.record_failure(error, clock.now())
        seconds = self._breaker.delay(clock.now())
        if self._breaker.opened_by is None and not before:
            telemetry.log(
                logging.WARNING,
                "batch.held_back",
                {telemetry.DELAY: seconds, **telemetry.describe(error)},
                "Orders are held back for %.0f s: %s",
                seconds,
                error,
                logger=_LOGGER,
            )

    def _note(self, record: Record) -> None:
        """Adjust the circuit breaker and the free slots to the new state of an order."""
        order_id, state = record.order_id, record.state
        before, self._states[order_id] = self._states.get(order_id), state
        if state == before:
            return
        if state == "submitted":
            self._breaker.record_success()
        elif state == "unknown":
            self._breaker.record_unknown(unknown_error(record))
        elif state == "rejected":
            self._breaker.record_response()
        if state in ("planned", "submitting"):
            # An order that is to be sent again later keeps its slot.
            return
        self._sending.discard(order_id)
        if state in AT_SERVICE:
            self._at_service.add(order_id)
        else:
            self._at_service.discard(order_id)
        self._wakeup.set()


def _begin(transaction: LedgerTransaction) -> tuple[Run | None, list[Record]]:
    """Begin a run unless all orders are final; what the last run was sending becomes unknown."""
    records = transaction.records()
    if all(record.is_final for record in records):
        return None, records
    at = datetime.now(UTC)
    return rules.begin_run(transaction), [
        rules.mark_unknown(transaction, record.order_id, reason=LOST, at=at)
        if record.state == "submitting"
        else record
        for record in records
    ]
