"""Lines of numbers to columns and back, without floating point; the format stands in `formats.csv`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes, Times, Places = NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint16]

GOOD, FIELDS, TIME, X, Y, POLARITY, FRACTION = range(7)  # what is wrong with a line
WRONG, WHOLE, ROUNDED = range(3)  # what a text is as a number
ZERO, MINUS = 1, 2
TAB, LINE, RETURN, SPACE, HASH, COMMA, SEMICOLON = 9, 10, 13, 32, 35, 44, 59
TENTH = ((1 << 63) - 1) // 10


@njit(cache=True, nogil=True)
def _number(data: Bytes, i: int, stop: int, shift: int) -> tuple[int, int, bool]:
    """The text of data[i:stop] times 10^shift, rounded half to even; which of the three it is; whether it has a point.

    Digits are taken as they stand, so no value changes on the way; what does not fit 64 bits is WRONG.
    """
    negative = False
    if i < stop and (data[i] == 45 or data[i] == 43):
        negative = data[i] == 45
        i += 1
    value, power, digits, point = np.int64(0), shift, 0, False
    full, last, rest = False, np.int64(0), False  # digits that do not fit: whether there are any, the first, others
    while i < stop:
        c = data[i]
        if 48 <= c <= 57:
            digit = np.int64(c - 48)
            digits += 1
            if value >= 0 and (value < TENTH or (value == TENTH and digit <= 7 + negative)):
                value = value * 10 + digit
                power -= point
            else:
                rest |= full and digit != 0
                last = last if full else digit
                full = True
                power += not point
        elif c == 46 and not point:
            point = True
        else:
            break
        i += 1
    if not digits:
        return 0, WRONG, point
    if i < stop:
        if data[i] != 69 and data[i] != 101:
            return 0, WRONG, point
        point = True
        i += 1
        down = False
        if i < stop and (data[i] == 45 or data[i] == 43):
            down = data[i] == 45
            i += 1
        exponent, begin = 0, i
        while i < stop and 48 <= data[i] <= 57 and i - begin < 4:
            exponent = exponent * 10 + np.int64(data[i] - 48)
            i += 1
        if i < stop or i == begin:
            return 0, WRONG, point
        power += -exponent if down else exponent
    if value == 0:
        return 0, WHOLE, point
    if value < 0:  # the most negative number, which has no positive one
        return value, WRONG if power or last or rest else WHOLE, point
    if full and power > 0:
        return 0, WRONG, point
    while power > 0:
        if value > TENTH:
            return 0, WRONG, point
        value *= 10
        power -= 1
    power = max(power, -21)
    while power < 0:
        rest |= last != 0
        last = value % 10
        value //= 10
        power += 1
    rounded = rest or last != 0
    if last > 5 or (last == 5 and (rest or value & 1)):
        if value == TENTH * 10 + 7:
            return 0, WRONG, point
        value += 1
    return -value if negative else value, ROUNDED if rounded else WHOLE, point


@njit(cache=True, nogil=True)
def _ends(c: int) -> bool:
    """Whether a text ends before this byte."""
    return c in (COMMA, LINE, SPACE, TAB, RETURN, SEMICOLON)


@njit(cache=True, nogil=True)
def _truth(data: Bytes, i: int, stop: int) -> int:
    """1 for True, 0 for False in any case, -1 for other texts."""
    word = 0
    for k in range(i, min(stop, i + 6)):
        word = word << 8 | np.int64(data[k] | 32)
    if word == 0x74727565:  # true
        return 1
    return 0 if word == 0x66616C7365 else -1  # false


@njit(cache=True, nogil=True)
def parse(
    data: Bytes,
    columns: int,
    places: NDArray[np.int64],
    shift: int,
    fractions: bool,
    t: Times,
    x: Places,
    y: Places,
    p: Bytes,
    at: NDArray[np.int32],
) -> tuple[int, int, int, int]:
    """Whole lines into columns; at: where in `data` each event's line begins.

    columns: numbers a line; places: which of them are t, x, y, p. shift: 10^shift turns a time into microseconds;
    fractions: whether times may have a point. Returns the events, what is wrong with the line after them, where in
    `data`, and which of ZERO and MINUS were among the polarities.
    """
    kept, seen, i, n, scale = 0, 0, 0, len(data), 10**shift
    where = np.full(columns, -1, np.int64)
    for k in range(4):
        where[places[k]] = k
    while i < n:
        while i < n and (data[i] == SPACE or data[i] == TAB or data[i] == RETURN):
            i += 1
        if i == n:
            break
        if data[i] == LINE:
            i += 1
            continue
        if data[i] == HASH:
            while i < n and data[i] != LINE:
                i += 1
            continue
        begin = i
        for column in range(columns):
            first, value, kind = i, np.int64(0), where[column]
            while i < n and 48 <= data[i] <= 57:  # most texts are a few digits; `_number` knows the others
                value = value * 10 + np.int64(data[i] - 48)
                i += 1
            plain = 0 < i - first <= 18 - shift and (i == n or _ends(data[i]))
            while i < n and not _ends(data[i]):
                i += 1
            if i == first:
                return kept, FIELDS, first, seen
            if kind == 0:
                if plain:
                    t[kept] = value * scale
                else:
                    value, how, point = _number(data, first, i, shift)
                    if how == WRONG:
                        return kept, TIME, first, seen
                    if point and not fractions:
                        return kept, FRACTION, first, seen
                    t[kept] = value
            elif kind == 1 or kind == 2:
                how = WHOLE
                if not plain:
                    value, how, _ = _number(data, first, i, 0)
                if how != WHOLE or value < 0 or value > 65535:
                    return kept, X if kind == 1 else Y, first, seen
                if kind == 1:
                    x[kept] = value
                else:
                    y[kept] = value
            elif kind == 3:
                how = WHOLE
                if not plain:
                    value, how, _ = _number(data, first, i, 0)
                    if how == WRONG:
                        value = _truth(data, first, i)
                        how = WHOLE if value >= 0 else WRONG
                if how != WHOLE or value < -1 or value > 1:
                    return kept, POLARITY, first, seen
                if value < 1:
                    seen |= ZERO if value == 0 else MINUS
                p[kept] = value == 1
            while i < n and (data[i] == SPACE or data[i] == TAB or data[i] == RETURN):
                i += 1
            if column < columns - 1:
                if i < n and (data[i] == COMMA or data[i] == SEMICOLON):
                    i += 1
                    while i < n and (data[i] == SPACE or data[i] == TAB):
                        i += 1
            elif i < n and data[i] != LINE:
                return kept, FIELDS, i, seen
        at[kept] = begin
        kept += 1
    return kept, GOOD, n, seen


@njit(cache=True, nogil=True)
def _digits(value: int, least: int, data: Bytes, i: int) -> int:
    """Write a number >= 0 with `least` digits or more; returns where it ends."""
    power, digits = 10, 1
    while digits < 19 and value >= power:
        digits += 1
        power *= 10
    digits = max(digits, least)
    for k in range(i + digits - 1, i - 1, -1):
        data[k] = 48 + value % 10
        value //= 10
    return i + digits


@njit(cache=True, nogil=True)
def render(t: Times, x: Places, y: Places, p: Bytes, seconds: bool, separator: int, data: Bytes) -> int:
    """Columns as lines of t, x, y, p into `data`, 48 bytes an event; returns the bytes used."""
    i = 0
    for k in range(len(t)):
        value = t[k]
        if value < 0:
            data[i] = 45
            i += 1
        if seconds:  # minus the parts: the most negative number has no positive one
            whole, part = abs(value // 1_000_000), value % 1_000_000
            if value < 0 and part:
                whole, part = whole - 1, 1_000_000 - part
            i = _digits(whole, 1, data, i)
            data[i] = 46
            i = _digits(part, 6, data, i + 1)
        elif value < 0:
            head, tail = value // 10, value % 10
            if tail:
                head, tail = head + 1, 10 - tail
            if head:
                i = _digits(-head, 1, data, i)
            data[i] = 48 + tail
            i += 1
        else:
            i = _digits(value, 1, data, i)
        data[i] = separator
        i = _digits(np.int64(x[k]), 1, data, i + 1)
        data[i] = separator
        i = _digits(np.int64(y[k]), 1, data, i + 1)
        data[i], data[i + 1], data[i + 2] = separator, 48 + p[k], LINE
        i += 3
    return i
