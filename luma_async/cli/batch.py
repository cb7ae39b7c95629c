"""The commands for batches: many orders, paid once, whatever happens to the program."""

import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from luma_async.batch import Batch, BatchStatus, NewOrder
from luma_async.batch.batch import LEDGER_NAME
from luma_async.batch.sansio.order_files import read_orders
from luma_async.cli.batch_options import (
    DEFAULT_BATCH_OPTIONS,
    BatchOptions,
    FolderArgument,
    count,
    print_record,
)
from luma_async.cli.exit_codes import ExitCode, highest
from luma_async.cli.money import format_tokens
from luma_async.cli.options import DEFAULT_CONNECTION, ConnectionOptions
from luma_async.cli.output import DEFAULT_OUTPUT, Output, note, report
from luma_async.cli.progress_display import ProgressDisplay
from luma_async.cli.signals import graceful_shutdown
from luma_async.errors import ConfigurationError, LedgerError, LumaError


def run(
    folder: FolderArgument,
    orders: Sequence[Path] = (),
    /,
    *,
    yes: bool = False,
    options: BatchOptions = DEFAULT_BATCH_OPTIONS,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> int:
    """Add the orders, ask whether to pay, and run the batch.

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
        raise ConfigurationError(f"there is no batch in {folder} yet: pass a file of orders")
    new = [one for path in orders for one in read_orders(str(path), path.read_bytes())]
    status = asyncio.run(_add(folder, new, options, connection))
    payments = _payments(status, options)
    if payments and not yes:
        _confirm(folder)
    limit = sys.maxsize if yes else payments
    return asyncio.run(_run(folder, options, connection, output, max_payments=limit))


async def _add(
    folder: Path, orders: Sequence[NewOrder], options: BatchOptions, connection: ConnectionOptions
) -> BatchStatus:
    """Add the orders, and say what that will cost."""
    async with connection.client() as luma, options.open(folder, luma) as batch:
        if orders:
            note(f"{count(await batch.add(orders), 'new order')} of {len(orders):,}")
        status = await batch.status()
    note(_plan(folder, status, options))
    return status


def _plan(folder: Path, status: BatchStatus, options: BatchOptions) -> str:
    planned, held = status.counts.get("planned", 0), _held(status)
    text = f"{folder}: {count(status.orders, 'order')}, {status.counts.get('done', 0)} done"
    if held:
        text += f", {held} held"
    if planned:
        text += f"; {count(planned, 'order')} to pay: {format_tokens(status.to_pay)}"
    if _payments(status, options) > planned:
        text += f"; {count(held, 'held order')} may be paid again"
    elif not planned:
        text += "; nothing to pay"
    if status.budget is not None and status.tokens + status.to_pay > status.budget:
        left = max(status.budget - status.tokens, 0) * planned // status.to_pay
        text += f". The budget of {format_tokens(status.budget)} allows for {left} of them"
    return text


def _held(status: BatchStatus) -> int:
    return status.counts.get("unknown", 0) + status.counts.get("submitting", 0)


def _payments(status: BatchStatus, options: BatchOptions) -> int:
    """Count the orders that a run may pay for."""
    again = _held(status) if options.on_unknown == "resubmit" else 0
    return status.counts.get("planned", 0) + again


def _confirm(folder: Path) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError("cannot ask for confirmation: stdin is not a terminal; pass --yes")
    print("Pay for them? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigurationError(f"nothing was paid; the orders stay planned in {folder}")


async def _run(
    folder: Path,
    options: BatchOptions,
    connection: ConnectionOptions,
    output: Output,
    *,
    max_payments: int,
) -> ExitCode:
    arguments = [str(folder), *options.to_arguments(), *connection.to_arguments()]
    resume_command = shlex.join(["luma-async", "batch", "run", *arguments])
    async with connection.client() as luma:
        display = ProgressDisplay(luma.statistics, options.max_in_flight)
        async with options.open(folder, luma, display) as batch:
            if _payments(await batch.status(), options) > max_payments:
                raise ConfigurationError("orders were added in the meantime; run the command again")
            display.begin(await batch.records())
            with graceful_shutdown(batch.stop, resume_command) as shutdown:
                async with display.shown():
                    codes = [await _print_outcomes(batch, output, folder, resume_command)]
            status = await batch.status()
    note(display.line())
    if shutdown.is_requested:
        note(f"interrupted; all payments are recorded. Resume with: {resume_command}")
        return ExitCode.INTERRUPTED
    note(f"open {folder / 'index.html'} to see the videos")
    if status.counts.get("failed", 0) or status.counts.get("rejected", 0):
        codes.append(ExitCode.FAILED)
    if held := _held(status):
        codes.append(ExitCode.UNKNOWN)
        note(
            f"{count(held, 'order')} may have been paid: check with "
            f"`luma-async batch review {shlex.quote(str(folder))}`"
        )
    return highest(codes)


async def _print_outcomes(
    batch: Batch, output: Output, folder: Path, resume_command: str
) -> ExitCode:
    code = ExitCode.DONE
    try:
        async for outcome in batch.run():
            if outcome.error is not None and outcome.record.state != "unknown":
                code = ExitCode.FAILED
            print_record(output, outcome.record)
    except LedgerError as error:
        review = f"`luma-async batch review {shlex.quote(str(folder))}`"
        return report(error, hint=f"{review} shows what may have been paid")
    except LumaError as error:
        code = highest([code, report(error)])
        note(f"all payments are recorded; resume with `{resume_command}`")
    except BrokenPipeError:
        note(f"stdout is closed; resume with `{resume_command}`")
        raise
    except OSError as error:
        note(f"luma-async: cannot print results: {error}; resume with `{resume_command}`")
        return ExitCode.FAILED
    return code
