"""The owner of a ledger, and the number of changes that it has recorded."""

import fcntl
import os
import re
from pathlib import Path

from attrs import define, field

from luma_async.errors import LedgerError

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
_CONTENT = re.compile(r"process +(\d+)\nchanges +(\d*)\n")


@define(eq=False)
class LockFile:
    """A file beside the ledger that its owner keeps locked.

    It also counts the changes of the ledger. A ledger with fewer changes has lost the newest ones,
    as when its ``-wal`` file was deleted or an older copy was put in its place. Paid orders that it
    does not know would be paid again.

    Attributes:
        changes: The number of changes; None if it is unknown.
    """

    _ledger: Path
    changes: int | None = field(default=None, init=False)
    _descriptor: int = field(default=-1, init=False)

    @property
    def _path(self) -> Path:
        return self._ledger.with_name(f"{self._ledger.name}.lock")

    def take(self) -> None:
        """Become the owner.

        Raises:
            LedgerError: Another process is the owner.
            OSError: The file cannot be written.
        """
        self._descriptor = os.open(self._path, _OPEN, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = self._read()
            pid = f" (pid {found[1]})" if found else ""
            raise LedgerError(f"{self._ledger}: locked by another process{pid}") from None
        found = self._read()
        self.changes = int(found[2]) if found and found[2] else None
        self._note()

    def check(self, changes: int, *, closed: bool) -> None:
        """Compare the number of changes in the ledger with the counted ones, and count them.

        Args:
            changes: The number of changes in the ledger.
            closed: Whether its last owner closed it, with nothing left outside of the file.

        Raises:
            LedgerError: Changes are missing.
        """
        lost = changes < self.changes if self.changes is not None else not closed
        if lost:
            counted = f" {self.changes - changes}" if self.changes is not None else ""
            raise LedgerError(
                f"{self._ledger}: the newest changes{counted} are missing. Put back "
                f"{self._ledger.name}, {self._ledger.name}-wal and {self._path.name} as they were "
                "together; without them, paid orders would be paid again"
            )
        self.count(changes)
        # A power failure may lose later counts: a smaller count is harmless, an empty file is not.
        os.fsync(self._descriptor)

    def count(self, changes: int) -> None:
        """Record how many changes are durable."""
        self.changes = changes
        self._note()

    def _read(self) -> "re.Match[str] | None":
        return _CONTENT.fullmatch(os.pread(self._descriptor, 100, 0).decode("ascii", "replace"))

    def _note(self) -> None:
        changes = "" if self.changes is None else self.changes
        text = f"process {os.getpid():>10}\nchanges {changes:>20}\n"
        os.pwrite(self._descriptor, text.encode(), 0)

    def release(self) -> None:
        """Give up the ownership."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
