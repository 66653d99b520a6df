"""SLAYER's records to columns and back; the layouts stand in `formats.slayer`.

Each unpack returns the index of the first record that is no event, or -1; each pack takes columns checked before.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes, Times, Places = NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint16]


@njit(cache=True, nogil=True)
def unpack_bs1(data: Bytes, t: Times, x: Places, y: Places, p: Bytes) -> int:
    """id 16 | polarity 1 | time 23."""
    for i in range(len(data) // 5):
        b = 5 * i
        x[i], y[i], p[i] = np.uint16(data[b]) << 8 | np.uint16(data[b + 1]), 0, data[b + 2] >> 7
        t[i] = np.int64(data[b + 2] & 0x7F) << 16 | np.int64(data[b + 3]) << 8 | np.int64(data[b + 4])
    return -1


@njit(cache=True, nogil=True)
def pack_bs1(t: Times, x: Places, y: Places, p: Bytes, data: Bytes) -> None:
    """id 16 | polarity 1 | time 23."""
    for i in range(len(t)):
        b = 5 * i
        data[b], data[b + 1], data[b + 2] = x[i] >> 8, x[i] & 0xFF, p[i] << 7 | t[i] >> 16
        data[b + 3], data[b + 4] = t[i] >> 8 & 0xFF, t[i] & 0xFF


@njit(cache=True, nogil=True)
def unpack_bs2(data: Bytes, t: Times, x: Places, y: Places, p: Bytes) -> int:
    """x 8 | y 8 | polarity 1 | time 23."""
    for i in range(len(data) // 5):
        b = 5 * i
        x[i], y[i], p[i] = data[b], data[b + 1], data[b + 2] >> 7
        t[i] = np.int64(data[b + 2] & 0x7F) << 16 | np.int64(data[b + 3]) << 8 | np.int64(data[b + 4])
    return -1


@njit(cache=True, nogil=True)
def pack_bs2(t: Times, x: Places, y: Places, p: Bytes, data: Bytes) -> None:
    """x 8 | y 8 | polarity 1 | time 23."""
    for i in range(len(t)):
        b = 5 * i
        data[b], data[b + 1], data[b + 2] = x[i], y[i], p[i] << 7 | t[i] >> 16
        data[b + 3], data[b + 4] = t[i] >> 8 & 0xFF, t[i] & 0xFF


@njit(cache=True, nogil=True)
def unpack_bs3(data: Bytes, t: Times, x: Places, y: Places, p: Bytes) -> int:
    """x 12 | y 12 | channel 8 | time 24."""
    bad = -1
    for i in range(len(data) // 7):
        b = 7 * i
        x[i] = np.uint16(data[b]) << 4 | np.uint16(data[b + 1]) >> 4
        y[i] = np.uint16(data[b + 1] & 0x0F) << 8 | np.uint16(data[b + 2])
        p[i] = data[b + 3]
        t[i] = np.int64(data[b + 4]) << 16 | np.int64(data[b + 5]) << 8 | np.int64(data[b + 6])
        if data[b + 3] > 1 and bad < 0:
            bad = i
    return bad


@njit(cache=True, nogil=True)
def pack_bs3(t: Times, x: Places, y: Places, p: Bytes, data: Bytes) -> None:
    """x 12 | y 12 | channel 8 | time 24."""
    for i in range(len(t)):
        b = 7 * i
        data[b], data[b + 1], data[b + 2] = x[i] >> 4, (x[i] & 0x0F) << 4 | y[i] >> 8, y[i] & 0xFF
        data[b + 3], data[b + 4], data[b + 5], data[b + 6] = p[i], t[i] >> 16, t[i] >> 8 & 0xFF, t[i] & 0xFF
