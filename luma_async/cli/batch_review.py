"""The commands that look at a batch, and decide on orders that need a person."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import anyio

from luma_async.batch.batch import LEDGER_NAME
from luma_async.batch.ledger.sqlite import read_ledger
from luma_async.batch.report import result
from luma_async.batch.status import status_of
from luma_async.cli.batch_options import (
    DEFAULT_BATCH_OPTIONS,
    FolderArgument,
    count,
    print_record,
)
from luma_async.cli.exit_codes import ExitCode
from luma_async.cli.money import format_tokens
from luma_async.cli.options import DEFAULT_CONNECTION, ConnectionOptions
from luma_async.cli.output import DEFAULT_OUTPUT, Output, note
from luma_async.errors import ConfigurationError, LedgerError
from luma_async.settings import TOKENS_PER_USD, Budget


def status(folder: FolderArgument, /, *, output: Output = DEFAULT_OUTPUT) -> None:
    """Print how many orders are in which state, as the ledger has it.

    Parameters
    ----------
    folder
        The folder of the batch.
    """
    found = status_of(read_ledger(folder / LEDGER_NAME), Budget())
    value = {
        "folder": str(folder),
        "orders": found.orders,
        "counts": dict(found.counts),
        "tokens": found.tokens,
        "usd": found.tokens / TOKENS_PER_USD,
        "tokens_to_pay": found.to_pay,
    }
    lines = [f"{count:>6}  {state}" for state, count in found.counts.items()]
    output.result(value, "\n".join([*lines, f"{format_tokens(found.tokens)} spent"]))


async def review(
    folder: FolderArgument,
    /,
    *,
    adopt: Sequence[str] = (),
    dismiss: Sequence[int] = (),
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> int:
    """Adopt and dismiss orders, and print those that are held.

    Parameters
    ----------
    folder
        The folder of the batch.
    adopt
        NUMBER=ID: the order of this number became the generation of this id; the next run
        downloads its video.
    dismiss
        The number of an order that is neither to be looked for nor sent again.
    """
    await _require_batch(folder)
    async with connection.client() as luma, DEFAULT_BATCH_OPTIONS.open(folder, luma) as batch:
        order_ids = {record.number: record.order_id for record in await batch.records()}
        for pair in adopt:
            number, _, generation_id = pair.partition("=")
            await batch.adopt(_order_id(order_ids, number), generation_id)
        for dismissed in dismiss:
            await batch.dismiss(_order_id(order_ids, str(dismissed)))
        held = await batch.review()
    for one in held:
        record = one.record
        value = {**result(record), "candidates": list(one.candidates)}
        found = ", ".join(one.candidates) or "none in the list of the account"
        output.result(
            value,
            f"{record.number}  {record.order.excerpt!r}\n"
            f"    sent {record.sent_at:%Y-%m-%d %H:%M:%S} UTC: {record.reason}\n"
            f"    may be: {found}",
        )
    if held:
        again = f"luma-async batch review {shlex.quote(str(folder))}"
        note(f"if one matches: `{again} --adopt NUMBER=ID`; if none does after some minutes:")
        note(f"`luma-async batch retry {shlex.quote(str(folder))} NUMBER --may-pay-twice`")
    return ExitCode.UNKNOWN if held else ExitCode.DONE


async def retry(
    folder: FolderArgument,
    numbers: Sequence[int] = (),
    /,
    *,
    may_pay_twice: bool = False,
    connection: ConnectionOptions = DEFAULT_CONNECTION,
    output: Output = DEFAULT_OUTPUT,
) -> None:
    """Plan orders again.

    Parameters
    ----------
    folder
        The folder of the batch.
    numbers
        Which orders; all that failed or were rejected by default.
    may_pay_twice
        Also plan orders, given by their numbers, that may have been paid already.
    """
    await _require_batch(folder)
    async with connection.client() as luma, DEFAULT_BATCH_OPTIONS.open(folder, luma) as batch:
        records = await batch.records()
        order_ids = {one.number: one.order_id for one in records}
        chosen = [_order_id(order_ids, str(number)) for number in numbers]
        held = [one.number for one in records if one.may_be_paid and one.order_id in chosen]
        if held and not may_pay_twice:
            raise ConfigurationError(
                f"order {held[0]} may have been paid already: check with `luma-async batch review` "
                "or pass --may-pay-twice"
            )
        if not numbers:
            ended = [one for one in records if one.state in ("failed", "rejected")]
            chosen = [one.order_id for one in ended if not one.may_be_paid]
        planned = await batch.retry(chosen)
    for record in planned:
        print_record(output, record)
    price = format_tokens(len(planned) * Budget().per_create)
    note(f"{count(len(planned), 'order')} planned again, {price}: `luma-async batch run {folder}`")


async def _require_batch(folder: Path) -> None:
    if not await anyio.Path(folder / LEDGER_NAME).exists():
        raise LedgerError(f"{folder / LEDGER_NAME}: there is no batch")


def _order_id(order_ids: dict[int, str], number: str) -> str:
    if not number.isdecimal() or int(number) not in order_ids:
        raise ConfigurationError(f"there is no order {number!r} in this batch")
    return order_ids[int(number)]
