"""The two in-memory forms: a recording of events, and counts of events in time bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_COLUMNS = (("t", np.int64), ("x", np.uint16), ("y", np.uint16), ("p", np.uint8))


@dataclass(frozen=True, eq=False)
class Events:
    """One recording.

    t: (n,) int64 microseconds, non-decreasing; x, y: (n,) uint16, origin top left; p: (n,) uint8, 1 = ON, 0 = OFF;
    sensor_size: (width, height) in pixels. Other integer dtypes are converted where no value changes.
    Raises ValueError for anything else.
    """

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]
    sensor_size: tuple[int, int]

    def __post_init__(self) -> None:
        width, height = whole_size(self.sensor_size)
        object.__setattr__(self, "sensor_size", (width, height))
        for name, dtype in _COLUMNS:
            object.__setattr__(self, name, _column(name, getattr(self, name), dtype))
        if len({len(self.t), len(self.x), len(self.y), len(self.p)}) != 1:
            lengths = ", ".join(f"{name} {len(getattr(self, name))}" for name, _ in _COLUMNS)
            raise ValueError(f"expected columns of equal length, got {lengths}")
        if len(self.t) == 0:
            return
        if self.x.max() >= width or self.y.max() >= height:
            raise ValueError(
                f"expected events within {width}x{height}, got x up to {self.x.max()} and y up to {self.y.max()}"
            )
        if self.p.max() > 1:
            raise ValueError(f"expected polarities 0 and 1, got {self.p.max()}")
        if len(self.t) > 1 and (self.t[1:] < self.t[:-1]).any():
            first = int(np.argmax(self.t[1:] < self.t[:-1])) + 1
            raise ValueError(
                f"expected times that do not decrease, event {first} at {self.t[first]} us "
                f"follows {self.t[first - 1]} us; sort them"
            )

    @classmethod
    def unchecked(
        cls,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.uint8],
        sensor_size: tuple[int, int],
    ) -> Events:
        """A recording of columns that surely are what the class asks for; for readers, which have checked them."""
        events = object.__new__(cls)
        for name, value in (("t", t), ("x", x), ("y", y), ("p", p), ("sensor_size", sensor_size)):
            object.__setattr__(events, name, value)
        return events

    @classmethod
    def empty(cls, sensor_size: tuple[int, int]) -> Events:
        """A recording without events."""
        return cls(*(np.empty(0, dtype) for _, dtype in _COLUMNS), sensor_size)

    def __len__(self) -> int:
        return len(self.t)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Events):
            return NotImplemented
        return self.sensor_size == other.sensor_size and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name, _ in _COLUMNS
        )

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, index: slice | NDArray[np.bool_]) -> Events:
        """A part of the recording: a slice with positive step, or a boolean mask."""
        if not isinstance(index, slice | np.ndarray):
            raise TypeError(f"expected a slice or a mask of events, got {index!r}; single values are in t, x, y and p")
        columns = self.t[index], self.x[index], self.y[index], self.p[index]
        ordered = index.step is None or index.step > 0 if isinstance(index, slice) else index.dtype == np.bool_
        return (Events.unchecked if ordered else Events)(*columns, self.sensor_size)

    @property
    def duration_us(self) -> int:
        """Microseconds from the first event to the last; 0 without events."""
        return int(self.t[-1]) - int(self.t[0]) if len(self.t) else 0


@dataclass(frozen=True, eq=False)
class Frames:
    """Event counts in time bins.

    counts: (T, 2, H, W) non-negative integers, channel 0 = OFF, 1 = ON; edges: (T + 1,) int64 microseconds,
    non-decreasing; bin i holds edges[i] <= t < edges[i + 1], the last one its closing edge as well (bins of equal
    numbers of events may share the events of their common edge).
    """

    counts: NDArray[np.integer[Any]]
    edges: NDArray[np.int64]

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        edges = _column("edges", self.edges, np.int64)
        if counts.ndim != 4 or counts.shape[1] != 2 or not np.issubdtype(counts.dtype, np.integer):
            raise ValueError(f"expected integer counts (T, 2, H, W), got {counts.dtype} {counts.shape}")
        if len(edges) != len(counts) + 1:
            raise ValueError(f"expected {len(counts) + 1} edges for {len(counts)} bins, got {len(edges)}")
        if (edges[1:] < edges[:-1]).any():
            raise ValueError("expected edges that do not decrease")
        if counts.size and counts.min() < 0:
            raise ValueError(f"expected counts from 0 up, got {counts.min()}")
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "edges", edges)

    @classmethod
    def unchecked(cls, counts: NDArray[np.integer[Any]], edges: NDArray[np.int64]) -> Frames:
        """Frames of arrays that surely are what the class asks for; spares binning a walk over what it has counted."""
        frames = object.__new__(cls)
        object.__setattr__(frames, "counts", counts)
        object.__setattr__(frames, "edges", edges)
        return frames

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frames):
            return NotImplemented
        return np.array_equal(self.counts, other.counts) and np.array_equal(self.edges, other.edges)

    __hash__ = None  # type: ignore[assignment]

    @property
    def steps(self) -> int:
        """T, number of bins."""
        return len(self.counts)

    @property
    def sensor_size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.counts.shape[3], self.counts.shape[2]


def whole_size(sensor_size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) as ints; raises ValueError for anything but two whole numbers from 1 to 65536."""
    try:
        width, height = (index(side) for side in sensor_size)
    except (TypeError, ValueError):
        raise ValueError(f"expected sensor_size as (width, height), whole pixels, got {sensor_size!r}") from None
    if not (0 < width <= 65536 and 0 < height <= 65536):
        raise ValueError(f"expected a sensor of 1 to 65536 pixels a side, got {width}x{height}")
    return width, height


def _column(name: str, values: ArrayLike | Sequence[int], dtype: type) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"expected {name} to have one dimension, got {array.ndim}")
    if array.dtype == dtype:
        return array
    if array.size and not np.issubdtype(array.dtype, np.integer) and array.dtype != np.bool_:
        raise ValueError(f"expected whole numbers for {name}, got {array.dtype}")
    converted = array.astype(dtype)
    if not np.array_equal(converted, array):
        raise ValueError(f"expected {name} to fit {np.dtype(dtype).name}, got {array.min()} to {array.max()}")
    return converted
