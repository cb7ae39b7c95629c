"""Renders the video and the stills of a prompt, whose hash selects the colours and the motion."""

import hashlib
import struct
import zlib
from functools import lru_cache

from luma_async.emulator import h264, mp4
from luma_async.emulator.h264 import Colour

FRAMES_PER_SECOND = 12
FRAME_COUNT = 60

SIZES = {
    "1:1": (96, 96),
    "16:9": (128, 72),
    "9:16": (72, 128),
    "4:3": (96, 72),
    "3:4": (72, 96),
    "21:9": (168, 72),
    "9:21": (72, 168),
}
"""Width and height in pixels by aspect ratio."""


@lru_cache(maxsize=128)
def film(prompt: str, aspect_ratio: str) -> bytes:
    """Return an MP4 of five seconds and tens of kilobytes; rendering takes milliseconds."""
    width, height = SIZES[aspect_ratio]
    frames = _frames(_digest(prompt), h264.blocks(width), h264.blocks(height))
    return mp4.write(h264.encode(frames, width, height), FRAMES_PER_SECOND)


def still(prompt: str, aspect_ratio: str, *, last: bool) -> bytes:
    """Return a PNG of the size of the video in one colour."""
    width, height = SIZES[aspect_ratio]
    top, bottom, _ = _colours(_digest(prompt))
    row = b"\0" + bytes(bottom if last else top) * width
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    parts = (
        _chunk(b"IHDR", header),
        _chunk(b"IDAT", zlib.compress(row * height)),
        _chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _digest(prompt: str) -> bytes:
    # A prompt parsed from JSON may contain a lone surrogate, which strict UTF-8 cannot encode.
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()


def _colours(digest: bytes) -> tuple[Colour, Colour, Colour]:
    """Return the colours of the upper edge, the lower edge and the square."""

    def colour(index: int, brightness: int) -> Colour:
        return (
            brightness + digest[index] // 4,
            48 + digest[index + 1] * 5 // 8,
            48 + digest[index + 2] * 5 // 8,
        )

    return colour(0, 110), colour(3, 40), colour(6, 165)


def _frames(digest: bytes, columns: int, rows: int) -> list[list[Colour]]:
    """Draw a square of two by two macroblocks that bounces in front of a sky."""
    top, bottom, square = _colours(digest)
    shades = [_interpolate(top, bottom, row / (rows - 1)) for row in range(rows)]
    sky = [shade for shade in shades for _ in range(columns)]
    frames = []
    for number in range(FRAME_COUNT):
        left = _bounce(digest[9], 2 + digest[10] % 3, number, columns - 2)
        upper = _bounce(digest[11], 1 + digest[12] % 3, number, rows - 2)
        corner = upper * columns + left
        frame = sky.copy()
        for row_start in (corner, corner + columns):
            frame[row_start : row_start + 2] = [square, square]
        frames.append(frame)
    return frames


def _bounce(start: int, speed: int, number: int, limit: int) -> int:
    """Return the position of something that moves back and forth between 0 and `limit`."""
    travelled = (start + speed * number // FRAMES_PER_SECOND) % (2 * limit)
    return min(travelled, 2 * limit - travelled)


def _interpolate(first: Colour, second: Colour, fraction: float) -> Colour:
    luma, blue, red = (round(a + (b - a) * fraction) for a, b in zip(first, second, strict=True))
    return luma, blue, red
