"""Compares what a batch says it has paid with what the emulator has billed."""

import hashlib
import json
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from luma_async.batch.batch import LEDGER_NAME
from luma_async.batch.ledger.sansio.record import Record
from luma_async.batch.ledger.sqlite import read_ledger
from luma_async.emulator.settings import PRICE

PAID_ROUTES = ("create", "extend")


@frozen
class Account:
    """An emulator in another process, by the routes that show what it has in its books."""

    url: str

    def show(self, what: str) -> Any:
        """Return its ``ledger``, ``wire`` or ``generations``."""
        return json.loads(self._ask("GET", f"/_{what}"))

    def inject(self, **fault: object) -> None:
        """Let a fault strike; its fields are those of `luma_async.emulator.Fault`."""
        self._ask("POST", "/_faults", fault)

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._ask("DELETE", "/_faults")

    def order(self, prompt: str) -> str:
        """Pay for a video past any batch, as another program of the account might do."""
        answer = self._ask("POST", "/luma-ai/generations", {"user_prompt": prompt})
        return str(json.loads(answer)["id"])

    def make(self, prompt: str) -> str:
        """Order a video likewise, and again if it fails; return its id when it is finished."""
        name, state = "", "failed"
        while state != "completed":
            if state == "failed":
                name = self.order(prompt)
            time.sleep(0.02)
            state = self.show("generations")[name]["state"]
        return name

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> bytes:
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": "Bearer sk-of-a-test"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())


@frozen(kw_only=True)
class Comparison:
    """What both books say.

    Attributes:
        records: Our side.
        bills: How many videos the service was paid for.
        twice: What was paid though it had been paid already.
        lost: What was paid and is not known to us.
        wrong: What else does not agree.
    """

    records: list[Record]
    bills: int
    twice: list[str] = field(factory=list)
    lost: list[str] = field(factory=list)
    wrong: list[str] = field(factory=list)

    @property
    def problems(self) -> list[str]:
        """All that is not as it should be."""
        return [*self.twice, *self.lost, *self.wrong]

    @property
    def held(self) -> int:
        """The orders of which nobody knows whether they are paid."""
        return sum(record.state == "unknown" for record in self.records)

    @property
    def adopted(self) -> int:
        """The orders whose generation was found in the account's list."""
        return sum(record.adopted for record in self.records)


def records_of(folder: Path) -> list[Record]:
    """Read the ledger of a batch, which may have died before it made one."""
    path = folder / LEDGER_NAME
    return read_ledger(path) if path.exists() else []


def compare(
    folder: Path,
    account: Account,
    *,
    strangers: Collection[str] = (),
    paid_anew: Collection[str] = (),
) -> Comparison:
    """Compare a batch with the bills for its prompts, which are those of no other batch.

    Args:
        folder: The batch, which nobody runs.
        account: Where it ordered.
        strangers: The generations that others have ordered with the same prompts.
        paid_anew: The orders that somebody has said shall be paid once more.
    """
    records = records_of(folder)
    prompts = {record.order.user_prompt for record in records}
    bills = {
        bill["id"]: bill
        for bill in account.show("ledger")
        if bill["prompt"] in prompts and bill["id"] not in strangers
    }
    comparison = Comparison(records=records, bills=len(bills))
    _compare_counts(comparison, bills, paid_anew)
    known = account.show("generations")
    for record in records:
        if record.generation_id is not None:
            _compare_claim(comparison, record, bills, known)
        if record.state == "done":
            _check_file(comparison, folder, record)
    claimed = Counter(record.generation_id for record in records if record.generation_id)
    comparison.wrong.extend(
        f"{name} has {many} orders" for name, many in claimed.items() if many > 1
    )
    noted = sum(record.tokens for record in records)
    if noted < PRICE * len(bills):
        comparison.wrong.append(f"{noted} tokens are noted, and {PRICE * len(bills)} were paid")
    return comparison


def _compare_counts(
    comparison: Comparison, bills: Mapping[str, Any], paid_anew: Collection[str]
) -> None:
    """Compare, prompt by prompt, how many were paid, claimed and given up."""
    rows: dict[str, list[Record]] = defaultdict(list)
    for record in comparison.records:
        rows[record.order.user_prompt].append(record)
    paid: dict[str, list[str]] = defaultdict(list)
    for name, bill in bills.items():
        paid[bill["prompt"]].append(name)
    for prompt, names in paid.items():
        ours = rows[prompt]
        orders = len(ours) + sum(one.order_id in paid_anew for one in ours)
        if len(names) > orders or len(names) > sum(one.attempts for one in ours):
            comparison.twice.append(
                f"{prompt!r}: {len(names)} bills for {orders} orders: {_sketch(ours)}"
            )
        claimed = {one.generation_id for one in ours}
        unclaimed = [name for name in names if name not in claimed]
        open_ends = sum(_may_be_paid(one) for one in ours)
        if len(unclaimed) > open_ends + len(set(paid_anew) & {one.order_id for one in ours}):
            comparison.lost.append(f"{prompt!r}: nobody knows of {unclaimed}: {_sketch(ours)}")


def _may_be_paid(record: Record) -> bool:
    is_dismissed = record.state == "rejected" and record.tokens > 0
    return record.state in ("unknown", "submitting") or is_dismissed


def _compare_claim(
    comparison: Comparison, record: Record, bills: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    name = record.generation_id or ""
    if name not in bills:
        comparison.wrong.append(f"{name} of order {record.number} was not paid by this batch")
        return
    made, order = known[name], record.order
    ordered = (order.user_prompt, order.aspect_ratio, order.extends)
    if ordered != (made["prompt"], made["aspect_ratio"], made["parent"]):
        comparison.wrong.append(f"order {record.number} is {ordered}, and {name} is {made}")


def _check_file(comparison: Comparison, folder: Path, record: Record) -> None:
    path = folder / (record.file or "")
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != record.sha256:
        comparison.wrong.append(f"{record.file} of order {record.number} is not as it was noted")
    if path.with_name(f"{path.name}.part").exists():
        comparison.wrong.append(f"{record.file} is done, and its .part is there still")


def _sketch(records: list[Record]) -> str:
    return ", ".join(
        f"{one.number} {one.state} attempts={one.attempts} {one.generation_id or ''}"
        for one in records
    )
