"""Recordings in MATLAB's .mat files: ST-MNIST's spike trains, and the TD structs of N-Caltech101 and N-MNIST tools.

spiketrain (101, columns): rows 0 to 99 hold -1, 0 or 1 for each taxel, x + 10 y; row 100 the time in seconds. Each
value that is not 0 is an event, 1 is ON; times become the nearest microsecond. See et al. 2020, arXiv 2005.04319.

TD, or any struct with x, y, p, ts: pixels counted from 1; p 1 = OFF and 2 = ON (where 0 or -1 occurs, 1 is ON); ts in
microseconds. garrickorchard.com/datasets, Read_Ndataset.m.

Version 5 begins with "MATLAB 5.0 MAT-file" (see `mat5`), version 7.3 with "MATLAB 7.3 MAT-file": HDF5 from byte 512.
Nothing but numbers is ever looked at. Only read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.hdf5_column import Column
from event_tools.formats.hdf5_file import H5_ERRORS, Hdf5, short
from event_tools.formats.hdf5_values import BadRow, coordinates, microseconds, polarities
from event_tools.formats.mat5 import STRUCT, BadMat, Element, elements, opened_matrix
from event_tools.formats.reader import Columns, Reader, Reading, damaged, one_of

SUFFIXES = (".mat",)
READS = frozenset({"time_unit"})
WRITES: frozenset[str] = frozenset()
MAGIC_5, MAGIC_73 = b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"
TAXELS, ROWS, SENSOR = 100, 101, (10, 10)
FIELDS = ("x", "y", "p", "ts")
STEP = 1 << 16  # values at a time
COLUMNS = 1 << 12  # of a spike train at a time
LONGEST = 1 << 40  # values that MATLAB 7.3 keeps in one row


def matches(head: bytes) -> bool:
    """Whether MATLAB's text comes first."""
    return head.startswith((MAGIC_5, MAGIC_73))


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """The recording of a file; raises EventFileError where there is none that is known."""
    unit = None if reading.time_unit is None else one_of(path, "time_unit", reading.time_unit, ("us", "s"))
    file.seek(0)
    if file.read(len(MAGIC_73)) == MAGIC_73:
        return _open_73(file, path, reading.tolerant, unit)
    try:
        order, found = elements(file)
    except BadMat as problem:
        raise EventFileError(path, str(problem), 0) from None
    seen = []
    for element in found:
        try:
            stream, matrix = opened_matrix(file, element, order)
            if matrix.name == "spiketrain" and len(matrix.shape) == 2 and matrix.shape[0] == ROWS:
                return _Spikes5(file, path, reading.tolerant, unit, order, element)
            if matrix.kind == STRUCT and matrix.count == 1 and set(FIELDS) <= set(stream.fields()):
                return _Struct5(file, path, reading.tolerant, unit, order, element)
        except BadMat as problem:
            raise EventFileError(path, str(problem), element.at) from None
        seen.append(matrix.name)
    raise EventFileError(
        path, f"expected spiketrain of {ROWS} rows or a struct of {', '.join(FIELDS)}, found {_some(seen)}"
    )


class _MatReader(Reader):
    """What all have: errors that speak of the file."""

    def __init__(
        self, file: BinaryIO, path: Path, tolerant: bool, unit: str | None, version: str, **known: Any
    ) -> None:
        super().__init__(version, **known)
        self.file, self.path, self.tolerant, self.unit = file, path, tolerant, unit

    @contextmanager
    def noticing(self, at: int | None) -> Iterator[None]:
        """Damage inside becomes an EventFileError, or a warning that ends the recording."""
        try:
            yield
        except EventFileError:
            raise
        except (BadMat, BadRow, *H5_ERRORS) as problem:
            damaged(self.path, short(problem), at, self.tolerant)


class _Spikes5(_MatReader):
    def __init__(
        self, file: BinaryIO, path: Path, tolerant: bool, unit: str | None, order: str, element: Element
    ) -> None:
        super().__init__(file, path, tolerant, unit, "ST-MNIST", sensor_size=SENSOR)
        self.order, self.element = order, element

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        with self.noticing(self.element.at):
            stream, matrix = opened_matrix(self.file, self.element, self.order)
            done = 0
            for values in stream.numbers(matrix, COLUMNS * ROWS):
                yield _spikes(values.reshape(-1, ROWS), self.unit, done)
                done += len(values) // ROWS
            stream.finish()


class _Struct5(_MatReader):
    def __init__(
        self, file: BinaryIO, path: Path, tolerant: bool, unit: str | None, order: str, element: Element
    ) -> None:
        super().__init__(file, path, tolerant, unit, "TD")
        self.order, self.element = order, element

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        with self.noticing(self.element.at):
            stream, _ = opened_matrix(self.file, self.element, self.order)
            columns = {}
            for name in stream.fields():
                _, size, _ = stream.tag()
                if name not in FIELDS:
                    stream.skip(size)
                    continue
                matrix = stream.matrix()
                parts = [_column(name, part, self.unit, 0) for part in stream.numbers(matrix, STEP)]
                columns[name] = np.concatenate(parts) if parts else _column(name, np.empty(0), self.unit, 0)
            stream.finish()
            yield _joined(columns)


def _open_73(file: BinaryIO, path: Path, tolerant: bool, unit: str | None) -> Reader:
    h5 = Hdf5(file, path, tolerant)
    try:
        dataset = h5.dataset("spiketrain")
        if dataset is not None and dataset.ndim == 2 and dataset.shape[1] == ROWS:
            return _Whole(h5, unit, "ST-MNIST 7.3", {"spiketrain": dataset}, SENSOR)
        for name, _ in zip(h5.root, range(64), strict=False):
            if h5.group(name, *FIELDS) is not None:
                found = {field: h5.dataset(f"{name}/{field}") for field in FIELDS}
                if all(one is not None for one in found.values()):
                    return _Whole(h5, unit, "TD 7.3", found, None)
    except H5_ERRORS as error:
        if isinstance(error, EventFileError):
            raise
        raise EventFileError(path, f"its contents cannot be decoded, {short(error)}") from None
    raise EventFileError(
        path, f"expected spiketrain of {ROWS} rows or a struct of {', '.join(FIELDS)}, found {h5.names()}"
    )


class _Whole(_MatReader):
    """Version 7.3, whose arrays are turned over: a column of MATLAB's is a row here."""

    def __init__(
        self, h5: Hdf5, unit: str | None, version: str, found: dict[str, Any], size: tuple[int, int] | None
    ) -> None:
        super().__init__(h5.file, h5.path, h5.tolerant, unit, version, sensor_size=size)
        if h5.cut is not None:
            raise EventFileError(h5.path, "too little of it is left to read", h5.cut)
        self.found = {name: Column(h5, dataset, widest=LONGEST) for name, dataset in found.items()}
        for name, column in self.found.items():
            if column.dtype.kind not in "iuf" or column.stored < column.rows:
                raise EventFileError(h5.path, f"expected {name} to hold {column.rows} rows of numbers, it does not")

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        with self.noticing(None):
            if "spiketrain" in self.found:
                train = self.found["spiketrain"]
                for at in range(0, train.rows, COLUMNS):
                    yield _spikes(train.piece(at, min(at + COLUMNS, train.rows))(), self.unit, at)
                return
            values = {name: column.piece(0, column.rows)().reshape(-1) for name, column in self.found.items()}
            yield _joined({name: _column(name, some, self.unit, 0) for name, some in values.items()})


def _spikes(table: NDArray[Any], unit: str | None, row: int) -> Columns:
    """Events of a spike train's columns, here rows: (n, 101)."""
    times = microseconds(table[:, TAXELS], unit or "s", 0, row)
    columns, taxels = np.nonzero(table[:, :TAXELS])
    t = times[columns]
    x, y = (taxels % 10).astype(np.uint16), (taxels // 10).astype(np.uint16)
    return Columns(t, x, y, polarities(table[columns, taxels], row))


def _column(name: str, values: NDArray[Any], unit: str | None, row: int) -> NDArray[Any]:
    """One field, as small as it fits; p stays as it is, for its meaning depends on all of it."""
    if name == "ts":
        return microseconds(values, unit or "us", 0, row)
    if name == "p":
        known = np.isin(values, (-1, 0, 1, 2))
        if not known.all():
            at = int(np.argmin(known))
            raise BadRow(row + at, f"expected p of 1 and 2, or of -1, 0 and 1, got {values[at]}")
        return values.astype(np.int8)
    if len(values) and values.min() < 1:
        raise BadRow(row, f"expected {name} counted from 1, as MATLAB does, got {values.min()}")
    return coordinates(values - values.dtype.type(1), name, row)


def _joined(columns: dict[str, NDArray[Any]]) -> Columns:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadMat(f"expected fields of equal length, got {lengths}")
    p = columns["p"]
    if len(p) and p.max() == 2 and p.min() < 1:
        raise BadMat("expected p of 1 and 2, or of -1, 0 and 1, got both")
    on = p == (1 if len(p) and p.min() < 1 else 2)
    return Columns(columns["ts"], columns["x"], columns["y"], on.view(np.uint8))


def _some(names: list[str]) -> str:
    return ", ".join(repr(name)[:40] for name in names[:8]) or "nothing"
