"""Counting events of one window after the other, narrow counts first."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def count_windows(
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    p: NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    width: int,
    counts: NDArray[np.int32],
) -> int:
    """Events starts[i] to stops[i] into row i of counts (T, 2 * H * W), whatever it held; -1 for one off the sensor.

    One window is hot at a time, in 8 bits a cell, so that it stays in a core's own cache; a count that comes round to 0
    is noted, for 256 more when the window is written out.
    """
    cells = np.uint64(counts.shape[1])
    row, plane = np.uint64(width), cells // np.uint64(2)
    longest = 0
    for i in range(len(starts)):
        longest = max(longest, stops[i] - starts[i])
    hot = np.zeros(counts.shape[1], np.uint8)
    full = np.empty(longest // 256, np.uint64)
    for i in range(len(starts)):
        # Slices, because numba compiles an index from 0 up without asking whether it is negative: twice as fast.
        xs, ys, ps = x[starts[i] : stops[i]], y[starts[i] : stops[i]], p[starts[i] : stops[i]]
        rounds = 0
        for j in range(len(xs)):
            cell = np.uint64(ps[j]) * plane + np.uint64(ys[j]) * row + np.uint64(xs[j])
            if cell >= cells:
                return -1
            count = np.uint8(hot[cell] + np.uint8(1))
            hot[cell] = count
            if count == 0:
                full[rounds] = cell
                rounds += 1
        out = counts[i]
        for j in range(len(hot)):
            out[j] = hot[j]
            hot[j] = 0
        for j in range(rounds):
            out[full[j]] += 256
    return 0
