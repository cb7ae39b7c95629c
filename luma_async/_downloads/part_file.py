"""A video on its way to disk: kept as ``.part`` until it is complete, checked and durable.

All of it blocks, and runs in a worker thread. Where the disk refuses, or another file is in the
way, it raises `DownloadError`.
"""

import fcntl
import json
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from attrs import define, field

from luma_async._downloads.mp4 import mp4_problem
from luma_async._runtime.failpoints import failpoint
from luma_async.errors import DownloadError

_OPEN_PART = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
_OPEN_NOTE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_MAX_NOTE_BYTES = 64 * 1024
_STRONG_ETAG = re.compile(r'"[!#-~]*"')


@define(eq=False)
class PartFile:
    """The ``.part`` beside a target, and what is needed to resume it.

    Attributes:
        size: The bytes that are there.
        etag: The strong validator of the content that they are from; None if there is none.
        total: The size of the whole content; None if it is not known.
    """

    target: Path
    _generation: str
    _overwrite: bool
    size: int = field(default=0, init=False)
    etag: str | None = field(default=None, init=False)
    total: int | None = field(default=None, init=False)
    _file: BinaryIO = field(init=False)
    _is_open: bool = field(default=False, init=False)
    _published: bool = field(default=False, init=False)

    def open(self) -> None:
        """Open the ``.part`` of the target, and keep what it has of the same generation."""
        _check_target(self.target, overwrite=self._overwrite)
        try:
            descriptor = os.open(self._part, _OPEN_PART, 0o666)
        except OSError as error:
            raise self._refusal(error) from None
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            self._claim()
        except DownloadError:
            self._file.close()
            raise
        self._is_open = True
        self._recall()

    def _claim(self) -> None:
        opened = os.fstat(self._file.fileno())
        if not stat.S_ISREG(opened.st_mode):
            raise DownloadError(f"{self._part} exists and is no ordinary file")
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Before the lock was ours, the file may have been finished or removed by another.
            is_ours = os.path.samestat(opened, self._part.lstat())
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        except OSError as error:
            raise self._refusal(error) from None
        if not is_ours:
            raise DownloadError(f"another download is writing {self._part}")

    def _recall(self) -> None:
        with suppress(OSError, ValueError, TypeError, KeyError):
            note = json.loads(_read(self._note))
            etag, total = note["etag"], note["total"]
            is_whole = total is None or type(total) is int
            if note["generation"] == self._generation and is_whole and strong(etag) is not None:
                self.etag, self.total = etag, total
                self.size = self._file.seek(0, os.SEEK_END)
        if not self.size:
            self.restart(None)

    @property
    def _part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def _note(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.json")

    def restart(self, etag: str | None, total: int | None = None) -> None:
        """Throw away what is there, and note which content comes next."""
        self.size, self.etag, self.total = 0, None, None
        try:
            self._file.seek(0)
            self._file.truncate()
            self._note.unlink(missing_ok=True)
            if etag is not None:
                note = {"generation": self._generation, "etag": etag, "total": total}
                # Always a new file: no link can lead the note elsewhere.
                with self._note.open("x", encoding="utf-8") as file:
                    json.dump(note, file)
        except OSError as error:
            raise self._refusal(error) from None
        self.etag, self.total = etag, total

    def append(self, data: bytes) -> None:
        """Write what has come."""
        view = memoryview(data)
        try:
            while view:
                written = self._file.write(view)
                self.size += written
                view = view[written:]
        except OSError as error:
            raise self._refusal(error) from None

    def check_structure(self) -> str | None:
        """Look whether this is a whole MP4 file; return what is wrong with it, or None."""
        try:
            problem = mp4_problem(self._file, self.size)
            self._file.seek(self.size)
        except OSError as error:
            raise self._refusal(error) from None
        return problem

    def publish(self) -> None:
        """Make the file durable, and only then give it its name."""
        failpoint("video: before fsync")
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            # Nobody knows now what is on the disk: it is not to be resumed.
            self.etag = None
            raise self._refusal(error) from None
        _check_target(self.target, overwrite=self._overwrite)
        failpoint("video: before rename")
        try:
            self._part.replace(self.target)
        except OSError as error:
            raise self._refusal(error) from None
        self._published = True
        failpoint("video: after rename")
        with suppress(OSError):
            self._note.unlink(missing_ok=True)
        sync_folder(self.target.parent)

    def close(self) -> None:
        """Close the file, if it was opened; what cannot be resumed is removed."""
        if not self._is_open:
            return
        with suppress(OSError):
            if not self._published and (not self.size or self.etag is None):
                self._part.unlink(missing_ok=True)
                self._note.unlink(missing_ok=True)
        # Last, as the lock ends here.
        self._file.close()

    def _refusal(self, error: OSError) -> DownloadError:
        return DownloadError(f"cannot write {self.target}: {error.strerror or error}")


def _check_target(target: Path, *, overwrite: bool) -> None:
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise DownloadError(f"there is no folder {target.parent}") from None
        return
    except (OSError, ValueError) as error:
        raise DownloadError(f"cannot write {target}: {error}") from None
    if not stat.S_ISREG(mode):
        raise DownloadError(f"{target} exists and is no ordinary file")
    if not overwrite:
        raise DownloadError(f"{target} exists; overwrite=True replaces it")


def strong(etag: object) -> str | None:
    """Return an entity tag if it is a strong one, which alone can prove that bytes fit."""
    return etag if isinstance(etag, str) and _STRONG_ETAG.fullmatch(etag) else None


def _read(note: Path) -> bytes:
    # What lies there may be anything: a link is not followed, a pipe not waited for.
    descriptor = os.open(note, _OPEN_NOTE)
    try:
        return os.read(descriptor, _MAX_NOTE_BYTES)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
