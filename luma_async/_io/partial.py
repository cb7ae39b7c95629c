"""A video on its way to disk: kept as ``.part`` until it is complete, checked and durable.

All of it blocks, and is meant to be run in a worker thread.
"""

import json
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from attrs import define, field

from luma_async.errors import DownloadError

if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        """Do nothing: an open file cannot be renamed over there, which protects it as well."""

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        """Keep others off; the lock ends with the file or the process.

        Raises:
            BlockingIOError: Somebody else has it.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@define(eq=False)
class PartialFile:
    """The ``.part`` beside a target, and what is needed to resume it.

    Attributes:
        size: The bytes that are there.
        etag: The strong validator of the content that they are from; None if there is none.
    """

    target: Path
    _generation: str
    _overwrite: bool
    _file: BinaryIO
    size: int = 0
    etag: str | None = None
    _published: bool = field(default=False, init=False)

    @classmethod
    def open(cls, target: Path, generation: str, *, overwrite: bool) -> "PartialFile":
        """Open the ``.part`` of a target, and keep what it has if it is of the same generation.

        Raises:
            DownloadError: The target cannot be written, or another download is at it.
        """
        _check_target(target, overwrite=overwrite)
        part = target.with_name(f"{target.name}.part")
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(part, flags, 0o666)
        except OSError as error:
            raise DownloadError(f"cannot write {part}: {error.strerror}") from None
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            _lock(descriptor)
        except OSError:
            file.close()
            raise DownloadError(f"another download is writing {part}") from None
        self = cls(target, generation, overwrite, file)
        self._recall()
        return self

    def _recall(self) -> None:
        with suppress(OSError, ValueError, TypeError, KeyError):
            note = json.loads(self._note.read_text("utf-8"))
            if note["generation"] == self._generation and isinstance(note["etag"], str):
                self.etag = note["etag"]
                self.size = self._file.seek(0, os.SEEK_END)
        if not self.size:
            self.restart(None)

    @property
    def _part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def _note(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.json")

    def restart(self, etag: str | None) -> None:
        """Throw away what is there, and note which content comes next.

        Raises:
            DownloadError: The disk refuses.
        """
        try:
            self._file.seek(0)
            self._file.truncate()
            if etag is None:
                self._note.unlink(missing_ok=True)
            else:
                note = {"generation": self._generation, "etag": etag}
                self._note.write_text(json.dumps(note), "utf-8")
        except OSError as error:
            raise self._refusal(error) from None
        self.size, self.etag = 0, etag

    def append(self, data: bytes) -> None:
        """Write what has come.

        Raises:
            DownloadError: The disk refuses, as when it is full.
        """
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise self._refusal(error) from None
        self.size += len(data)

    def check_structure(self) -> str | None:
        """Look whether this is a whole MP4 file; return what is wrong with it, or None.

        The boxes of the top level (ISO/IEC 14496-12) have to begin with ``ftyp``, contain
        ``moov``, and end where the file ends.
        """
        position, names = 0, []
        while position < self.size:
            self._file.seek(position)
            head = self._file.read(16)
            length, name = int.from_bytes(head[:4], "big"), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            elif length == 0:
                length = self.size - position
            if len(head) < 8 or length < 8:
                return "it is no MP4 file"
            names.append(name)
            position += length
        self._file.seek(self.size)
        if names[:1] != [b"ftyp"]:
            return "it is no MP4 file"
        if position != self.size or b"moov" not in names:
            return "the MP4 file is not complete"
        return None

    def publish(self) -> None:
        """Make the file durable, and only then give it its name.

        Raises:
            DownloadError: The disk refuses, or the target has appeared meanwhile.
        """
        _check_target(self.target, overwrite=self._overwrite)
        try:
            os.fsync(self._file.fileno())
            self._part.replace(self.target)
            self._published = True
            self._note.unlink(missing_ok=True)
            _sync_folder(self.target.parent)
        except OSError as error:
            raise self._refusal(error) from None

    def close(self) -> None:
        """Close the file; what cannot be resumed is removed."""
        if not self._published and (not self.size or self.etag is None):
            with suppress(OSError):
                self._part.unlink(missing_ok=True)
                self._note.unlink(missing_ok=True)
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


def _sync_folder(folder: Path) -> None:
    # The new name is durable only once the folder is; not every system can do that.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
