"""The videos themselves: MP4 files, taken apart again."""

import struct
import zlib
from collections.abc import Iterator

import pytest

from luma_async.emulator.film import FRAME_COUNT, SIZES, film, still
from luma_async.emulator.h264 import BitWriter, encode

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl"}


def boxes(content: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the contents of every box, those inside others as well."""
    place, limit = start, len(content) if end is None else end
    while place < limit:
        length, name = struct.unpack_from(">I4s", content, place)
        assert 8 <= length <= limit - place
        yield name, content[place + 8 : place + length]
        if name in CONTAINERS:
            yield from boxes(content, place + 8, place + length)
        place += length


class BitReader:
    """Reads what a `BitWriter` wrote."""

    def __init__(self, unit: bytes) -> None:
        plain = unit[1:].replace(b"\0\0\3", b"\0\0")
        self.bits = "".join(f"{byte:08b}" for byte in plain)

    def take(self, width: int) -> int:
        """Read a number of fixed width."""
        taken, self.bits = self.bits[:width], self.bits[width:]
        return int(taken, 2)

    def golomb(self) -> int:
        """Read a number in Exp-Golomb code."""
        zeros = self.bits.index("1")
        return self.take(2 * zeros + 1) - 1


def samples(content: bytes) -> list[bytes]:
    """Return the units that the sample table of a file points at."""
    parts = dict(boxes(content))
    count = struct.unpack_from(">I", parts[b"stsz"], 8)[0]
    sizes = struct.unpack_from(f">{count}I", parts[b"stsz"], 12)
    place = struct.unpack_from(">I", parts[b"stco"], 8)[0]
    found = []
    for size in sizes:
        length = struct.unpack_from(">I", content, place)[0]
        assert size == length + 4
        found.append(content[place + 4 : place + size])
        place += size
    return found


@pytest.mark.parametrize("aspect_ratio", SIZES)
def test_the_file_is_laid_out_as_players_expect(aspect_ratio: str) -> None:
    """The index comes before the pictures, and every box fits into the one around it."""
    content = film("Flying jellyfish", aspect_ratio)
    names = [name for name, _ in boxes(content)]

    assert [b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"mdia", b"mdhd", b"hdlr", b"minf"] == (
        names[:9]
    )
    assert b"mdat" == names[-1]
    assert {b"stsd", b"stts", b"stss", b"stsc", b"stsz", b"stco"} < set(names)


def test_a_video_is_some_seconds_long_and_small() -> None:
    """Five seconds of video take some tens of kilobytes."""
    content = film("Flying jellyfish", "16:9")
    rate, length = struct.unpack_from(">II", dict(boxes(content))[b"mdhd"], 12)

    assert 5.0 == length / rate
    assert 20_000 < len(content) < 80_000


@pytest.mark.parametrize(("aspect_ratio", "size"), SIZES.items())
def test_the_decoder_is_told_the_size(aspect_ratio: str, size: tuple[int, int]) -> None:
    """The index and the stream agree on width and height, cropped to the pixel."""
    parts = dict(boxes(film("Flying jellyfish", aspect_ratio)))
    entry = parts[b"stsd"][8:]
    length = struct.unpack_from(">H", entry, 8 + 78 + 8 + 6)[0]
    unit = entry[8 + 78 + 8 + 8 :][:length]
    reader = BitReader(unit)
    profile = reader.take(24)
    assert [0, 4, 2, 1] == [reader.golomb() for _ in range(4)]
    reader.take(1)
    columns, rows = reader.golomb() + 1, reader.golomb() + 1
    assert 0b111 == reader.take(3)
    left, right, top, bottom = (reader.golomb() for _ in range(4))

    assert (0x67, 0x42C01E) == (unit[0], profile)
    assert size == (columns * 16 - 2 * (left + right), rows * 16 - 2 * (top + bottom))
    assert size == tuple(side >> 16 for side in struct.unpack(">II", parts[b"tkhd"][-8:]))
    assert size == struct.unpack_from(">HH", entry, 32)


def test_every_picture_is_one_unit() -> None:
    """The first picture stands alone, the others build upon the one before."""
    found = samples(film("Flying jellyfish", "16:9"))

    assert FRAME_COUNT == len(found)
    assert [0x65, *[0x41] * (FRAME_COUNT - 1)] == [unit[0] for unit in found]
    assert [*range(FRAME_COUNT)] == [number_of(unit) for unit in found]


def number_of(unit: bytes) -> int:
    """Return the number that a picture bears."""
    reader = BitReader(unit[:20])
    for _ in range(3):
        reader.golomb()
    return reader.take(8)


def test_no_unit_holds_what_looks_like_the_start_of_another() -> None:
    """Three bytes that would confuse a decoder never stand together."""
    units = b"|".join(samples(film("Flying jellyfish", "16:9")))

    assert all(bytes([0, 0, last]) not in units for last in range(3))


def test_zeros_are_kept_apart() -> None:
    """Two zeros before a small byte are followed by a three."""
    writer = BitWriter()
    writer.bits(48, 0)
    writer.bits(8, 1)

    assert b"\x67\0\0\3\0\0\3\0\0\3\1\x80" == writer.nal_unit(0x67)


def test_a_picture_like_the_one_before_costs_next_to_nothing() -> None:
    """What does not move is not written again."""
    sky = [(100, 120, 130)] * 4
    moved = [(200, 120, 130), *sky[1:]]
    ended = [*sky[1:], (200, 120, 130)]
    stream = encode([sky, sky, moved, ended], 32, 32)

    assert [4, 0, 1, 2] == [len(unit) // 384 for unit in stream.samples]
    assert (32, 32) == (stream.width, stream.height)


def test_prompts_look_different_and_always_the_same() -> None:
    """A prompt decides the look of its video."""
    film.cache_clear()
    first = film("Flying jellyfish", "16:9")
    film.cache_clear()

    assert first == film("Flying jellyfish", "16:9")
    assert 50 == len({film(f"prompt {number}", "16:9") for number in range(50)})


def test_a_still_is_a_picture_of_the_same_size() -> None:
    """The PNG declares the size of the video and holds that many pixels."""
    content = still("Flying jellyfish", "9:16", last=True)
    length = struct.unpack_from(">I", content, 33)[0]

    assert (72, 128) == struct.unpack_from(">II", content, 16)
    assert 128 * (1 + 3 * 72) == len(zlib.decompress(content[41 : 41 + length]))
