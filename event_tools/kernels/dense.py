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
