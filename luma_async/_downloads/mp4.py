"""Videos that are on disk already."""

import hashlib
from pathlib import Path
from typing import BinaryIO, cast

from attrs import frozen

from luma_async._downloads.part_file import mp4_problem


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
