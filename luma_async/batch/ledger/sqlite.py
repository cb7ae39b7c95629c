"""The ledger of a batch in an SQLite file."""

import hmac
import logging
import os
import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TypeVar

from luma_async._downloads.part_file import sync_folder
from luma_async._runtime import telemetry
from luma_async._runtime.failpoints import failpoint
from luma_async._runtime.shield import in_executor
from luma_async.batch.ledger.lock_file import LockFile
from luma_async.batch.ledger.sansio.record import Record
from luma_async.batch.ledger.sansio.transaction import LedgerTransaction
from luma_async.batch.ledger.sqlite_rows import SqliteTransaction, now
from luma_async.errors import LedgerError

T = TypeVar("T")

APPLICATION_ID = 0x4C554D41
"""``LUMA``; `file` and SQLite itself show it."""

VERSION = 1
_HEADER_BYTES = 100


class SqliteLedger:
    """A ledger in a file of this machine, owned by one process at a time.

    Each change is on disk before `transact` returns: ``synchronous=FULL``, in WAL mode. All of it
    runs in a dedicated thread, as a receipt must not wait behind downloads.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        """Set the path of a ledger, to be opened by `open`.

        Args:
            path: The file.
            busy_seconds: How long a change waits while another program writes into the file.
        """
        self._path = path
        self._busy_seconds = busy_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="luma_async ledger")
        self._lock_file: LockFile = LockFile(path)
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._is_closed = False

    async def open(self, account: Callable[[bytes], str], *, accept_new_key: bool = False) -> None:
        """Open the file, or create it.

        Args:
            account: Returns a mark of the account for a salt.
            accept_new_key: Whether the file may be used with another key of the same account. A
                ledger with no payments always may.

        Raises:
            LedgerError: It is in use, damaged, newer than this package, of another account, or
                cannot be written. The file was not changed.
        """
        try:
            await self._call(partial(self._open, account, accept_new_key))
        except BaseException:
            # The thread opens it even if the caller is cancelled meanwhile.
            await self.aclose()
            raise

    async def transact(self, work: Callable[[LedgerTransaction], T], *, name: str) -> T:
        """Run `work` in a transaction; return when its changes are durable."""
        return await self._call(partial(self._transact, work, name))

    async def aclose(self) -> None:
        """Merge the -wal file, and give up the ownership; closing again does nothing."""
        self._check_process()
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await in_executor(self._thread, self._close)
        finally:
            self._thread.shutdown(wait=False)

    async def _call(self, work: Callable[[], T]) -> T:
        self._check_process()
        if self._is_closed:
            raise LedgerError(f"{self._path}: the ledger is closed")
        return await in_executor(self._thread, work)

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise LedgerError("a forked process cannot use the ledger that its parent has opened")

    def _open(self, account: Callable[[bytes], str], accept_new_key: bool) -> None:
        try:
            self._lock_file.take()
            self._open_file(account, accept_new_key=accept_new_key)
        except (sqlite3.Error, OSError) as error:
            self._release()
            raise LedgerError(f"{self._path}: cannot be opened: {error}") from None
        except (KeyError, ValueError) as error:
            self._release()
            raise LedgerError(f"{self._path}: its table 'ledger' is damaged: {error}") from None
        except BaseException:
            self._release()
            raise

    def _open_file(self, account: Callable[[bytes], str], *, accept_new_key: bool) -> None:
        if not self._path.exists():
            # SQLite would apply the changes of the missing ledger to the new one.
            if (wal := _wal(self._path)).exists() and wal.stat().st_size:
                raise LedgerError(f"{self._path} is missing, and {wal.name} is there; put it back")
            self._lock_file.check(0, closed=True)
            _create(self._path, account)
        _read_checked(self._path)
        connection = self._connection = sqlite3.connect(
            self._path, isolation_level=None, timeout=self._busy_seconds, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        properties = dict(connection.execute("SELECT name, value FROM ledger"))
        self._lock_file.check(_changes(connection), closed=properties["closed"] == "yes")
        ours = account(bytes.fromhex(properties["salt"]))
        (paid,) = connection.execute(
            "SELECT count(*) FROM orders WHERE tokens > 0 OR generation_id IS NOT NULL"
        ).fetchone()
        if (
            paid
            and not accept_new_key
            and not hmac.compare_digest(ours.encode(), properties["account"].encode())
        ):
            raise LedgerError(
                f"{self._path}: it belongs to another key or another service. If this is a new key "
                "of the same account, pass accept_new_key=True, or --accept-new-key"
            )
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            _set_properties(connection, account=ours, closed="no")
        # A copy of the file without -wal must show that it was not closed.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _transact(self, work: Callable[[LedgerTransaction], T], name: str) -> T:
        connection = self._connection
        if connection is None:
            raise LedgerError(f"{self._path}: the ledger is closed")
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(SqliteTransaction(connection))
                changes = _changes(connection)
                failpoint(f"{name}: before commit")
                connection.execute("COMMIT")
            except BaseException:
                # After some errors SQLite has already ended the transaction.
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError, UnicodeError) as error:
            raise LedgerError(f"{self._path}: cannot note {name!r}: {error}") from None
        try:
            self._lock_file.count(changes)
        except OSError as error:
            # The change is durable; the next one is counted again.
            self._warn("a change could not be counted", error)
        failpoint(f"{name}: after commit")
        return result

    def _close(self) -> None:
        try:
            if self._connection is not None:
                failpoint("close: before")
                with self._connection:
                    self._connection.execute("BEGIN IMMEDIATE")
                    _set_properties(self._connection, closed="yes")
        except sqlite3.Error as error:
            # The -wal file stays for the next owner.
            self._warn("not closed in an orderly way", error)
        finally:
            self._release()

    def _warn(self, what: str, error: Exception) -> None:
        attributes = {telemetry.FILE: str(self._path), **telemetry.describe(error)}
        telemetry.log(
            logging.WARNING, "ledger.trouble", attributes, "%s: %s: %s", self._path, what, error
        )

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._lock_file.release()


def read_ledger(path: Path) -> list[Record]:
    """Read the records of a ledger without changing it, even while a run owns it.

    Raises:
        LedgerError: There is none, it is damaged, or it has an unknown version.
    """
    try:
        return _read_checked(path)
    except FileNotFoundError:
        raise LedgerError(f"{path}: there is no batch") from None
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(f"{path}: cannot be read: {error}") from None


def _read_checked(path: Path) -> list[Record]:
    """Check the whole file and each record without changing anything, and return the records."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    version, application = header[60:64], header[68:72]
    if header[:16] != b"SQLite format 3\0" or int.from_bytes(application) != APPLICATION_ID:
        raise LedgerError(f"{path}: damaged, or not a ledger of luma-async; it was not changed")
    if int.from_bytes(version) != VERSION:
        raise LedgerError(
            f"{path}: the ledger has version {int.from_bytes(version)}, and this package reads "
            f"version {VERSION}; install a newer luma-async. It was not changed"
        )
    # Without a -wal file, an ordinary connection would leave files beside the ledger.
    options = "mode=ro" if _wal(path).exists() else "mode=ro&immutable=1"
    uri = f"{path.absolute().as_uri()}?{options}"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise LedgerError(f"{path}: damaged ({problems[0]}); it was not changed")
        return SqliteTransaction(connection).records()


def _create(path: Path, account: Callable[[bytes], str]) -> None:
    """Create a ledger under another name first, as there must be a whole one or none."""
    new = path.with_name(f"{path.name}.new")
    for name in (new.name, f"{new.name}-wal", f"{new.name}-shm"):
        new.with_name(name).unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.executescript(
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; "
            f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; {_SCHEMA} COMMIT;"
        )
        salt = secrets.token_bytes(16)
        _set_properties(
            connection, made_at=now(), salt=salt.hex(), account=account(salt), closed="yes"
        )
    failpoint("create: before rename")
    new.rename(path)
    sync_folder(path.parent)
    failpoint("create: after rename")


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _changes(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT ifnull(max(number), 0) FROM events").fetchone()
    return int(number)


def _set_properties(connection: sqlite3.Connection, **properties: str) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO ledger (name, value) VALUES (?, ?)", list(properties.items())
    )


_SCHEMA = resources.files("luma_async.batch.ledger").joinpath("schema.sql").read_text("utf-8")
