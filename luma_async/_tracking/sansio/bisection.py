"""Finding the one id that spoils a request for all others."""

from collections import deque
from collections.abc import Sequence

from attrs import define, field

_MAX_HALVINGS = 10


@define(eq=False)
class Group:
    """Ids whose request failed for what it may hold.

    Attributes:
        names: Which.
        failure: How it failed, to tell whether it fails alike again.
        refused: Whether the service said that it does not take what they were asked for in.
        halved: Whether these are half of a request that failed twice alike; then they are halved
            again at once.
        other: The other half.
        cleared: Whether their request was answered.
    """

    ids: Sequence[str]
    failure: object
    refused: bool = False
    halved: bool = False
    other: "Group | None" = None
    cleared: bool = False


@define(eq=False)
class Bisection:
    """Asks again for what failed, and in halves what failed twice alike.

    Among n ids one culprit is alone after at most ``2 * ceil(log2(n)) + 1`` requests beyond the
    first: one more for all, and two for each halving.

    A service that fails altogether looks the same at first. But where an id is to blame there are
    others that are not, and halving brings them answers. So without an answer it ends soon.
    """

    _queue: deque[Group] = field(factory=deque, init=False)
    _halvings: int = field(default=0, init=False)

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def first(self) -> Group:
        """Those who are asked for next."""
        return self._queue[0]

    def next(self) -> Group:
        """Take the ids to ask for next."""
        return self._queue.popleft()

    def retry_group(self, ids: Sequence[str], failure: object, *, refused: bool = False) -> None:
        """Ask for the ids of a request that failed once more, in the same company."""
        self._queue.append(Group(ids, failure, refused))

    def failed(self, group: Group, failure: object) -> None:
        """Note that a request for two suspects or more failed."""
        alike = group.halved or failure == group.failure
        if not alike or self._halvings >= _MAX_HALVINGS:
            self.retry_group(group.ids, failure, refused=group.refused)
            return
        self._halvings += 1
        middle = (len(group.ids) + 1) // 2
        refused = group.refused
        first = Group(group.ids[:middle], failure, refused, halved=True)
        second = Group(group.ids[middle:], failure, refused, halved=True, other=first)
        first.other = second
        # Before all others, so that one culprit after the other is found.
        self._queue.extendleft((second, first))

    def reset(self) -> None:
        """Note that something was answered, or that a culprit was found."""
        self._halvings = 0

    def answered(self, group: Group) -> int:
        """Note that a request for suspects was answered.

        Returns:
            The size of a request that was refused and of which both halves are answered now, so
            that no id of it can be to blame; 0 otherwise.
        """
        group.cleared = True
        other = group.other
        if other is None or not other.cleared or not group.refused:
            return 0
        return len(group.ids) + len(other.ids)
