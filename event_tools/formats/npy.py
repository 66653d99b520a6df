"""Arrays of events in .npy: structured ones with fields t, x, y, p, or (n, 4) in an order that `convention` tells.

Written as tonic's type, fields x i2, y i2, t i8 (microseconds), p ?, as np.save writes them. The sensor's size has no
place in it. See `arrays` for the head, `fields` for names, units and values.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.arrays import MAGIC, head_bytes, read_head, record_dtype, record_fields
from event_tools.formats.blocks import file_size, in_order, read_at, record_blocks
from event_tools.formats.fields import Conversion, refuse_mixture
from event_tools.formats.reader import Columns, Reader, Reading, damaged
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".npy",)
READS = frozenset({"convention", "time_unit"})
WRITES: frozenset[str] = frozenset()
TONIC = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
STEP = 1 << 16  # events that are packed at a time


def matches(head: bytes) -> bool:
    """Whether the file is a numpy array."""
    return head.startswith(MAGIC)


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """An array of events; raises EventFileError for another array, chunks for one that is cut and for odd values."""
    return _NpyReader(file, path, reading)


class _NpyReader(Reader):
    def __init__(self, file: BinaryIO, path: Path, reading: Reading) -> None:
        self.file, self.path, self.tolerant = file, path, reading.tolerant
        file.seek(0)
        head = read_head(lambda size: file.read(size), path)
        self.dtype, self.places = record_dtype(head, reading.convention, path)
        self.conversion = Conversion(path, reading.time_unit)
        self.declared, self.start, self.size = head.shape[0], head.size, file_size(file)
        whole = (self.size - self.start) // self.dtype.itemsize
        super().__init__(capacity=min(self.declared, whole))

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        count, record = self.capacity or 0, self.dtype.itemsize
        first = 0 if start_us is None else bisect_left(range(count), start_us, key=self._time)
        stop = self.start + count * record
        blocks = record_blocks(self.file, self.path, self.start + first * record, stop, record)
        seen = 0
        for columns, more, wrong in in_order(self._decoded, blocks):
            seen |= more
            refuse_mixture(self.path, seen)
            yield columns
            if wrong is not None:
                damaged(self.path, wrong.reason, wrong.offset, self.tolerant)
                return
        if count < self.declared:
            reason = f"it declares {self.declared} events, the file ends after {count}"
            damaged(self.path, reason, stop, self.tolerant)
        elif stop < self.size:
            damaged(self.path, f"expected the end of its array, {self.size - stop} bytes follow", stop, self.tolerant)

    def _decoded(self, block: tuple[int, NDArray[np.uint8]]) -> tuple[Columns, int, EventFileError | None]:
        """The events, the polarities seen, and the value that ends them, which only a tolerant reader goes past."""
        at, data = block
        record, wrong = self.dtype.itemsize, None
        first, place = (at - self.start) // record, lambda event: at + event * record
        while True:
            try:
                return *self.conversion.columns(record_fields(data, self.dtype, self.places), first, place), wrong
            except EventFileError as error:
                if not self.tolerant or not len(data) or error.offset is None:
                    raise
                data, wrong = data[: error.offset - at], error

    def _time(self, event: int) -> int:
        data = read_at(self.file, self.start + event * self.dtype.itemsize, self.dtype.itemsize)
        return int(self.conversion.times(record_fields(data, self.dtype, self.places)["t"])[0])


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """An array of tonic's type; refuses what its 16 signed bits cannot hold."""
    file.write(head_bytes(TONIC, (0,)))
    return _NpyWriter(file, path)


class _NpyWriter(Writer):
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path, self.written = file, path, 0

    def add(self, events: Events) -> None:
        if not len(events):
            return
        x, y = int(events.x.max()), int(events.y.max())
        if max(x, y) > 32767:
            raise EventFileError(
                self.path, f"npy holds x and y up to 32767, as tonic's type does, got {x} and {y}; write npz"
            )
        for part in in_order(partial(_encoded, events), range(0, len(events), STEP)):
            self.file.write(part)
        self.written += len(events)

    def finish(self) -> None:
        self.file.seek(0)
        self.file.write(head_bytes(TONIC, (self.written,)))


def _encoded(events: Events, start: int) -> NDArray[np.uint8]:
    part = events[start : start + STEP]
    records = np.empty(len(part), TONIC)
    for name in ("x", "y", "t", "p"):
        records[name] = getattr(part, name)
    return records.view(np.uint8)
