"""Which events others in their neighbourhood support."""

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
