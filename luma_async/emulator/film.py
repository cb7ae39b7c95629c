"""Makes the video and the stills that belong to a prompt.

The same prompt always looks the same; another one has other colours and another motion.
"""

import hashlib
import struct
import zlib
from functools import lru_cache

from luma_async.emulator import h264, mp4
from luma_async.emulator.h264 import Colour

PICTURES_PER_SECOND = 12
PICTURES = 60

SIZES = {
    "1:1": (96, 96),
    "16:9": (128, 72),
    "9:16": (72, 128),
    "4:3": (96, 72),
    "3:4": (72, 96),
    "21:9": (168, 72),
    "9:21": (72, 168),
}
"""Width and height in pixels of the videos of each aspect ratio."""


@lru_cache(maxsize=128)
def film(prompt: str, aspect_ratio: str) -> bytes:
    """Return an MP4 of five seconds and some tens of kilobytes; it takes milliseconds to make."""
    width, height = SIZES[aspect_ratio]
    pictures = _pictures(_look(prompt), h264.blocks(width), h264.blocks(height))
    return mp4.write(h264.encode(pictures, width, height), PICTURES_PER_SECOND)


def still(prompt: str, aspect_ratio: str, *, last: bool) -> bytes:
    """Return a PNG of the size of the video, all in one colour that depends on the prompt."""
    width, height = SIZES[aspect_ratio]
    top, bottom, _ = _colours(_look(prompt))
    line = b"\0" + bytes(bottom if last else top) * width
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    parts = (
        _chunk(b"IHDR", header),
        _chunk(b"IDAT", zlib.compress(line * height)),
        _chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _look(prompt: str) -> bytes:
    # A prompt that came through JSON may hold half a character, which has no bytes of its own.
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()


def _colours(look: bytes) -> tuple[Colour, Colour, Colour]:
    """Return the colours of the upper edge, the lower edge and the square."""

    def colour(place: int, brightness: int) -> Colour:
        return (
            brightness + look[place] // 4,
            48 + look[place + 1] * 5 // 8,
            48 + look[place + 2] * 5 // 8,
        )

    return colour(0, 110), colour(3, 40), colour(6, 165)


def _pictures(look: bytes, columns: int, rows: int) -> list[list[Colour]]:
    """Paint a square of two by two macroblocks that bounces in front of a sky."""
    top, bottom, square = _colours(look)
    shades = [_between(top, bottom, row / (rows - 1)) for row in range(rows)]
    sky = [shade for shade in shades for _ in range(columns)]
    pictures = []
    for number in range(PICTURES):
        left = _bounce(look[9], 2 + look[10] % 3, number, columns - 2)
        upper = _bounce(look[11], 1 + look[12] % 3, number, rows - 2)
        corner = upper * columns + left
        picture = sky.copy()
        for row_start in (corner, corner + columns):
            picture[row_start : row_start + 2] = [square, square]
        pictures.append(picture)
    return pictures


def _bounce(start: int, speed: int, number: int, room: int) -> int:
    """Return where something is that runs to and fro from 0 to `room`."""
    travelled = (start + speed * number // PICTURES_PER_SECOND) % (2 * room)
    return min(travelled, 2 * room - travelled)


def _between(first: Colour, second: Colour, share: float) -> Colour:
    luma, blue, red = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return luma, blue, red
