"""Finding orders whose answer was lost in the list of the account's generations.

An id is adopted only where there is no doubt. Adopting the wrong one would count somebody else's
video as ours, and taking an absent one for unpaid may pay twice; so what the list leaves open
leads to holding the order.

The list tells only ids and prompts. So there is one mistake that it cannot show: while a run goes
on, somebody else orders the very same prompt on the same account, and ours was not accepted.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from luma_async._payments.sansio.receipt import Receipt, order_digest
from luma_async.models import GenerationSummary


@frozen(kw_only=True)
class Verdict:
    """What a list says of the orders whose outcome is unknown; each is in one of the three.

    Attributes:
        found: The generation that an order became, by `order_id`.
        absent: The orders that were not accepted.
        doubts: Why nothing can be said of the others, by `order_id`.
    """

    found: Mapping[str, str]
    absent: frozenset[str]
    doubts: Mapping[str, str]


def reconcile(
    receipts: Sequence[Receipt],
    listed: Sequence[GenerationSummary],
    *,
    with_baseline: Collection[int],
    seen: Mapping[str, int],
) -> Verdict:
    """Compare a list with the receipts of all orders, made after the list was read.

    Args:
        receipts: Every order that was sent, or may have been.
        listed: The account's generations.
        with_baseline: The runs before which the account was listed.
        seen: The generations of others, with the run at whose beginning they were first seen.
    """
    found: dict[str, str] = {}
    absent: set[str] = set()
    doubts: dict[str, str] = {}
    prompts: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        if receipt.state == "unknown":
            prompts[receipt.order.user_prompt].append(receipt)
    evidence = _Evidence(
        receipts=receipts,
        prompts={one.id: one.prompt for one in listed},
        with_baseline=with_baseline,
        seen=seen,
    )
    judged: list[list[Receipt]] = []
    for rows in prompts.values():
        if (doubt := evidence.doubt(rows)) is not None:
            doubts.update({row.order_id: doubt for row in rows})
        else:
            judged.append(rows)
            found |= evidence.match(rows)
    for rows in judged:
        missing = [row.order_id for row in rows if row.order_id not in found]
        if (doubt := evidence.doubt_of_absence(rows, set(found.values()))) is not None:
            doubts.update(dict.fromkeys(missing, doubt))
        else:
            absent.update(missing)
    return Verdict(found=found, absent=frozenset(absent), doubts=doubts)


def candidates(
    prompt: str, claimed: Container[str | None], listed: Iterable[GenerationSummary]
) -> list[str]:
    """Name the generations that an order of a prompt may have become, for a person to look at."""
    return [one.id for one in listed if one.id not in claimed and one.prompt == prompt]


@frozen(kw_only=True)
class _Evidence:
    receipts: Sequence[Receipt]
    prompts: Mapping[str, str | None]
    with_baseline: Collection[int]
    seen: Mapping[str, int]

    @property
    def _accepted(self) -> list[Receipt]:
        """The orders whose id came with the answer: they show what the list is worth."""
        return [one for one in self.receipts if one.generation_id is not None and not one.adopted]

    @property
    def _shown(self) -> list[Receipt]:
        return [one for one in self._accepted if one.generation_id in self.prompts]

    def doubt(self, rows: Sequence[Receipt]) -> str | None:
        """Say why nothing can be said of the unknown orders of one prompt."""
        if any(row.run not in self.with_baseline for row in rows):
            return "the account could not be listed before it was sent"
        return self._doubt_of_list(rows) or self._doubt_of_candidates(rows)

    def _doubt_of_list(self, rows: Sequence[Receipt]) -> str | None:
        shown = self._shown
        if not shown:
            return "the account's list shows no order that is known to be accepted"
        if any(self.prompts[one.generation_id or ""] != one.order.user_prompt for one in shown):
            return "the account's list shows prompts otherwise than they were ordered"
        if any(one.generation_id not in self.prompts for one in self._before(rows)):
            return "the account's list lacks orders that were accepted earlier"
        extended = [one for one in self.receipts if one.order.extends is not None]
        if any(one.may_be_lost for one in extended) and not any(one in shown for one in extended):
            return "it is not known how the account's list shows extensions"
        return None

    def _doubt_of_candidates(self, rows: Sequence[Receipt]) -> str | None:
        prompt = rows[0].order.user_prompt
        same = [one for one in self.receipts if one.order.user_prompt == prompt]
        if any(one.state == "submitting" for one in same):
            return "an order of the same prompt is under way"
        if len({order_digest(one.order) for one in same if one.may_be_lost}) > 1:
            return "orders of the same prompt and other options are unknown as well"
        for row in rows:
            if any(self.prompts[generation_id] is None for generation_id in self._new(row)):
                return "the account's list shows new generations without a prompt"
            number = len(self._eligible(row))
            if number > sum((other.run or 0) >= (row.run or 0) for other in rows):
                return f"the account has {number} generations that it may be"
        return None

    def match(self, rows: Sequence[Receipt]) -> dict[str, str]:
        """Give the generations to orders that only differ in the run that sent them."""
        found: dict[str, str] = {}
        # What a later run may have made is also what an earlier one may have, not the reverse.
        for row in sorted(rows, key=lambda row: -(row.run or 0)):
            free = [
                generation_id
                for generation_id in self._eligible(row)
                if generation_id not in found.values()
            ]
            if free:
                found[row.order_id] = free[0]
        return found

    def doubt_of_absence(self, rows: Sequence[Receipt], found: Container[str]) -> str | None:
        """Say why those of one prompt that were not found may be accepted all the same.

        Args:
            rows: All unknown orders of the prompt.
            found: The generations of unknown orders, of other prompts as well.
        """
        if any(row.id_clashed for row in rows):
            return "it was accepted under an id that is another order's"
        latest = _latest(rows)
        if latest is None or not any(
            # It may have been made as soon as it was sent, however late its answer came.
            (at := one.sent_at or one.submitted_at) is not None and at > latest
            for one in self._shown
        ):
            return "it is not in the account's list, which shows no later order either"
        first = min(row.run or 0 for row in rows)
        if any(
            generation_id not in self.prompts
            for generation_id, run in self.seen.items()
            if run <= first
        ):
            return "the account's list lacks generations that were there before"
        under_way = {one.order.user_prompt for one in self.receipts if one.state == "submitting"}
        if any(
            generation_id not in found and self.prompts[generation_id] not in under_way
            for row in rows
            for generation_id in self._new(row)
        ):
            return "the account has new generations of other prompts, and it may be one of them"
        return None

    def _before(self, rows: Sequence[Receipt]) -> list[Receipt]:
        latest = _latest(rows)
        return [
            one
            for one in self._accepted
            if latest is None or one.submitted_at is None or one.submitted_at <= latest
        ]

    def _new(self, row: Receipt) -> list[str]:
        """Name the generations without an order that the run of this one may have made."""
        claimed = {one.generation_id for one in self.receipts}
        run = row.run or 0
        return [
            generation_id
            for generation_id in self.prompts
            if generation_id not in claimed and self.seen.get(generation_id, run + 1) > run
        ]

    def _eligible(self, row: Receipt) -> list[str]:
        return [
            generation_id
            for generation_id in self._new(row)
            if self.prompts[generation_id] == row.order.user_prompt
        ]


def _latest(rows: Sequence[Receipt]) -> datetime | None:
    """Return when the last of them was given up."""
    return max((at for row in rows if (at := row.unknown_at or row.sent_at)), default=None)
