"""Writes H.264 without compression: every macroblock is one flat colour, or a repetition.

A picture is a grid of macroblocks of 16 by 16 pixels. A macroblock that changed is written as raw
samples (I_PCM); one that did not is skipped, which repeats it from the previous picture. The result
is a baseline stream that any player decodes.
"""

import itertools
import re
from collections.abc import Sequence
from typing import TypeAlias

import attrs

BLOCK = 16
"""Width and height of a macroblock in pixels."""

Colour: TypeAlias = tuple[int, int, int]
"""Luma, blue difference and red difference, each from 16 to 235."""

Picture: TypeAlias = Sequence[Colour]
"""The colours of the macroblocks, row by row."""

_SPS, _PPS, _IDR_SLICE, _NON_IDR_SLICE = 0x67, 0x68, 0x65, 0x41
_I_SLICE, _P_SLICE = 7, 5
_PCM_IN_I, _PCM_IN_P = 25, 30
_NEEDS_ESCAPE = re.compile(rb"\0\0(?=[\0-\3])")


@attrs.frozen(kw_only=True)
class Stream:
    """An encoded film: the parameter sets, then one NAL unit for each picture."""

    width: int
    height: int
    sps: bytes
    pps: bytes
    samples: tuple[bytes, ...]


class BitWriter:
    """Collects bits, the highest first, in the codes of the H.264 standard."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._bits = 0
        self._bit_count = 0

    def bits(self, width: int, value: int) -> None:
        """Append a number of fixed width: u(n) of the standard."""
        self._bits = self._bits << width | value
        self._bit_count += width
        while self._bit_count >= 8:
            self._bit_count -= 8
            self._bytes.append(self._bits >> self._bit_count)
            self._bits &= (1 << self._bit_count) - 1

    def golomb(self, *values: int) -> None:
        """Append non-negative numbers in Exp-Golomb code: ue(v) of the standard."""
        for value in values:
            length = (value + 1).bit_length()
            self.bits(2 * length - 1, value + 1)

    def samples(self, colour: Colour) -> None:
        """Append the raw samples of one flat macroblock at the next byte boundary."""
        luma, blue, red = colour
        self._align()
        self._bytes += bytes([luma]) * 256 + bytes([blue]) * 64 + bytes([red]) * 64

    def nal_unit(self, header: int) -> bytes:
        """Return the bits as one NAL unit.

        A 3 is inserted where the bytes would look like the start of the next unit.
        """
        self.bits(1, 1)
        self._align()
        return bytes([header]) + _NEEDS_ESCAPE.sub(b"\0\0\3", bytes(self._bytes))

    def _align(self) -> None:
        if self._bit_count:
            self.bits(8 - self._bit_count, 0)


def encode(pictures: Sequence[Picture], width: int, height: int) -> Stream:
    """Encode pictures of `width` by `height` pixels, both even.

    The macroblocks of each picture cover that size; the player crops the rest.
    """
    changes = enumerate(itertools.pairwise(pictures), start=1)
    samples = [_intra(pictures[0]), *(_inter(*pair, number) for number, pair in changes)]
    return Stream(
        width=width,
        height=height,
        sps=_sequence_parameter_set(width, height),
        pps=_picture_parameter_set(),
        samples=tuple(samples),
    )


def blocks(pixels: int) -> int:
    """Return how many macroblocks cover a number of pixels."""
    return -(-pixels // BLOCK)


def _sequence_parameter_set(width: int, height: int) -> bytes:
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
    return out.nal_unit(_SPS)


def _picture_parameter_set() -> bytes:
    out = BitWriter()
    out.golomb(0, 0)
    out.bits(2, 0)
    out.golomb(0, 0, 0)
    out.bits(3, 0)
    out.golomb(0, 0, 0)
    out.bits(3, 0b100)  # slices state whether they are deblocked
    return out.nal_unit(_PPS)


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
    return out.nal_unit(_IDR_SLICE)


def _inter(previous: Picture, picture: Picture, number: int) -> bytes:
    out = BitWriter()
    out.golomb(0, _P_SLICE, 0)
    out.bits(8, number % 256)
    out.bits(3, 0)
    out.golomb(0, 1)
    skipped = 0
    for old, new in zip(previous, picture, strict=True):
        if old == new:
            skipped += 1
            continue
        out.golomb(skipped, _PCM_IN_P)
        out.samples(new)
        skipped = 0
    if skipped:
        out.golomb(skipped)
    return out.nal_unit(_NON_IDR_SLICE)
