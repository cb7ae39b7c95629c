"""How many ids one request may hold: as many as allowed, or fewer if the service takes fewer."""

from collections.abc import Collection, Sequence

from attrs import define, field

_SURE = 2


@define(eq=False)
class RequestSize:
    """The size of a request, learned downwards for the life of a client.

    Attributes:
        most: How many ids a request may hold.
    """

    most: int
    _doubts: int = field(default=0, init=False)
    _cut_at: int = field(default=0, init=False)
    _cuts: int = field(default=0, init=False)

    def refused(self, size: int) -> None:
        """Note that the service said of a request that it is too long (413, 414)."""
        self.most = min(self.most, max(1, size // 2))

    def doubted(self, size: int) -> None:
        """Note that ids were not answered in a request of a size, and then were in a smaller one.

        Once may be chance. Twice, with no request as large answered in between, is the size.
        A size of 0 or 1 says nothing.
        """
        self._doubts += size > 1
        if self._doubts >= _SURE:
            self._doubts = 0
            self.refused(size)

    def answered(self, names: Sequence[str], found: Collection[str]) -> None:
        """Note what an answer holds of the ids that were asked for, in the order asked.

        A service that stops after the first k says nothing of the others. Where two answers in a
        row end so at the same k, with at least two ids missing, k is what a request may hold.
        """
        held = sum(name in found for name in names)
        if held >= self.most:
            self._doubts = 0
        is_cut = 0 < held < len(names) - 1 and all(name in found for name in names[:held])
        if not is_cut:
            self._cuts = 0
            return
        self._cuts = self._cuts + 1 if held == self._cut_at else 1
        self._cut_at = held
        if self._cuts >= _SURE:
            self._cuts = 0
            self.most = min(self.most, held)
