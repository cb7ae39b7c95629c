"""The commands for batches: many orders, paid once, whatever happens to the program."""

import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen
from cyclopts import App

from luma_async.batch import Batch, BatchStatus, NewOrder
from luma_async.batch.batch import LEDGER_NAME
from luma_async.batch.sansio.order_files import read_orders
from luma_async.cli.batch_options import (
    CONNECTION,
    OUTPUT,
    USUAL,
    Choices,
    FolderArgument,
    count,
    print_record,
)
from luma_async.cli.batch_review import retry, review, status
from luma_async.cli.connection import Connection
from luma_async.cli.exit_codes import Exit, worst
from luma_async.cli.money import format_tokens
from luma_async.cli.output import Output, note, report
from luma_async.cli.progress_display import Board
from luma_async.cli.signals import stopping
from luma_async.errors import ConfigurationError, LedgerError, LumaError

HELP = """Many videos, paid once, whatever happens to the program.

For example: `luma-async batch run foxes prompts.txt --budget 5usd`
"""


def run(
    folder: FolderArgument,
    orders: Sequence[Path] = (),
    /,
    *,
    yes: bool = False,
    choices: Choices = USUAL,
    connection: Connection = CONNECTION,
    output: Output = OUTPUT,
) -> int:
    """Order, follow and download many videos, or go on where the last run ended.

    For example: `luma-async batch run foxes prompts.txt --budget 5usd`

    The folder is the result: videos/, index.html to look at them, results.jsonl for programs, and
    orders.sqlite, which knows what was paid. Ctrl-C stops it; the same command goes on.

    Parameters
    ----------
    folder
        The folder of the batch; it is made if it is missing.
    orders
        Files of orders: a prompt a line, or .jsonl or .csv with the fields of an order. The same
        file again adds nothing. Without one, the batch goes on with what it has.
    yes
        Pay without asking.
    """
    if not orders and not (folder / LEDGER_NAME).exists():
        raise ConfigurationError(f"{folder} holds no batch yet: name a file of orders")
    options = [*choices.words(), *connection.words()]
    again = shlex.join(["luma-async", "batch", "run", str(folder), *options])
    new = [one for path in orders for one in read_orders(str(path), path.read_bytes())]
    status = asyncio.run(_add(folder, new, choices, connection))
    most = _payments(status, choices)
    if most and not yes:
        _ask(folder)
    show = _Show(folder, choices, connection, output, again, sys.maxsize if yes else most)
    return asyncio.run(show.run())


async def _add(
    folder: Path, orders: Sequence[NewOrder], choices: Choices, connection: Connection
) -> BatchStatus:
    """Add the orders, and say what that will cost."""
    async with connection.client() as luma, choices.open(folder, luma) as batch:
        if orders:
            note(f"{count(await batch.add(orders), 'new order')} of {len(orders):,}")
        status = await batch.status()
    note(_plan(folder, status, choices))
    return status


def _plan(folder: Path, status: BatchStatus, choices: Choices) -> str:
    planned, held = status.counts.get("planned", 0), _held(status)
    text = f"{folder}: {count(status.orders, 'order')}, {status.counts.get('done', 0)} done"
    if held:
        text += f", {held} held"
    if planned:
        text += f"; {count(planned, 'order')} to pay: {format_tokens(status.to_pay)}"
    if _payments(status, choices) > planned:
        text += f"; {count(held, 'held order')} may be paid again"
    elif not planned:
        text += "; nothing is to be paid"
    if status.budget is not None and status.tokens + status.to_pay > status.budget:
        left = max(status.budget - status.tokens, 0) * planned // status.to_pay
        text += f". The budget of {format_tokens(status.budget)} allows for {left} of them"
    return text


def _held(status: BatchStatus) -> int:
    return status.counts.get("unknown", 0) + status.counts.get("submitting", 0)


def _payments(status: BatchStatus, choices: Choices) -> int:
    """Count the orders that a run may pay for."""
    again = _held(status) if choices.on_unknown == "resubmit" else 0
    return status.counts.get("planned", 0) + again


def _ask(folder: Path) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError("nobody is there to be asked whether to pay: give --yes")
    print("Pay for them? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigurationError(f"nothing is paid; the orders stay planned in {folder}")


@frozen
class _Show:
    """Runs a batch before a person's eyes."""

    _folder: Path
    _choices: Choices
    _connection: Connection
    _output: Output
    _again: str
    _most_payments: int

    async def run(self) -> int:
        """Run the batch and return the exit code."""
        codes = [Exit.DONE]
        async with self._connection.client() as luma:
            board = Board(luma.statistics, self._choices.max_in_flight)
            async with self._choices.open(self._folder, luma, board) as batch:
                if _payments(await batch.status(), self._choices) > self._most_payments:
                    raise ConfigurationError("orders were added meanwhile; run it again")
                board.begin(await batch.records())
                with stopping(batch.stop, self._again) as stop:
                    async with board.shown():
                        codes += [await self._outcomes(batch)]
                status = await batch.status()
        note(board.line())
        if stop.is_asked:
            note(f"interrupted; what is paid is recorded. Go on with: {self._again}")
            return Exit.INTERRUPTED
        note(f"look at {self._folder / 'index.html'}")
        if status.counts.get("failed", 0) or status.counts.get("rejected", 0):
            codes.append(Exit.FAILED)
        if held := _held(status):
            codes.append(Exit.UNKNOWN)
            note(
                f"{count(held, 'order')} may have been paid: look with "
                f"`luma-async batch review {shlex.quote(str(self._folder))}`"
            )
        return worst(codes)

    async def _outcomes(self, batch: Batch) -> Exit:
        codes = [Exit.DONE]
        try:
            async for outcome in batch.run():
                if outcome.error is not None and outcome.record.state != "unknown":
                    codes.append(Exit.FAILED)
                print_record(self._output, outcome.record)
        except LedgerError as error:
            folder = shlex.quote(str(self._folder))
            hint = f"`luma-async batch review {folder}` shows what may have been paid"
            codes.append(report(error, hint=hint))
        except LumaError as error:
            codes.append(report(error))
            note(f"what is paid is recorded; go on with `{self._again}`")
        except BrokenPipeError:
            note(f"nobody reads the results any more; go on with `{self._again}`")
            raise
        except OSError as error:
            note(f"luma-async: results cannot be printed: {error}; go on with `{self._again}`")
            codes.append(Exit.FAILED)
        return worst(codes)


def add_batch(app: App) -> None:
    """Register the commands of batches."""
    commands = App(name="batch", help=HELP)
    for command in (run, status, review, retry):
        commands.command(command)
    app.command(commands)
