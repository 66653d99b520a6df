"""The event pixel, compiled: log intensity L(t) in, events out.

A pixel fires ON when L rises by its threshold above the level it remembers, OFF when L falls by it; then it is blind
for the refractory time and remembers the level it wakes up to (Lichtsteiner et al. 2008; as in ESIM and v2e, but with
times interpolated between the samples of L instead of laid on a grid).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def pixel_events(
    scene: NDArray[np.float32],
    grid: int,
    origin: NDArray[np.int64],
    shift: NDArray[np.float64],
    loops: int,
    step_us: float,
    memory: NDArray[np.float64],
    rise: NDArray[np.float64],
    fall: NDArray[np.float64],
    refractory_us: float,
    out: NDArray[np.int64],
) -> int:
    """Events of every pixel while the scene moves; returns how many there are.

    scene: log intensity, `grid` samples a pixel, pixel (0, 0) at origin (row, column); shift: (S, 2) rows and columns
    that the scene has moved, in pixels, every step_us; loops: how often it goes that way, which for more than one ends
    where it begins; memory, rise, fall: (H, W) first remembered level relative to L(0), and the thresholds. out:
    (capacity, 4) columns t, y, x, p; what exceeds it is counted but not stored.
    """
    height, width = rise.shape
    steps = len(shift)
    level = np.empty(steps, np.float64)
    base = np.empty((steps, 2), np.int64)
    part = np.empty((steps, 2), np.float64)
    for s in range(steps):
        for axis in range(2):
            at = origin[axis] - shift[s, axis] * grid
            base[s, axis] = int(np.floor(at))
            part[s, axis] = at - base[s, axis]
    count = 0
    for y in range(height):
        for x in range(width):
            for s in range(steps):
                r, c = base[s, 0] + y * grid, base[s, 1] + x * grid
                a, b = part[s, 0], part[s, 1]
                level[s] = (1 - a) * ((1 - b) * scene[r, c] + b * scene[r, c + 1]) + a * (
                    (1 - b) * scene[r + 1, c] + b * scene[r + 1, c + 1]
                )
            known = level[0] + memory[y, x]
            awake = 0.0
            for step in range(loops * (steps - 1)):
                s = step % (steps - 1)
                low, slope = level[s], (level[s + 1] - level[s]) / step_us
                begin, end = step * step_us, (step + 1) * step_us
                while True:
                    if awake > begin:
                        if awake >= end:
                            break
                        begin = awake
                        known = low + slope * (awake - step * step_us)
                    change = level[s + 1] - known
                    if change >= rise[y, x]:
                        target, p = known + rise[y, x], 1
                    elif change <= -fall[y, x]:
                        target, p = known - fall[y, x], 0
                    else:
                        break
                    at = begin
                    if slope != 0.0:
                        at = min(max(step * step_us + (target - low) / slope, begin), end)
                    if count < len(out):
                        out[count, 0], out[count, 1], out[count, 2], out[count, 3] = int(at), y, x, p
                    count += 1
                    known = target
                    awake = at + refractory_us
    return count


@njit(cache=True, nogil=True)
def awake_mask(
    t: NDArray[np.int64], y: NDArray[np.int64], x: NDArray[np.int64], height: int, width: int, refractory_us: int
) -> NDArray[np.bool_]:
    """Which of the events, sorted by time, come at least refractory_us after the last kept one of their pixel."""
    last = np.full((height, width), -(1 << 62), np.int64)
    keep = np.zeros(len(t), np.bool_)
    for i in range(len(t)):
        if t[i] - last[y[i], x[i]] >= refractory_us:
            keep[i] = True
            last[y[i], x[i]] = t[i]
    return keep
