"""HDF5's shuffle filter undone: all first bytes, all second bytes, ... of a chunk back into its values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def _join2(planes: NDArray[np.uint8], first: int, rows: int, out: NDArray[np.uint16]) -> None:
    for i in range(len(out)):
        k = first + i
        out[i] = np.uint16(planes[k]) | np.uint16(planes[rows + k]) << 8


@njit(cache=True, nogil=True)
def _join4(planes: NDArray[np.uint8], first: int, rows: int, out: NDArray[np.uint32]) -> None:
    for i in range(len(out)):
        k = first + i
        out[i] = (
            np.uint32(planes[k])
            | np.uint32(planes[rows + k]) << 8
            | np.uint32(planes[2 * rows + k]) << 16
            | np.uint32(planes[3 * rows + k]) << 24
        )


@njit(cache=True, nogil=True)
def _join(planes: NDArray[np.uint8], first: int, rows: int, size: int, out: NDArray[np.uint8]) -> None:
    for b in range(size):
        for i in range(len(out) // size):
            out[i * size + b] = planes[b * rows + first + i]


def unshuffled(planes: NDArray[np.uint8], size: int, rows: int, start: int, stop: int) -> NDArray[Any]:
    """Rows start to stop - 1, of `size` bytes each, of a chunk of `rows`, as plain bytes in a fresh array.

    planes: (size * rows,) uint8.
    """
    out = np.empty((stop - start) * size, np.uint8)
    if size == 2:
        _join2(planes, start, rows, out.view("<u2"))
    elif size == 4:
        _join4(planes, start, rows, out.view("<u4"))
    else:
        _join(planes, start, rows, size, out)
    return out
