"""EVT 2.1 words to columns and back; the layout stands in `formats.evt21`, a reader's state in `kernels.evt2`.

Words are pairs of 32-bit halves. upper: which half of a pair holds type, time and place; the other one says which of
32 pixels fired.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_tools.kernels.evt2 import (
    CONTINUED,
    HIGH,
    LOOP,
    ON,
    OPEN,
    OTHER,
    OTHERS,
    STRAY,
    TIME_HIGH,
    TIMELESS,
    TRIGGER,
    TRIGGERS,
    UNKNOWN,
    UNTIMED,
    WELL,
    later,
)
from event_tools.kernels.evt3 import POPULATION

OUTSIDE = 4  # one more thing that may be wrong with a word: its pixels end beyond the 2,048th


@njit(cache=True, nogil=True)
def advance(words: NDArray[np.uint32], state: NDArray[np.int64], upper: int) -> None:
    """Bring the state behind the words."""
    high = state[HIGH]
    for i in range(upper, len(words), 2):
        if words[i] >> 28 == TIME_HIGH:
            high = later(high, np.int64(words[i] & 0xFFFFFFF), LOOP)
    state[HIGH] = high
    if len(words):
        state[OPEN] = words[len(words) - 2 + upper] >> 28 >= OTHERS


@njit(cache=True, nogil=True, inline="always")
def _pixels(valid: int) -> int:
    """How many of 32 bits are set."""
    return np.int64(POPULATION[valid & 0xFFF]) + POPULATION[valid >> 12 & 0xFFF] + POPULATION[valid >> 24]


@njit(cache=True, nogil=True)
def most(words: NDArray[np.uint32], upper: int) -> int:
    """How many events there are at most."""
    events = 0
    for i in range(0, len(words), 2):
        if words[i + upper] >> 28 <= ON:
            events += _pixels(words[i + 1 - upper])
    return events


@njit(cache=True, nogil=True)
def decode(
    words: NDArray[np.uint32],
    state: NDArray[np.int64],
    upper: int,
    lenient: bool,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    counts: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Words into columns, as `kernels.evt2.decode` does; a word counts as one."""
    high, opened = state[HIGH], state[OPEN] != 0
    now = high << 6
    kept = np.uint64(0)  # an unsigned index is not asked whether it counts from the end
    for i in range(0, len(words), 2):
        word, valid = words[i + upper], words[i + 1 - upper]
        kind = word >> 28
        if kind <= ON:
            if high < 0:
                if not lenient:
                    return np.int64(kept), i // 2, TIMELESS
                counts[UNTIMED] += _pixels(valid)
                continue
            column, row, time = word >> 11 & 0x7FF, word & 0x7FF, now | np.int64(word >> 22 & 0x3F)
            if column > 2016 and valid >> (2048 - column):
                return np.int64(kept), i // 2, OUTSIDE
            pixels = np.int64(valid)
            while pixels:
                below = (pixels & -pixels) - 1  # as many ones as there are pixels before the first that fired
                t[kept], x[kept], y[kept], p[kept] = time, column + _pixels(below), row, kind
                kept += np.uint64(1)
                pixels &= pixels - 1
        elif kind == TIME_HIGH:
            high = later(high, np.int64(word & 0xFFFFFFF), LOOP)
            now = high << 6
        elif kind == TRIGGER:
            counts[TRIGGERS] += 1
        elif kind == CONTINUED:
            if not (words[i - 2 + upper] >> 28 >= OTHERS if i else opened):
                return np.int64(kept), i // 2, STRAY
        elif kind == OTHERS:
            counts[OTHER] += 1
        else:
            return np.int64(kept), i // 2, UNKNOWN
    return np.int64(kept), len(words) // 2, WELL


@njit(cache=True, nogil=True)
def plausible(words: NDArray[np.uint32], upper: int) -> bool:
    """Whether all types are known ones, and a time stands before the first event."""
    timed = False
    for i in range(upper, len(words), 2):
        kind = words[i] >> 28
        if kind == TIME_HIGH:
            timed = True
        elif kind <= ON:
            if not timed:
                return False
        elif kind != TRIGGER and kind < OTHERS:
            return False
    return True


@njit(cache=True, nogil=True)
def encode(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    before: int,
    upper: int,
    words: NDArray[np.uint32],
) -> int:
    """Columns, checked before, into halves of words, as `kernels.evt2.encode` does.

    Neighbours of one time, row and polarity whose x increase within 32 aligned pixels share a word.
    """
    high = before >> 6
    n, i = 0, 0
    while i < len(t):
        if t[i] >> 6 != high:
            high = t[i] >> 6
            words[n + upper], words[n + 1 - upper] = TIME_HIGH << 28 | high, 0
            n += 2
        base = x[i] & 0xFFE0
        valid = np.uint32(1) << (x[i] - base)
        place = np.uint32(p[i]) << 28 | np.uint32(t[i] & 0x3F) << 22 | np.uint32(base) << 11 | np.uint32(y[i])
        i += 1
        while i < len(t) and t[i] == t[i - 1] and y[i] == y[i - 1] and p[i] == p[i - 1]:
            if x[i] <= x[i - 1] or x[i] & 0xFFE0 != base:
                break
            valid |= np.uint32(1) << (x[i] - base)
            i += 1
        words[n + upper], words[n + 1 - upper] = place, valid
        n += 2
    return n
