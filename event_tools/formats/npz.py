"""Arrays of events in .npz, a .zip of .npy members: SpikingJelly's names and types.

    t int64 microseconds | x, y uint16 | p uint8, 1 = ON | width, height uint64, one number each | provenance.<key>

Read are also other spellings and types (see `fields`), a single structured array, and (n, 4) arrays in an order that
`convention` tells; members stored or deflated. Columns are walked side by side, so a file larger than memory can be
read and written. A cut or damaged archive cannot be salvaged: nothing in it precedes the rest.
Sources: spikingjelly.datasets (events_np), evutils and eventcv for width and height.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.arrays import ArrayHead, read_head, record_dtype, record_fields
from event_tools.formats.blocks import THREADS
from event_tools.formats.fields import NAMES, Conversion, named, refuse_mixture
from event_tools.formats.reader import Columns, Reader, Reading
from event_tools.formats.writer import Writer, Writing
from event_tools.formats.zipped import Entry, Member, directory
from event_tools.provenance import Plain, plain_provenance

SUFFIXES = (".npz",)
READS = frozenset({"convention", "time_unit"})
WRITES = frozenset({"provenance"})
STEP = 1 << 18  # events that are read at a time
WIDE = 1 << 21  # bytes of one array that are read at a time, at most: a record may have 4,096
PROVENANCE = "provenance."
SMALL = 1 << 18  # bytes of a member that is read whole
SCALES = {0.001: "us", 1000.0: "s"}  # eventcv's timestamp_scale_ms


def matches(head: bytes) -> bool:
    """Whether the file is a .zip whose first member is an array."""
    return head[:4] == b"PK\3\4" and head[30 : 30 + int.from_bytes(head[26:28], "little")].endswith(b".npy")


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """Arrays of events; raises EventFileError for others and for what is damaged."""
    return _NpzReader(file, path, reading)


class _NpzReader(Reader):
    def __init__(self, file: BinaryIO, path: Path, reading: Reading) -> None:
        super().__init__()
        self.file, self.path, self.lock = file, path, threading.Lock()
        listed = directory(file, path)
        self.entries = {entry.name.removesuffix(".npy"): entry for entry in listed if entry.name.endswith(".npy")}
        self.sensor_size = self._size()
        told = {name: self._scalar(name) for name in self.entries if name.startswith(PROVENANCE)}
        plain = {name.removeprefix(PROVENANCE): value for name, value in told.items() if isinstance(value, Plain)}
        self.provenance = plain_provenance(plain, path)
        unit = reading.time_unit
        if unit is None and "timestamp_scale_ms" in self.entries:
            scale = self._scalar("timestamp_scale_ms")
            if scale not in SCALES:
                raise EventFileError(path, f"its times are in units of {scale} ms; convert them or say time_unit")
            unit = SCALES[scale]
        self.conversion = Conversion(path, unit)
        self.names = self._columns()
        heads = {name: self._open(name)[1] for name in self.names.values()}
        self.count = self._check(heads, reading)
        self.capacity = self.count

    def _columns(self) -> dict[str, str]:
        """Which array holds which column; one array that holds all stands under "records"."""
        names = [name for name in self.entries if not name.startswith(PROVENANCE)]
        spellings = {spelling for column in NAMES.values() for spelling in column}
        if not any(name.lower() in spellings for name in names) and ("events" in names or len(names) == 1):
            return {"records": "events" if "events" in names else names[0]}
        return {column: names[place] for column, place in named(names, self.path).items()}

    def _check(self, heads: dict[str, ArrayHead], reading: Reading) -> int:
        """The number of events; raises EventFileError where the arrays do not belong together."""
        for name, head in heads.items():
            entry = self.entries[name]
            if head.bytes + head.size != entry.size:
                reason = f"its array {name} declares {head.shape} of {head.dtype}, {entry.size} bytes are there"
                raise EventFileError(self.path, reason, entry.at)
        if "records" in self.names:
            (head,) = heads.values()
            self.record, self.places = record_dtype(head, reading.convention, self.path)
            return head.shape[0]
        if reading.convention is not None:
            raise EventFileError(self.path, "expected convention with one array of four columns, these have names")
        for name, head in heads.items():
            if len(head.shape) != 1 or head.dtype.names is not None:
                raise EventFileError(
                    self.path, f"expected array {name} of one dimension, got {head.dtype} {head.shape}"
                )
        lengths = {name: head.shape[0] for name, head in heads.items()}
        if len(set(lengths.values())) != 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise EventFileError(self.path, f"expected arrays of equal length, got {told}")
        return next(iter(lengths.values()))

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        opened = {column: self._open(name) for column, name in self.names.items()}
        sizes = [head.dtype.itemsize * (head.shape[1] if len(head.shape) > 1 else 1) for _, head in opened.values()]
        step = max(1, min(STEP, WIDE // max(sizes)))
        seen = 0
        with ThreadPoolExecutor(min(THREADS, len(opened))) as pool:

            def started(count: int) -> list[Any]:
                return [
                    pool.submit(member.read, size * count)
                    for (member, _), size in zip(opened.values(), sizes, strict=True)
                ]

            waiting = started(min(step, self.count))
            for first in range(0, self.count, step):
                data = [np.frombuffer(future.result(), np.uint8) for future in waiting]
                waiting = started(max(0, min(step, self.count - first - step)))
                fields = self._fields(data, [head for _, head in opened.values()])
                columns, more = self.conversion.columns(fields, first)
                seen |= more
                refuse_mixture(self.path, seen)
                yield columns

    def _fields(self, data: list[NDArray[np.uint8]], heads: list[ArrayHead]) -> dict[str, NDArray[Any]]:
        if "records" in self.names:
            return record_fields(data[0], self.record, self.places)
        return {column: part.view(head.dtype) for column, part, head in zip(self.names, data, heads, strict=True)}

    def _open(self, name: str) -> tuple[Member, ArrayHead]:
        """A member whose head has been read."""
        member = Member(self.file, self.path, self.entries[name], self.lock)
        return member, read_head(member.read, self.path, member.start)

    def _scalar(self, name: str) -> object:
        """The one value of a small array, None for other arrays."""
        entry: Entry = self.entries[name]
        if entry.size > SMALL:
            return None
        member, head = self._open(name)
        if head.bytes + head.size != entry.size or head.bytes != head.dtype.itemsize or head.dtype.kind not in "biufU":
            return None
        value = np.frombuffer(member.read(head.bytes), head.dtype)
        try:
            return value[0].item()
        except ValueError:  # numbers that are no characters
            return None

    def _size(self) -> tuple[int, int] | None:
        """width and height, or sensor_size of both; None where they are not there."""
        size: tuple[object, ...] = tuple(self._scalar(name) for name in ("width", "height") if name in self.entries)
        if "sensor_size" in self.entries and self.entries["sensor_size"].size <= SMALL:
            member, head = self._open("sensor_size")
            if head.shape == (2,) and head.dtype.kind in "iu" and head.bytes + head.size == member.entry.size:
                size = tuple(np.frombuffer(member.read(head.bytes), head.dtype).tolist())
        if len(size) != 2 or not all(isinstance(side, int) and 0 < side <= 65536 for side in size):
            return None
        return size  # type: ignore[return-value]


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """Stored arrays with SpikingJelly's names and types; provenance as further arrays."""
    from event_tools.formats.npz_writing import NpzWriter

    extras: dict[str, NDArray[Any]] = {
        "width": np.array([sensor_size[0]], np.uint64),
        "height": np.array([sensor_size[1]], np.uint64),
    }
    return NpzWriter(
        file, path, extras | {PROVENANCE + key: _array(value) for key, value in writing.provenance.items()}
    )


def _array(value: Plain) -> NDArray[Any]:
    return np.array(value, np.int64 if type(value) is int else None)
