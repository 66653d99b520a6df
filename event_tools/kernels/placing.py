"""What becomes of random draws in groups, one group a pixel and bin: sorted, dealt to polarities, laid out in time.

No operation here is fused or reordered by the compiler, so that every platform finds the same times.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

SHORT = 24  # members up to which insertion sorts faster


@njit(cache=True, nogil=True)
def sort_groups(
    draws: NDArray[np.float64],
    deal: NDArray[np.float64],
    k: NDArray[np.int64],
    off: NDArray[np.int64],
    runs: bool,
    p: NDArray[np.uint8],
) -> None:
    """Sort draws within groups of k members; p = 0 for off[i] members of group i at random (by `deal`), else 1.

    runs: the members of one polarity follow each other; which comes first is said by the group's first deal.
    """
    order = np.empty(SHORT, np.int64)
    low = 0
    for i in range(len(k)):
        n = k[i]
        u, v, q = draws[low : low + n], deal[low : low + n], p[low : low + n]
        mixed = 0 < off[i] < n
        if mixed and runs:
            mixed = False
            if v[0] < 0.5:
                q[: off[i]], q[off[i] :] = 0, 1
            else:
                q[: n - off[i]], q[n - off[i] :] = 1, 0
        elif not mixed:
            q[:] = 0 if off[i] else 1
        if n > SHORT:
            u.sort()
            if mixed:
                q[:] = np.argsort(v, kind="mergesort") >= off[i]
        else:
            for j in range(1, n):
                value, at = u[j], j
                while at > 0 and u[at - 1] > value:
                    u[at] = u[at - 1]
                    at -= 1
                u[at] = value
            if mixed:
                for j in range(n):
                    at = j
                    while at > 0 and v[order[at - 1]] > v[j]:
                        order[at] = order[at - 1]
                        at -= 1
                    order[at] = j
                for j in range(n):
                    q[j] = order[j] >= off[i]
        low += n


@njit(cache=True, nogil=True)
def lay_out(
    u: NDArray[np.float64],
    k: NDArray[np.int64],
    start: NDArray[np.int64],
    width: NDArray[np.int64],
    refractory: int,
    t: NDArray[np.int64],
) -> None:
    """Times of sorted places u in [0, 1) of k members a group: on [0, width - k r), spread by i r + r // 2."""
    low = 0
    for i in range(len(k)):
        r = min(refractory, width[i] // k[i])
        free = width[i] - k[i] * r
        latest = max(start[i] + width[i] - 1, start[i])  # a bin without free time must not spill over
        for rank in range(k[i]):
            inside = min(np.int64(u[low + rank] * free), max(free - 1, 0))
            t[low + rank] = min(start[i] + inside + rank * r + r // 2, latest)
        low += k[i]
