"""The one owner of a ledger, and how many changes it has recorded."""

import os
import re
from pathlib import Path

from attrs import define, field

from luma_async._runtime.file_lock import lock
from luma_async.errors import LedgerError

_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
_CONTENT = re.compile(r"process +(\d+)\nchanges +(\d*)\n")


@define(eq=False)
class LockFile:
    """A file beside the ledger that its owner keeps locked.

    It counts the changes as well, outside of the ledger. A ledger with fewer of them has lost its
    newest ones, as when its ``-wal`` file was deleted, or when an older copy was put in its place;
    going on with that one would pay again for what it does not know.

    Attributes:
        changes: The number that was counted; None where it is not known.
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
            LedgerError: Another process is.
            OSError: The file cannot be written.
        """
        self._descriptor = os.open(self._path, _OPEN, 0o600)
        try:
            lock(self._descriptor)
        except BlockingIOError:
            found = self._read()
            process = f" (process {found[1]})" if found else ""
            raise LedgerError(f"{self._ledger}: another program{process} is at it") from None
        found = self._read()
        self.changes = int(found[2]) if found and found[2] else None
        self._note()

    def check(self, changes: int, *, closed: bool) -> None:
        """Compare the changes that the ledger has with those that were counted, and count them.

        Args:
            changes: What the ledger has.
            closed: Whether its last owner closed it, so that nothing is left outside of the file.

        Raises:
            LedgerError: Some are missing.
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
        # Later counts may get lost with the power: a smaller one does no harm, an empty file does.
        os.fsync(self._descriptor)

    def count(self, changes: int) -> None:
        """Note how many changes are durable."""
        self.changes = changes
        self._note()

    def _read(self) -> "re.Match[str] | None":
        return _CONTENT.fullmatch(os.pread(self._descriptor, 100, 0).decode("ascii", "replace"))

    def _note(self) -> None:
        changes = "" if self.changes is None else self.changes
        text = f"process {os.getpid():>10}\nchanges {changes:>20}\n"
        os.pwrite(self._descriptor, text.encode(), 0)

    def release(self) -> None:
        """Let another be the owner."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
