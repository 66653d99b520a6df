"""AEDAT 3.1 of cAER, and the older 3.0: comment lines, then packets of events of one kind. Little-endian.

    "#!AER-DAT3.1\\r\\n" | "#Format: RAW" | "#Source 1: DVS128" | "#Start-Time: ..." | "#!END-HEADER\\r\\n"
    packet: i16 type, i16 source, i32 size of an event, i32 place of its time, i32 overflow, i32 capacity, i32 number,
            i32 valid; then events, of which `number` mean something, and room up to `capacity`
    polarity event (type 1): u32 data (bit 0 valid, 1 ON, 2-16 y, 17-31 x), i32 time; t = overflow << 31 | time

Events that are not valid are dropped. Other types are counted. A file may have several sources: those of the first
polarity packet are read, or those of the source that `member` numbers; a tolerant reader keeps whole packets.
3.0 counts rows from the bottom, and its header has no end line. A sensor that is not the named camera's stands in a
comment of ours. Source: docs.inivation.com, "AEDAT 3.1" and "AEDAT 3.0"; that a packet advances by its capacity is how
its readers have it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.blocks import BLOCK, file_size, read_at, record_blocks
from event_tools.formats.comment_lines import comment_lines, size_in_line, size_line
from event_tools.formats.reader import Columns, Reader, Reading, damaged
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".aedat",)
READS = frozenset({"member"})
WRITES: frozenset[str] = frozenset()
MAGIC = b"#!AER-DAT3."
VERSIONS = (b"#!AER-DAT3.1", b"#!AER-DAT3.0")
END_OF_HEADER = b"#!END-HEADER"
PACKET = struct.Struct("<hhiiiiii")
RECORD = 8
POLARITY = 1
PACKET_EVENTS = 4096
COUNTED = {0: "special", 1: "events of other sources", 2: "frames", 3: "imu", 4: "imu", 5: "samples", 6: "ear"}
CAMERAS = {
    "DVS128": (128, 128), "DAVIS128": (128, 128), "EDVS": (128, 128), "DAVIS208": (208, 192), "DAVIS240": (240, 180),
    "DAVIS346": (346, 260), "DAVIS640": (640, 480),
}  # fmt: skip
WRITTEN = {(128, 128): "DVS128", (240, 180): "DAVIS240C", (346, 260): "DAVIS346B", (640, 480): "DAVIS640"}
MAX_COORDINATE = (1 << 15) - 1
TIME_LIMIT = 1 << 62  # 31 bits of overflow, 31 bits of time

_Arrays = tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]


def matches(head: bytes) -> bool:
    """Whether a file begins as AEDAT 3."""
    return head.startswith(MAGIC)


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """A recording of whole packets; raises EventFileError for a header that is cut or of another version."""
    version, start, sources, size = _header(file, path)
    wanted = -1
    if reading.member is not None:
        wanted = int(reading.member) if str(reading.member).isdigit() else -1
        if not 0 <= wanted < 1 << 15:
            raise EventFileError(path, f"expected member to be the number of a source, got {reading.member!r}")
    source = sources.get(wanted, "") if wanted >= 0 else next(iter(sources.values()), "")
    if size is None:
        size = next((side for name, side in CAMERAS.items() if source.upper().startswith(name)), None)
    height = 0
    if version == "3.0":
        known = reading.sensor_size or size
        if known is None:
            raise EventFileError(
                path, "AEDAT 3.0 counts rows from the bottom of a sensor it does not name; give sensor_size=(w, h)"
            )
        height = known[1]
    return _Aedat3Reader(file, path, version, start, size, wanted, height, reading.tolerant)


class _Aedat3Reader(Reader):
    def __init__(
        self,
        file: BinaryIO,
        path: Path,
        version: str,
        start: int,
        sensor_size: tuple[int, int] | None,
        source: int,
        height: int,
        tolerant: bool,
    ) -> None:
        self.size = file_size(file)
        super().__init__(version=version, sensor_size=sensor_size, capacity=(self.size - start) // RECORD)
        self.file, self.path, self.start, self.tolerant = file, path, start, tolerant
        self.source, self.height = source, height
        self.broken = False

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        from event_tools.kernels.aedat3 import unpack

        counts = np.zeros(1 << 15, np.int64)
        columns = _columns()
        at, events, source = self.start, 0, self.source
        while at < self.size:
            data = read_at(self.file, at, min(BLOCK, self.size - at))
            kept, used, problem, source = unpack(data, source, self.height, *columns, counts)
            if kept:
                yield Columns(*(column[:kept] for column in columns))
            events, at = events + kept, at + used
            head = data[used : used + PACKET.size].tobytes()
            cut = at + _length(head) > self.size > at or (used == 0 and len(head) < PACKET.size)
            if problem or cut:
                damaged(self.path, self._reason(problem, head, at), at, self.tolerant)
                break
            if used == 0:  # a packet larger than a block
                kind, origin, _, _, _, _, number, _ = PACKET.unpack(head)
                if kind == POLARITY and source in (-1, origin):
                    source = origin
                    for part in self._large(at, head, columns):
                        events += len(part)
                        yield part
                else:
                    counts[kind] += number
                if self.broken:
                    break
                at += _length(head)
        self.streams = {"events": events} | _named(counts)

    def _large(self, at: int, head: bytes, columns: _Arrays) -> Iterator[Columns]:
        from event_tools.kernels.aedat3 import BAD_EVENT, BAD_VALID, unpack_events

        _, _, _, _, overflow, _, number, valid = PACKET.unpack(head)
        start, total = at + PACKET.size, 0
        for place, data in record_blocks(self.file, self.path, start, start + RECORD * number, RECORD):
            kept, wrong = unpack_events(data, len(data) // RECORD, overflow, self.height, *columns, 0)
            if wrong:
                damaged(self.path, self._reason(BAD_EVENT, head, at), place, self.tolerant)
                self.broken = True
                return
            total += kept
            yield Columns(*(column[:kept] for column in columns))
        if total != valid:
            damaged(self.path, self._reason(BAD_VALID, head, at), at, self.tolerant)
            self.broken = True

    def _reason(self, problem: int, head: bytes, at: int) -> str:
        from event_tools.kernels.aedat3 import BAD_EVENT, BAD_VALID

        left = self.size - at
        if len(head) < PACKET.size:
            return f"expected a packet header of {PACKET.size} bytes, {left} are left"
        kind, _, size, _, _, capacity, number, valid = PACKET.unpack(head)
        if problem == BAD_VALID:
            return f"expected a packet with {valid} valid events of {number}, it has another number of them"
        if problem == BAD_EVENT:
            return "expected times of 31 bits and rows of the sensor in a packet, got others"
        if problem:
            what = f"type {kind}, events of {size} bytes, {valid} valid of {number} of {capacity}"
            return f"expected a packet header, got {what}"
        return f"expected a packet that fits, it declares {capacity * size} bytes of {left - PACKET.size}"


def _columns() -> _Arrays:
    n = BLOCK // RECORD
    return np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint8)


def _length(head: bytes) -> int:
    """Bytes of a packet by its header, those of a header where it is cut."""
    if len(head) < PACKET.size:
        return PACKET.size
    _, _, size, _, _, capacity, _, _ = PACKET.unpack(head)
    return PACKET.size + max(0, size) * max(0, capacity)


def _named(counts: NDArray[np.int64]) -> dict[str, int]:
    named: dict[str, int] = {}
    for kind in np.flatnonzero(counts):
        name = COUNTED.get(int(kind), f"type {kind}")
        named[name] = named.get(name, 0) + int(counts[kind])
    return named


def _header(file: BinaryIO, path: Path) -> tuple[str, int, dict[int, str], tuple[int, int] | None]:
    """Version, where the packets begin, sources by number, and the sensor's size where the file says it."""
    at, version, ended = 0, "", False
    sources: dict[int, str] = {}
    size = None
    for at, line in comment_lines(file, path):  # noqa: B007
        if not version:
            if line not in VERSIONS:
                raise EventFileError(path, f"expected AEDAT 3.0 or 3.1, it begins with {line[:14]!r}", 0)
            version = line[-3:].decode()
        if line.startswith(b"#Format:") and line.removeprefix(b"#Format:").strip() != b"RAW":
            raise EventFileError(path, f"expected packets as they are (#Format: RAW), got {line[:60]!r}")
        if match := re.match(rb"#Source (\d{1,5}): (.*)", line):
            sources[int(match[1])] = match[2].decode("latin-1").strip()
        size = size_in_line(line) or size
        if line == END_OF_HEADER:
            ended = True
            break
    if not version:
        file.seek(0)
        raise EventFileError(path, f"expected a header of AEDAT 3, it begins with {file.read(12)!r}", 0)
    if not ended and version == "3.1":
        raise EventFileError(path, "expected the header's last line, #!END-HEADER", at)
    return version, at, sources, size


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer of 3.1 that refuses negative times, and coordinates beyond 15 bits."""
    width, height = sensor_size
    if max(sensor_size) - 1 > MAX_COORDINATE:
        raise EventFileError(
            path, f"AEDAT 3.1 holds coordinates up to {MAX_COORDINATE}, the sensor is {width}x{height}; crop it"
        )
    fitting = (name for (wide, high), name in WRITTEN.items() if width <= wide and height <= high)
    camera = WRITTEN.get(sensor_size) or next(fitting, "File")
    lines = [VERSIONS[0], b"#Format: RAW", b"#Source 1: " + camera.encode()]
    lines.append(b"#Start-Time: 1970-01-01 00:00:00 (TZ+0000)")  # a fixed one: equal input gives equal bytes
    if sensor_size not in WRITTEN:
        lines.append(size_line(sensor_size))
    file.write(b"".join(line + b"\r\n" for line in (*lines, END_OF_HEADER)))
    return _Aedat3Writer(file, path)


class _Aedat3Writer(Writer):
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.packet = np.empty(PACKET.size + RECORD * PACKET_EVENTS, np.uint8)
        self.held, self.overflow = 0, 0

    def add(self, events: Events) -> None:
        from event_tools.kernels.aedat3 import pack

        if len(events) and not (events.t[0] >= 0 and events.t[-1] < TIME_LIMIT):
            reason = f"AEDAT 3.1 holds times 0 to {TIME_LIMIT - 1} us, got {events.t[0]} to {events.t[-1]}"
            raise EventFileError(self.path, f"{reason}; shift them")
        at = 0
        while at < len(events):
            overflow = int(events.t[at]) >> 31
            if self.held == PACKET_EVENTS or overflow != self.overflow:
                self.finish()
                self.overflow = overflow
            columns = events.t, events.x, events.y, events.p
            stop = pack(*columns, at, overflow, self.packet, self.held)
            self.held += stop - at
            at = stop

    def finish(self) -> None:
        if not self.held:
            return
        head = PACKET.pack(POLARITY, 1, RECORD, 4, self.overflow, self.held, self.held, self.held)
        self.packet[: PACKET.size] = np.frombuffer(head, np.uint8)
        self.file.write(self.packet[: PACKET.size + RECORD * self.held])
        self.held = 0
