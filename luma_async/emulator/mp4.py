"""Puts an H.264 stream into an MP4 file, box by box."""

import struct

from luma_async.emulator.h264 import Stream

_UPRIGHT = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED_LANGUAGE = 0x55C4
_MILLISECONDS = 1000


def write(stream: Stream, pictures_per_second: int) -> bytes:
    """Return a complete file that a browser can play while it still loads."""
    samples = [struct.pack(">I", len(unit)) + unit for unit in stream.samples]
    sizes = [len(sample) for sample in samples]
    kind = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
    # The index names the place of the samples, which depends on its own length: measure it first.
    index_length = len(_index(stream, sizes, pictures_per_second, 0))
    index = _index(stream, sizes, pictures_per_second, len(kind) + index_length + 8)
    return kind + index + box(b"mdat", *samples)


def free_box_header(padding: int) -> bytes:
    """Return what has to stand in front of `padding` bytes that players pass over."""
    return struct.pack(">I4s", padding + 8, b"free")


def box(name: bytes, *parts: bytes) -> bytes:
    """Return a box: its length, its name, its contents."""
    return struct.pack(">I4s", 8 + sum(map(len, parts)), name) + b"".join(parts)


def _versioned(name: bytes, flags: int, *parts: bytes) -> bytes:
    return box(name, struct.pack(">I", flags), *parts)


def _numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _index(stream: Stream, sizes: list[int], rate: int, offset: int) -> bytes:
    duration = len(sizes) * _MILLISECONDS // rate
    header = _versioned(
        b"mvhd",
        0,
        _numbers(0, 0, _MILLISECONDS, duration, 0x10000),
        struct.pack(">H10x", 0x100),
        _UPRIGHT,
        struct.pack(">24xI", 2),
    )
    media = box(
        b"mdia",
        _versioned(b"mdhd", 0, _numbers(0, 0, rate, len(sizes), _UNDETERMINED_LANGUAGE << 16)),
        _versioned(b"hdlr", 0, struct.pack(">4x4s12x", b"vide"), b"pictures\0"),
        _media_information(stream, sizes, offset),
    )
    return box(b"moov", header, box(b"trak", _track_header(stream, duration), media))


def _track_header(stream: Stream, duration: int) -> bytes:
    enabled = 3
    return _versioned(
        b"tkhd",
        enabled,
        _numbers(0, 0, 1, 0, duration),
        bytes(16),
        _UPRIGHT,
        _numbers(stream.width << 16, stream.height << 16),
    )


def _media_information(stream: Stream, sizes: list[int], offset: int) -> bytes:
    in_this_file = _versioned(b"url ", 1)
    references = box(b"dinf", _versioned(b"dref", 0, _numbers(1), in_this_file))
    return box(
        b"minf",
        _versioned(b"vmhd", 1, bytes(8)),
        references,
        _sample_table(stream, sizes, offset),
    )


def _sample_table(stream: Stream, sizes: list[int], offset: int) -> bytes:
    return box(
        b"stbl",
        _versioned(b"stsd", 0, _numbers(1), _sample_entry(stream)),
        _versioned(b"stts", 0, _numbers(1, len(sizes), 1)),
        _versioned(b"stss", 0, _numbers(1, 1)),
        _versioned(b"stsc", 0, _numbers(1, 1, len(sizes), 1)),
        _versioned(b"stsz", 0, _numbers(0, len(sizes), *sizes)),
        _versioned(b"stco", 0, _numbers(1, offset)),
    )


def _sample_entry(stream: Stream) -> bytes:
    four_byte_lengths, one_sequence = 0xFF, 0xE1
    configuration = box(
        b"avcC",
        bytes([1, *stream.sequence[1:4], four_byte_lengths, one_sequence]),
        struct.pack(">H", len(stream.sequence)),
        stream.sequence,
        struct.pack(">BH", 1, len(stream.picture)),
        stream.picture,
    )
    resolution = 72 << 16
    return box(
        b"avc1",
        struct.pack(">6xH16x", 1),
        struct.pack(">2H2I4xH32x", stream.width, stream.height, resolution, resolution, 1),
        struct.pack(">Hh", 24, -1),
        configuration,
    )
