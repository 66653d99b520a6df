"""EVT 2.0 words to columns and back; the layout stands in `formats.evt2`.

A reader's state is an array of two: HIGH, the time's upper bits with wraps counted on top, -1 before the first; OPEN,
whether the word before may be continued.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

HIGH, OPEN = 0, 1
OFF, ON, TIME_HIGH, TRIGGER, IMU, OTHERS, CONTINUED = 0x0, 0x1, 0x8, 0xA, 0xD, 0xE, 0xF
TRIGGERS, OTHER, UNTIMED = 0, 1, 2  # of the counts
WELL, UNKNOWN, STRAY, TIMELESS = 0, 1, 2, 3  # what is wrong with a word

LOOP = 1 << 28


@njit(cache=True, nogil=True, inline="always")
def later(high: int, new: int, loop: int) -> int:
    """Upper bits of time after the word `new`, which counts up to `loop`; a step back by more than half is a wrap."""
    if high < 0:
        return new
    loops = high // loop
    if high - loops * loop - new > loop // 2:
        loops += 1
    return loops * loop + new


@njit(cache=True, nogil=True)
def advance(words: NDArray[np.uint32], state: NDArray[np.int64]) -> None:
    """Bring the state behind the words."""
    n = len(words)
    high = state[HIGH]
    for i in range(n):
        if words[i] >> 28 == TIME_HIGH:
            high = later(high, np.int64(words[i] & 0xFFFFFFF), LOOP)
    state[HIGH] = high
    if n:
        state[OPEN] = words[n - 1] >> 28 >= IMU


@njit(cache=True, nogil=True)
def decode(
    words: NDArray[np.uint32],
    state: NDArray[np.int64],
    lenient: bool,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    counts: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Words into columns; lenient: words before the first time are counted, not refused.

    Returns the events, and how many words were read before the one that is wrong (all), and what is wrong with it.
    """
    high, opened = state[HIGH], state[OPEN] != 0
    now = high << 6
    kept = np.uint64(0)  # an unsigned index is not asked whether it counts from the end
    for i in range(len(words)):
        word = words[i]
        kind = word >> 28
        if kind <= ON:
            if high < 0:
                if not lenient:
                    return np.int64(kept), i, TIMELESS
                counts[UNTIMED] += 1
                continue
            t[kept] = now | np.int64(word >> 22 & 0x3F)
            x[kept], y[kept], p[kept] = word >> 11 & 0x7FF, word & 0x7FF, kind
            kept += np.uint64(1)
        elif kind == TIME_HIGH:
            high = later(high, np.int64(word & 0xFFFFFFF), LOOP)
            now = high << 6
        elif kind == TRIGGER:
            counts[TRIGGERS] += 1
        elif kind == CONTINUED:
            if not (words[i - 1] >> 28 >= IMU if i else opened):
                return np.int64(kept), i, STRAY
        elif kind >= IMU:
            counts[OTHER] += 1
        else:
            return np.int64(kept), i, UNKNOWN
    return np.int64(kept), len(words), WELL


@njit(cache=True, nogil=True)
def encode(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    before: int,
    words: NDArray[np.uint32],
) -> int:
    """Columns, checked before, into words; `before`: the time of the event before them, or -1. Returns the words."""
    high = before >> 6
    n = 0
    for i in range(len(t)):
        if t[i] >> 6 != high:
            high = t[i] >> 6
            words[n] = TIME_HIGH << 28 | high
            n += 1
        words[n] = np.uint32(p[i]) << 28 | np.uint32(t[i] & 0x3F) << 22 | np.uint32(x[i]) << 11 | np.uint32(y[i])
        n += 1
    return n
