"""A recording that lies in rows of HDF5 datasets: decoded piece by piece in threads, sought by time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.formats.blocks import in_order
from event_tools.formats.hdf5_column import Column, Decode
from event_tools.formats.hdf5_file import H5_ERRORS, Hdf5
from event_tools.formats.hdf5_values import BadRow, coordinates, microseconds, polarities
from event_tools.formats.reader import Columns, Reader, damaged
from event_tools.provenance import Plain

PIECE = 1 << 18  # rows
ALIGNED = 1 << 16  # rows of a piece at least where all columns have the same chunks
SURE = 64  # events a byte; up to that many are allocated before they are decoded


@dataclass(frozen=True)
class Field:
    """Where t, x, y or p lies: a dataset, or the field or column of one by name or number."""

    column: Column
    key: str | int | None = None


@dataclass(frozen=True)
class Layout:
    """How a file holds a recording, found by its structure.

    fields: of t and x always; without y it is 0, without p 1. shift: microseconds on every time. index: opens that of
    the first event at or after each millisecond, of times as stored. version: the layout's name. streams: counts of
    other kinds of data.
    """

    version: str
    fields: dict[str, Field]
    shift: int = 0
    index: Callable[[], Column | None] | None = None
    sensor_size: tuple[int, int] | None = None
    default_size: tuple[int, int] | None = None
    provenance: dict[str, Plain] = field(default_factory=dict)
    streams: dict[str, int] = field(default_factory=dict)

    @property
    def columns(self) -> list[Column]:
        """The datasets, each once."""
        return list({id(one.column): one.column for one in self.fields.values()}.values())

    def convert(self, values: dict[int, NDArray[Any]], unit: str | None, row: int) -> Columns:
        """Events of the rows of each dataset, by its id; row: of the first, for BadRow."""

        def of(name: str) -> NDArray[Any] | None:
            if name not in self.fields:
                return None
            place = self.fields[name]
            rows = values[id(place.column)]
            if place.key is None:
                return rows
            return rows[place.key] if isinstance(place.key, str) else rows[:, place.key]

        t = microseconds(of("t"), unit, self.shift, row)
        x = coordinates(of("x"), "x", row)
        y, p = of("y"), of("p")
        return Columns(
            t,
            x,
            np.zeros(len(t), np.uint16) if y is None else coordinates(y, "y", row),
            np.ones(len(t), np.uint8) if p is None else polarities(p, row),
        )


class RowsReader(Reader):
    """Reads what a layout found; raises EventFileError for columns that disagree, where that is not tolerated."""

    def __init__(self, h5: Hdf5, layout: Layout, unit: str | None) -> None:
        columns = layout.columns
        self.h5, self.layout, self.unit = h5, layout, unit
        self.rows = min(column.stored for column in columns)
        chunk = {column.chunk for column in columns}
        one = chunk.pop() if len(chunk) == 1 else 0
        self.step = -(-ALIGNED // one) * one if one else max([PIECE, *chunk])
        super().__init__(
            version=layout.version,
            sensor_size=layout.sensor_size,
            default_size=layout.default_size,
            capacity=self.rows if self.rows <= SURE * h5.size else None,
            provenance=layout.provenance,
            streams=dict(layout.streams),
        )

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        self._agree()
        low, high = self._sought(start_us, stop_us)
        if low >= high:
            return
        starts = range(low - low % self.step, high, self.step)
        places = ((max(at, low), min(at + self.step, high)) for at in starts)
        for columns, problem, start in in_order(self._converted, map(self._fetched, places)):
            if problem is None:
                assert columns is not None
                yield columns
                continue
            if self.h5.tolerant:
                problem = yield from self._kept(start, problem)
            damaged(self.h5.path, problem.reason, problem.offset, self.h5.tolerant)
            return

    def _kept(self, start: int, problem: BadRow) -> Generator[Columns, None, BadRow]:
        """The rows of a piece that precede a problem; returns the first problem there is."""
        while problem.row > start:
            columns, earlier, _ = self._converted(self._fetched((start, problem.row)))
            if columns is not None:
                yield columns
                break
            assert earlier is not None and earlier.row < problem.row
            problem = earlier
        return problem

    def _agree(self) -> None:
        columns = self.layout.columns
        declared = {column.name: column.rows for column in columns}
        if len(set(declared.values())) > 1:
            damaged(self.h5.path, f"expected columns of equal length, got {declared}", None, self.h5.tolerant)
        short = min(columns, key=lambda column: column.stored)
        if short.stored < min(declared.values()) and self.h5.cut is None:
            reason = f"{short.name} has no bytes for its events from {short.stored} on"
            damaged(self.h5.path, reason, None, self.h5.tolerant)

    def _fetched(self, place: tuple[int, int]) -> tuple[int, dict[int, Decode]]:
        return place[0], {id(column): column.piece(*place) for column in self.layout.columns}

    def _converted(self, fetched: tuple[int, dict[int, Decode]]) -> tuple[Columns | None, BadRow | None, int]:
        start, decoders = fetched
        try:
            values = {key: decode() for key, decode in decoders.items()}
            return self.layout.convert(values, self.unit, start), None, start
        except BadRow as problem:
            return None, problem, start

    def _sought(self, start_us: int | None, stop_us: int | None) -> tuple[int, int]:
        """The rows that hold all events of a window, if times do not decrease."""
        time = partial(self._time, {})
        try:
            low = 0 if start_us is None else self._first_at(start_us, time, down=True)
            high = self.rows if stop_us is None else self._first_at(stop_us, time, down=False)
        except BadRow:
            return 0, self.rows
        return low, max(low, high)

    def _first_at(self, t: int, time: partial[int], down: bool) -> int:
        """The first row at or after t, or one that is as good for a window: by the file's index, or by bisection."""
        row = self._indexed(t, down)
        if row is not None and (row == 0 or time(row - 1) < t if down else row == self.rows or time(row) >= t):
            return row
        return bisect_left(range(self.rows), t, key=time)

    def _indexed(self, t: int, down: bool) -> int | None:
        """What the file's index says of the millisecond before or after t; it may be wrong."""
        index = self.layout.index() if self.layout.index else None
        ms = (t - self.layout.shift) // 1000 if down else -(-(t - self.layout.shift) // 1000)
        if index is None or not 0 <= ms < index.stored:
            return None
        try:
            row = int(index.piece(ms, ms + 1)()[0])
        except (BadRow, *H5_ERRORS):
            return None
        return row if 0 <= row <= self.rows else None

    def _time(self, known: dict[int, NDArray[np.int64]], row: int) -> int:
        """The time of one row; `known` keeps the chunk that was decoded last."""
        place = self.layout.fields["t"]
        step = place.column.chunk or ALIGNED
        start = row - row % step
        if start not in known:
            known.clear()
            values = place.column.piece(start, min(start + step, self.rows))()
            if place.key is not None:
                values = values[place.key] if isinstance(place.key, str) else values[:, place.key]
            known[start] = microseconds(values, self.unit, self.layout.shift, start)
        return int(known[start][row - start])
