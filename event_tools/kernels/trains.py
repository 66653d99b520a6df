"""Distances between the spike trains of two recordings, one train per pixel and polarity."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def van_rossum_square(
    t: NDArray[np.int64], train: NDArray[np.int64], sign: NDArray[np.int8], trains: int, tau_us: float
) -> float:
    """(1 / tau) integral of (f_a - f_b)^2 over time, summed over trains; f: spikes under a causal exponential.

    t: (M,) non-decreasing times of both recordings together; sign: +1 of a, -1 of b. With m the signed trace of a
    train before a spike, the sum over pairs 1/2 s_i s_j exp(-|t_i - t_j| / tau) grows by s (s / 2 + m) at each.
    """
    trace, last = np.zeros(trains), np.zeros(trains, np.int64)
    total = 0.0
    for i in range(len(t)):
        k = train[i]
        trace[k] *= math.exp(-(t[i] - last[k]) / tau_us)
        total += sign[i] * (0.5 * sign[i] + trace[k])
        trace[k] += sign[i]
        last[k] = t[i]
    return total


@njit(cache=True, nogil=True)
def victor_purpura_sum(
    t_a: NDArray[np.int64],
    starts_a: NDArray[np.int64],
    t_b: NDArray[np.int64],
    starts_b: NDArray[np.int64],
    cost_per_us: float,
) -> float:
    """Cost of turning the trains of a into those of b: 1 to add or remove a spike, cost_per_us |dt| to move it.

    t: (M,) times sorted by train, then time; starts: (trains + 1,) where each train begins.
    """
    total = 0.0
    for k in range(len(starts_a) - 1):
        a, b = t_a[starts_a[k] : starts_a[k + 1]], t_b[starts_b[k] : starts_b[k + 1]]
        if len(a) == 0 or len(b) == 0:
            total += len(a) + len(b)
            continue
        row = np.arange(len(b) + 1).astype(np.float64)  # cost of the spikes of a so far against the first j of b
        for i in range(len(a)):
            before = row[0]
            row[0] = i + 1.0
            for j in range(len(b)):
                moved = before + cost_per_us * abs(a[i] - b[j])
                before = row[j + 1]
                row[j + 1] = min(moved, row[j + 1] + 1.0, row[j] + 1.0)
        total += row[-1]
    return total
