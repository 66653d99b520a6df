"""xxHash32, with which LZ4 frames are checked. Source: Cyan4973/xxHash, doc/xxhash_spec.md, "XXH32 algorithm"."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

P1, P2, P3, P4, P5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
STRIPE = 16
MASK = 0xFFFFFFFF


@njit(cache=True, nogil=True)
def _word(data: NDArray[np.uint8], at: int) -> np.uint32:
    return np.uint32(
        np.uint32(data[at + 3]) << 24
        | np.uint32(data[at + 2]) << 16
        | np.uint32(data[at + 1]) << 8
        | np.uint32(data[at])
    )


@njit(cache=True, nogil=True)
def _turned(value: np.uint32, bits: int) -> np.uint32:
    return np.uint32(value << np.uint32(bits) | value >> np.uint32(32 - bits))


@njit(cache=True, nogil=True)
def _round(lane: np.uint32, word: np.uint32) -> np.uint32:
    return np.uint32(_turned(np.uint32(lane + np.uint32(word * np.uint32(P2))), 13) * np.uint32(P1))


@njit(cache=True, nogil=True)
def start() -> NDArray[np.uint32]:
    """The four lanes before any data, for seed 0."""
    return np.array([(P1 + P2) & MASK, P2, 0, (0 - P1) & MASK], np.uint32)


@njit(cache=True, nogil=True)
def add_stripes(lanes: NDArray[np.uint32], data: NDArray[np.uint8]) -> int:
    """Take in the whole stripes of 16 bytes; returns the bytes taken."""
    a, b, c, d = lanes[0], lanes[1], lanes[2], lanes[3]
    stop = len(data) // STRIPE * STRIPE
    for at in range(0, stop, STRIPE):
        a, b = _round(a, _word(data, at)), _round(b, _word(data, at + 4))
        c, d = _round(c, _word(data, at + 8)), _round(d, _word(data, at + 12))
    lanes[0], lanes[1], lanes[2], lanes[3] = a, b, c, d
    return stop


@njit(cache=True, nogil=True)
def finish(lanes: NDArray[np.uint32], total: int, rest: NDArray[np.uint8]) -> int:
    """The hash of `total` bytes, the last of which (under a stripe) are `rest`."""
    if total >= STRIPE:
        value = np.uint32(_turned(lanes[0], 1) + _turned(lanes[1], 7) + _turned(lanes[2], 12) + _turned(lanes[3], 18))
    else:
        value = np.uint32(P5)
    value = np.uint32(value + np.uint32(total & MASK))
    at = 0
    while at + 4 <= len(rest):
        value = np.uint32(_turned(np.uint32(value + _word(rest, at) * np.uint32(P3)), 17) * np.uint32(P4))
        at += 4
    while at < len(rest):
        value = np.uint32(_turned(np.uint32(value + np.uint32(rest[at]) * np.uint32(P5)), 11) * np.uint32(P1))
        at += 1
    value = np.uint32((value ^ value >> np.uint32(15)) * np.uint32(P2))
    value = np.uint32((value ^ value >> np.uint32(13)) * np.uint32(P3))
    return np.int64(np.uint32(value ^ value >> np.uint32(16)))


@njit(cache=True, nogil=True)
def xxhash32(data: NDArray[np.uint8]) -> int:
    """The hash of bytes that are at hand whole."""
    lanes = start()
    used = add_stripes(lanes, data)
    return finish(lanes, len(data), data[used:])
