"""SLAYER's binary spike files: records of five or seven bytes, no header, big-endian.

    bs1, one dimension    id 16 | polarity 1 | time 23
    bs2, two dimensions   x 8 | y 8 | polarity 1 | time 23     N-MNIST's layout, without its overflow events
    bs3, with channels    x 12 | y 12 | channel 8 | time 24    channel 0 = OFF, 1 = ON; others are refused

Times are microseconds. In bs1 the id is x, y is 0, and the polarity is that of the file.
Source: spikeFileIO in the documentation of bamsumit/slayerPytorch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.blocks import BLOCK, file_size, in_order, read_at, record_blocks
from event_tools.formats.reader import Columns, Reader, damaged
from event_tools.formats.writer import Writer


@dataclass(frozen=True)
class Layout:
    """One of the three: bytes a record, place and bits of its time, what x and y may be, sizes of its known set.

    kernels() gives (unpack, pack) of `kernels.slayer`; unpack returns the first record that is no event, or -1.
    """

    name: str
    record: int
    time_at: int
    time_bits: int
    x_limit: int
    y_limit: int
    sensor: tuple[int, int]
    kernels: Callable[[], tuple[Callable[..., int], Callable[..., None]]]


class SlayerReader(Reader):
    """A recording of whole records; chunks raise EventFileError for one that is cut and for a channel above 1."""

    def __init__(self, file: BinaryIO, path: Path, layout: Layout, tolerant: bool) -> None:
        self.size = file_size(file)
        super().__init__(default_size=layout.sensor, capacity=self.size // layout.record)
        self.file, self.path, self.layout, self.tolerant = file, path, layout, tolerant

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        record = self.layout.record
        count = self.size // record
        first = 0 if start_us is None else bisect_left(range(count), start_us, key=self._time)
        blocks = record_blocks(self.file, self.path, first * record, count * record, record)
        for columns, bad in in_order(partial(_decoded, self.layout), blocks):
            if bad >= 0:
                at = columns.byte_of(bad) if columns.byte_of else 0
                damaged(self.path, "expected channel 0 or 1 (OFF or ON), got another", at, self.tolerant)
                yield Columns(columns.t[:bad], columns.x[:bad], columns.y[:bad], columns.p[:bad], columns.byte_of)
                return
            yield columns
        if extra := self.size % record:
            reason = f"expected records of {record} bytes, the last one has {extra}"
            damaged(self.path, reason, self.size - extra, self.tolerant)

    def _time(self, event: int) -> int:
        data = read_at(self.file, event * self.layout.record + self.layout.time_at, 3)
        return int.from_bytes(data.tobytes(), "big") & (1 << self.layout.time_bits) - 1


def _decoded(layout: Layout, block: tuple[int, NDArray[np.uint8]]) -> tuple[Columns, int]:
    """The events of a block, and which record is none, or -1."""
    at, data = block
    n = len(data) // layout.record
    t, x, y, p = np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint8)
    bad = layout.kernels()[0](data, t, x, y, p)
    return Columns(t, x, y, p, lambda event: at + event * layout.record), bad


class SlayerWriter(Writer):
    """A writer that refuses what the layout's bits cannot hold."""

    def __init__(self, file: BinaryIO, path: Path, layout: Layout) -> None:
        self.file, self.path, self.layout = file, path, layout

    def add(self, events: Events) -> None:
        if not len(events):
            return
        layout, top = self.layout, (1 << self.layout.time_bits) - 1
        first, last = int(events.t[0]), int(events.t[-1])
        if first < 0 or last > top:
            raise EventFileError(
                self.path, f"{layout.name} holds times 0 to {top} us, got {first} to {last}; cut or shift them"
            )
        x, y = int(events.x.max()), int(events.y.max())
        if x >= layout.x_limit or y >= layout.y_limit:
            within = f"x up to {layout.x_limit - 1} and y up to {layout.y_limit - 1}"
            raise EventFileError(self.path, f"{layout.name} holds {within}, got {x} and {y}; crop it")
        step = BLOCK // layout.record
        for part in in_order(partial(_encoded, layout, events, step), range(0, len(events), step)):
            self.file.write(part)


def _encoded(layout: Layout, events: Events, step: int, start: int) -> NDArray[np.uint8]:
    part = slice(start, start + step)
    data = np.empty(layout.record * len(events.t[part]), np.uint8)
    layout.kernels()[1](events.t[part], events.x[part], events.y[part], events.p[part], data)
    return data
