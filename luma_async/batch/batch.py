"""A batch: a folder of orders, their ledger and their videos."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define

from luma_async._api.sansio.validation import check_many, check_order
from luma_async._payments.sansio.reconciliation import candidates
from luma_async._runtime.shield import in_thread
from luma_async.batch.journal import Journal
from luma_async.batch.ledger.sansio import transitions as rules
from luma_async.batch.ledger.sansio.record import NewOrder, Record
from luma_async.batch.ledger.sansio.transitions import OnUnknown
from luma_async.batch.ledger.sqlite import SqliteLedger
from luma_async.batch.options import BatchOptions
from luma_async.batch.order_run import BatchOutcome
from luma_async.batch.report import Report
from luma_async.batch.runner import Runner
from luma_async.batch.sansio.order_files import check_order_id, read_orders
from luma_async.batch.status import BatchStatus, HeldOrder, status_of
from luma_async.client import LumaClient
from luma_async.errors import ClientStateError, ConfigurationError, LedgerError
from luma_async.models import Order
from luma_async.settings import Budget

LEDGER_NAME = "orders.sqlite"


@define(eq=False)
class Batch:
    """Many orders, each paid once, whatever happens to the program.

    ::

        async with LumaClient() as luma, Batch.open("foxes", luma) as batch:
            await batch.add(["A red fox", "A blue fox"])
            async for outcome in batch.run():
                print(outcome.record.file, outcome.error)

    The folder holds the result: ``videos/`` with the files, ``index.html`` to view them,
    ``results.jsonl`` for other programs, and ``orders.sqlite``, the ledger, which records what was
    paid for each order. Run the same lines again to resume, however the program ended.
    """

    _folder: Path
    _luma: LumaClient
    _options: BatchOptions
    _accept_new_key: bool
    _on_change: Callable[[Record], None] | None
    _ledger: SqliteLedger | None = None
    _runner: Runner | None = None

    @classmethod
    def open(
        cls,
        folder: str | Path,
        luma: LumaClient,
        *,
        on_unknown: OnUnknown = "hold",
        max_in_flight: int = 50,
        budget: Budget | None = None,
        timeout: float | None = 3600.0,
        list_delay: float = 60.0,
        outage_timeout: float = 600.0,
        accept_new_key: bool = False,
        on_change: Callable[[Record], None] | None = None,
    ) -> Self:
        """Return a batch, to be entered by ``async with``.

        Args:
            folder: The folder of the batch; it is created if it is missing. It has to be on a local
                disk, as network file systems do not keep the locks that protect it.
            luma: An open client.
            on_unknown: What to do with an order whose outcome is unknown: it may be paid.
                ``"hold"`` leaves it for a person (see `review`). ``"reconcile"`` searches the
                account's list, adopts the generation that it became if there is no doubt, and
                holds it otherwise. ``"resubmit"`` also pays again for one that the list proves
                twice not to be there.
            max_in_flight: The generations that run at the service at once.
            budget: What the batch may spend in all its runs together, including what may have been
                paid.
            timeout: The seconds to wait for one video in a run; None waits without a limit. A
                later run waits again.
            list_delay: The seconds after which the account's list is expected to show an order.
            outage_timeout: The seconds for which orders are held back and retried while the
                service is out of reach or limits the rate, before the run stops sending.
            accept_new_key: Whether a batch that was made with another key may be used with this
                one. Set it only if this is a new key of the same account.
            on_change: Called with the record of an order after each of its changes.

        Raises:
            ConfigurationError: An option is invalid.
        """
        return cls(
            Path(folder),
            luma,
            BatchOptions(
                on_unknown=on_unknown,
                max_in_flight=max_in_flight,
                budget=Budget() if budget is None else budget,
                timeout=timeout,
                list_delay=list_delay,
                look_interval=min(10.0, list_delay),
                outage_timeout=outage_timeout,
            ),
            accept_new_key,
            on_change,
        )

    async def __aenter__(self) -> Self:
        """Open the ledger of the batch, as its only owner.

        Raises:
            LedgerError: It is in use, damaged, newer than this package, or of another account.
        """
        account = await self._luma.account()
        ledger = SqliteLedger(self._folder / LEDGER_NAME)
        try:
            await in_thread((self._folder / "videos").mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(f"{self._folder}: cannot be made: {error}") from None
        await ledger.open(account.mark, accept_new_key=self._accept_new_key)
        self._ledger = ledger
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the ledger, after payments in flight have been recorded."""
        ledger, self._ledger = self._ledger, None
        try:
            if self._runner is not None:
                # The iteration may have been left without being closed.
                await self._runner.close()
        finally:
            if ledger is not None:
                await ledger.aclose()

    async def add(self, orders: Iterable[Order | str | NewOrder]) -> int:
        """Add orders, all of them or none. Nothing is sent.

        Adding the same orders again adds nothing. Two equal orders in one call are two videos:
        equal orders are distinguished by how many come before them in the call.

        Returns:
            How many were added.

        Raises:
            ConfigurationError: One of them is invalid.
        """
        check_many(orders)
        added = [_new(order) for order in orders]
        return await self._open_ledger().transact(
            lambda transaction: rules.plan(transaction, added), name="add"
        )

    async def add_file(self, path: str | Path) -> int:
        """Add the orders of a file: text with a prompt a line, ``.jsonl`` or ``.csv``.

        Raises:
            ConfigurationError: A line is not a valid order; the message has its number.
            OSError: The file cannot be read.
        """
        path = Path(path)
        found = await in_thread(lambda: read_orders(path.name, path.read_bytes()))
        return await self.add(found)

    async def run(self) -> AsyncGenerator[BatchOutcome]:
        """Take every order as far as it gets, and iterate over the outcomes as they come.

        Orders that were final before have no outcome; held orders have one in each run. Running a
        finished batch again sends no request. When the iteration is left, or `stop` is called,
        payments in flight are completed and recorded; the next run resumes what was paid. Use
        `contextlib.aclosing` to run it again right after leaving it.

        Raises:
            LumaError: No more orders were sent, as the key, the credits, the budget, the network
                or the ledger would fail for every further order, or as three outcomes in a row
                are unknown. It is raised after all paid orders have reached their end.
        """
        ledger = self._open_ledger()
        if self._runner is not None:
            raise ClientStateError("this batch is running already")
        report = Report(self._folder)
        journal = Journal(ledger, [report.note], self._on_change)
        self._runner = Runner(journal, self._luma, self._folder, self._options)
        try:
            for record in await self.records():
                report.note(record)
            report.start()
            try:
                async with aclosing(self._runner.outcomes()) as outcomes:
                    async for outcome in outcomes:
                        yield outcome
            finally:
                await report.finish()
        finally:
            self._runner = None

    def stop(self) -> None:
        """End the run soon: send no more orders, and complete the payments in flight."""
        if self._runner is not None:
            self._runner.stop()

    async def records(self) -> list[Record]:
        """Return the record of each order."""
        return await self._open_ledger().transact(
            lambda transaction: transaction.records(), name="read"
        )

    async def status(self) -> BatchStatus:
        """Return the counts of orders, and what they cost."""
        records = await self.records()
        return status_of(records, self._options.budget)

    async def review(self) -> list[HeldOrder]:
        """Return the orders in doubt, with the generations that they may have become. Free.

        Raises:
            LumaError: The account cannot be listed.
        """
        records = await self.records()
        held = [record for record in records if record.state in ("unknown", "submitting")]
        listed = await self._luma.list() if held else []
        claimed = {record.generation_id for record in records}
        return [
            HeldOrder(
                record=one, candidates=tuple(candidates(one.order.user_prompt, claimed, listed))
            )
            for one in held
        ]

    async def adopt(self, order_id: str, generation_id: str) -> Record:
        """Assign a generation of the account to a held order; the next run downloads its video.

        A wrong assignment can be corrected the same way until the video is complete.

        Raises:
            NotFoundError: The account has no such generation.
            LedgerError: The order is not held, or another order has that generation.
            LumaError: The service could not be asked.
        """
        ledger = self._open_ledger()
        self._check_idle(order_id)
        await self._luma.get(generation_id)
        return await ledger.transact(
            lambda transaction: rules.adopt(
                transaction, order_id, generation_id, at=datetime.now(UTC)
            ),
            name="adopt",
        )

    async def dismiss(self, order_id: str) -> Record:
        """Give up a held order: it is neither searched for nor sent again.

        Raises:
            LedgerError: It is not held.
        """
        self._check_idle(order_id)
        return await self._open_ledger().transact(
            lambda transaction: rules.dismiss(transaction, order_id), name="dismiss"
        )

    async def retry(self, order_ids: Iterable[str]) -> list[Record]:
        """Plan orders again that failed, were rejected or are held. The next run pays for them.

        A held order may then be paid twice; check `review` first.

        Raises:
            LedgerError: One of them is in another state; none is planned then.
        """
        order_ids = list(order_ids)
        self._check_idle(*order_ids)
        return await self._open_ledger().transact(
            lambda transaction: rules.retry(transaction, order_ids), name="retry"
        )

    def _open_ledger(self) -> SqliteLedger:
        if self._ledger is None:
            raise ClientStateError("open the batch first: async with Batch.open(...) as batch")
        return self._ledger

    def _check_idle(self, *order_ids: str) -> None:
        for order_id in order_ids:
            if self._runner is not None and self._runner.is_running(order_id):
                raise LedgerError(f"order {order_id!r} is in progress; wait for its outcome")


def _new(order: Order | str | NewOrder) -> NewOrder:
    if not isinstance(order, NewOrder):
        order = NewOrder(order if isinstance(order, Order) else Order(order))
    check_order(order.order)
    check_order_id(order.order_id)
    if order.source is not None and not isinstance(order.source, str):
        raise ConfigurationError(f"source={order.source!r}: expected text, or None")
    return order
