"""Which events a pixel's own past lets through. Each loop changes the memory that it is given."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

NEVER = -(1 << 63)


@njit(cache=True, nogil=True)
def refractory_mask(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    last: NDArray[np.int64],
    period: int,
    every: bool,
) -> NDArray[np.bool_]:
    """Which events come `period` us or more after their pixel's last one (`every`: of all, otherwise of those kept)."""
    keep = np.zeros(len(t), np.bool_)
    for i in range(len(t)):
        before, now = last[y[i], x[i]], t[i]
        # as unsigned numbers the difference is right even where it exceeds 63 bits
        keep[i] = before == NEVER or np.uint64(now) - np.uint64(before) >= np.uint64(period)
        if every or keep[i]:
            last[y[i], x[i]] = max(now, NEVER + 1)
    return keep


@njit(cache=True, nogil=True)
def decimate_mask(
    x: NDArray[np.uint16], y: NDArray[np.uint16], seen: NDArray[np.int64], keep_every: int
) -> NDArray[np.bool_]:
    """Which events are their pixel's keep_every-th since the last that was kept."""
    keep = np.zeros(len(x), np.bool_)
    for i in range(len(x)):
        seen[y[i], x[i]] += 1
        if seen[y[i], x[i]] == keep_every:
            seen[y[i], x[i]] = 0
            keep[i] = True
    return keep


@njit(cache=True, nogil=True)
def integrate_mask(
    x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], sums: NDArray[np.int64], threshold: int
) -> NDArray[np.bool_]:
    """Which events bring their pixel's sum of signs to the threshold of their sign; it then begins at 0 again."""
    keep = np.zeros(len(x), np.bool_)
    for i in range(len(x)):
        sign = 1 if p[i] else -1
        sums[y[i], x[i]] += sign
        if sums[y[i], x[i]] * sign == threshold:
            sums[y[i], x[i]] = 0
            keep[i] = True
    return keep
