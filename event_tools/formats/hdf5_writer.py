"""Recordings as HDF5 in DSEC's layout, or in rpg's.

    dsec  events/p u1, t u4 [us] (i8 beyond 2^32), x u2, y u2; ms_to_idx u8; t_offset i8; width, height
    rpg   events/ps bool, ts f8 [s], xs u2, ys u2; sensor_resolution (height, width), width, height; counts and times

ms_to_idx[m] is the index of the first event at or after m milliseconds of t as stored; it has ceil(t_last / 1000) + 1
entries, so that a slicer reaches the last event. t_offset, which some readers ignore, is 0 unless times start below 0
or beyond 32 bits; then it is the first event's. Limits: 18 hours (dsec), |t| < 2^51 us (rpg: exact in seconds).
Sources: dsec.ifi.uzh.ch, data format; TimoStoff/event_utils.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.hdf5_output import BATCH_CHUNKS, CHUNK, Batches, Output, Table
from event_tools.formats.hdf5_values import refuse_far
from event_tools.formats.writer import Writer, Writing

MAX_MS = 1 << 26  # 18 hours: entries of ms_to_idx
EXACT_US = 1 << 51  # below this, seconds as float64 give back every microsecond
EMPTY = tuple(np.empty(0, dtype) for dtype in (np.int64, np.uint16, np.uint16, np.uint8))


class _Hdf5Writer(Writer):
    """What both layouts share; they say what a batch becomes."""

    def __init__(self, file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> None:
        self.path, self.size = path, sensor_size
        self.output = Output(Path(file.name))
        self.output.note(writing.provenance)
        self.group = self.output.root.create_group("events")
        for holder in (self.output.root, self.group):
            holder.attrs["width"], holder.attrs["height"] = sensor_size
        self.batches = Batches(CHUNK * BATCH_CHUNKS)

    def add(self, events: Events) -> None:
        if len(events):
            self.look(events.t)
        for batch in self.batches.add(events.t, events.x, events.y, events.p):
            self.batch(*batch)
            self.output.check()

    def finish(self) -> None:
        self.batch(*self.batches.rest(*EMPTY), last=True)
        self.complete()
        self.output.finish()

    def close(self) -> None:
        self.output.close()

    def look(self, t: NDArray[np.int64]) -> None:
        """Raise EventFileError for times that cannot be held."""
        raise NotImplementedError

    def batch(
        self,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.uint8],
        last: bool = False,
    ) -> None:
        """Write the next events."""
        raise NotImplementedError

    def complete(self) -> None:
        """Write what stands beside the events."""
        raise NotImplementedError


class DsecWriter(_Hdf5Writer):
    """DSEC's layout; a recording over 18 hours is refused."""

    def __init__(self, file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> None:
        super().__init__(file, path, sensor_size, writing)
        self.table = Table(self.group, {"p": "u1", "t": "u4", "x": "u2", "y": "u2"}, CHUNK)
        self.index = _MillisecondIndex(Table(self.output.root, {"ms_to_idx": "u8"}, CHUNK))
        self.shift: int | None = None

    def look(self, t: NDArray[np.int64]) -> None:
        refuse_far(t, self.path)
        first, last = int(t[0]), int(t[-1])
        if self.shift is None:
            self.shift = 0 if 0 <= first < 1 << 32 else first
        if (last_ms := -(-(last - self.shift) // 1000)) > MAX_MS:
            raise EventFileError(
                self.path, f"DSEC's layout indexes every millisecond, {last_ms} of them are too many; cut the recording"
            )

    def batch(
        self,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.uint8],
        last: bool = False,
    ) -> None:
        t = t - (self.shift or 0)
        if len(t) and t[-1] >= 1 << 32 and self.table.dtypes["t"] == "u4":
            self.table.retype("t", "i8")
        if not self.table.made:  # all that a reader needs comes before the events, so that a cut file keeps it
            self.output.compact("t_offset", np.int64(self.shift or 0))
            self.table.begin(len(t) if last else None)
            self.index.table.begin(self.index.length(t) if last else None)
        self.table.add({"p": p, "t": t, "x": x, "y": y})
        self.index.add(t)

    def complete(self) -> None:
        self.index.finish()


class RpgWriter(_Hdf5Writer):
    """rpg's layout; times that seconds as float64 do not hold exactly are refused."""

    def __init__(self, file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> None:
        super().__init__(file, path, sensor_size, writing)
        self.table = Table(self.group, {"ps": "?", "ts": "f8", "xs": "u2", "ys": "u2"}, CHUNK)
        self.on, self.first, self.last = 0, 0, 0
        for name, value in self._told().items():  # at once, so that a cut file keeps its head
            self.output.root.attrs[name] = value

    def look(self, t: NDArray[np.int64]) -> None:
        first, last = int(t[0]), int(t[-1])
        if first <= -EXACT_US or last >= EXACT_US:
            raise EventFileError(
                self.path, f"rpg's layout holds times below {EXACT_US} us exactly, got {first} to {last}; shift them"
            )

    def batch(
        self,
        t: NDArray[np.int64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        p: NDArray[np.uint8],
        last: bool = False,
    ) -> None:
        if len(t):
            self.first, self.last = self.first if self.table.rows else int(t[0]), int(t[-1])
        self.on += int(np.count_nonzero(p))
        if not self.table.made:
            self.table.begin(len(t) if last else None)
        self.table.add({"ps": p, "ts": t / 1e6, "xs": x, "ys": y})

    def complete(self) -> None:
        for name, value in self._told().items():
            self.output.root.attrs.modify(name, value)

    def _told(self) -> dict[str, Any]:
        """What event_utils and E2VID look for."""
        width, height = self.size
        return {
            "sensor_resolution": np.array((height, width), np.int64),
            "num_events": np.int64(self.table.rows),
            "num_pos": np.int64(self.on),
            "num_neg": np.int64(self.table.rows - self.on),
            "num_imgs": np.int64(0),
            "num_flow": np.int64(0),
            "t0": np.float64(self.first / 1e6),
            "tk": np.float64(self.last / 1e6),
            "duration": np.float64((self.last - self.first) / 1e6),
        }


class _MillisecondIndex:
    """ms_to_idx, written as the events come."""

    def __init__(self, table: Table) -> None:
        self.table, self.next, self.seen, self.last = table, 0, 0, 0
        self.batches = Batches(CHUNK)

    def add(self, t: NDArray[np.int64]) -> None:
        """The times of the next events, as stored."""
        if len(t):
            for ms in _stretches(self.next, int(t[-1]) // 1000 + 1):
                self._entries(self.seen + np.searchsorted(t, ms * 1000))
            self.next, self.last = max(self.next, int(t[-1]) // 1000 + 1), int(t[-1])
        self.seen += len(t)

    def finish(self) -> None:
        for ms in _stretches(self.next, -(-self.last // 1000) + 1):
            self._entries(np.full(len(ms), self.seen))
        self.table.add({"ms_to_idx": self.batches.rest(np.empty(0, np.int64))[0]})

    @staticmethod
    def length(t: NDArray[np.int64]) -> int:
        """How many entries a whole recording has."""
        return -(-int(t[-1]) // 1000) + 1 if len(t) else 1

    def _entries(self, entries: NDArray[np.int64]) -> None:
        for (batch,) in self.batches.add(entries):
            self.table.add({"ms_to_idx": batch})


def _stretches(start: int, stop: int) -> Iterator[NDArray[np.int64]]:
    for at in range(start, stop, CHUNK):
        yield np.arange(at, min(at + CHUNK, stop))
