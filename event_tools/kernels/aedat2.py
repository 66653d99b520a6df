"""AEDAT 2.0 records to columns and back; the layout stands in `formats.aedat2`.

Addresses differ by camera and by convention, but only in masks and in three turns: axes swapped, axes counted from the
other end, polarity inverted.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

HALF, WRAP_BITS = 1 << 31, 32  # time is a signed number of 32 bits; a step back of more than HALF is a wrap


@njit(cache=True, nogil=True)
def unpack(
    data: NDArray[np.uint8],
    davis: bool,
    width: int,
    height: int,
    swap: bool,
    mirror: bool,
    invert: bool,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
) -> tuple[int, int, int, int, int]:
    """Records into columns; returns (events, bad record or -1, wraps among them, first time, last time).

    It ends before a bad record, whose address the camera does not have. Times count from the wraps before the block.
    """
    kept, wraps, first, last = 0, 0, 0, 0
    flip = np.uint8(1 if invert else 0)
    for i in range(len(data) // 8):
        b = 8 * i
        address = (
            np.uint32(data[b]) << 24
            | np.uint32(data[b + 1]) << 16
            | np.uint32(data[b + 2]) << 8
            | np.uint32(data[b + 3])
        )
        bits = (
            np.uint32(data[b + 4]) << 24
            | np.uint32(data[b + 5]) << 16
            | np.uint32(data[b + 6]) << 8
            | np.uint32(data[b + 7])
        )
        now = np.int64(np.int32(bits))
        if i == 0:
            first = now
        elif now - last < -HALF:
            wraps += 1
        last = now
        if davis:
            if address & 0x80000400:
                continue
            a, c, bit = np.int64(address >> 12 & 0x3FF), np.int64(address >> 22 & 0x1FF), np.uint8(address >> 11 & 1)
            if a >= width or c >= height:
                return kept, i, wraps, first, last
        else:
            if address > 0xFFFF:
                return kept, i, wraps, first, last
            if address & 0x8000:
                continue
            a, c, bit = np.int64(address >> 1 & 127), np.int64(address >> 8 & 127), np.uint8(address & 1)
        if swap:
            a, c = c, a
        if mirror:
            a, c = width - 1 - a, height - 1 - c
        t[kept], x[kept], y[kept], p[kept] = now + (wraps << WRAP_BITS), a, c, bit ^ flip
        kept += 1
    return kept, -1, wraps, first, last


@njit(cache=True, nogil=True)
def pack(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    before: int,
    davis: bool,
    width: int,
    height: int,
    swap: bool,
    mirror: bool,
    invert: bool,
    data: NDArray[np.uint8],
) -> int:
    """Columns, checked to lie on the camera, into records; `before` is the time of the event before them.

    Returns the first event whose time could not be told after a silence, or -1.
    """
    flip = np.int64(1 if invert else 0)
    for i in range(len(t)):
        wraps = (t[i] + HALF >> WRAP_BITS) - (before + HALF >> WRAP_BITS)
        if wraps != 0 and not (wraps == 1 and t[i] - before < HALF):
            return i
        before = t[i]
        a, c, bit = np.int64(x[i]), np.int64(y[i]), np.int64(p[i]) ^ flip
        if mirror:
            a, c = width - 1 - a, height - 1 - c
        if swap:
            a, c = c, a
        address = a << 12 | c << 22 | bit << 11 if davis else a << 1 | c << 8 | bit
        b = 8 * i
        for k in range(4):
            data[b + k] = address >> (24 - 8 * k) & 0xFF
            data[b + 4 + k] = before >> (24 - 8 * k) & 0xFF
    return -1
