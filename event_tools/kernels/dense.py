"""Events into dense pictures: voxels between which an event is shared, and the last time of each pixel."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def share_in_time(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    signed: bool,
    voxels: NDArray[np.float32],
) -> None:
    """Add each event to the two of voxels (T, C, H, W) about its time; signed: C = 1 and OFF counts -1."""
    top = len(voxels) - 1
    first = t[0]
    span = np.float64(max(t[-1] - first, 1))
    for i in range(len(t)):
        place = (t[i] - first) / span * top
        low = int(place)
        later = place - low
        channel, weight = (0, 2.0 * p[i] - 1.0) if signed else (np.int64(p[i]), 1.0)
        voxels[low, channel, y[i], x[i]] += weight * (1.0 - later)
        if low < top:
            voxels[low + 1, channel, y[i], x[i]] += weight * later


@njit(cache=True, nogil=True)
def keep_last(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], last: NDArray[np.int64]
) -> None:
    """The time of each event into last (2, H, W), events in their order."""
    for i in range(len(t)):
        last[p[i], y[i], x[i]] = t[i]


@njit(cache=True, nogil=True)
def sum_surfaces(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    cell: int,
    tau: float,
    window: int,
    sums: NDArray[np.float64],
    events: NDArray[np.int64],
) -> None:
    """Surfaces about each event into sums (rows, columns, 2, D, D) of its cell, how many into events (.., 2)."""
    rows, columns, _, side, _ = sums.shape
    radius = side // 2
    newest = np.full((rows, columns, 2), -1, np.int64)
    before = np.empty(len(t), np.int64)  # the event before in the same cell, of the same polarity
    for i in range(len(t)):
        row, column, q = y[i] // cell, x[i] // cell, np.int64(p[i])
        j = before[i] = newest[row, column, q]
        newest[row, column, q] = i
        events[row, column, q] += 1
        while j >= 0 and t[j] >= t[i] - window:
            dx, dy = np.int64(x[j]) - np.int64(x[i]), np.int64(y[j]) - np.int64(y[i])
            if t[j] < t[i] and abs(dx) <= radius and abs(dy) <= radius:
                sums[row, column, q, dy + radius, dx + radius] += np.exp((t[i] - t[j]) / -tau)
            j = before[j]
