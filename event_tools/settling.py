"""Decoded columns become `Events`: in the sensor, in order of time, cut to a window; or an error that says where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.reader import ORDERS, Columns, Reader, Reading

NAMES = ("t", "x", "y", "p")
LATEST = (1 << 63) - 1


@dataclass
class Check:
    """Looks at pieces in file order. sensor_size None admits all events and keeps the largest x and y."""

    path: Path
    sensor_size: tuple[int, int] | None
    sorted: bool = True
    seen: int = 0
    last_us: int | None = None
    largest: tuple[int, int] = (-1, -1)

    def __call__(self, part: Columns) -> None:
        """Raise EventFileError for an event outside the sensor or, if `sorted`, before its predecessor."""
        if not len(part):
            return
        x, y = int(part.x.max()), int(part.y.max())
        self.largest = max(self.largest[0], x), max(self.largest[1], y)
        if self.sensor_size is not None:
            width, height = self.sensor_size
            if x >= width or y >= height:
                at = int(np.argmax((part.x >= width) | (part.y >= height)))
                reason = f"expected events within {width}x{height}, event {self.seen + at} lies at"
                self._refuse(f"{reason} ({part.x[at]}, {part.y[at]})", part, at)
        if self.sorted:
            first = int(part.t[0])
            if self.last_us is not None and first < self.last_us:
                self._disordered(part, 0, self.last_us)
            back = part.t[1:] < part.t[:-1]
            if back.any():
                at = int(np.argmax(back)) + 1
                self._disordered(part, at, int(part.t[at - 1]))
            self.last_us = int(part.t[-1])
        self.seen += len(part)

    def _disordered(self, part: Columns, at: int, before: int) -> None:
        reason = f"its times decrease at event {self.seen + at} ({before} to {part.t[at]} us)"
        self._refuse(f"{reason}; read it with order='sort'", part, at)

    def _refuse(self, reason: str, part: Columns, at: int) -> None:
        raise EventFileError(self.path, reason, part.byte_of(at) if part.byte_of else None)


class Store:
    """Columns that grow; one allocation where the reader knows how many events there may be."""

    def __init__(self, capacity: int | None) -> None:
        self.parts: list[Columns] = []
        self.whole = None if capacity is None else _empty(capacity)
        self.used = 0

    def add(self, part: Columns) -> None:
        """Keep a copy of the events."""
        if self.whole is None:
            self.parts.append(Columns(*(getattr(part, name).copy() for name in NAMES)))
            return
        stop = self.used + len(part)
        for name in NAMES:
            getattr(self.whole, name)[self.used : stop] = getattr(part, name)
        self.used = stop

    def columns(self) -> Columns:
        """All events that were added."""
        if self.whole is not None:
            return Columns(*(getattr(self.whole, name)[: self.used] for name in NAMES))
        if len(self.parts) == 1:
            return self.parts[0]
        joined = Columns(
            *(np.concatenate([getattr(part, name) for part in self.parts] or [empty]) for name, empty in _NONE)
        )
        self.parts = [joined]
        return joined


def settle(reader: Reader, path: Path, reading: Reading, set_size: tuple[int, int] | None = None) -> Events:
    """All events of an opened file, as `read` describes; set_size is that of the data set which the file belongs to."""
    if reading.order not in ORDERS:
        raise ValueError(f"expected order to be {' or '.join(ORDERS)}, got {reading.order!r}")
    check = Check(path, known_size(reader, reading, set_size), reading.order == "refuse")
    try:
        store = Store(reader.capacity)
        for part in walk(reader, reading, check):
            store.add(part)
        columns = store.columns()
    except MemoryError:
        raise EventFileError(path, "its events do not fit the memory; go through it with iterate") from None
    if reading.order == "sort":
        columns = _sorted(columns, reading)
    size = check.sensor_size or fitting_size(reader, path, check.largest)
    return Events.unchecked(columns.t, columns.x, columns.y, columns.p, size)


def walk(reader: Reader, reading: Reading, check: Check) -> Iterator[Columns]:
    """Checked pieces, cut to the window; with order="sort" neither order nor window is looked at."""
    if reading.order == "sort":
        for part in reader.chunks():
            check(part)
            yield part
        return
    for part in reader.chunks(reading.start_us, reading.stop_us):
        check(part)
        kept = _window(part, reading)
        if len(kept):
            yield kept
        if reading.stop_us is not None and check.last_us is not None and check.last_us >= reading.stop_us:
            return


def known_size(reader: Reader, reading: Reading, set_size: tuple[int, int] | None = None) -> tuple[int, int] | None:
    """The sensor's size by the argument, the file or the data set; None where all are silent."""
    return reading.sensor_size or reader.sensor_size or set_size


def fitting_size(reader: Reader, path: Path, largest: tuple[int, int]) -> tuple[int, int]:
    """The format's own size if all events fit; otherwise an EventFileError that asks."""
    size = reader.default_size
    if size is not None and largest[0] < size[0] and largest[1] < size[1]:
        return size
    places = f"{largest[0]}, {largest[1]}" if largest[0] >= 0 else "none"
    raise EventFileError(
        path, f"its sensor's size is unknown (largest x, y: {places}); give sensor_size=(width, height), --sensor WxH"
    )


def first_at(t: NDArray[np.int64], time_us: int) -> int:
    """The first of times that do not decrease which is not before time_us; that may lie beyond 64 bits."""
    if not -LATEST <= time_us <= LATEST:
        return 0 if time_us < 0 else len(t)
    return int(np.searchsorted(t, time_us))


def _window(part: Columns, reading: Reading) -> Columns:
    low = 0 if reading.start_us is None else first_at(part.t, reading.start_us)
    high = len(part) if reading.stop_us is None else first_at(part.t, reading.stop_us)
    return part if (low, high) == (0, len(part)) else _cut(part, slice(low, high))


def _sorted(columns: Columns, reading: Reading) -> Columns:
    order = np.argsort(columns.t, kind="stable")
    return _window(Columns(*(getattr(columns, name)[order] for name in NAMES)), reading)


def _cut(part: Columns, rows: slice) -> Columns:
    return replace(part, byte_of=None, **{name: getattr(part, name)[rows] for name in NAMES})


def _empty(capacity: int) -> Columns:
    return Columns(
        np.empty(capacity, np.int64),
        np.empty(capacity, np.uint16),
        np.empty(capacity, np.uint16),
        np.empty(capacity, np.uint8),
    )


_NONE = tuple((name, getattr(_empty(0), name)) for name in NAMES)
