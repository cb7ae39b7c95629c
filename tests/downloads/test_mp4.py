"""Videos that are on disk already: which of them are whole."""

import hashlib
import io
import os
from pathlib import Path

import pytest

from luma_async._downloads.mp4 import VideoFile, inspect_video, mp4_problem
from tests.support.video_host import mp4

VIDEO = mp4(1000)
NO_MP4 = "it is no MP4 file"
INCOMPLETE = "the MP4 file is not complete"


def box(name: bytes, content: bytes = b"", *, length: int | None = None) -> bytes:
    """Make a box; its length is the right one unless another is given."""
    size = 8 + len(content) if length is None else length
    return size.to_bytes(4) + name + content


def large(name: bytes, content: bytes, *, length: int | None = None) -> bytes:
    """Make a box whose length has 64 bits."""
    size = 16 + len(content) if length is None else length
    return (1).to_bytes(4) + name + size.to_bytes(8) + content


HEAD = box(b"ftyp", b"isom")
MOOV = box(b"moov", b"x" * 20)


def problem(data: bytes) -> str | None:
    """Look at some bytes as a file."""
    return mp4_problem(io.BytesIO(data), len(data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(VIDEO, id="a video"),
        pytest.param(HEAD + MOOV, id="no frames"),
        pytest.param(HEAD + box(b"mdat", b"x" * 9) + MOOV, id="the index at the end"),
        pytest.param(HEAD + MOOV + large(b"mdat", b"x" * 9), id="a length of 64 bits"),
        pytest.param(HEAD + MOOV + box(b"mdat", b"x" * 9, length=0), id="up to the end"),
        pytest.param(HEAD + MOOV + box(b"free"), id="an empty box"),
    ],
)
def test_a_whole_file_has_no_problem(data: bytes) -> None:
    """Its boxes begin with ftyp, contain moov, and end where the file ends."""
    assert None is problem(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", NO_MP4, id="D empty"),
        pytest.param(b"<html>Not found</html>", NO_MP4, id="D HTML"),
        pytest.param(b'{"error": "expired"}', NO_MP4, id="D JSON"),
        pytest.param(b"\0" * 100, NO_MP4, id="D zeros"),
        pytest.param(HEAD[:7], NO_MP4, id="less than a box"),
        pytest.param(MOOV + HEAD, NO_MP4, id="another beginning"),
        pytest.param(box(b"ftyp", length=7), NO_MP4, id="a box shorter than its own head"),
        pytest.param(HEAD + large(b"mdat", b"", length=7), NO_MP4, id="a large one likewise"),
        pytest.param(HEAD + MOOV + b"\0\0\0", NO_MP4, id="a rest that is no box"),
        pytest.param(HEAD, INCOMPLETE, id="no index"),
        pytest.param(HEAD + box(b"mdat", b"x"), INCOMPLETE, id="frames without an index"),
        pytest.param(HEAD + MOOV[:-1], INCOMPLETE, id="a byte is missing"),
        pytest.param(HEAD + MOOV + large(b"mdat", b"", length=2**63), INCOMPLETE, id="huge"),
        pytest.param(HEAD + box(b"free") * 200_000 + MOOV, INCOMPLETE, id="too many boxes"),
    ],
)
def test_anything_else_has_one(data: bytes, expected: str) -> None:
    """It is no video, or a part of one."""
    assert expected == problem(data)


def test_each_cut_is_seen() -> None:
    """Wherever a download ended, but for the one place between two boxes, behind the index."""
    assert [16] == [size for size in range(len(VIDEO)) if problem(VIDEO[:size]) is None]


def test_a_whole_video_is_measured(tmp_path: Path) -> None:
    """Its size and its checksum are those of other tools."""
    path = tmp_path / "fox.mp4"
    path.write_bytes(VIDEO)
    assert VideoFile(len(VIDEO), hashlib.sha256(VIDEO).hexdigest()) == inspect_video(path)


@pytest.mark.parametrize("data", [b"", b"<html>", VIDEO[:-1]], ids=["empty", "HTML", "P13 cut"])
def test_what_is_no_whole_video_is_none(tmp_path: Path, data: bytes) -> None:
    """It has to be downloaded again."""
    path = tmp_path / "fox.mp4"
    path.write_bytes(data)
    assert None is inspect_video(path)


def test_p13_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    """Nor is a folder, a pipe, or a link, wherever that leads."""
    path = tmp_path / "fox.mp4"
    assert None is inspect_video(path)
    assert None is inspect_video(tmp_path)
    other = tmp_path / "other.mp4"
    other.write_bytes(VIDEO)
    path.symlink_to(other)
    assert None is inspect_video(path)
    os.mkfifo(tmp_path / "pipe.mp4")
    assert None is inspect_video(tmp_path / "pipe.mp4")
