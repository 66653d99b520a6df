"""Compiled loops (numba) behind filters, bulk binning and realism; imported only where they are used."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

NEVER = -(1 << 62)


@njit(cache=True, nogil=True)
def denoise_mask(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    width: int,
    height: int,
    window: int,
    published: bool,
) -> NDArray[np.bool_]:
    """Which events have one of four neighbours that fired within `window` us before; see `filters.denoise`."""
    until = np.full((height + 2, width + 2), NEVER, np.int64)  # when a pixel's support ends; the border never fires
    if published:
        until[1:-1, 1:-1] = window
    keep = np.zeros(len(t), np.bool_)
    for i in range(len(t)):
        r, c, now = int(y[i]) + 1, int(x[i]) + 1, t[i]
        until[r, c] = now + window
        keep[i] = until[r - 1, c] > now or until[r + 1, c] > now or until[r, c - 1] > now or until[r, c + 1] > now
    return keep


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
    cell = np.empty(n, np.int64)
    times = np.empty(n, np.int64)
    kept = 0
    shift = 0
    previous = -1
    for i in range(n):
        b = 5 * i
        x, y = int(data[b]), int(data[b + 1])
        if y == 240:
            shift += 1 << 13
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
    for i in range(kept):
        past = times[i] - first
        step = past // dt if dt else steps
        if step >= steps:
            if published:
                continue
            step = steps - 1
        if flat[step, cell[i]] == 65535:
            return -1
        flat[step, cell[i]] += 1
    return 0


@njit(cache=True, nogil=True)
def support_mask(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], width: int, height: int, window: int
) -> NDArray[np.bool_]:
    """Which events come at most `window` us after another within their 3x3 pixels, the own one included."""
    last = np.full((height + 2, width + 2), NEVER, np.int64)
    supported = np.zeros(len(t), np.bool_)
    for i in range(len(t)):
        r, c, since = int(y[i]) + 1, int(x[i]) + 1, t[i] - window
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                supported[i] |= last[r + dr, c + dc] >= since
        last[r, c] = t[i]
    return supported
