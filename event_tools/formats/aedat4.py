"""AEDAT 4.0 of iniVation's DV: a header, compressed packets of 16-byte events, a table of packets.

    "#!AER-DAT4.0\\r\\n" | IOHE {compression i32, table position i64, XML string}
    packets: stream id i32, size i32, body    body: LZ4 or ZSTD frame of EVTS {[t i64, x i16, y i16, on u8, 3 pad]}
    table:   frame of FTAB {[{byte offset i64, (stream i32, size i32), elements i64, first i64, last i64}]}

Byte offsets point at a packet's body, not at its 8-byte header: other readers hang otherwise. Frames carry a checksum.
Of several streams of events the first that has a packet is read, or the one that `member` numbers; others are counted,
as are frames, imu samples and triggers. A window begins where the table says, if the file bears it out.
The FlatBuffers are laid out in `flatbuffers.py`, the XML in `aedat4_info.py`; packets are decoded in
`aedat4_packets.py` and written in `aedat4_writer.py`. Source: docs.inivation.com, "AEDAT 4.0".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats import flatbuffers
from event_tools.formats.aedat4_info import parse_info
from event_tools.formats.aedat4_packets import MAGIC, PACKET, Batch, Layout, Packet, decoded, packets
from event_tools.formats.aedat4_writer import open_writer
from event_tools.formats.blocks import file_size, in_order, read_at
from event_tools.formats.packing import unpacked, zstandard
from event_tools.formats.reader import Columns, Reader, Reading, damaged

__all__ = ["READS", "SUFFIXES", "WRITES", "matches", "open_reader", "open_writer"]
SUFFIXES = (".aedat4",)
READS = frozenset({"member"})
WRITES = frozenset({"compression", "provenance"})
COUNTED = {"EVTS": "events", "FRME": "frames", "IMUS": "imu", "TRIG": "triggers"}
MAX_HEADER = 1 << 20
MAX_TABLE = 1 << 25  # bytes: of 600,000 packets
BATCH_BYTES, BATCH_PACKETS = 1 << 19, 16


def matches(head: bytes) -> bool:
    """Whether a file begins as AEDAT 4.0."""
    return head.startswith(MAGIC)


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """A recording of whole packets; raises EventFileError for a header that cannot be, or names no stream of events."""
    layout = _layout(file, path)
    return _Aedat4Reader(file, path, layout, _chosen(file, path, layout, reading.member), reading.tolerant)


class _Aedat4Reader(Reader):
    def __init__(self, file: BinaryIO, path: Path, layout: Layout, stream: int, tolerant: bool) -> None:
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
        for packet in packets(self.file, self.layout, at, self.size, self.stream):
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
        packet = next(packets(self.file, self.layout, at, self.size, self.stream), None)
        if not isinstance(packet, Packet):
            return first
        found = decoded(self.layout.compression, self.stream, Batch([packet]))
        return at if found.pieces and not found.problem and found.pieces[0].t[0] < start_us else first

    def _table(self) -> NDArray[np.int64]:
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


def _layout(file: BinaryIO, path: Path) -> Layout:
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
    return Layout(len(MAGIC) + 4 + length, table_at, compression, streams, provenance)


def _chosen(file: BinaryIO, path: Path, layout: Layout, member: str | int | None) -> int:
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
