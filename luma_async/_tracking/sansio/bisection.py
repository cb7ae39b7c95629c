"""Finding the one id that spoils a request for all others."""

from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from attrs import define, field

T = TypeVar("T")

_MAX_HALVINGS = 10


@define(eq=False)
class Group(Generic[T]):
    """What was asked for in a request that failed for what it may hold.

    Attributes:
        members: Which ids.
        failure: How it failed, to tell whether it fails alike again.
        refused: Whether the service said that it does not take what they were asked for in.
        halved: Whether these are half of a request that failed twice alike; then they are halved
            again at once.
        other: The other half.
        cleared: Whether their request was answered.
    """

    members: Sequence[T]
    failure: object
    refused: bool = False
    halved: bool = False
    other: "Group[T] | None" = None
    cleared: bool = False


@define(eq=False)
class Bisection(Generic[T]):
    """Asks again for what failed, and in halves what failed twice alike.

    Among n ids one offender is alone after at most ``2 * ceil(log2(n)) + 1`` requests beyond the
    first: one more for all, and two for each halving.

    A service that fails altogether looks the same at first. But where an id is to blame there are
    others that are not, and halving brings them responses. So without a response it ends soon.
    """

    _queue: deque[Group[T]] = field(factory=deque, init=False)
    _halvings: int = field(default=0, init=False)

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def first(self) -> Group[T]:
        """The group that is asked for next."""
        return self._queue[0]

    def next(self) -> Group[T]:
        """Take the group to ask for next."""
        return self._queue.popleft()

    def retry_group(self, members: Sequence[T], failure: object, *, refused: bool = False) -> None:
        """Ask for the ids of a request that failed once more, in the same company."""
        self._queue.append(Group(members, failure, refused))

    def failed(self, group: Group[T], failure: object) -> None:
        """Note that a request for a group of two or more failed."""
        alike = group.halved or failure == group.failure
        if not alike or self._halvings >= _MAX_HALVINGS:
            self.retry_group(group.members, failure, refused=group.refused)
            return
        self._halvings += 1
        middle = (len(group.members) + 1) // 2
        refused = group.refused
        first = Group(group.members[:middle], failure, refused, halved=True)
        second = Group(group.members[middle:], failure, refused, halved=True, other=first)
        first.other = second
        # Before all others: one offender is found after the other.
        self._queue.extendleft((second, first))

    def reset(self) -> None:
        """Note that something was answered, or that an offender was found."""
        self._halvings = 0

    def answered(self, group: Group[T]) -> int:
        """Note that a request for a group was answered.

        Returns:
            The size of a request that was refused and of which both halves are answered now, where
            no id of it can be to blame; 0 otherwise.
        """
        group.cleared = True
        other = group.other
        if other is None or not other.cleared or not group.refused:
            return 0
        return len(group.members) + len(other.members)
