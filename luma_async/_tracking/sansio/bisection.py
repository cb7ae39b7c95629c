"""Finding the one id that spoils a request for all others."""

from collections import deque
from collections.abc import Sequence

from attrs import define, field

_MOST_HALVINGS = 10


@define(eq=False)
class Suspects:
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

    names: Sequence[str]
    failure: object
    refused: bool = False
    halved: bool = False
    other: "Suspects | None" = None
    cleared: bool = False


@define(eq=False)
class Bisection:
    """Asks again for what failed, and in halves what failed twice alike.

    Among n ids one culprit is alone after at most ``2 * ceil(log2(n)) + 1`` requests beyond the
    first: one more for all, and two for each halving.

    A service that fails altogether looks the same at first. But where an id is to blame there are
    others that are not, and halving brings them answers. So without an answer it ends soon.
    """

    _queue: deque[Suspects] = field(factory=deque, init=False)
    _halvings: int = field(default=0, init=False)

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def first(self) -> Suspects:
        """Those who are asked for next."""
        return self._queue[0]

    def next(self) -> Suspects:
        """Take the ids to ask for next."""
        return self._queue.popleft()

    def accuse(self, names: Sequence[str], failure: object, *, refused: bool = False) -> None:
        """Ask for the ids of a request that failed once more, in the same company."""
        self._queue.append(Suspects(names, failure, refused))

    def failed(self, suspects: Suspects, failure: object) -> None:
        """Note that a request for two suspects or more failed."""
        alike = suspects.halved or failure == suspects.failure
        if not alike or self._halvings >= _MOST_HALVINGS:
            self.accuse(suspects.names, failure, refused=suspects.refused)
            return
        self._halvings += 1
        middle = (len(suspects.names) + 1) // 2
        refused = suspects.refused
        first = Suspects(suspects.names[:middle], failure, refused, halved=True)
        second = Suspects(suspects.names[middle:], failure, refused, halved=True, other=first)
        first.other = second
        # Before all others, so that one culprit after the other is found.
        self._queue.extendleft((second, first))

    def encouraged(self) -> None:
        """Note that something was answered, or that a culprit was found."""
        self._halvings = 0

    def answered(self, suspects: Suspects) -> int:
        """Note that a request for suspects was answered.

        Returns:
            The size of a request that was refused and of which both halves are answered now, so
            that no id of it can be to blame; 0 otherwise.
        """
        suspects.cleared = True
        other = suspects.other
        if other is None or not other.cleared or not suspects.refused:
            return 0
        return len(suspects.names) + len(other.names)
