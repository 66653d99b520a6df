"""Recordings as other libraries hold them, both ways; columns are shared, not copied, where their types allow it.

tonic, and most readers  one structured array with fields t, x, y, p in any order, under other names, packed or not
SpikingJelly             a dictionary of the arrays t, x, y and p, or its .npz file opened by numpy

A column of as many bytes is looked at anew (int16 coordinates, bool polarities, uint64 times), others are converted,
and a value that would change is a ValueError. Polarities -1 and 1 become 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from event_tools.events import Events
from event_tools.formats.fields import NAMES

TONIC = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])
_COLUMNS = {"t": np.dtype(np.int64), "x": np.dtype(np.uint16), "y": np.dtype(np.uint16), "p": np.dtype(np.uint8)}


def from_tonic(array: NDArray[np.void], sensor_size: tuple[int, ...]) -> Events:
    """A structured array (n,) as a recording; sensor_size is (width, height), or tonic's triple of it and polarities.

    A set without rows (SHD and other sound) has y = 0. Raises ValueError for missing fields and values that do not fit.
    """
    fields = np.asarray(array).dtype.names
    if fields is None:
        raise ValueError(f"expected a structured array with fields t, x, y, p, got {np.asarray(array).dtype}")
    return _recording({name: array[name] for name in fields}, sensor_size)


def to_tonic(events: Events, dtype: DTypeLike = TONIC) -> NDArray[np.void]:
    """The recording as a structured array (n,) of tonic's type, or another with fields under any known names.

    An array of this type that the recording came from is given back itself; others are new, since its fields lie
    interleaved. Raises ValueError where a value does not fit the type.
    """
    dtype = np.dtype(dtype)
    homes = _fields(dtype.names or ())
    if (origin := _origin(events, dtype, homes)) is not None:
        return origin
    array = np.zeros(len(events), dtype)
    for name, field in homes.items():
        column = getattr(events, name)
        array[field] = column
        if not np.array_equal(array[field], column):
            raise ValueError(
                f"expected {name} to fit {dtype[field]}, got {column.min()} to {column.max()}; choose another dtype"
            )
    return array


def from_spikingjelly(arrays: Mapping[str, ArrayLike], sensor_size: tuple[int, ...]) -> Events:
    """SpikingJelly's arrays t, x, y and p as a recording of this (width, height); ValueError as `from_tonic`."""
    return _recording({name: arrays[name] for name in arrays}, sensor_size)


def to_spikingjelly(events: Events) -> dict[str, NDArray[Any]]:
    """The recording's own arrays under SpikingJelly's names t, x, y and p."""
    return {name: getattr(events, name) for name in _COLUMNS}


def _recording(columns: dict[str, ArrayLike], sensor_size: tuple[int, ...]) -> Events:
    homes = _fields(tuple(columns))
    given = {name: np.asarray(columns[field]) for name, field in homes.items()}
    if "y" not in given:
        given["y"] = np.zeros(len(given["x"]), np.uint16)
    given["p"] = _signs(given["p"])
    shared = (_same_bytes(given[name], dtype) for name, dtype in _COLUMNS.items())
    return Events(*shared, tuple(sensor_size[:2]))  # type: ignore[arg-type]


def _fields(names: tuple[str, ...]) -> dict[str, str]:
    """Which of the names holds t, x, y and p; y may be absent."""
    homes = {name: next((one for one in known if one in names), None) for name, known in NAMES.items()}
    missing = [name for name, field in homes.items() if field is None and name != "y"]
    if missing:
        raise ValueError(f"expected fields t, x, y and p, got {', '.join(names) or 'none'} without {missing[0]}")
    return {name: field for name, field in homes.items() if field is not None}


def _signs(p: NDArray[Any]) -> NDArray[Any]:
    """Polarities -1 and 1 as 0 and 1, others as they are."""
    if p.size and p.dtype.kind == "i" and p.min() < 0:
        if not np.isin(p, (-1, 1)).all():
            raise ValueError(f"expected polarities 0 and 1, or -1 and 1, got {p.min()} to {p.max()}")
        return (p > 0).view(np.uint8)
    return p


def _same_bytes(column: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The column seen as dtype where it has as many bytes and no value changes, else as it is."""
    if column.dtype.kind not in "iub" or column.dtype.itemsize != dtype.itemsize or not column.dtype.isnative:
        return column
    seen = column.view(dtype)
    signs_differ = (column.dtype.kind == "i") != (dtype.kind == "i")
    beyond = signs_differ and column.size and (column if column.dtype.kind == "i" else seen).min() < 0
    return column if beyond else seen


def _origin(events: Events, dtype: np.dtype[Any], homes: dict[str, str]) -> NDArray[np.void] | None:
    """The structured array of exactly this type whose fields the recording's columns are, or None."""
    whole = events.t.base
    if not isinstance(whole, np.ndarray) or whole.dtype != dtype or whole.ndim != 1 or not len(events):
        return None
    start, rest = divmod(_address(events.t) - _address(whole) - dtype.fields[homes["t"]][1], dtype.itemsize)
    step = events.t.strides[0] // dtype.itemsize
    part = whole[start : start + step * len(events) : step] if step > 0 and not rest else whole[:0]
    same = len(part) == len(events) and all(
        _address(part[field]) == _address(getattr(events, name))
        and part[field].strides == getattr(events, name).strides
        for name, field in homes.items()
    )
    return part if same else None


def _address(array: NDArray[Any]) -> int:
    return array.__array_interface__["data"][0]
