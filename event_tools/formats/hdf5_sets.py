"""Many labelled recordings in one HDF5 file: our own layout; `hdf5_spikes` has that of SHD and SSC.

Ours, version 1 (written by `hdf5_set_writer`); recording i is events first[i] to first[i + 1] - 1:

    /                 attributes event_tools_set = 1; width, height where all have one sensor; provenance_<key>
    /events/t i8 [us], x u2, y u2, p u1    all recordings one after the other, times of each its own
    /first u8 (N + 1)       /labels i8 (N), rows of /classes       /names text (N), such as Train/7/00012
    /sensor_sizes u4 (N, 2) width, height                          /provenance text (N), JSON; only where there is any

With h5py: a, b = file["first"][i : i + 2]; t = file["events/t"][a:b]; label = file["classes"][file["labels"][i]].
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property

from event_tools.errors import EventFileError
from event_tools.formats.hdf5_file import Hdf5
from event_tools.formats.hdf5_layouts import checked_size, size_told
from event_tools.formats.hdf5_many import Many, column_of, texts_of, values_of
from event_tools.formats.hdf5_rows import Field, Layout
from event_tools.formats.hdf5_spikes import SpikeSet
from event_tools.formats.hdf5_values import BadRow
from event_tools.formats.reader import Columns, Reader, damaged
from event_tools.provenance import Plain

MARK = "event_tools_set"
VERSION = 1
COLUMNS = ("t", "x", "y", "p")


class OwnSet(Many):
    """Our own layout."""

    version = f"set {VERSION}"

    def __init__(self, h5: Hdf5) -> None:
        super().__init__(h5, values_of(h5, "labels"))
        if (version := int(h5.told(h5.root, MARK))) != VERSION:
            raise EventFileError(h5.path, f"expected a set of version {VERSION}, got {version}; update event_tools")
        self.first = values_of(h5, "first")
        fields = {name: Field(column_of(h5, f"events/{name}")) for name in COLUMNS}
        self.layout = Layout(self.version, fields)
        rows = min(field.column.stored for field in fields.values())
        first = self.first
        good = len(first) == len(self) + 1 and first.dtype.kind in "iu" and first[0] == 0 and first[-1] <= rows
        if not good or (first[1:] < first[:-1]).any():
            raise EventFileError(h5.path, f"expected {len(self) + 1} places of {rows} events in first, they are others")
        chunks = {field.column.chunk for field in fields.values()}
        self.step = max(chunks) or 1 << 16
        self.size = size_told(h5, h5.root)
        self.sizes = None if self.size else values_of(h5, "sensor_sizes")
        self.told = h5.provenance()
        self.block: tuple[int, Columns] | None = None
        self.check_labels()

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return texts_of(self.h5, "classes")

    @cached_property
    def names(self) -> tuple[str, ...]:
        return texts_of(self.h5, "names", len(self))

    @cached_property
    def provenances(self) -> tuple[str, ...] | None:
        """JSON of each recording."""
        return None if self.h5.find("provenance") is None else texts_of(self.h5, "provenance", len(self))

    def reader(self, i: int) -> Reader:
        size = self.size or checked_size(self.h5, *self.sizes[i])
        told = {**self.told, **_told(self.provenances[i])} if self.provenances else self.told
        return _OwnReader(self, int(self.first[i]), int(self.first[i + 1]), size, told)

    def events_of(self, k: int) -> Columns:
        """Block k of the events of all recordings; the last one asked for is kept. Raises BadRow."""
        block = self.block  # another thread may put its own there
        if block is None or block[0] != k:
            start, stop = k * self.step, min((k + 1) * self.step, int(self.first[-1]))
            values = {id(column): column.piece(start, stop)() for column in self.layout.columns}
            block = self.block = k, self.layout.convert(values, None, start)
        return block[1]


class _OwnReader(Reader):
    def __init__(self, many: OwnSet, low: int, high: int, size: tuple[int, int], told: dict[str, Plain]) -> None:
        super().__init__(many.version, size, capacity=high - low, provenance=told)
        self.many, self.low, self.high = many, low, high
        if high - low > 64 * many.h5.size:
            self.capacity = None

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        step = self.many.step
        for k in range(self.low // step, -(-self.high // step)):
            try:
                block = self.many.events_of(k)
            except BadRow as problem:
                damaged(self.many.h5.path, problem.reason, problem.offset, self.many.h5.tolerant)
                return
            rows = slice(max(0, self.low - k * step), min(step, self.high - k * step))
            yield Columns(block.t[rows], block.x[rows], block.y[rows], block.p[rows])


def find_set(h5: Hdf5) -> Many | None:
    """The set that a file holds, None where it holds none."""
    if MARK in h5.root.attrs:
        return OwnSet(h5)
    if h5.group("spikes", "times", "units") is not None and h5.dataset("labels") is not None:
        return SpikeSet(h5)
    return None


def _told(text: str) -> dict[str, Plain]:
    """The provenance of one recording; of JSON that says something else, nothing."""
    try:
        own = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return {key: value for key, value in own.items() if isinstance(value, Plain)} if isinstance(own, dict) else {}
