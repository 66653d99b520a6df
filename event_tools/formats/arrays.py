"""The head of a numpy array file: what the array is, without loading it and without pickles.

    "\\x93NUMPY" | version 2 bytes | length u16 (version 1) or u32, little-endian | {'descr', 'fortran_order', 'shape'}

Source: numpy/lib/format.py's documentation (NEP 1).
"""

from __future__ import annotations

import ast
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.fields import named, ordered

MAGIC = b"\x93NUMPY"
MAX_HEAD = 10_000  # characters, as numpy limits what it parses
MAX_RECORD = 4096  # bytes an event


@dataclass(frozen=True)
class ArrayHead:
    """What an array file says of itself; size: bytes of the head, after which the numbers begin."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int

    @property
    def bytes(self) -> int:
        """Of all numbers."""
        return self.dtype.itemsize * prod(self.shape)


def read_head(read: Callable[[int], bytes | memoryview], path: Path, at: int = 0) -> ArrayHead:
    """The head of an array; read(n) gives the next n bytes or fewer, `at` is where they begin, for messages.

    Raises EventFileError for no array, objects (which would need unpickling), and arrays of more than one dimension in
    Fortran's order.
    """
    start = bytes(read(12))
    wide = start[6:7] in (b"\x02", b"\x03")
    if start[:6] != MAGIC or not (wide or start[6:7] == b"\x01") or len(start) < 12:
        raise EventFileError(path, f"expected the head of a numpy array, it begins with {start[:8]!r}", at)
    length = int.from_bytes(start[8:12] if wide else start[8:10], "little")
    size = length + (12 if wide else 10)
    if length > MAX_HEAD:
        raise EventFileError(path, f"expected a head of at most {MAX_HEAD} bytes, it declares {length}", at + 8)
    text = (start + bytes(read(size - 12)) if size > 12 else start)[12 if wide else 10 : size]
    if len(text) < length:
        raise EventFileError(path, f"expected a head of {length} bytes, it ends after {len(text)}", at + 12)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told = ast.literal_eval(text.decode("latin1"))
            dtype = np.lib.format.descr_to_dtype(told["descr"])
        shape, fortran = told["shape"], told["fortran_order"]
        if not isinstance(shape, tuple) or not all(type(side) is int and 0 <= side < 1 << 48 for side in shape):
            raise ValueError("shape")
        if type(fortran) is not bool:
            raise ValueError("fortran_order")
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, LookupError, OverflowError):
        raise EventFileError(path, "expected the head of a numpy array, it cannot be understood", at + 10) from None
    if dtype.hasobject:
        raise EventFileError(path, "its array holds Python objects, which are never unpickled; save numbers", at)
    if fortran and len(shape) > 1:
        raise EventFileError(path, "its array is in Fortran's order; save np.ascontiguousarray of it", at)
    if not 0 < dtype.itemsize <= MAX_RECORD:
        raise EventFileError(path, f"expected numbers of 1 to {MAX_RECORD} bytes, got {dtype.itemsize}", at)
    return ArrayHead(dtype, shape, size)


def head_bytes(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """The head that numpy writes; its length is the same for any number of rows."""
    buffer = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def record_dtype(head: ArrayHead, convention: str | None, path: Path) -> tuple[np.dtype[Any], dict[str, Any]]:
    """The type of one event's bytes, and by which field or column it holds t, x, y and p.

    A structured array (n,) names them; a plain one (n, 4) needs `convention`, such as "txyp". EventFileError otherwise.
    """
    if head.dtype.names is not None:
        if len(head.shape) != 1:
            raise EventFileError(path, f"expected a structured array of one dimension, got {head.shape}")
        places = named(head.dtype.names, path)
        return head.dtype, {column: head.dtype.names[place] for column, place in places.items()}
    if len(head.shape) != 2 or head.shape[1] != 4:
        raise EventFileError(path, f"expected fields t, x, y, p or four columns, got {head.dtype} {head.shape}")
    if convention is None:
        raise EventFileError(path, "its four columns have no names; say convention, such as txyp or xytp")
    return np.dtype((head.dtype, (4,))), dict(ordered(convention, path))


def record_fields(data: NDArray[np.uint8], dtype: np.dtype[Any], places: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """t, x, y and p of whole records."""
    if dtype.subdtype is None:
        records = data.view(dtype)
        return {column: records[place] for column, place in places.items()}
    rows = data.view(dtype.subdtype[0]).reshape(-1, 4)
    return {column: rows[:, place] for column, place in places.items()}
