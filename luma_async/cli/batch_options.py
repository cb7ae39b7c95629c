"""What the commands for batches have in common."""

from pathlib import Path
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter

from luma_async.batch import Batch, OnUnknown, Record
from luma_async.batch.report import result
from luma_async.cli.money import TokenAmount
from luma_async.cli.output import Output
from luma_async.cli.progress_display import ProgressDisplay
from luma_async.client import LumaClient
from luma_async.settings import Budget


@Parameter(name="*")
@frozen(kw_only=True)
class BatchOptions:
    """What a batch may do.

    Attributes:
        budget: What the batch may spend in all its runs: 5usd, or 10M tokens.
        on_unknown: What becomes of an order that may have been paid: hold it for a look of yours,
            reconcile it with the list of the account, or resubmit it if the list lacks it.
        max_in_flight: How many videos are made at once.
        timeout: The seconds to wait for one video.
        list_delay: The seconds after which the list of the account is expected to show an order.
        accept_new_key: Go on with another key of the same account.
    """

    budget: TokenAmount | None = None
    on_unknown: OnUnknown = "hold"
    max_in_flight: int = 50
    timeout: float = 3600.0
    list_delay: float = 60.0
    accept_new_key: bool = False

    def open(self, folder: Path, luma: LumaClient, display: ProgressDisplay | None = None) -> Batch:
        """Open the batch."""
        return Batch.open(
            folder,
            luma,
            on_unknown=self.on_unknown,
            max_in_flight=self.max_in_flight,
            budget=Budget(tokens=self.budget),
            timeout=self.timeout,
            list_delay=self.list_delay,
            accept_new_key=self.accept_new_key,
            on_change=None if display is None else display.update,
        )

    def to_arguments(self) -> list[str]:
        """Return the options for a command line, without those that are at their defaults."""
        values = {
            "--budget": self.budget,
            "--on-unknown": self.on_unknown,
            "--max-in-flight": self.max_in_flight,
            "--timeout": self.timeout,
            "--list-delay": self.list_delay,
        }
        return [
            argument
            for name, value in values.items()
            if value != getattr(DEFAULT_BATCH_OPTIONS, name[2:].replace("-", "_"))
            for argument in (name, f"{value:g}" if isinstance(value, float) else str(value))
        ]


FolderArgument = Annotated[Path, Parameter(allow_leading_hyphen=False)]
DEFAULT_BATCH_OPTIONS = BatchOptions()


def print_record(output: Output, record: Record) -> None:
    """Print how far an order is."""
    detail = record.file if record.state == "done" else record.reason
    output.result(
        result(record), f"{record.number:>5}  {record.state:<9}  {detail or record.order.excerpt}"
    )


def count(number: int, thing: str) -> str:
    """Write a number of things."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")
