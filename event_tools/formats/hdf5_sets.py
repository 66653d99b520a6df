"""Many labelled recordings in one HDF5 file: our own layout, and that of SHD and SSC.

Ours, version 1 (written by `hdf5_set_writer`); recording i is events first[i] to first[i + 1] - 1:

    /                 attributes event_tools_set = 1; width, height where all have one sensor; provenance_<key>
    /events/t i8 [us], x u2, y u2, p u1    all recordings one after the other, times of each its own
    /first u8 (N + 1)       /labels i8 (N), rows of /classes       /names text (N), such as Train/7/00012
    /sensor_sizes u4 (N, 2) width, height                          /provenance text (N), JSON; only where there is any

With h5py: a, b = file["first"][i : i + 2]; t = file["events/t"][a:b]; label = file["classes"][file["labels"][i]].

SHD and SSC (Cramer et al. 2020, zenkelab.org/datasets): spikes/times [s] and spikes/units of variable length, labels,
extra/keys. One dimension: y = 0, p = 1, sensor (700, 1).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.hdf5_attributes import heap_bytes
from event_tools.formats.hdf5_column import Column
from event_tools.formats.hdf5_file import H5_ERRORS, Hdf5, short
from event_tools.formats.hdf5_layouts import checked_size, size_told
from event_tools.formats.hdf5_rows import Field, Layout
from event_tools.formats.hdf5_values import BadRow, coordinates, microseconds
from event_tools.formats.reader import Columns, Reader, damaged
from event_tools.provenance import Plain

MARK = "event_tools_set"
VERSION = 1
COLUMNS = ("t", "x", "y", "p")
PLAIN_BYTES = 1 << 26  # of labels, names and the like; more only where the file is as large
SHD_UNITS = 700


class Many(ABC):
    """The recordings of a file: version, and by position labels, names and readers. Raises EventFileError."""

    version = ""

    def __init__(self, h5: Hdf5, labels: NDArray[Any]) -> None:
        self.h5 = h5
        if labels.dtype.kind not in "iu" or labels.ndim != 1:
            raise EventFileError(h5.path, f"expected labels to be whole numbers, got {labels.dtype} {labels.shape}")
        self.labels: NDArray[np.int64] = labels.astype(np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """What the labels mean."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each recording."""
        return tuple(f"{self.classes[label]}/{i}" for i, label in enumerate(self.labels))

    @abstractmethod
    def reader(self, i: int) -> Reader:
        """The reader of recording i."""

    def position(self, member: str | int | None) -> int:
        """Which recording `member` means; raises EventFileError where it means none."""
        n = len(self)
        if isinstance(member, str) and member in self.names:
            return self.names.index(member)
        if isinstance(member, str) and member.isascii() and member.isdecimal():
            member = int(member)
        if isinstance(member, int) and 0 <= member < n:
            return member
        such = f" or a name such as {self.names[0]!r}" if n else ""
        got = "" if member is None else f", none of them {member!r}"
        raise EventFileError(
            self.h5.path,
            f"it holds {n} recordings of {len(self.classes)} classes{got}; "
            f"choose one by member=0 to {n - 1}{such}, or walk them with open_recordings",
        )

    def _check_labels(self) -> None:
        wrong = (self.labels < 0) | (self.labels >= len(self.classes))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise EventFileError(
                self.h5.path, f"expected labels of {len(self.classes)} classes, recording {at} has {self.labels[at]}"
            )


class OwnSet(Many):
    """Our own layout."""

    version = f"set {VERSION}"

    def __init__(self, h5: Hdf5) -> None:
        super().__init__(h5, _values(h5, "labels"))
        if (version := int(h5.told(h5.root, MARK))) != VERSION:
            raise EventFileError(h5.path, f"expected a set of version {VERSION}, got {version}; update event_tools")
        self.first = _values(h5, "first")
        fields = {name: Field(_column(h5, f"events/{name}")) for name in COLUMNS}
        self.layout = Layout(self.version, fields)
        rows = min(field.column.stored for field in fields.values())
        first = self.first
        good = len(first) == len(self) + 1 and first.dtype.kind in "iu" and first[0] == 0 and first[-1] <= rows
        if not good or (first[1:] < first[:-1]).any():
            raise EventFileError(h5.path, f"expected {len(self) + 1} places of {rows} events in first, they are others")
        chunks = {field.column.chunk for field in fields.values()}
        self.step = max(chunks) or 1 << 16
        self.size = size_told(h5, h5.root)
        self.sizes = None if self.size else _values(h5, "sensor_sizes")
        self.told = h5.provenance()
        self.block: tuple[int, Columns] | None = None
        self._check_labels()

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return _texts(self.h5, "classes")

    @cached_property
    def names(self) -> tuple[str, ...]:
        return _texts(self.h5, "names", len(self))

    @cached_property
    def provenances(self) -> tuple[str, ...] | None:
        """JSON of each recording."""
        return None if self.h5.find("provenance") is None else _texts(self.h5, "provenance", len(self))

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


class SpikeSet(Many):
    """SHD's and SSC's layout."""

    version = "SHD/SSC"

    def __init__(self, h5: Hdf5) -> None:
        super().__init__(h5, _values(h5, "labels"))
        self.times, self.units = h5.dataset("spikes/times"), h5.dataset("spikes/units")
        for dataset in (self.times, self.units):
            if dataset.ndim != 1 or len(dataset) != len(self):
                raise EventFileError(
                    h5.path, f"expected {len(self)} recordings in {dataset.name.lstrip('/')}, got {dataset.shape}"
                )
        self.heaps = [(Column(h5, dataset, raw=True), _base(h5, dataset)) for dataset in (self.times, self.units)]
        self._check_labels()

    def spikes(self, i: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Times and units of recording i; raises BadRow or one of H5_ERRORS."""
        found, base = [], self.h5.root.userblock_size
        for column, dtype in self.heaps:
            if i >= column.stored:
                raise BadRow(i, f"{column.name} has no bytes for it")
            data = heap_bytes(self.h5.file, base, column.piece(i, i + 1)().tobytes(), dtype.itemsize)
            if data is None:
                raise BadRow(i, f"{column.name} has no such values in HDF5's heap")
            found.append(np.frombuffer(data, dtype))
        return found[0], found[1]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        if self.h5.find("extra/keys") is not None:
            return _texts(self.h5, "extra/keys")
        top = int(self.labels.max(initial=-1))
        if not top < 1 << 16:
            raise EventFileError(self.h5.path, f"expected labels below {1 << 16}, got {top}")
        return tuple(map(str, range(top + 1)))

    def reader(self, i: int) -> Reader:
        return _SpikeReader(self, i)


class _SpikeReader(Reader):
    def __init__(self, many: SpikeSet, i: int) -> None:
        super().__init__(many.version, default_size=(SHD_UNITS, 1))
        self.many, self.i = many, i

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        many, path = self.many, self.many.h5.path
        try:
            times, units = many.spikes(self.i)
            n = min(len(times), len(units))
            if len(times) != len(units):
                reason = f"recording {self.i} has {len(times)} times and {len(units)} units"
                damaged(path, reason, None, many.h5.tolerant)
            t, x = microseconds(times[:n], None, 0, 0), coordinates(units[:n], "unit", 0)
        except H5_ERRORS as error:
            if isinstance(error, EventFileError):
                raise
            damaged(path, f"recording {self.i} cannot be decoded, {short(error)}", None, many.h5.tolerant)
        except BadRow as problem:
            damaged(path, f"in recording {self.i}, {problem.reason}", None, many.h5.tolerant)
        else:
            yield Columns(t, x, np.zeros(n, np.uint16), np.ones(n, np.uint8))


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


def _base(h5: Hdf5, dataset: Any) -> np.dtype[Any]:
    """The type of the values in a dataset of variable length."""
    import h5py

    base = h5py.check_vlen_dtype(dataset.dtype)
    if base is None or np.dtype(base).kind not in "iuf":
        raise EventFileError(
            h5.path, f"expected {dataset.name.lstrip('/')} to hold rows of numbers, got {dataset.dtype}"
        )
    return np.dtype(base)


def _column(h5: Hdf5, place: str) -> Column:
    dataset = h5.dataset(place)
    if dataset is None:
        raise EventFileError(h5.path, f"expected {place} in this set, it is not there")
    return Column(h5, dataset)


def _values(h5: Hdf5, place: str) -> NDArray[Any]:
    """All values of a dataset that says something of each recording."""
    column = _column(h5, place)
    if column.rows * column.row_bytes > max(PLAIN_BYTES, 64 * h5.size) or column.stored < column.rows:
        raise EventFileError(h5.path, f"{place} declares {column.rows} values, of which it holds {column.stored}")
    try:
        if column.dtype.hasobject:
            places = Column(h5, column.dataset, raw=True).piece(0, column.rows)()
            base = h5.root.userblock_size
            texts = [heap_bytes(h5.file, base, row.tobytes(), 1) for row in places]
            if None in texts:
                raise EventFileError(h5.path, f"{place} has no such texts in HDF5's heap")
            return np.array(texts, object)
        return column.piece(0, column.rows)()
    except BadRow as problem:
        raise EventFileError(h5.path, problem.reason, problem.offset) from None


def _texts(h5: Hdf5, place: str, count: int | None = None) -> tuple[str, ...]:
    values = _values(h5, place)
    if values.dtype.kind not in "SO" or values.ndim != 1 or (count is not None and len(values) != count):
        raise EventFileError(
            h5.path, f"expected {place} to be {count or 'some'} texts, got {values.dtype} {values.shape}"
        )
    return tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values)
