"""Event Stream 2.0 (.es): 16 bytes of head, then a byte stream of time differences.

    "Event Stream" | version 3 bytes, 2.x.y | type: 0 generic, 1 DVS, 2 ATIS, 3 display, 4 colour
    DVS, ATIS, colour: width u16 | height u16, little-endian

    DVS    0xFF 127 us pass | 0xFE reset, ignored | else dt 7 bits, ON 1 bit, then x u16, y u16
    ATIS   0xFC to 0xFF (byte & 3) * 63 us pass (0xFC: reset) | else dt 6 bits, polarity, is_crossing, then x u16, y u16

The first difference counts from 0. y counts from the bottom row up: the specification does not say so, but faery, by
the format's author, turns it, and the sample dvs.es begins with its top row at y = 239. ATIS change events are read,
threshold crossings (exposures) are counted; streams without polarity are refused. DVS is written.
Source: neuromorphic-paris/event_stream, README.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.blocks import BLOCK, file_size, in_order, read_at
from event_tools.formats.reader import Columns, Reader, Reading, damaged
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".es",)
READS: frozenset[str] = frozenset()
WRITES: frozenset[str] = frozenset()
MAGIC = b"Event Stream"
HEAD = struct.Struct("<12s4BHH")  # magic, version, type, width, height
KINDS = {0: "generic", 1: "DVS", 2: "ATIS", 3: "display", 4: "colour"}
DVS, ATIS = 1, 2
PASS_US = 127  # what a byte 0xFF of DVS stands for
MAX_SILENCE_US = 1 << 36  # 19 hours, half a gigabyte of 0xFF
SIDES = 1 << 16


def matches(head: bytes) -> bool:
    """Whether the file says that it is an Event Stream."""
    return head.startswith(MAGIC)


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """A DVS or ATIS stream; raises EventFileError for another kind or version, chunks for one that is cut."""
    size = file_size(file)
    head = read_at(file, 0, HEAD.size).tobytes()
    if len(head) < 16:
        raise EventFileError(path, f"expected a head of 16 bytes, the file has {len(head)}", len(head))
    kind = KINDS.get(head[15], f"type {head[15]}")
    if head[12] != 2:
        raise EventFileError(path, f"expected Event Stream 2, this is {head[12]}.{head[13]}.{head[14]}", 12)
    if head[15] not in (DVS, ATIS):
        raise EventFileError(path, f"expected DVS or ATIS events, {kind} events have no polarity", 15)
    if len(head) < HEAD.size:
        raise EventFileError(path, f"expected a head of {HEAD.size} bytes, the file has {len(head)}", len(head))
    width, height = HEAD.unpack(head)[5:]
    if not width or not height:
        raise EventFileError(path, f"expected a sensor of 1 pixel a side or more, got {width}x{height}", 16)
    version = f"{head[12]}.{head[13]}.{head[14]} {kind}"
    return _EsReader(file, path, size, head[15], version, (width, height), reading.tolerant)


class _EsReader(Reader):
    def __init__(
        self,
        file: BinaryIO,
        path: Path,
        size: int,
        kind: int,
        version: str,
        sensor_size: tuple[int, int],
        tolerant: bool,
    ) -> None:
        super().__init__(version, sensor_size, capacity=(size - HEAD.size) // 5)
        self.file, self.path, self.size, self.kind, self.tolerant = file, path, size, kind, tolerant
        if kind == ATIS:
            self.streams["exposures"] = 0

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        at, now = HEAD.size, 0
        while at < self.size:
            data = read_at(self.file, at, min(BLOCK, self.size - at))
            columns, used, now, below = self._decoded(data, at, now)
            yield columns
            if below >= 0:
                row = int(data[used + 3]) | int(data[used + 4]) << 8
                width, height = self.sensor_size or (0, 0)
                damaged(self.path, f"expected events within {width}x{height}, got y {row}", at + used, self.tolerant)
                return
            at += used
            if not used:
                reason = f"expected events of 5 bytes, the last one has {self.size - at}"
                damaged(self.path, reason, at, self.tolerant)
                return

    def _decoded(self, data: NDArray[np.uint8], at: int, now: int) -> tuple[Columns, int, int, int]:
        """Events, bytes used, the time after them, and the index of one below the sensor or -1."""
        from event_tools.kernels.es import unpack_atis, unpack_dvs

        n, height = len(data) // 5, (self.sensor_size or (0, 0))[1]
        t, x, y, p = np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint8)
        places = np.empty(n, np.int32)
        if self.kind == DVS:
            kept, used, now, below = unpack_dvs(data, now, height, t, x, y, p, places)
        else:
            kept, used, now, below, crossings = unpack_atis(data, now, height, t, x, y, p, places)
            self.streams["exposures"] += crossings
        byte_of = lambda event: at + int(places[event])  # noqa: E731
        return Columns(t[:kept], x[:kept], y[:kept], p[:kept], byte_of), used, now, below


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A DVS stream; refuses times before 0, silences of 19 hours and sensors of 65536 pixels a side."""
    if max(sensor_size) >= SIDES:
        raise EventFileError(path, f"Event Stream holds sensors up to {SIDES - 1} pixels a side, got {sensor_size}")
    file.write(HEAD.pack(MAGIC, 2, 0, 0, DVS, *sensor_size))
    return _EsWriter(file, path, sensor_size[1])


class _EsWriter(Writer):
    def __init__(self, file: BinaryIO, path: Path, height: int) -> None:
        self.file, self.path, self.height, self.last_us = file, path, height, 0

    def add(self, events: Events) -> None:
        if not len(events):
            return
        if events.t[0] < 0:
            raise EventFileError(
                self.path, f"Event Stream holds times from 0 up, got {events.t[0]} us; shift them first"
            )
        for part in in_order(partial(_encoded, events, self.height), self._pieces(events.t)):
            self.file.write(part)
        self.last_us = int(events.t[-1])

    def _pieces(self, t: NDArray[np.int64]) -> Iterator[_Piece]:
        for start in range(0, len(t), BLOCK // 8):
            yield from self._divided(t, start, min(start + BLOCK // 8, len(t)))

    def _divided(self, t: NDArray[np.int64], start: int, stop: int) -> Iterator[_Piece]:
        """Pieces of few bytes, however long the silences are: one that is too large in halves."""
        from event_tools.kernels.es import dvs_size

        before = int(t[start - 1]) if start else self.last_us
        if dvs_size(t[start:stop], before) <= 4 * BLOCK:
            yield _Piece(start, stop, before)
        elif stop - start > 1:
            middle = (start + stop) // 2
            yield from self._divided(t, start, middle)
            yield from self._divided(t, middle, stop)
        else:
            silence = int(t[start]) - before
            if silence >= MAX_SILENCE_US:
                each = f"Event Stream spends a byte on every {PASS_US} us"
                raise EventFileError(self.path, f"{each}, a silence of {silence} us is refused; shift the times")
            for passed in range(0, silence // PASS_US, BLOCK):
                yield _Piece(start, start, 0, min(BLOCK, silence // PASS_US - passed))
            yield _Piece(start, stop, int(t[start]) - silence % PASS_US)


class _Piece(NamedTuple):
    """Events start to stop, after one at before_us; or, without events, so many bytes of silence."""

    start: int
    stop: int
    before_us: int
    silence: int = 0


def _encoded(events: Events, height: int, piece: _Piece) -> NDArray[np.uint8]:
    from event_tools.kernels.es import dvs_size, pack_dvs

    if piece.silence:
        return np.full(piece.silence, 0xFF, np.uint8)
    part = events[piece.start : piece.stop]
    data = np.empty(dvs_size(part.t, piece.before_us), np.uint8)
    pack_dvs(part.t, part.x, part.y, part.p, piece.before_us, height, data)
    return data
