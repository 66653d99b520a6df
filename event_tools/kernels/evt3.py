"""EVT 3.0 words to columns and back; the layout stands in `formats.evt3`.

A reader's state is an array of six: HIGH and LOW, the upper bits of time with wraps counted on top, and the lower
ones; ROW; BASE and POLARITY of the next vector; OPEN, whether the word before may be continued. HIGH, ROW and BASE
are -1 while they are unknown.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from event_tools.kernels.evt2 import later

HIGH, LOW, ROW, BASE, POLARITY, OPEN = 0, 1, 2, 3, 4, 5
ADDR_Y, ADDR_X, VECT_BASE_X, VECT_12, VECT_8, TIME_LOW, CONTINUED_4, TIME_HIGH = 0x0, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8
TRIGGER, OTHERS, CONTINUED_12 = 0xA, 0xE, 0xF
TRIGGERS, OTHER, UNTIMED = 0, 1, 2  # of the counts
WELL, UNKNOWN, STRAY, TIMELESS, OUTSIDE, ROWLESS, BASELESS, SECOND = 0, 1, 2, 3, 4, 5, 6, 7  # what is wrong with a word

COMMON = 1 << 2 * ADDR_Y | 0b11 << 2 * ADDR_X | 0b11 << 2 * TIME_LOW  # upper five bits of most words
LOWEST = np.array([max(0, (value & -value).bit_length() - 1) for value in range(1 << 12)], np.uint8)  # bit that is set
POPULATION = np.array([value.bit_count() for value in range(1 << 12)], np.uint8)  # bits that are set
VALID = np.array([0] * VECT_12 + [0xFFF, 0xFF] + [0] * 10, np.uint16)  # which bits of a kind stand for pixels
LOOP = 1 << 12


@njit(cache=True, nogil=True)
def advance(words: NDArray[np.uint16], state: NDArray[np.int64]) -> None:
    """Bring the state behind the words: forward for the wraps of time, backward for what stood last.

    It runs ahead of all decoding, so rare kinds are looked for by loops that a compiler makes wide.
    """
    n = len(words)
    if not n:
        return
    high, changed = state[HIGH], -1
    for start in range(0, n, 64):
        stop = min(start + 64, n)
        timed = False
        for i in range(start, stop):
            timed |= words[i] >> 12 == TIME_HIGH
        if timed:
            for i in range(start, stop):
                if words[i] >> 12 == TIME_HIGH:
                    new = later(high, np.int64(words[i] & 0xFFF), LOOP)
                    if new != high:
                        high, changed = new, i
    if changed >= 0:
        state[LOW] = 0
    for i in range(n - 1, changed, -1):
        if words[i] >> 12 == TIME_LOW:
            state[LOW] = words[i] & 0xFFF
            break
    for i in range(n - 1, -1, -1):
        if words[i] >> 12 == ADDR_Y:
            state[ROW] = words[i] & 0x7FF
            break
    if _vectors(words):
        along = 0
        for i in range(n - 1, -1, -1):
            kind = words[i] >> 12
            if kind == VECT_12:
                along += 12
            elif kind == VECT_8:
                along += 8
            elif kind == VECT_BASE_X:
                state[BASE], state[POLARITY] = words[i] & 0x7FF, words[i] >> 11 & 1
                break
        if state[BASE] >= 0:
            state[BASE] += along
    state[HIGH] = high
    state[OPEN] = words[n - 1] >> 12 >= OTHERS


@njit(cache=True, nogil=True)
def _vectors(words: NDArray[np.uint16]) -> bool:
    """Whether there are words of vectors."""
    found = False
    for i in range(len(words)):
        kind = words[i] >> 12
        found |= (kind >= VECT_BASE_X) & (kind <= VECT_8)
    return found


@njit(cache=True, nogil=True)
def most(words: NDArray[np.uint16]) -> int:
    """How many events there are at most."""
    events = 0
    for i in range(len(words)):
        events += words[i] >> 12 == ADDR_X
    if _vectors(words):
        for i in range(len(words)):
            events += POPULATION[words[i] & VALID[words[i] >> 12]]
    return events


@njit(cache=True, nogil=True)
def decode(
    words: NDArray[np.uint16],
    state: NDArray[np.int64],
    lenient: bool,
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    counts: NDArray[np.int64],
) -> tuple[int, int, int]:
    """Words into columns, which have a place to spare; lenient: events before the first time, row and base are counted,
    not refused.

    Returns the events, and how many words were read before the one that is wrong (all), and what is wrong with it.
    """
    high, row, base, polarity, opened = state[HIGH], state[ROW], state[BASE], state[POLARITY], state[OPEN] != 0
    now = high << 12 | state[LOW]
    common = COMMON if high >= 0 and row >= 0 else 0
    kept = np.uint64(0)  # an unsigned index is not asked whether it counts from the end
    for i in range(len(words)):
        word = np.int64(words[i])
        kind = word >> 12
        if common >> (word >> 11) & 1:
            # Nobody can predict which of the three comes next: all is written, and counts for an event only.
            t[kept], x[kept], y[kept], p[kept] = now, word & 0x7FF, row, word >> 11 & 1
            kept += np.uint64(kind == ADDR_X)
            row = word & 0x7FF if kind == ADDR_Y else row
            now = high << 12 | word & 0xFFF if kind == TIME_LOW else now
        elif kind == ADDR_X:
            if not lenient:
                return np.int64(kept), i, TIMELESS if high < 0 else ROWLESS
            counts[UNTIMED] += 1
        elif kind in (VECT_12, VECT_8):
            valid = word & (0xFFF if kind == VECT_12 else 0xFF)
            column = base
            if base >= 0:
                base += 12 if kind == VECT_12 else 8
            if not common or base < 0:
                if not lenient:
                    return np.int64(kept), i, TIMELESS if high < 0 else ROWLESS if row < 0 else BASELESS
                counts[UNTIMED] += POPULATION[valid]
                continue
            if valid >> min(max(2048 - column, 0), 12):
                return np.int64(kept), i, OUTSIDE
            while valid:
                t[kept], x[kept], y[kept], p[kept] = now, column + LOWEST[valid], row, polarity
                kept += np.uint64(1)
                valid &= valid - 1
        elif kind == ADDR_Y:
            if word & 0x800:
                return np.int64(kept), i, SECOND
            row = word & 0x7FF
            common = COMMON if high >= 0 else 0
        elif kind == TIME_LOW:
            now = high << 12 | word & 0xFFF
        elif kind == VECT_BASE_X:
            base, polarity = word & 0x7FF, word >> 11 & 1
        elif kind == TIME_HIGH:
            new = later(high, word & 0xFFF, LOOP)
            if new != high:  # the lower bits come next; until then they are 0
                high, now = new, new << 12
                common = COMMON if row >= 0 else 0
        elif kind == TRIGGER:
            counts[TRIGGERS] += 1
        elif kind in (CONTINUED_12, CONTINUED_4):
            if not (words[i - 1] >> 12 >= OTHERS if i else opened):
                return np.int64(kept), i, STRAY
        elif kind == OTHERS:
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
    row: int,
    width: int,
    words: NDArray[np.uint16],
) -> int:
    """Columns, checked before, into words; before, row: time and y of the event before them, or -1.

    Neighbours of one time, row and polarity whose x increase within 32 pixels become a vector where that is shorter
    than a word each. Vectors come as 12 + 12 + 8 pixels that lie within the width, the only form that every reader
    takes. Returns the words.
    """
    now, high, n, i = before, before >> 12, 0, 0
    ended, side_before = np.int64(-1), np.int64(0)  # where a vector ended that may go on, and its polarity's bit
    while i < len(t):
        if t[i] != now:
            now, ended = t[i], np.int64(-1)
            if now >> 12 != high:
                n = _time_high(high, now >> 12, words, n)
                high = now >> 12
            words[n] = TIME_LOW << 12 | now & 0xFFF
            n += 1
        if y[i] != row:
            row, ended = np.int64(y[i]), np.int64(-1)
            words[n] = ADDR_Y << 12 | row
            n += 1
        side = np.int64(p[i]) << 11
        if ended >= 0 and ended + 32 <= width and side == side_before:
            stop = _run(t, x, y, p, i, ended)
            if stop - i > 3:  # three words for the vector against one for each
                n, i = _vector(x, i, stop, ended, words, n), stop
                ended += 32
                continue
        base = min(np.int64(x[i]), np.int64(width - 32))
        stop = _run(t, x, y, p, i, base) if base >= 0 else i
        if stop - i > 4:
            words[n] = VECT_BASE_X << 12 | side | base
            n, i = _vector(x, i, stop, base, words, n + 1), stop
            ended, side_before = base + 32, side
            continue
        ended = np.int64(-1)
        words[n] = ADDR_X << 12 | side | np.int64(x[i])
        n, i = n + 1, i + 1
    return n


@njit(cache=True, nogil=True)
def _time_high(before: int, high: int, words: NDArray[np.uint16], n: int) -> int:
    """TIME_HIGH words from one time to another; a wrap is 0xFFF and 0x000, which no reader overlooks."""
    loop = max(before, 0) // LOOP
    while loop < high // LOOP:
        if before < 0 or before % LOOP != LOOP - 1:
            words[n] = TIME_HIGH << 12 | 0xFFF
            n += 1
        words[n] = TIME_HIGH << 12
        loop, n = loop + 1, n + 1
        before = loop * LOOP
    if before != high:
        words[n] = TIME_HIGH << 12 | high % LOOP
        n += 1
    return n


@njit(cache=True, nogil=True, inline="always")
def _run(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], i: int, base: int
) -> int:
    """Where the run of events ends that one vector at `base` can hold, from event i on."""
    if x[i] < base or x[i] >= base + 32:
        return i
    stop = i + 1
    while stop < len(t) and t[stop] == t[i] and y[stop] == y[i] and p[stop] == p[i]:
        if x[stop] <= x[stop - 1] or x[stop] >= base + 32:
            break
        stop += 1
    return stop


@njit(cache=True, nogil=True, inline="always")
def _vector(x: NDArray[np.uint16], i: int, stop: int, base: int, words: NDArray[np.uint16], n: int) -> int:
    """Three words for the 32 pixels from `base` on."""
    valid = np.int64(0)
    for k in range(i, stop):
        valid |= np.int64(1) << (np.int64(x[k]) - base)
    words[n] = VECT_12 << 12 | valid & 0xFFF
    words[n + 1] = VECT_12 << 12 | valid >> 12 & 0xFFF
    words[n + 2] = VECT_8 << 12 | valid >> 24
    return n + 3
