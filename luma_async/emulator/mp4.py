"""Writes an H.264 stream into an MP4 file, box by box."""

import struct

from luma_async.emulator.h264 import Stream

_IDENTITY_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_LANGUAGE_UND = 0x55C4
_TIMESCALE = 1000


def write(stream: Stream, pictures_per_second: int) -> bytes:
    """Return a complete file that a browser can play while it loads."""
    samples = [struct.pack(">I", len(unit)) + unit for unit in stream.samples]
    sizes = [len(sample) for sample in samples]
    ftyp = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
    # The moov box contains the offset of the samples, which depends on its own length.
    moov_length = len(_moov(stream, sizes, pictures_per_second, 0))
    moov = _moov(stream, sizes, pictures_per_second, len(ftyp) + moov_length + 8)
    return ftyp + moov + box(b"mdat", *samples)


def free_box_header(padding: int) -> bytes:
    """Return the header of a box of `padding` bytes that players ignore."""
    return struct.pack(">I4s", padding + 8, b"free")


def box(name: bytes, *parts: bytes) -> bytes:
    """Return a box: its length, its name, its contents."""
    return struct.pack(">I4s", 8 + sum(map(len, parts)), name) + b"".join(parts)


def _full_box(name: bytes, flags: int, *parts: bytes) -> bytes:
    return box(name, struct.pack(">I", flags), *parts)


def _uint32s(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def _moov(stream: Stream, sizes: list[int], rate: int, offset: int) -> bytes:
    duration = len(sizes) * _TIMESCALE // rate
    header = _full_box(
        b"mvhd",
        0,
        _uint32s(0, 0, _TIMESCALE, duration, 0x10000),
        struct.pack(">H10x", 0x100),
        _IDENTITY_MATRIX,
        struct.pack(">24xI", 2),
    )
    media = box(
        b"mdia",
        _full_box(b"mdhd", 0, _uint32s(0, 0, rate, len(sizes), _LANGUAGE_UND << 16)),
        _full_box(b"hdlr", 0, struct.pack(">4x4s12x", b"vide"), b"pictures\0"),
        _minf(stream, sizes, offset),
    )
    return box(b"moov", header, box(b"trak", _tkhd(stream, duration), media))


def _tkhd(stream: Stream, duration: int) -> bytes:
    enabled = 3
    return _full_box(
        b"tkhd",
        enabled,
        _uint32s(0, 0, 1, 0, duration),
        bytes(16),
        _IDENTITY_MATRIX,
        _uint32s(stream.width << 16, stream.height << 16),
    )


def _minf(stream: Stream, sizes: list[int], offset: int) -> bytes:
    in_this_file = _full_box(b"url ", 1)
    references = box(b"dinf", _full_box(b"dref", 0, _uint32s(1), in_this_file))
    return box(
        b"minf",
        _full_box(b"vmhd", 1, bytes(8)),
        references,
        _stbl(stream, sizes, offset),
    )


def _stbl(stream: Stream, sizes: list[int], offset: int) -> bytes:
    return box(
        b"stbl",
        _full_box(b"stsd", 0, _uint32s(1), _avc1(stream)),
        _full_box(b"stts", 0, _uint32s(1, len(sizes), 1)),
        _full_box(b"stss", 0, _uint32s(1, 1)),
        _full_box(b"stsc", 0, _uint32s(1, 1, len(sizes), 1)),
        _full_box(b"stsz", 0, _uint32s(0, len(sizes), *sizes)),
        _full_box(b"stco", 0, _uint32s(1, offset)),
    )


def _avc1(stream: Stream) -> bytes:
    four_byte_lengths, one_sequence = 0xFF, 0xE1
    configuration = box(
        b"avcC",
        bytes([1, *stream.sps[1:4], four_byte_lengths, one_sequence]),
        struct.pack(">H", len(stream.sps)),
        stream.sps,
        struct.pack(">BH", 1, len(stream.pps)),
        stream.pps,
    )
    resolution = 72 << 16
    return box(
        b"avc1",
        struct.pack(">6xH16x", 1),
        struct.pack(">2H2I4xH32x", stream.width, stream.height, resolution, resolution, 1),
        struct.pack(">Hh", 24, -1),
        configuration,
    )
