"""Event Stream's change events to columns and back; the layout stands in `formats.es`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes, Times, Places = NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint16]


@njit(cache=True, nogil=True)
def unpack_dvs(
    data: Bytes, now: int, height: int, t: Times, x: Places, y: Places, p: Bytes, at: NDArray[np.int32]
) -> tuple[int, int, int, int]:
    """DVS bytes, which begin between events at time `now`, into columns; at: where in `data` each event begins.

    Returns the events, the bytes used (what remains is part of an event), the time after them, and the index of an
    event below the sensor, whose y cannot be turned, or -1.
    """
    kept, i, n = 0, 0, len(data)
    while i < n:
        head = data[i]
        if head == 0xFF:
            now += 127
            i += 1
        elif head == 0xFE:
            i += 1
        else:
            if i + 5 > n:
                break
            now += np.int64(head >> 1)
            row = np.int64(data[i + 3]) | np.int64(data[i + 4]) << 8
            t[kept], p[kept], at[kept] = now, head & 1, i
            x[kept] = np.uint16(data[i + 1]) | np.uint16(data[i + 2]) << 8
            if row >= height:
                return kept, i, now, kept
            y[kept] = height - 1 - row
            kept += 1
            i += 5
    return kept, i, now, -1


@njit(cache=True, nogil=True)
def unpack_atis(
    data: Bytes, now: int, height: int, t: Times, x: Places, y: Places, p: Bytes, at: NDArray[np.int32]
) -> tuple[int, int, int, int, int]:
    """ATIS bytes as `unpack_dvs` does; threshold crossings are counted, which is the last number returned."""
    kept, crossings, i, n = 0, 0, 0, len(data)
    while i < n:
        head = data[i]
        if head >= 0xFC:
            now += 63 * np.int64(head & 3)
            i += 1
            continue
        if i + 5 > n:
            break
        now += np.int64(head >> 2)
        if head & 1:
            crossings += 1
        else:
            row = np.int64(data[i + 3]) | np.int64(data[i + 4]) << 8
            t[kept], p[kept], at[kept] = now, head >> 1 & 1, i
            x[kept] = np.uint16(data[i + 1]) | np.uint16(data[i + 2]) << 8
            if row >= height:
                return kept, i, now, kept, crossings
            y[kept] = height - 1 - row
            kept += 1
        i += 5
    return kept, i, now, -1, crossings


@njit(cache=True, nogil=True)
def dvs_size(t: Times, before: int) -> int:
    """Bytes that DVS events take when they follow one at time `before`."""
    size = 5 * len(t)
    for i in range(len(t)):
        size += (t[i] - before) // 127
        before = t[i]
    return size


@njit(cache=True, nogil=True)
def pack_dvs(t: Times, x: Places, y: Places, p: Bytes, before: int, height: int, data: Bytes) -> None:
    """Columns, checked before, into the `dvs_size` bytes of `data`."""
    k = 0
    for i in range(len(t)):
        rest = t[i] - before
        before = t[i]
        while rest >= 127:
            data[k] = 0xFF
            k += 1
            rest -= 127
        row = height - 1 - np.int64(y[i])
        data[k], data[k + 1], data[k + 2] = rest << 1 | p[i], x[i] & 0xFF, x[i] >> 8
        data[k + 3], data[k + 4] = row & 0xFF, row >> 8
        k += 5
