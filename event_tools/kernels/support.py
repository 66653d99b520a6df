"""Which events others in their neighbourhood support."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

NEVER, MOST = -(1 << 63), (1 << 63) - 1


@njit(cache=True, nogil=True)
def denoise_mask(
    t: NDArray[np.int64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    until: NDArray[np.int64],
    window: int,
    diagonals: bool,
) -> NDArray[np.bool_]:
    """Which events have one of four (or eight) neighbours that fired within `window` us before; see `filters.denoise`.

    until: (height + 2, width + 2) when a pixel's support ends, changed in place; its border never fires.
    """
    keep = np.zeros(len(t), np.bool_)
    for i in range(len(t)):
        r, c, now = int(y[i]) + 1, int(x[i]) + 1, t[i]
        until[r, c] = now + window if now <= MOST - window else MOST
        keep[i] = until[r - 1, c] > now or until[r + 1, c] > now or until[r, c - 1] > now or until[r, c + 1] > now
        if diagonals and not keep[i]:
            above = until[r - 1, c - 1] > now or until[r - 1, c + 1] > now
            keep[i] = above or until[r + 1, c - 1] > now or until[r + 1, c + 1] > now
    return keep


@njit(cache=True, nogil=True)
def support_mask(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], width: int, height: int, window: int
) -> NDArray[np.bool_]:
    """Which events come at most `window` us after another within their 3x3 pixels, the own one included."""
    until = np.full((height + 2, width + 2), NEVER, np.int64)
    supported = np.zeros(len(t), np.bool_)
    for i in range(len(t)):
        r, c, now = int(y[i]) + 1, int(x[i]) + 1, t[i]
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                supported[i] |= until[r + dr, c + dc] >= now
        until[r, c] = now + window if now <= MOST - window else MOST
    return supported
