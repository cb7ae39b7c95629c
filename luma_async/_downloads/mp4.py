"""Whether a file is a whole MP4 file."""

import hashlib
from pathlib import Path
from typing import BinaryIO, cast

from attrs import frozen

_MAX_BOXES = 100_000


@frozen
class VideoFile:
    """A whole MP4 file: its size in bytes, and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


def inspect_video(path: Path) -> VideoFile | None:
    """Measure a video; None if there is none, or not a whole one. It blocks.

    Raises:
        OSError: It cannot be read.
    """
    if not path.is_file() or path.is_symlink():
        return None
    with path.open("rb") as file:
        size = path.stat().st_size
        if mp4_problem(cast("BinaryIO", file), size) is not None:
            return None
        file.seek(0)
        return VideoFile(size, hashlib.file_digest(file, "sha256").hexdigest())


def mp4_problem(file: BinaryIO, size: int) -> str | None:
    """Say what keeps a file from being a whole MP4 file; None if nothing does.

    The boxes of the top level (ISO/IEC 14496-12) have to begin with ``ftyp``, contain ``moov``,
    and end where the file ends.
    """
    position = 0
    names: list[bytes] = []
    while position < size and len(names) < _MAX_BOXES:
        file.seek(position)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        elif length == 0:
            length = size - position
        if len(head) < 8 or length < 8:
            return "it is no MP4 file"
        names.append(name)
        position += length
    if names[:1] != [b"ftyp"]:
        return "it is no MP4 file"
    if position != size or b"moov" not in names:
        return "the MP4 file is not complete"
    return None
