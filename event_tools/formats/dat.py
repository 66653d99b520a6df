"""Prophesee DAT: decoded events, eight bytes each.

    head as in `prophesee`: "% Data file containing CD events", Version, Width, Height | type byte | size byte (8)
    version 2: u32 time in microseconds | u32: x bits 13-0, y bits 27-14, p bit 28 (1 = ON), all little-endian
    version 1: u32 time in microseconds | u32: x bits 8-0, y bits 16-9, p bit 17

Types 0x0C (CD) and, of old, 0x00 are events; 0x0C is written. A file without a head is version 2 without type and
size. Time has 32 bits (71 minutes) and nothing counts its wraps; cameras start at 0, so writers refuse more instead of
wrapping, and a step back by more than 2^31 is read as the wrap that software which cuts 64 bits leaves. Sources:
docs.prophesee.ai, "DAT File Format"; version 1 as Prophesee's load_atis_data.m reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.blocks import read_at
from event_tools.formats.prophesee import Head, parse, read_head, sensor_size
from event_tools.formats.prophesee_words import Decoded, WordReader, WordWriter, empty_columns
from event_tools.formats.reader import Columns, Reader, Reading
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".dat",)
READS: frozenset[str] = frozenset()
WRITES: frozenset[str] = frozenset()
RECORD = 8
TYPES = (0x0C, 0x00)
VERSIONS = ("2", "1")
SIDE, TIME_LIMIT = 1 << 14, 1 << 32
ATIS = (304, 240)  # the sensor of files that do not say their size, N-CARS among them


def matches(head: bytes) -> bool:
    """Whether the head is one of events, and not of a RAW file."""
    known = parse(head)
    return known.encoding is None and any(key in known.fields for key in ("Data", "Version", "Width", "Height"))


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """Raises EventFileError for another type or size of event, and for another version."""
    head = read_head(file, path, "dat")
    version = head.fields.get("Version", "2")
    if version not in VERSIONS:
        raise EventFileError(path, f"expected DAT of version 1 or 2, its head says {version!r}")
    start = head.end
    if head.fields:
        kind = read_at(file, start, 2)
        if len(kind) < 2:
            raise EventFileError(path, "expected type and size of its events behind its head, the file ends", start)
        if kind[0] not in TYPES:
            raise EventFileError(path, f"expected events of type 0x0C or 0x00 (CD), got 0x{kind[0]:02X}", start)
        if kind[1] != RECORD:
            raise EventFileError(path, f"expected events of {RECORD} bytes, got {kind[1]}", start + 1)
        start += 2
    return _DatReader(file, path, reading, Head(head.fields, start), version)


class _DatReader(WordReader):
    word, block, state = RECORD, 1 << 20, (-1, 0)

    def __init__(self, file: BinaryIO, path: Path, reading: Reading, head: Head, version: str) -> None:
        size = sensor_size(head, path)
        super().__init__(file, path, reading, head, version=version, sensor_size=size, default_size=ATIS)
        self.capacity = None if self.windowed else (self.stop - self.start) // RECORD

    def most(self, data: NDArray[np.uint8]) -> int:
        return len(data) // RECORD

    def advance(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> None:
        from event_tools.kernels.dat import advance

        advance(data.view(np.uint32), state)

    def until(self, state: NDArray[np.int64]) -> int:
        return int(state[0] + (state[1] << 32))

    def decode(self, data: NDArray[np.uint8], state: NDArray[np.int64]) -> Decoded:
        from event_tools.kernels.dat import unpack

        n = len(data) // RECORD
        t, x, y, p = empty_columns(n)
        kept = unpack(data.view(np.uint32), state, self.version == "1", t, x, y, p)
        columns = Columns(t[:kept], x[:kept], y[:kept], p[:kept])
        stop, reason = (-1, "") if kept == n else (kept, "expected a polarity of 0 or 1")
        return Decoded(columns, np.zeros(3, np.int64), stop, reason)


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer that refuses what 32 bits of time and 14 bits of place cannot hold."""
    width, height = sensor_size
    head = f"% Data file containing CD events.\n% Version 2\n% Width {width}\n% Height {height}\n"
    file.write(head.encode() + bytes([TYPES[0], RECORD]))
    return _DatWriter(file, path, "DAT", TIME_LIMIT, SIDE)


class _DatWriter(WordWriter):
    def encode(self, events: Events, before: tuple[int, int]) -> NDArray[np.uint32]:
        from event_tools.kernels.dat import pack

        words = np.empty(2 * len(events), np.uint32)
        pack(events.t, events.x, events.y, events.p, words)
        return words
