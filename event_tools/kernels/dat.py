"""Prophesee DAT records to columns and back; the layouts stand in `formats.dat`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

RAW, WRAPS = 0, 1  # of the state: the last time as it stood in the file, -1 before the first; wraps of 32 bits so far
WRAP = 1 << 31  # a step back by more is a wrap


@njit(cache=True, nogil=True)
def advance(words: NDArray[np.uint32], state: NDArray[np.int64]) -> None:
    """Bring the state behind the records."""
    n = len(words) // 2
    raw, wraps = state[RAW], 0
    for i in range(n):
        now = np.int64(words[2 * i])
        wraps += raw - now > WRAP
        raw = now
    state[RAW] = raw
    state[WRAPS] += wraps


@njit(cache=True, nogil=True)
def unpack(
    words: NDArray[np.uint32],
    state: NDArray[np.int64],
    first: bool,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
) -> int:
    """Records into columns, in the layout of version 1 (`first`) or 2; returns those before the first bad polarity."""
    raw, wraps = state[RAW], state[WRAPS] << 32
    stray = np.uint32(0)
    n = len(words) // 2
    for i in range(n):
        now, place = np.int64(words[2 * i]), words[2 * i + 1]
        if raw - now > WRAP:
            wraps += 1 << 32
        raw = now
        t[i] = now + wraps
        if first:
            x[i], y[i], p[i] = place & 0x1FF, place >> 9 & 0xFF, place >> 17 & 1
        else:
            x[i], y[i], p[i] = place & 0x3FFF, place >> 14 & 0x3FFF, place >> 28 & 1
            stray |= place
    if stray >> 29:
        for i in range(n):
            if words[2 * i + 1] >> 29:
                return i
    return n


@njit(cache=True, nogil=True)
def pack(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    words: NDArray[np.uint32],
) -> None:
    """Columns, checked before, into records of version 2."""
    for i in range(len(t)):
        words[2 * i] = t[i]
        words[2 * i + 1] = np.uint32(x[i]) | np.uint32(y[i]) << 14 | np.uint32(p[i]) << 28
