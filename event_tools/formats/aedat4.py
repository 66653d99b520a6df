"""AEDAT 4.0 of iniVation's DV: a header, compressed packets of 16-byte events, a table of packets.

    "#!AER-DAT4.0\\r\\n" | IOHE {compression i32, table position i64, XML string}
    packets: stream id i32, size i32, body    body: LZ4 or ZSTD frame of EVTS {[t i64, x i16, y i16, on u8, 3 pad]}
    table:   frame of FTAB {[{byte offset i64, (stream i32, size i32), elements i64, first i64, last i64}]}

Byte offsets point at a packet's body, not at its 8-byte header: other readers hang otherwise. The FlatBuffers are
laid out in `flatbuffers.py`. Source: docs.inivation.com, "AEDAT 4.0".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats import flatbuffers
from event_tools.formats.raw import RawEvents, damaged, load_bytes

SUFFIXES = (".aedat4",)
MAGIC = b"#!AER-DAT4.0\r\n"
COMPRESSIONS = {"none": 0, "lz4": 1, "zstd": 3}
PACKET_EVENTS = 10_000
MAX_BODY = 1 << 28  # decoded bytes of one packet that we are ready to hold
PACKET = struct.Struct("<ii")
EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1"), ("pad", "u1", (3,))])
COUNTED = {"IMUS": "imu", "TRIG": "triggers", "FRME": "frames", "EVTS": "events"}
TRANSFORM_LIMIT = 32767  # x and y are signed 16-bit


def write_file(
    temporary: Path, path: Path, events: Events, compression: str = "lz4", provenance: dict[str, Any] | None = None
) -> None:
    """Write one events stream; raises EventFileError for an unknown compression or coordinates beyond 32767."""
    if compression not in COMPRESSIONS:
        raise EventFileError(path, f"expected compression to be {', '.join(COMPRESSIONS)}, got {compression!r}")
    if max(events.sensor_size) - 1 > TRANSFORM_LIMIT:
        raise EventFileError(path, f"AEDAT 4 holds coordinates up to {TRANSFORM_LIMIT}, the sensor is {events.sensor_size}")
    rows = np.zeros(len(events), EVENT)
    rows["t"], rows["x"], rows["y"], rows["p"] = events.t, events.x, events.y, events.p
    header, position_at = flatbuffers.io_header(COMPRESSIONS[compression], _info_xml(events.sensor_size, compression, provenance))
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


def read_file(path: Path, tolerant: bool = False) -> RawEvents:
    """Read the events of every events stream that has the first one's sensor size."""
    data = load_bytes(path)
    compression, table_at, xml, at = _header(data, path)
    kinds, sizes, provenance = _parse_info(xml, path)
    parts: list[np.ndarray[Any, Any]] = []
    streams: dict[str, int] = {}
    first = next((stream for stream, kind in kinds.items() if kind == "EVTS"), None)
    for stream, kind, body, offset in _packets(data, at, table_at, compression, kinds, path, tolerant):
        try:
            count = 1 if kind == "FRME" else flatbuffers.vector_length(body)
            name = COUNTED.get(kind, kind)
            streams[name] = streams.get(name, 0) + count
            if stream == first:
                parts.append(np.frombuffer(flatbuffers.vector_bytes(body, EVENT.itemsize), EVENT))
        except (ValueError, struct.error) as error:
            damaged(path, f"expected a packet of {kind}, {error}", offset, tolerant)
            break
    rows = np.concatenate(parts) if parts else np.empty(0, EVENT)
    if len(rows) and (rows["x"].min() < 0 or rows["y"].min() < 0 or rows["p"].max() > 1):
        raise EventFileError(path, "its events hold negative coordinates or polarities above 1; the file is damaged")
    return RawEvents(
        rows["t"].astype(np.int64),
        rows["x"].astype(np.uint16),
        rows["y"].astype(np.uint16),
        rows["p"].copy(),
        sensor_size=sizes.get(first) if first is not None else None,
        version="4.0",
        streams=streams,
        provenance=provenance,
    )


def _header(data: bytes, path: Path) -> tuple[int, int, str, int]:
    try:
        compression, table_at, xml, size = flatbuffers.read_io_header(data, len(MAGIC))
    except (ValueError, struct.error) as error:
        raise EventFileError(path, f"expected an AEDAT 4 header, {error}", len(MAGIC)) from None
    return compression, table_at if table_at > 0 else len(data), xml, len(MAGIC) + size


def _packets(
    data: bytes, at: int, end: int, compression: int, kinds: dict[int, str], path: Path, tolerant: bool
) -> Iterator[tuple[int, str, bytes, int]]:
    if end > len(data):
        damaged(path, f"its packet table lies at byte {end}, the file has {len(data)} bytes", len(data), tolerant)
        end = len(data)
    while at < end:
        if at + PACKET.size > end:
            damaged(path, "expected a packet header, the file ends", at, tolerant)
            return
        stream, size = PACKET.unpack_from(data, at)
        body_at = at + PACKET.size
        if size <= 0 or body_at + size > end or stream not in kinds:
            damaged(path, f"expected a packet of a known stream within the file, got stream {stream} of {size} bytes", at, tolerant)
            return
        try:
            body = _decompressed(data[body_at : body_at + size], compression)
        except ValueError as error:
            damaged(path, f"a packet cannot be decompressed, {error}", body_at, tolerant)
            return
        yield stream, kinds[stream], body, body_at
        at = body_at + size


def _info_xml(sensor_size: tuple[int, int], compression: str, provenance: dict[str, Any] | None) -> str:
    from xml.sax.saxutils import escape, quoteattr

    def attributes(values: dict[str, tuple[str, Any]]) -> str:
        return "".join(
            f'<attr key={quoteattr(key)} type="{kind}">{escape(str(value))}</attr>' for key, (kind, value) in values.items()
        )

    label = {"none": "NONE", "lz4": "LZ4", "zstd": "ZSTD"}[compression]
    stream = {
        "compression": ("string", label),
        "originalModuleName": ("string", "neurogen"),
        "originalOutputName": ("string", "events"),
        "typeDescription": ("string", "Array of events (polarity ON/OFF)."),
        "typeIdentifier": ("string", "EVTS"),
    }
    width, height = sensor_size
    info: dict[str, tuple[str, Any]] = {
        "sizeX": ("int", width),
        "sizeY": ("int", height),
        "source": ("string", "neurogen"),
        "tsOffset": ("long", 0),
    } | {f"provenance_{key}": ("string", value) for key, value in (provenance or {}).items()}
    root = "/mainloop/Recorder/outInfo/"
    return (
        f'<dv version="2.0"><node name="outInfo" path="{root}"><node name="0" path="{root}0/">{attributes(stream)}'
        f'<node name="info" path="{root}0/info/">{attributes(info)}</node></node></node></dv>'
    )


def _parse_info(xml: str, path: Path) -> tuple[dict[int, str], dict[int, tuple[int, int]], dict[str, Any]]:
    """Stream kinds, sensor sizes and our provenance from the info node."""
    from xml.etree import ElementTree

    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise EventFileError(path, "its XML declares entities; refused")
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise EventFileError(path, f"expected XML in its header, {error}") from None
    kinds: dict[int, str] = {}
    sizes: dict[int, tuple[int, int]] = {}
    provenance: dict[str, Any] = {}
    for node in root.iter("node"):
        name = node.get("name", "")
        kind = next((a.text for a in node.findall("attr") if a.get("key") == "typeIdentifier"), None)
        if not name.isdigit() or kind is None:
            continue
        kinds[int(name)] = kind
        values = {a.get("key", ""): a.text or "" for a in node.findall("node/attr")}
        if values.get("sizeX", "").isdigit() and values.get("sizeY", "").isdigit():
            sizes[int(name)] = int(values["sizeX"]), int(values["sizeY"])
        provenance |= {k.removeprefix("provenance_"): v for k, v in values.items() if k.startswith("provenance_")}
    return kinds, sizes, provenance


def _compressed(body: bytes, compression: str) -> bytes:
    if compression == "none":
        return body
    if compression == "zstd":
        return bytes(_zstandard().ZstdCompressor().compress(body))
    import lz4.frame

    return bytes(lz4.frame.compress(body))


def _decompressed(body: bytes, compression: int) -> bytes:
    if compression == 0:
        return body
    if compression in (1, 2):
        import lz4.frame

        decoder: Any = lz4.frame.LZ4FrameDecompressor()
        try:
            out = decoder.decompress(body, max_length=MAX_BODY)
        except RuntimeError as error:
            raise ValueError(str(error)) from None
    elif compression in (3, 4):
        zstandard = _zstandard()
        decoder = zstandard.ZstdDecompressor(max_window_size=MAX_BODY).decompressobj()
        try:
            out = decoder.decompress(body)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from None
    else:
        raise ValueError(f"compression {compression} is unknown")
    if not decoder.eof:
        raise ValueError("its frame is cut short or too large")
    return bytes(out)


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise ImportError("AEDAT 4 with ZSTD needs zstandard: pip install zstandard") from error
    return zstandard
