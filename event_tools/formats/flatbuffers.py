"""The three FlatBuffers of AEDAT 4 by hand: header (IOHE), event packet (EVTS) and packet table (FTAB).

Each is size-prefixed: u32 size, u32 root offset, 4-byte id, then tables that point back to their vtables. Positions
below count from the size prefix; 8-byte fields lie on multiples of 8. Little-endian. Source: flatbuffers.dev,
"FlatBuffer Internals".
"""

from __future__ import annotations

import struct

ENTRY_SIZE = 48


def event_packet(rows: bytes, count: int) -> bytes:
    """EVTS: a root table with one vector of 16-byte structs."""
    return struct.pack("<II4s4HiiI", 28 + 16 * count, 16, b"EVTS", 0, 6, 8, 4, 6, 4, count) + rows


def io_header(compression: int, xml: str) -> tuple[bytes, int]:
    """IOHE, and the position in it of the i64 table position (written as -1, to be filled in later)."""
    text = xml.encode() + b"\0"
    text += b"\0" * (-len(text) % 4)
    vtable = struct.pack("<5H2x", 10, 24, 4, 8, 16)  # at 12
    table = struct.pack("<iiqI4x", 12, compression, -1, 8)  # at 24: its string starts 8 after position 40
    string = struct.pack("<I", len(xml.encode())) + text  # at 48
    body = struct.pack("<I4s", 20, b"IOHE") + vtable + table + string
    return struct.pack("<I", len(body)) + body, 32


def file_table(entries: list[tuple[int, int, int, int, int, int]]) -> bytes:
    """FTAB of (byte offset, stream, size, elements, first us, last us), one table an entry sharing one vtable."""
    n = len(entries)
    vtable_at = 32 + 4 * n
    first_at = vtable_at + 14 + (-(vtable_at + 14) % 8)
    offsets = [first_at + ENTRY_SIZE * i - (32 + 4 * i) for i in range(n)]
    body = struct.pack("<I4s", 16, b"FTAB") + struct.pack("<3H2x", 6, 8, 4)  # vtable at 12, root table at 20
    body += struct.pack("<iI", 8, 4) + struct.pack(f"<I{n}I", n, *offsets)  # vector at 28
    body += struct.pack("<7H", 14, ENTRY_SIZE, 16, 4, 24, 32, 40)
    body += b"\0" * (first_at - vtable_at - 14)
    for i, (offset, stream, size, elements, start, end) in enumerate(entries):
        back = first_at + ENTRY_SIZE * i - vtable_at
        body += struct.pack("<iii4xqqqq", back, stream, size, offset, elements, start, end)
    return struct.pack("<I", len(body)) + body


def read_io_header(data: bytes, at: int) -> tuple[int, int, str, int]:
    """(compression, table position, XML, bytes used) of the IOHE at `at`; raises ValueError or struct.error."""
    (size,) = struct.unpack_from("<I", data, at)
    if size < 16 or at + 4 + size > len(data):
        raise ValueError(f"its size of {size} bytes does not fit the file")
    buffer = data[at : at + 4 + size]
    if buffer[8:12] not in (b"IOHE", b"\0\0\0\0"):
        raise ValueError(f"its id is {buffer[8:12]!r}")
    table = _root(buffer)
    compression = _field(buffer, table, 0, "<i", 0)
    position = _field(buffer, table, 1, "<q", -1)
    string_field = _field_at(buffer, table, 2)
    if string_field is None:
        raise ValueError("it names no streams")
    string_at = string_field + struct.unpack_from("<I", buffer, string_field)[0]
    (length,) = struct.unpack_from("<I", buffer, string_at)
    if string_at + 4 + length > len(buffer):
        raise ValueError("its text is cut short")
    return compression, position, buffer[string_at + 4 : string_at + 4 + length].decode("utf-8"), 4 + size


def vector_length(buffer: bytes) -> int:
    """Elements of the first field's vector in the root table; 0 where it is absent."""
    at = _vector(buffer)
    return 0 if at is None else struct.unpack_from("<I", buffer, at)[0]


def vector_bytes(buffer: bytes, item: int) -> memoryview:
    """The first field's vector of structs of `item` bytes; raises ValueError where it does not fit."""
    at = _vector(buffer)
    if at is None:
        return memoryview(b"")
    (count,) = struct.unpack_from("<I", buffer, at)
    if at + 4 + count * item > len(buffer):
        raise ValueError(f"its {count} elements do not fit {len(buffer)} bytes")
    return memoryview(buffer)[at + 4 : at + 4 + count * item]


def _vector(buffer: bytes) -> int | None:
    field = _field_at(buffer, _root(buffer), 0)
    return None if field is None else field + struct.unpack_from("<I", buffer, field)[0]


def _root(buffer: bytes) -> int:
    return 4 + struct.unpack_from("<I", buffer, 4)[0]


def _field_at(buffer: bytes, table: int, index: int) -> int | None:
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    if vtable < 0:
        raise ValueError("a table points outside it")
    (size,) = struct.unpack_from("<H", buffer, vtable)
    if 4 + 2 * index >= size:
        return None
    (offset,) = struct.unpack_from("<H", buffer, vtable + 4 + 2 * index)
    return table + offset if offset else None


def _field(buffer: bytes, table: int, index: int, kind: str, default: int) -> int:
    at = _field_at(buffer, table, index)
    return default if at is None else struct.unpack_from(kind, buffer, at)[0]
