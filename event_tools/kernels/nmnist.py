"""N-MNIST records to columns and back, and to counts in one pass; the layout stands in `formats.nmnist`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

NEVER = -(1 << 62)
OVERFLOW_Y, OVERFLOW_US = 240, 1 << 13


@njit(cache=True, nogil=True)
def nmnist_frames(
    data: NDArray[np.uint8],
    steps: int,
    published: bool,
    window: int,
    early: bool,
    counts: NDArray[np.uint16],
    edges: NDArray[np.int64],
) -> int:
    """Raw five-byte events of one recording into counts (T, 2, H, W) and edges (T + 1,).

    window 0 leaves the events alone, otherwise they are denoised (`early`: as published). Returns 0, the 1-based index
    of an event that lies outside the sensor or before its predecessor, or -1 where a count exceeds 16 bits.
    """
    height, width = counts.shape[2], counts.shape[3]
    n = len(data) // 5
    until = np.full((height + 2, width + 2), NEVER, np.int64)
    if early:
        until[1:-1, 1:-1] = window
    cell = np.empty(n, np.uint32)
    times = np.empty(n, np.int64)
    kept = 0
    shift = 0
    previous = -1
    for i in range(n):
        b = 5 * i
        x, y = int(data[b]), int(data[b + 1])
        if y == OVERFLOW_Y:
            shift += OVERFLOW_US
            continue
        t = (int(data[b + 2] & 0x7F) << 16 | int(data[b + 3]) << 8 | int(data[b + 4])) + shift
        if x >= width or y >= height or t < previous:
            return i + 1
        previous = t
        if window:
            r, c = y + 1, x + 1
            until[r, c] = t + window
            if not (until[r - 1, c] > t or until[r + 1, c] > t or until[r, c - 1] > t or until[r, c + 1] > t):
                continue
        cell[kept] = (int(data[b + 2]) >> 7) * height * width + y * width + x
        times[kept] = t
        kept += 1
    first = times[0] if kept else 0
    last = times[kept - 1] if kept else 0
    dt = (last - first) // steps
    for i in range(steps + 1):
        edges[i] = first + i * dt
    if not published:
        edges[steps] = last
    flat = counts.reshape(steps, 2 * height * width)
    step, upper = 0, edges[1]  # times do not decrease, so that bins are walked along, not divided out
    for i in range(kept):
        while times[i] >= upper and step < steps - 1:
            step += 1
            upper = edges[step + 1]
        if published and times[i] >= upper:
            break
        count = np.uint16(flat[step, cell[i]] + np.uint16(1))
        if count == 0:
            return -1
        flat[step, cell[i]] = count
    return 0


@njit(cache=True, nogil=True)
def unpack(
    data: NDArray[np.uint8],
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
) -> tuple[int, int]:
    """Records into columns; returns the events, and the microseconds that overflows add to whatever follows."""
    kept, shift = 0, 0
    for i in range(len(data) // 5):
        b = 5 * i
        if data[b + 1] == OVERFLOW_Y:
            shift += OVERFLOW_US
            continue
        x[kept], y[kept], p[kept] = data[b], data[b + 1], data[b + 2] >> 7
        t[kept] = (np.int64(data[b + 2] & 0x7F) << 16 | np.int64(data[b + 3]) << 8 | np.int64(data[b + 4])) + shift
        kept += 1
    return kept, shift


@njit(cache=True, nogil=True)
def pack(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    data: NDArray[np.uint8],
) -> None:
    """Columns, checked before, into five-byte records."""
    for i in range(len(t)):
        b = 5 * i
        data[b], data[b + 1], data[b + 2] = x[i], y[i], p[i] << 7 | t[i] >> 16
        data[b + 3], data[b + 4] = t[i] >> 8 & 0xFF, t[i] & 0xFF
