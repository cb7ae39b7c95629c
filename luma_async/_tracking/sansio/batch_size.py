"""How many ids one request may hold: as many as allowed, or fewer if the service takes fewer."""

from collections.abc import Collection, Sequence

from attrs import define, field

_SURE = 2
_PATIENCE = 200


@define(eq=False)
class BatchSize:
    """The size of a request, learned downwards, and tried upwards again after a while.

    Attributes:
        limit: How many ids a request may hold.
    """

    limit: int
    _allowed: int = field(init=False)
    _mismatched: int = field(default=0, init=False)
    _mismatches: int = field(default=0, init=False)
    _cut_at: int = field(default=0, init=False)
    _cuts: int = field(default=0, init=False)
    _full: int = field(default=0, init=False)
    _patience: int = field(default=_PATIENCE, init=False)

    def __attrs_post_init__(self) -> None:
        self._allowed = self.limit

    def refused(self, size: int) -> None:
        """Note that the service said of a request that it is too long (413, 414)."""
        self._lower(max(1, size // 2))

    def record_mismatch(self, size: int) -> None:
        """Note that ids were not answered in a request of a size, and then were in a smaller one.

        Once may be chance. Twice, with no request as large answered in between, is the size.
        A size of 0 or 1 says nothing.
        """
        if size < 2:
            return
        self._mismatches += 1
        self._mismatched = max(self._mismatched, size)
        if self._mismatches >= _SURE:
            self._mismatches = self._mismatched = 0
            self.refused(size)

    def answered(
        self, ids: Sequence[str], found: Collection[str], missed: Collection[str] = ()
    ) -> None:
        """Note what an answer holds of the ids that were asked for.

        A service that stops after the first k says nothing of the others. Where two answers in a
        row end so at the same k, k is what a request may hold.

        Args:
            ids: The ids, in the order asked.
            found: Those that the answer holds.
            missed: Those that it does not hold, though an earlier one did.
        """
        held = sum(generation_id in found for generation_id in ids)
        if held >= self._mismatched:
            self._mismatches = self._mismatched = 0
        self._note_full(held)
        is_cut = (
            held > 0
            and len(missed) > 1
            and all(generation_id in found for generation_id in ids[:held])
        )
        if not is_cut:
            self._cuts = 0
            return
        self._cuts = self._cuts + 1 if held == self._cut_at else 1
        self._cut_at = held
        if self._cuts >= _SURE:
            self._cuts = 0
            self._lower(held)

    def _lower(self, size: int) -> None:
        if size < self.limit:
            self.limit, self._full = size, 0

    def _note_full(self, held: int) -> None:
        """Try twice as many after a while: what lowered the size may have been an outage."""
        self._full += held >= self.limit
        if self.limit < self._allowed and self._full >= self._patience:
            self.limit, self._full = min(2 * self.limit, self._allowed), 0
            self._patience *= 2
