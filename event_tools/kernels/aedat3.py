"""AEDAT 3 packets to columns and back; the layout stands in `formats.aedat3`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

HEADER, RECORD, POLARITY = 28, 8, 1
WHOLE, BAD_HEADER, BAD_EVENT, BAD_VALID = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def _number(data: NDArray[np.uint8], at: int) -> int:
    """A little-endian i32."""
    word = (
        np.uint32(data[at + 3]) << 24
        | np.uint32(data[at + 2]) << 16
        | np.uint32(data[at + 1]) << 8
        | np.uint32(data[at])
    )
    return np.int64(np.int32(word))


@njit(cache=True, nogil=True)
def unpack_events(
    data: NDArray[np.uint8],
    number: int,
    overflow: int,
    height: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    kept: int,
) -> tuple[int, bool]:
    """The valid ones of `number` polarity events, after those kept so far; and whether a time or row cannot be."""
    wrong = np.int64(0)
    for i in range(number):
        word, now = _number(data, RECORD * i), _number(data, RECORD * i + 4)
        row = word >> 2 & 0x7FFF
        if height:
            row = height - 1 - row
        wrong |= now | row
        t[kept], x[kept], y[kept], p[kept] = overflow << 31 | now, word >> 17 & 0x7FFF, row, word >> 1 & 1
        kept += word & 1
    return kept, wrong < 0


@njit(cache=True, nogil=True)
def unpack(
    data: NDArray[np.uint8],
    source: int,
    height: int,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    counts: NDArray[np.int64],
) -> tuple[int, int, int, int]:
    """The packets that lie whole in `data`; returns (events, bytes used, problem, source).

    source: the one whose polarity events are wanted, -1 for that of the first ones; height: of the sensor where rows
    count from the bottom, otherwise 0; counts: events of other kinds by type, those of other sources as type 1.
    Where there is a problem, the packet with it begins after the bytes used, and gave no events.
    """
    at, kept = 0, 0
    while at + HEADER <= len(data):
        kind, origin = _number(data, at) << 48 >> 48, _number(data, at) >> 16
        size, time_at, overflow = _number(data, at + 4), _number(data, at + 8), _number(data, at + 12)
        capacity, number, valid = _number(data, at + 16), _number(data, at + 20), _number(data, at + 24)
        if kind < 0 or origin < 0 or size < 1 or overflow < 0 or not 0 <= valid <= number <= capacity:
            return kept, at, BAD_HEADER, source
        if kind == POLARITY and (size != RECORD or time_at != 4):
            return kept, at, BAD_HEADER, source
        stop = at + HEADER + capacity * size
        if stop > len(data):
            break
        if kind == POLARITY and source < 0 and number:
            source = origin
        if kind != POLARITY or origin != source:
            counts[kind] += number
            at = stop
            continue
        before = kept
        kept, wrong = unpack_events(data[at + HEADER :], number, overflow, height, t, x, y, p, kept)
        if wrong:
            return before, at, BAD_EVENT, source
        if kept - before != valid:
            return before, at, BAD_VALID, source
        at = stop
    return kept, at, WHOLE, source


@njit(cache=True, nogil=True)
def pack(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    start: int,
    overflow: int,
    data: NDArray[np.uint8],
    held: int,
) -> int:
    """Events from `start` on into a packet that holds some, until it is full or they need another overflow.

    Returns the event that comes next.
    """
    capacity = (len(data) - HEADER) // RECORD
    i = start
    while i < len(t) and held < capacity and t[i] >> 31 == overflow:
        word = np.int64(x[i]) << 17 | np.int64(y[i]) << 2 | np.int64(p[i]) << 1 | 1
        b = HEADER + RECORD * held
        for k in range(4):
            data[b + k] = word >> 8 * k & 0xFF
            data[b + 4 + k] = (t[i] & 0x7FFFFFFF) >> 8 * k & 0xFF
        held += 1
        i += 1
    return i
