"""AEDAT 4.0 of iniVation's DV: a header, compressed packets of 16-byte events, a table of packets.

    "#!AER-DAT4.0\\r\\n" | IOHE {compression i32, table position i64, XML string}
    packets: stream id i32, size i32, body    body: LZ4 or ZSTD frame of EVTS {[t i64, x i16, y i16, on u8, 3 pad]}
    table:   frame of FTAB {[{byte offset i64, (stream i32, size i32), elements i64, first i64, last i64}]}

Byte offsets point at a packet's body, not at its 8-byte header: other readers hang otherwise. Frames carry a checksum.
The FlatBuffers are laid out in `flatbuffers.py`, the XML in `aedat4_info.py`. Source: docs.inivation.com, "AEDAT 4.0".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats import flatbuffers
from event_tools.formats.aedat4_info import Stream, info_xml, parse_info
from event_tools.formats.raw import RawEvents, WholeReader, WholeWriter
from event_tools.formats.reader import damaged
from event_tools.provenance import Plain

SUFFIXES = (".aedat4",)
MAGIC = b"#!AER-DAT4.0\r\n"
COMPRESSIONS = {"none": 0, "lz4": 1, "zstd": 3}
PACKET_EVENTS = 10_000
PACKET = struct.Struct("<ii")
EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1"), ("pad", "u1", (3,))])
COUNTED = {"EVTS": "events", "FRME": "frames", "IMUS": "imu", "TRIG": "triggers"}
MAX_COORDINATE = 32767  # x and y are signed 16-bit
MAX_BODY = 1 << 28  # decoded bytes of one packet that we are ready to hold
LZ4_RATIO = 256  # more than LZ4 can gain on any data, so a larger decoded size is a lie


def write_file(
    temporary: Path, path: Path, events: Events, compression: str = "lz4", provenance: Mapping[str, Plain] | None = None
) -> None:
    """Write one stream of events; raises EventFileError (about `path`) for what the format cannot hold."""
    if compression not in COMPRESSIONS:
        raise EventFileError(path, f"expected compression to be {', '.join(COMPRESSIONS)}, got {compression!r}")
    if max(events.sensor_size) - 1 > MAX_COORDINATE:
        width, height = events.sensor_size
        raise EventFileError(
            path, f"AEDAT 4 holds coordinates up to {MAX_COORDINATE}, the sensor is {width}x{height}; crop it"
        )
    rows = np.zeros(len(events), EVENT)
    rows["t"], rows["x"], rows["y"], rows["p"] = events.t, events.x, events.y, events.p
    xml = info_xml(events.sensor_size, compression, provenance or {})
    header, position_at = flatbuffers.io_header(COMPRESSIONS[compression], xml)
    entries = []
    with open(temporary, "wb") as file:
        file.write(MAGIC + header)
        for start in range(0, len(rows), PACKET_EVENTS):
            part = rows[start : start + PACKET_EVENTS]
            body = _compressed(flatbuffers.event_packet(part.tobytes(), len(part)), compression)
            file.write(PACKET.pack(0, len(body)))
            entries.append((file.tell(), 0, len(body), len(part), int(part["t"][0]), int(part["t"][-1])))
            file.write(body)
        table_at = file.tell()
        file.write(_compressed(flatbuffers.file_table(entries), compression))
        file.seek(len(MAGIC) + position_at)
        file.write(struct.pack("<q", table_at))


@dataclass(frozen=True)
class _Layout:
    """Where the packets of a file begin and end, how they are packed and what the streams hold."""

    start: int
    stop: int
    compression: int
    streams: dict[int, Stream]


def decode(data: bytes, path: Path, tolerant: bool = False) -> RawEvents:
    """Columns of the first stream of events; other streams are counted. Raises EventFileError."""
    layout, provenance = _header(data, path)
    first = next((number for number, stream in layout.streams.items() if stream.kind == "EVTS"), None)
    if first is None:
        kinds = ", ".join(stream.kind for stream in layout.streams.values()) or "none"
        raise EventFileError(path, f"expected a stream of events (EVTS), its streams are {kinds}")
    parts: list[np.ndarray[Any, Any]] = []
    counts = {COUNTED.get(stream.kind, stream.kind): 0 for stream in layout.streams.values()}
    for number, body, offset in _packets(data, layout, path, tolerant):
        kind = layout.streams[number].kind
        try:
            count = 1 if kind == "FRME" else flatbuffers.vector_length(body)
            if number == first:
                parts.append(_checked(np.frombuffer(flatbuffers.vector_bytes(body, EVENT.itemsize), EVENT)))
        except (ValueError, struct.error) as error:
            damaged(path, f"expected a packet of {kind}, {error}", offset, tolerant)
            break
        counts[COUNTED.get(kind, kind)] += count
    rows = np.concatenate(parts) if parts else np.empty(0, EVENT)
    return RawEvents(
        rows["t"].astype(np.int64),
        rows["x"].astype(np.uint16),
        rows["y"].astype(np.uint16),
        rows["p"].copy(),
        sensor_size=layout.streams[first].sensor_size,
        version="4.0",
        streams=counts,
        provenance=provenance,
    )


def _checked(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if len(rows) and (rows["x"].min() < 0 or rows["y"].min() < 0 or rows["p"].max() > 1):
        raise ValueError("its events hold negative coordinates or polarities above 1")
    return rows


def _header(data: bytes, path: Path) -> tuple[_Layout, dict[str, Plain]]:
    if not data.startswith(MAGIC):
        raise EventFileError(path, f"expected a header of AEDAT 4, it begins with {data[:14]!r}", 0)
    try:
        compression, table_at, xml, size = flatbuffers.read_io_header(data, len(MAGIC))
        streams, provenance = parse_info(xml)
    except (ValueError, struct.error) as error:
        raise EventFileError(path, f"expected an AEDAT 4 header, {error}", len(MAGIC)) from None
    stop = table_at if table_at > 0 else len(data)
    return _Layout(len(MAGIC) + size, stop, compression, streams), provenance


def _packets(data: bytes, layout: _Layout, path: Path, tolerant: bool) -> Iterator[tuple[int, bytes, int]]:
    """Stream number, decoded body and the body's place of each packet, up to the table or the damage."""
    at, end = layout.start, min(layout.stop, len(data))
    while at < end:
        if at + PACKET.size > end:
            damaged(path, f"expected a packet header of {PACKET.size} bytes, {end - at} are left", at, tolerant)
            return
        number, size = PACKET.unpack_from(data, at)
        body_at = at + PACKET.size
        if number not in layout.streams:
            damaged(path, f"expected a packet of streams {sorted(layout.streams)}, got {number}", at, tolerant)
            return
        if not 0 < size <= end - body_at:
            damaged(path, f"expected a packet that fits, it declares {size} bytes of {end - body_at}", at, tolerant)
            return
        try:
            body = _decompressed(data[body_at : body_at + size], layout.compression)
        except ValueError as error:
            damaged(path, f"a packet cannot be decompressed, {error}", body_at, tolerant)
            return
        yield number, body, body_at
        at = body_at + size
    if layout.stop != at:
        damaged(path, f"expected its packet table at byte {layout.stop}, the packets end at {at}", at, tolerant)


def _compressed(body: bytes, compression: str) -> bytes:
    if compression == "none":
        return body
    if compression == "zstd":
        return bytes(_zstandard().ZstdCompressor(write_checksum=True).compress(body))
    import lz4.frame

    return bytes(lz4.frame.compress(body, content_checksum=True))


def _decompressed(body: bytes, compression: int) -> bytes:
    """A packet's content; raises ValueError where it is damaged, cut or larger than MAX_BODY."""
    if compression == 0:
        return body
    if compression in (1, 2):
        import lz4.frame

        decoder: Any = lz4.frame.LZ4FrameDecompressor()
        try:
            out = decoder.decompress(body, max_length=min(MAX_BODY, LZ4_RATIO * len(body)))
        except RuntimeError as error:
            raise ValueError(str(error)) from None
        if not decoder.eof:
            raise ValueError("its frame is cut short or too large")
        return bytes(out)
    if compression in (3, 4):
        return _unpacked_zstd(body)
    raise ValueError(f"compression {compression} is unknown")


def _unpacked_zstd(body: bytes) -> bytes:
    zstandard = _zstandard()
    out = bytearray()
    try:
        with zstandard.ZstdDecompressor(max_window_size=MAX_BODY).stream_reader(body) as reader:
            while piece := reader.read(1 << 20):
                out += piece
                if len(out) > MAX_BODY:
                    raise ValueError(f"it holds more than {MAX_BODY} bytes")
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    return bytes(out)


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise ImportError("AEDAT 4 with ZSTD needs zstandard: pip install zstandard") from error
    return zstandard


READS = frozenset({}) if False else frozenset()
WRITES = frozenset({"compression", "provenance"}) if True else frozenset()


def matches(head):
    return head.startswith(MAGIC)


def open_reader(file, path, reading):
    file.seek(0)
    data = file.read()
    return WholeReader(decode(data, path, reading.tolerant))


def open_writer(file, path, sensor_size, writing):
    return WholeWriter(write_file, file, path, writing)
