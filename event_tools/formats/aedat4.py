"""AEDAT 4.0 of iniVation's DV: a header, compressed packets of 16-byte events, a table of packets.

    "#!AER-DAT4.0\\r\\n" | IOHE {compression i32, table position i64, XML string}
    packets: stream id i32, size i32, body    body: LZ4 or ZSTD frame of EVTS {[t i64, x i16, y i16, on u8, 3 pad]}
    table:   frame of FTAB {[{byte offset i64, (stream i32, size i32), elements i64, first i64, last i64}]}

Byte offsets point at a packet's body, not at its 8-byte header: other readers hang otherwise. Frames carry a checksum.
Of several streams of events the first that has a packet is read, or the one that `member` numbers; others are counted,
as are frames, imu samples and triggers. A window begins where the table says, if the file bears it out.
The FlatBuffers are laid out in `flatbuffers.py`, the XML in `aedat4_info.py`. Source: docs.inivation.com, "AEDAT 4.0".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats import flatbuffers
from event_tools.formats.aedat4_info import Stream, info_xml, parse_info
from event_tools.formats.aedat4_packets import MAX_BODY, ROW, VECTORS, Batch, Packet, decoded
from event_tools.formats.blocks import file_size, in_order, read_at
from event_tools.formats.packing import NUMBERS, packed, unpacked, zstandard
from event_tools.formats.reader import Columns, Reader, Reading, damaged, one_of
from event_tools.formats.work import Work
from event_tools.formats.writer import Writer, Writing
from event_tools.provenance import Plain

SUFFIXES = (".aedat4",)
READS = frozenset({"member"})
WRITES = frozenset({"compression", "provenance"})
MAGIC = b"#!AER-DAT4.0\r\n"
PACKET_EVENTS = 10_000
PACKET = struct.Struct("<ii")
COUNTED = {"EVTS": "events", "FRME": "frames", "IMUS": "imu", "TRIG": "triggers"}
MAX_COORDINATE = 32767  # x and y are signed 16-bit
MAX_HEADER = 1 << 20
MAX_TABLE = 1 << 25  # bytes: of 600,000 packets
BATCH_BYTES, BATCH_PACKETS = 1 << 19, 16
OTHERS = 5 << 20  # bytes of another stream's packet, in which the count of its elements lies for sure


@dataclass(frozen=True)
class _Layout:
    """Where the packets of a file begin and the table is said to be, how packets are packed, what the streams hold."""

    start: int
    table_at: int
    compression: int
    streams: dict[int, Stream]
    provenance: dict[str, Plain]


def matches(head: bytes) -> bool:
    """Whether a file begins as AEDAT 4.0."""
    return head.startswith(MAGIC)


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """A recording of whole packets; raises EventFileError for a header that cannot be, or names no stream of events."""
    layout = _layout(file, path)
    return _Aedat4Reader(file, path, layout, _chosen(file, path, layout, reading.member), reading.tolerant)


class _Aedat4Reader(Reader):
    def __init__(self, file: BinaryIO, path: Path, layout: _Layout, stream: int, tolerant: bool) -> None:
        super().__init__("4.0", layout.streams[stream].sensor_size, provenance=layout.provenance)
        self.file, self.path, self.layout, self.stream, self.tolerant = file, path, layout, stream, tolerant
        self.size = file_size(file)
        self.streams = dict.fromkeys(map(self._name, layout.streams), 0)

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        self.streams = dict.fromkeys(self.streams, 0)
        start = self.layout.start if start_us is None else self._start(start_us)
        decode = partial(decoded, self.layout.compression, self.stream)
        for part in in_order(decode, self._batches(start)):
            for stream, count in part.counts.items():
                self.streams[self._name(stream)] += count
            yield from part.pieces
            if part.problem:
                damaged(self.path, *part.problem, self.tolerant)
                return

    def _name(self, stream: int) -> str:
        kind = self.layout.streams[stream].kind
        return f"events of stream {stream}" if kind == "EVTS" and stream != self.stream else COUNTED.get(kind, kind)

    def _batches(self, at: int) -> Iterator[Batch]:
        """Packets in file order up to the table, the end or the damage."""
        batch, size = Batch(), 0
        for packet in _packets(self.file, self.layout, at, self.size, self.stream):
            if isinstance(packet, tuple):
                batch.problem = packet
                break
            batch.packets.append(packet)
            size += len(packet.body)
            if size >= BATCH_BYTES or len(batch.packets) >= BATCH_PACKETS:
                yield batch
                batch, size = Batch(), 0
        yield batch

    def _start(self, start_us: int) -> int:
        """A packet before which no event is at or after start_us, where times do not decrease.

        By the table, if its entries follow each other without a gap, and the packet it leads to is there and begins
        before start_us; otherwise the first packet.
        """
        first = self.layout.start
        try:
            entries = self._table()
        except (ValueError, struct.error):
            return first
        offset, stream, size, elements, _, last = entries[np.argsort(entries[:, 0], kind="stable")].T
        ends = np.concatenate([[first], offset + size])
        if (offset - PACKET.size != ends[:-1]).any():
            return first
        own = np.flatnonzero((stream == self.stream) & (elements > 0))
        late = np.flatnonzero(last[own] >= start_us)
        before = (int(late[0]) if len(late) else len(own)) - 1
        if before < 0:
            return first
        at = int(offset[own[before]]) - PACKET.size
        packet = next(_packets(self.file, self.layout, at, self.size, self.stream))
        if isinstance(packet, tuple):
            return first
        found = decoded(self.layout.compression, self.stream, Batch([packet]))
        return at if found.pieces and not found.problem and found.pieces[0].t[0] < start_us else first

    def _table(self) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """The entries of the packet table; raises ValueError or struct.error where it cannot be."""
        size = self.size - self.layout.table_at
        if not 0 < self.layout.table_at < self.size or size > MAX_TABLE:
            raise ValueError("there is no table")
        body = read_at(self.file, self.layout.table_at, size)
        limit = min(MAX_TABLE, 1024 + 64 * (self.size // PACKET.size))  # more than all packets there can be need
        parts, total = [], 0
        for block in unpacked(body, self.layout.compression):
            parts.append(block)
            total += len(block)
            if total > limit:
                raise ValueError("it is too large")
        return flatbuffers.read_file_table(np.concatenate([np.empty(0, np.uint8), *parts]))


def _packets(file: BinaryIO, layout: _Layout, at: int, size: int, wanted: int) -> Iterator[Packet | tuple[str, int]]:
    """Packets from the one at `at` on; at last a reason and a place where the file does not go on as it should."""
    stop = layout.table_at if layout.table_at > 0 else size
    end = min(stop, size)
    head = read_at(file, at, PACKET.size)
    while at < end:
        body_at = at + PACKET.size
        if body_at > end or len(head) < PACKET.size:
            yield f"expected a packet header of {PACKET.size} bytes, {end - at} are left", at
            return
        stream, length = PACKET.unpack(head)
        if stream not in layout.streams:
            yield f"expected a packet of streams {sorted(layout.streams)}, got {stream}", at
            return
        if not 0 < length <= end - body_at:
            yield f"expected a packet that fits, it declares {length} bytes of {end - body_at}", at
            return
        kind = layout.streams[stream].kind
        if stream == wanted and length > MAX_BODY:
            yield f"expected a packet of up to {MAX_BODY} bytes, it declares {length}", at
            return
        taken = length if stream == wanted else min(length, OTHERS if kind in VECTORS else 0)
        if taken == length:
            data = read_at(file, body_at, length + PACKET.size)
            body, head = data[:length], data[length:]
        else:
            body, head = read_at(file, body_at, taken), read_at(file, body_at + length, PACKET.size)
        yield Packet(stream, kind, body, body_at)
        at = body_at + length
    if stop != at:
        yield f"expected its packet table at byte {stop}, the packets end at {at}", at


def _layout(file: BinaryIO, path: Path) -> _Layout:
    size = file_size(file)
    head = read_at(file, 0, len(MAGIC) + 4).tobytes()
    if not head.startswith(MAGIC):
        raise EventFileError(path, f"expected a header of AEDAT 4, it begins with {head[: len(MAGIC)]!r}", 0)
    try:
        (length,) = struct.unpack_from("<I", head, len(MAGIC))
        if not 16 <= length <= min(MAX_HEADER, size - len(head)):
            raise ValueError(f"its size of {length} bytes does not fit the file")
        buffer = read_at(file, len(MAGIC), 4 + length).tobytes()
        compression, table_at, xml = flatbuffers.read_io_header(buffer)
        if not 0 <= compression <= 4:
            raise ValueError(f"its compression {compression} is unknown")
        streams, provenance = parse_info(xml)
    except (ValueError, struct.error) as error:
        raise EventFileError(path, f"expected an AEDAT 4 header, {error}", len(MAGIC)) from None
    if compression > 2:
        zstandard()
    return _Layout(len(MAGIC) + 4 + length, table_at, compression, streams, provenance)


def _chosen(file: BinaryIO, path: Path, layout: _Layout, member: str | int | None) -> int:
    """The stream that is asked for, else the first of events that has a packet."""
    streams = [number for number, stream in layout.streams.items() if stream.kind == "EVTS"]
    if not streams:
        kinds = ", ".join(stream.kind for stream in layout.streams.values()) or "none"
        raise EventFileError(path, f"expected a stream of events (EVTS), its streams are {kinds}")
    if member is not None:
        if str(member) not in map(str, streams):
            numbers = ", ".join(map(str, streams))
            raise EventFileError(path, f"expected member to be a stream of events ({numbers}), got {member!r}")
        return int(member)
    if len(streams) == 1:
        return streams[0]
    size = file_size(file)
    at, seen = layout.start, set()
    stop = min(size, layout.table_at) if layout.table_at > 0 else size
    while at + PACKET.size <= stop and streams[0] not in seen:
        stream, length = np.frombuffer(read_at(file, at, PACKET.size), "<i4").tolist() or (-1, 0)
        if length <= 0 or stream not in layout.streams:
            break
        seen.add(stream)
        at += PACKET.size + length
    return next((stream for stream in streams if stream in seen), streams[0])


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer of one stream of events; raises EventFileError for a sensor beyond 15 bits."""
    compression = one_of(path, "compression", writing.compression, tuple(NUMBERS))
    if compression == "zstd":
        zstandard()
    if max(sensor_size) - 1 > MAX_COORDINATE:
        width, height = sensor_size
        raise EventFileError(
            path, f"AEDAT 4 holds coordinates up to {MAX_COORDINATE}, the sensor is {width}x{height}; crop it"
        )
    xml = info_xml(sensor_size, compression, writing.provenance)
    return _Aedat4Writer(file, compression, xml)


class _Aedat4Writer(Writer):
    def __init__(self, file: BinaryIO, compression: str, xml: str) -> None:
        header, position_at = flatbuffers.io_header(NUMBERS[compression], xml)
        file.write(MAGIC + header)
        self.file, self.compression, self.position_at = file, compression, len(MAGIC) + position_at
        self.body, self.held, self.first = _new_body(), 0, 0
        self.entries: list[tuple[int, int, int, int, int, int]] = []
        self.work = Work(partial(_packed, compression))

    def add(self, events: Events) -> None:
        from event_tools.kernels.aedat4 import pack

        at = 0
        while at < len(events):
            if self.held == 0:
                self.first = int(events.t[at])
            n = min(PACKET_EVENTS - self.held, len(events) - at)
            rows = self.body[flatbuffers.EVENTS_AT + ROW * self.held :]
            pack(events.t, events.x, events.y, events.p, at, n, rows)
            at, self.held = at + n, self.held + n
            if self.held == PACKET_EVENTS:
                self._hand_over(int(events.t[at - 1]))
        if len(events):
            self.last = int(events.t[-1])

    def _hand_over(self, last: int) -> None:
        body = self.body[: flatbuffers.EVENTS_AT + ROW * self.held]
        body[: flatbuffers.EVENTS_AT] = np.frombuffer(flatbuffers.event_packet_head(self.held), np.uint8)
        for done in self.work.put((body, self.held, self.first, last)):
            self._store(*done)
        self.body, self.held = _new_body(), 0

    def _store(self, body: bytes, count: int, first: int, last: int) -> None:
        self.file.write(PACKET.pack(0, len(body)))
        self.entries.append((self.file.tell(), 0, len(body), count, first, last))
        self.file.write(body)

    def finish(self) -> None:
        if self.held:
            self._hand_over(self.last)
        for done in self.work.rest():
            self._store(*done)
        table_at = self.file.tell()
        table = flatbuffers.file_table(np.array(self.entries, np.int64).reshape(-1, 6))
        self.file.write(packed(np.frombuffer(table, np.uint8), self.compression))
        self.file.seek(self.position_at)
        self.file.write(struct.pack("<q", table_at))

    def close(self) -> None:
        self.work.close()


def _new_body() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.empty(flatbuffers.EVENTS_AT + ROW * PACKET_EVENTS, np.uint8)


def _packed(
    compression: str, item: tuple[np.ndarray[tuple[int], np.dtype[np.uint8]], int, int, int]
) -> tuple[bytes, int, int, int]:
    body, count, first, last = item
    return packed(body, compression), count, first, last  # type: ignore[return-value]
