"""PNG and animated PNG (W3C, third edition, 2025) of pictures in a colour table, without another package.

89 "PNG" 0D 0A 1A 0A, then chunks: length u32 | type | data | CRC-32 of type and data u32, big-endian
IHDR width, height u32, 8 bits, colour type 3, 0, 0, 0 | PLTE 3 bytes a colour | IDAT zlib of rows, each after a 0
animated: acTL pictures, plays u32 before IDAT; before each picture fcTL order, width, height, left, top u32,
delay as a fraction of u16s, 0 (it stays), 0 (it replaces); from the second on fdAT order u32 | as IDAT
"""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.viewer.gif import changed

MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_DELAY = 65535  # pictures that one that does not change may stand for


def png_bytes(picture: NDArray[np.uint8], table: NDArray[np.uint8]) -> bytes:
    """A picture, (H, W) places in a colour table, as a file."""
    return b"".join((_head(picture.shape[::-1], table), _chunk(b"IDAT", _pixels(picture)), _chunk(b"IEND", b"")))


class Apng:
    """Takes the pictures of a film, (H, W) places in its colour table, for a file that can be sought; fps to 1000."""

    def __init__(self, file: BinaryIO, size: tuple[int, int], table: NDArray[np.uint8], fps: float) -> None:
        if not 1 <= fps <= 1000:
            raise ValueError(f"expected fps from 1 to 1000 for an animated PNG, got {fps}")
        self._file, self._fps = file, fps
        file.write(_head(size, table))
        self._counted_at = file.tell()
        file.write(_chunk(b"acTL", bytes(8)))
        self._last: NDArray[np.uint8] | None = None
        self._held: tuple[NDArray[np.uint8], int, int] | None = None
        self._stays, self._order, self._pictures = 0, 0, 0

    def add(self, picture: NDArray[np.uint8]) -> None:
        """One more picture."""
        height, width = picture.shape
        box = (0, height, 0, width) if self._last is None else changed(self._last, picture)
        if box is None and self._stays == MAX_DELAY:
            box = (0, 1, 0, 1)
        if box is not None:
            self._give()
            top, bottom, left, right = box
            self._held, self._stays = (picture[top:bottom, left:right], left, top), 0
        self._stays += 1
        self._last = picture

    def finish(self) -> None:
        """The last picture, the end, and at the head how many there are."""
        self._give()
        self._file.write(_chunk(b"IEND", b""))
        self._file.seek(self._counted_at)
        self._file.write(_chunk(b"acTL", struct.pack(">II", self._pictures, 0)))

    def close(self) -> None:
        """Nothing is left open."""

    def _give(self) -> None:
        """Write the picture that is held, now that it is known how long it stays."""
        if self._held is None:
            return
        part, left, top = self._held
        height, width = part.shape
        delay = seconds_of(self._stays, self._fps)
        self._file.write(_chunk(b"fcTL", struct.pack(">5I2H2B", self._order, width, height, left, top, *delay, 0, 0)))
        data = _pixels(part)
        if self._pictures:
            self._file.write(_chunk(b"fdAT", struct.pack(">I", self._order + 1) + data))
        else:
            self._file.write(_chunk(b"IDAT", data))
        self._order += 2 if self._pictures else 1
        self._pictures += 1


def seconds_of(pictures: int, fps: float) -> tuple[int, int]:
    """What so many pictures take, as a fraction of two numbers of 16 bits, as near as these can."""
    exact = Fraction(pictures) / Fraction(fps).limit_denominator(1000)
    denominator = 65535
    while (near := exact.limit_denominator(denominator)).numerator > 65535:
        denominator //= 2
    return near.numerator, near.denominator


def _head(size: tuple[int, ...], table: NDArray[np.uint8]) -> bytes:
    header = struct.pack(">IIBBBBB", *size, 8, 3, 0, 0, 0)
    return MAGIC + _chunk(b"IHDR", header) + _chunk(b"PLTE", table.tobytes())


def _pixels(picture: NDArray[np.uint8]) -> bytes:
    rows = np.zeros((picture.shape[0], picture.shape[1] + 1), np.uint8)  # a row's first byte, 0: it is as it is
    rows[:, 1:] = picture
    return zlib.compress(rows.tobytes(), 6)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
