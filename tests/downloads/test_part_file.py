"""The file that a video becomes: what it survives, and what it never does to other files."""

import contextlib
import errno
import fcntl
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from luma_async._downloads.part_file import PartFile
from luma_async.errors import DownloadError
from tests.support.video_host import mp4

VIDEO = mp4(1000)
IDENTITY = "a4b1"


@contextmanager
def opened(target: Path, generation: str = IDENTITY, **options: bool) -> Iterator[PartFile]:
    """Hold the partial file of a target, as one download does."""
    part = PartFile(target, generation, options.get("overwrite", False))
    try:
        part.open()
        yield part
    finally:
        part.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return where a video is to be stored, in a folder of its own."""
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder / "jellyfish.mp4"


def names(target: Path) -> list[str]:
    """Return the names of all that is in the folder of the target."""
    return sorted(path.name for path in target.parent.iterdir())


def begin(target: Path, data: bytes = VIDEO[:400]) -> None:
    """Leave behind the beginning of a download."""
    with opened(target) as part:
        part.restart('"v1"', len(VIDEO))
        part.append(data)


def failing(code: int) -> Callable[..., None]:
    """Return a function of the system that fails."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_video_appears_under_its_name_when_it_is_whole(target: Path) -> None:
    """Until it is published there is only the `.part`; afterwards only the video."""
    with opened(target) as part:
        part.restart('"v1"', len(VIDEO))
        part.append(VIDEO)
        before = names(target)
        part.publish()

    assert ["jellyfish.mp4.part", "jellyfish.mp4.part.json"] == before
    assert ["jellyfish.mp4"] == names(target)
    assert VIDEO == target.read_bytes()


def test_a_beginning_is_kept_for_the_next_time(target: Path) -> None:
    """D13: what came before a crash is there again, with the validator that proves its origin."""
    begin(target)

    with opened(target) as part:
        assert (400, '"v1"', len(VIDEO)) == (part.size, part.etag, part.total)
        part.append(VIDEO[400:])
        part.publish()

    assert VIDEO == target.read_bytes()


@pytest.mark.parametrize("data", [b"", VIDEO])
def test_what_cannot_be_resumed_is_removed(target: Path, data: bytes) -> None:
    """Without a validator, or without a byte, nothing stays behind."""
    with opened(target) as part:
        part.restart(None if data else '"v1"')
        part.append(data)

    assert [] == names(target)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff{",
        b"[]",
        b"{}",
        b'{"generation": "another", "etag": "\\"v1\\"", "total": 1000}',
        b'{"generation": "a4b1", "etag": null, "total": 1000}',
        b'{"generation": "a4b1", "etag": "W/\\"v1\\"", "total": 1000}',
        b'{"generation": "a4b1", "etag": "\\"v\\r\\nX: 1\\"", "total": 1000}',
        b'{"generation": "a4b1", "etag": "\\"v1\\"", "total": true}',
        b'{"generation": "a4b1", "etag": "\\"v1\\""}',
        json.dumps({"generation": IDENTITY, "etag": f'"{"v" * 70_000}"', "total": None}).encode(),
    ],
)
def test_a_beginning_of_unknown_origin_is_not_resumed(target: Path, note: bytes) -> None:
    """A note that is damaged, or about another video, makes the download start over."""
    begin(target)
    target.with_name("jellyfish.mp4.part.json").write_bytes(note)

    with opened(target) as part:
        assert (0, None, None) == (part.size, part.etag, part.total)
    assert [] == names(target)


def test_another_generation_does_not_continue_the_file(target: Path) -> None:
    """S14: the generation is what a file is known by, not the address it came from."""
    begin(target)

    with opened(target, "another") as part:
        assert 0 == part.size


def _is_there(target: Path) -> None:
    target.write_bytes(b"mine")


def _link_to_a_file(target: Path) -> None:
    target.with_name("else").write_bytes(b"mine")
    target.symlink_to("else")


def _dangling_link(target: Path) -> None:
    target.symlink_to("nowhere")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "make",
    [Path.mkdir, _link_to_a_file, _dangling_link, os.mkfifo],
    ids=["D09 folder", "D09 symlink", "D09 dangling symlink", "D09 FIFO"],
)
@pytest.mark.parametrize("suffix", ["", ".part"])
def test_special_files_are_refused(
    target: Path, make: Callable[[Path], None], suffix: str, overwrite: bool
) -> None:
    """D09: what is no ordinary file is left alone, whether in place of the video or its `.part`."""
    make(target.with_name(target.name + suffix))
    before = names(target)

    with pytest.raises(DownloadError), opened(target, overwrite=overwrite):
        pass
    assert before == names(target)
    assert all(b"mine" == path.read_bytes() for path in target.parent.glob("else"))


def test_a_device_is_no_place_for_a_video() -> None:
    """D09: /dev/full and its kin are refused without a byte written."""
    with (
        pytest.raises(DownloadError, match="no ordinary file"),
        opened(Path("/dev/full"), overwrite=True),
    ):
        pass


def test_a_file_of_that_name_is_replaced_only_on_request(target: Path) -> None:
    """D09: an existing file is the user's, until the user says otherwise."""
    _is_there(target)

    with pytest.raises(DownloadError, match="overwrite=True replaces it"), opened(target):
        pass
    assert b"mine" == target.read_bytes()
    with opened(target, overwrite=True) as part:
        part.append(VIDEO)
        assert b"mine" == target.read_bytes()
        part.publish()
    assert VIDEO == target.read_bytes()


@pytest.mark.parametrize("etag", [None, '"v1"'])
def test_a_file_that_appears_meanwhile_is_not_replaced(target: Path, etag: str | None) -> None:
    """D09: the target is looked at again when the video is ready for it."""
    with opened(target) as part:
        part.restart(etag)
        part.append(VIDEO)
        _is_there(target)
        with pytest.raises(DownloadError, match="exists"):
            part.publish()

    assert b"mine" == target.read_bytes()


@pytest.mark.parametrize(
    "path",
    ["missing/x.mp4", "file/x.mp4", "nul\0.mp4", "x" * 300, "x" * 248, "..", ""],
    ids=["missing folder", "folder is a file", "NUL", "300 letters", "248 letters", "up", "empty"],
)
def test_an_impossible_place_is_refused(target: Path, path: str) -> None:
    """D09, D10: a path that cannot hold a video is a clear error, and nothing is made."""
    target.with_name("file").write_bytes(b"mine")

    with pytest.raises(DownloadError), opened(target.parent / path):
        pass
    assert ["file"] == names(target)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can fill")
def test_a_folder_that_takes_no_files_is_refused() -> None:
    """D18: no permission for the folder is an error of the download."""
    with pytest.raises(DownloadError, match="cannot write"), opened(Path("/proc/x.mp4")):
        pass


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, _link_to_a_file])
def test_the_note_is_never_written_elsewhere(target: Path, make: Callable[[Path], None]) -> None:
    """D09: a link, a pipe or a folder where the note belongs is not followed or waited for."""
    note = target.with_name("jellyfish.mp4.part.json")
    make(note)

    with contextlib.suppress(DownloadError), opened(target) as part:
        part.restart('"v1"')
        part.append(VIDEO)
        assert stat.S_ISREG(note.lstat().st_mode)
    assert all(b"mine" == path.read_bytes() for path in target.parent.glob("else"))


def test_one_target_has_one_download(target: Path) -> None:
    """D14: a second download of the same file is refused, and harms the first in nothing."""
    with opened(target) as part:
        part.restart('"v1"')
        part.append(VIDEO)
        with pytest.raises(DownloadError, match="another download"), opened(target):
            pass
        part.publish()

    assert VIDEO == target.read_bytes()


HOLDER = """
import sys, pathlib
from luma_async._downloads.part_file import PartFile
part = PartFile(pathlib.Path(sys.argv[1]), "a4b1", False)
part.open()
part.restart('"v1"', 1000)
part.append(b"x" * 400)
print("open", flush=True)
sys.stdin.read()
"""


def test_a_process_that_dies_leaves_its_part_and_no_lock(target: Path) -> None:
    """D13, D14: another process is kept off while one lives, and resumes once it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        try:
            assert other.stdout is not None
            assert b"open\n" == other.stdout.readline()
            with pytest.raises(DownloadError, match="another download"), opened(target):
                pass
        finally:
            other.kill()

    with opened(target) as part:
        assert 400 == part.size


def _publish(target: Path) -> None:
    target.with_name("jellyfish.mp4.part").replace(target)


def _remove(target: Path) -> None:
    target.with_name("jellyfish.mp4.part").unlink()


def _replace(target: Path) -> None:
    _remove(target)
    target.with_name("jellyfish.mp4.part").write_bytes(b"another's")


@pytest.mark.parametrize("other", [_publish, _remove, _replace])
def test_a_lock_that_comes_too_late_is_worth_nothing(
    target: Path, monkeypatch: pytest.MonkeyPatch, other: Callable[[Path], None]
) -> None:
    """D14: a file that another download finished or removed meanwhile is not touched any more."""
    begin(target, VIDEO)
    flock = fcntl.flock

    def late(descriptor: int, operation: int) -> None:
        other(target)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(DownloadError, match="another download"), opened(target, "another"):
        pass
    assert all(VIDEO == path.read_bytes() for path in target.parent.glob("*.mp4"))
    assert all(b"another's" == path.read_bytes() for path in target.parent.glob("*.part"))


def test_a_disk_without_locks_says_so(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D14: where nothing can be locked, nothing is written unprotected."""
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))

    with pytest.raises(DownloadError, match="No locks available"), opened(target):
        pass


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let this process write no file beyond a size."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_is_full_keeps_what_fits(target: Path) -> None:
    """D11: the error says why, and the download can go on once there is room."""
    video = mp4(3_000_000)
    with opened(target) as part:
        part.restart('"v1"')
        with largest_file(2_000_000), pytest.raises(DownloadError, match="File too large"):
            part.append(video)

    with opened(target) as part:
        assert 2_000_000 == part.size
        part.append(video[part.size :])
        part.publish()
    assert video == target.read_bytes()


def test_what_came_can_be_thrown_away(target: Path) -> None:
    """D02: a restart leaves nothing of the first content."""
    with opened(target) as part:
        part.append(b"x" * 5000)
        part.restart('"v2"')
        part.append(VIDEO)
        part.publish()

    assert VIDEO == target.read_bytes()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_video_that_is_not_safely_on_the_disk_is_not_shown(
    target: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """D11: after a failed fsync nobody knows what the disk holds, so that nothing is kept."""
    monkeypatch.setattr(os, "fsync", failing(code))
    with opened(target) as part:
        part.restart('"v1"')
        part.append(VIDEO)
        with pytest.raises(DownloadError, match="cannot write"):
            part.publish()

    assert [] == names(target)


def test_a_rename_that_fails_can_be_repeated(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D11: the whole video waits in the `.part` for the next call."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing(errno.EROFS))
        with opened(target) as part:
            part.restart('"v1"')
            part.append(VIDEO)
            with pytest.raises(DownloadError, match="Read-only"):
                part.publish()

    with opened(target) as part:
        assert len(VIDEO) == part.size
        part.publish()
    assert VIDEO == target.read_bytes()


def test_a_video_survives_a_power_cut(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D19: the file is on the disk before it has its name, and the name before it is announced."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append("fsync of the folder" if is_folder else "fsync of the file")
        fsync(descriptor)

    def noted_replace(source: Path, destination: Path) -> None:
        done.append("rename")
        replace(source, destination)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    with opened(target) as part:
        part.append(VIDEO)
        part.publish()

    assert ["fsync of the file", "rename", "fsync of the folder"] == done


def _box(name: bytes, content: bytes = b"") -> bytes:
    return (8 + len(content)).to_bytes(4) + name + content


WHOLE = _box(b"ftyp") + _box(b"moov") + _box(b"mdat", b"film")
NO_MP4, INCOMPLETE = "it is no MP4 file", "the MP4 file is not complete"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (WHOLE, None),
        (WHOLE + (1).to_bytes(4) + b"mdat" + (20).to_bytes(8) + b"film", None),
        (WHOLE + (0).to_bytes(4) + b"mdat" + b"to the end", None),
        (b"", NO_MP4),
        (b"<html>sorry, not today</html>", NO_MP4),
        (_box(b"moov") + _box(b"ftyp"), NO_MP4),
        (WHOLE + b"junk", NO_MP4),
        (WHOLE + (1).to_bytes(4) + b"mdat" + (7).to_bytes(8), NO_MP4),
        (WHOLE[:-1], INCOMPLETE),
        (_box(b"ftyp") + _box(b"mdat", b"film"), INCOMPLETE),
        (WHOLE + _box(b"free") * 100_000, INCOMPLETE),
    ],
    ids=[
        "whole",
        "long size",
        "open end",
        "empty",
        "HTML",
        "disorder",
        "junk behind",
        "impossible size",
        "cut",
        "no index",
        "bomb of boxes",
    ],
)
def test_only_a_whole_mp4_passes(target: Path, content: bytes, problem: str | None) -> None:
    """D06: what the boxes of the file say is believed rather than what the host says."""
    with opened(target) as part:
        part.append(content)
        assert problem == part.check_structure()
        part.append(b"")
        assert len(content) == part.size


def test_a_disk_that_cannot_be_read_is_an_error_of_the_download(target: Path) -> None:
    """D11: an error of the disk while a file is checked is no error of another kind."""
    with opened(target) as part:
        part.append(WHOLE)
        # A descriptor that may only be written, as of a disk that does not read any more.
        write_only = os.open(target.parent / "other", os.O_WRONLY | os.O_CREAT)
        os.dup2(write_only, part._file.fileno())
        os.close(write_only)
        with pytest.raises(DownloadError, match="Bad file descriptor"):
            part.check_structure()


def test_closing_a_file_that_was_never_opened_does_nothing(target: Path) -> None:
    """A download that is cancelled before it began has nothing to clean up."""
    begin(target)
    PartFile(target, IDENTITY, False).close()

    assert ["jellyfish.mp4.part", "jellyfish.mp4.part.json"] == names(target)
