"""Writes H.264 without compressing: every macroblock is one flat colour, or a repeat.

A picture is a grid of macroblocks, 16 by 16 pixels each. A macroblock that changed is written as
raw samples (I_PCM); one that stayed is skipped, which repeats it from the picture before. The
result is a baseline stream that any player decodes, made without an encoder.
"""

import re
from collections.abc import Sequence
from typing import TypeAlias

import attrs

BLOCK = 16
"""Width and height of a macroblock in pixels."""

Colour: TypeAlias = tuple[int, int, int]
"""Luma, blue difference and red difference, each from 16 to 235."""

Picture: TypeAlias = Sequence[Colour]
"""The colours of a grid's macroblocks, row by row."""

_SEQUENCE, _PICTURE, _INTRA_SLICE, _INTER_SLICE = 0x67, 0x68, 0x65, 0x41
_I_SLICE, _P_SLICE = 7, 5
_PCM_IN_I, _PCM_IN_P = 25, 30
_LOOKS_LIKE_START = re.compile(rb"\0\0(?=[\0-\3])")


@attrs.frozen(kw_only=True)
class Stream:
    """An encoded film: what a decoder needs first, then one unit a picture."""

    width: int
    height: int
    sequence: bytes
    picture: bytes
    samples: tuple[bytes, ...]


class BitWriter:
    """Collects bits, the highest first, in the codes of the H.264 standard."""

    def __init__(self) -> None:
        self._whole = bytearray()
        self._pending = 0
        self._width = 0

    def bits(self, width: int, value: int) -> None:
        """Add a number of fixed width: u(n) of the standard."""
        self._pending = self._pending << width | value
        self._width += width
        while self._width >= 8:
            self._width -= 8
            self._whole.append(self._pending >> self._width)
            self._pending &= (1 << self._width) - 1

    def golomb(self, *values: int) -> None:
        """Add non-negative numbers in Exp-Golomb code: ue(v) of the standard."""
        for value in values:
            length = (value + 1).bit_length()
            self.bits(2 * length - 1, value + 1)

    def samples(self, colour: Colour) -> None:
        """Add the raw samples of one flat macroblock, from the next whole byte on."""
        luma, blue, red = colour
        self._align()
        self._whole += bytes([luma]) * 256 + bytes([blue]) * 64 + bytes([red]) * 64

    def unit(self, header: int) -> bytes:
        """Close the bits and return them as one unit of the stream.

        Where the bytes would look like the start of the next unit, a 3 keeps them apart.
        """
        self.bits(1, 1)
        self._align()
        return bytes([header]) + _LOOKS_LIKE_START.sub(b"\0\0\3", bytes(self._whole))

    def _align(self) -> None:
        if self._width:
            self.bits(8 - self._width, 0)


def encode(pictures: Sequence[Picture], width: int, height: int) -> Stream:
    """Write pictures of `width` by `height` pixels, both even.

    Each picture holds as many macroblocks as cover that size, row by row; what lies outside is
    cropped by the player.
    """
    first, *others = pictures
    samples = [_intra(first)]
    before = first
    for number, picture in enumerate(others, start=1):
        samples.append(_inter(before, picture, number))
        before = picture
    return Stream(
        width=width,
        height=height,
        sequence=_sequence_parameters(width, height),
        picture=_picture_parameters(),
        samples=tuple(samples),
    )


def blocks(pixels: int) -> int:
    """Return how many macroblocks cover so many pixels."""
    return -(-pixels // BLOCK)


def _sequence_parameters(width: int, height: int) -> bytes:
    out = BitWriter()
    out.bits(24, 0x42C01E)  # baseline profile, its constraints, level 3
    out.golomb(0, 4, 2, 1)  # set 0; frame numbers of 8 bits; pictures in order; one reference
    out.bits(1, 0)
    columns, rows = blocks(width), blocks(height)
    out.golomb(columns - 1, rows - 1)
    out.bits(3, 0b111)  # whole frames, 8x8 inference, cropping follows
    # Cropping counts in pairs of pixels, as two pixels share one sample of colour.
    out.golomb(0, (columns * BLOCK - width) // 2, 0, (rows * BLOCK - height) // 2)
    out.bits(1, 0)
    return out.unit(_SEQUENCE)


def _picture_parameters() -> bytes:
    out = BitWriter()
    out.golomb(0, 0)
    out.bits(2, 0)
    out.golomb(0, 0, 0)
    out.bits(3, 0)
    out.golomb(0, 0, 0)
    out.bits(3, 0b100)  # slices say whether they are deblocked
    return out.unit(_PICTURE)


def _intra(picture: Picture) -> bytes:
    out = BitWriter()
    out.golomb(0, _I_SLICE, 0)
    out.bits(8, 0)
    out.golomb(0)
    out.bits(2, 0)
    out.golomb(0, 1)  # quality unchanged; no deblocking, it would blur the flat colours
    for colour in picture:
        out.golomb(_PCM_IN_I)
        out.samples(colour)
    return out.unit(_INTRA_SLICE)


def _inter(before: Picture, picture: Picture, number: int) -> bytes:
    out = BitWriter()
    out.golomb(0, _P_SLICE, 0)
    out.bits(8, number % 256)
    out.bits(3, 0)
    out.golomb(0, 1)
    skipped = 0
    for old, new in zip(before, picture, strict=True):
        if old == new:
            skipped += 1
            continue
        out.golomb(skipped, _PCM_IN_P)
        out.samples(new)
        skipped = 0
    if skipped:
        out.golomb(skipped)
    return out.unit(_INTER_SLICE)
