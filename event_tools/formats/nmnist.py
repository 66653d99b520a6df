"""N-MNIST and ATIS .bin: five bytes an event, no header.

    byte 0 x | byte 1 y | byte 2 bit 7 polarity (1 = ON) | 23 bits time in microseconds, big-endian

y = 240 marks an overflow: no event, and 2^13 us more on every later time. Source: garrickorchard.com/datasets/n-mnist.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.blocks import BLOCK, file_size, in_order, record_blocks
from event_tools.formats.reader import Columns, Reader, Reading, damaged
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".bin",)
READS: frozenset[str] = frozenset()
WRITES: frozenset[str] = frozenset()
RECORD = 5
TIME_LIMIT = 1 << 23
OVERFLOW_Y = 240
SENSOR = (34, 34)


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """A recording of whole records; chunks raise EventFileError for one that is cut."""
    return _NmnistReader(file, path, reading.tolerant)


class _NmnistReader(Reader):
    def __init__(self, file: BinaryIO, path: Path, tolerant: bool) -> None:
        self.size = file_size(file)
        super().__init__(default_size=SENSOR, capacity=self.size // RECORD)
        self.file, self.path, self.tolerant = file, path, tolerant

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        shift = 0
        blocks = record_blocks(self.file, self.path, 0, self.size - self.size % RECORD, RECORD)
        for columns, overflow_us in in_order(_decoded, blocks):
            if shift:
                columns.t[:] += shift
            shift += overflow_us
            yield columns
        if extra := self.size % RECORD:
            reason = f"expected records of {RECORD} bytes, the last one has {extra}"
            damaged(self.path, reason, self.size - extra, self.tolerant)


def _decoded(block: tuple[int, NDArray[np.uint8]]) -> tuple[Columns, int]:
    """The events of a block, and the microseconds that its overflows add to what follows."""
    from event_tools.kernels.nmnist import unpack

    at, data = block
    n = len(data) // RECORD
    t, x, y, p = np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint8)
    kept, overflow_us = unpack(data, t, x, y, p)
    return Columns(t[:kept], x[:kept], y[:kept], p[:kept], partial(_byte_of, at, data)), overflow_us


def _byte_of(at: int, data: NDArray[np.uint8], event: int) -> int:
    return at + RECORD * int(np.flatnonzero(data[1::RECORD] != OVERFLOW_Y)[event])


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer that refuses what 23 bits of time, y < 240 and x < 256 cannot hold."""
    return _NmnistWriter(file, path)


class _NmnistWriter(Writer):
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path

    def add(self, events: Events) -> None:
        if not len(events):
            return
        first, last = int(events.t[0]), int(events.t[-1])
        if first < 0 or last >= TIME_LIMIT:
            raise EventFileError(
                self.path, f"N-MNIST holds times 0 to {TIME_LIMIT - 1} us, got {first} to {last}; cut or shift them"
            )
        x, y = int(events.x.max()), int(events.y.max())
        if x > 255 or y >= OVERFLOW_Y:
            raise EventFileError(
                self.path, f"N-MNIST holds x up to 255 and y up to {OVERFLOW_Y - 1}, got {x} and {y}; crop it"
            )
        step = BLOCK // RECORD
        for part in in_order(partial(_encoded, events, step), range(0, len(events), step)):
            self.file.write(part)


def _encoded(events: Events, step: int, start: int) -> NDArray[np.uint8]:
    from event_tools.kernels.nmnist import pack

    part = slice(start, start + step)
    data = np.empty(RECORD * len(events.t[part]), np.uint8)
    pack(events.t[part], events.x[part], events.y[part], events.p[part], data)
    return data
