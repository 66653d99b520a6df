"""A .npy file of whole numbers written part by part, so that no data set has to fit into memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

HIGHEST = 65535  # that 16 bits hold


def save_parts(path: Path, parts: Iterable[NDArray[Any]], items: int) -> None:
    """Write parts (n_i, ...) of whole numbers up to 65535, `items` rows in all, as uint8, or uint16 once one needs it.

    Plain writes, not a mapped file: a full disk is an OSError here, not a signal. Raises ValueError for other numbers
    or another count of rows.
    """
    done, dtype = 0, np.dtype(np.uint8)
    with open(path, "wb+") as file:
        for part in parts:
            highest = int(part.max(initial=0))
            if highest > HIGHEST or part.min(initial=0) < 0:
                raise ValueError(f"expected numbers from 0 to 65535, got {part.min()} to {highest}")
            if not done:
                _write_header(file, dtype, (items, *part.shape[1:]))
                begin = file.tell()
            if highest > 255 and dtype == np.uint8:
                dtype = np.dtype("<u2")
                _widen(file, begin, dtype, (items, *part.shape[1:]))
            file.write(np.ascontiguousarray(part, dtype).data)
            done += len(part)
    if done != items:
        raise ValueError(f"expected {items} rows, got {done}")


def _write_header(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": shape})


def _widen(file: IO[bytes], begin: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Rewrite the bytes from `begin` on as dtype; both headers have the same length."""
    file.seek(begin)
    written = np.frombuffer(file.read(), np.uint8)
    file.seek(0)
    _write_header(file, dtype, shape)
    file.write(written.astype(dtype).data)
