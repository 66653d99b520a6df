"""AEDAT 4 events, 16 bytes each, to columns and back; the layout stands in `formats.aedat4`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

ROW = 16


@njit(cache=True, nogil=True)
def unpack(
    data: NDArray[np.uint8],
    n: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    held: int,
) -> bool:
    """n rows into columns that hold some; returns whether a coordinate is negative or a polarity above 1."""
    wrong = np.uint16(0)
    for i in range(n):
        b = ROW * i
        low = np.uint64(data[b]) | np.uint64(data[b + 1]) << np.uint64(8) | np.uint64(data[b + 2]) << np.uint64(16)
        low |= np.uint64(data[b + 3]) << np.uint64(24) | np.uint64(data[b + 4]) << np.uint64(32)
        low |= np.uint64(data[b + 5]) << np.uint64(40) | np.uint64(data[b + 6]) << np.uint64(48)
        t[held + i] = np.int64(low | np.uint64(data[b + 7]) << np.uint64(56))
        a = np.uint16(data[b + 9]) << 8 | np.uint16(data[b + 8])
        c = np.uint16(data[b + 11]) << 8 | np.uint16(data[b + 10])
        x[held + i], y[held + i], p[held + i] = a, c, data[b + 12]
        wrong |= np.uint16((a | c) & 0x8000) | np.uint16(data[b + 12] >> 1)
    return wrong != 0


@njit(cache=True, nogil=True)
def pack(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    start: int,
    n: int,
    data: NDArray[np.uint8],
) -> None:
    """n events from `start` on into rows."""
    for i in range(n):
        b, e = ROW * i, start + i
        for k in range(8):
            data[b + k] = t[e] >> 8 * k & 0xFF
        data[b + 8], data[b + 9] = x[e] & 0xFF, x[e] >> 8
        data[b + 10], data[b + 11] = y[e] & 0xFF, y[e] >> 8
        data[b + 12], data[b + 13], data[b + 14], data[b + 15] = p[e], 0, 0, 0
