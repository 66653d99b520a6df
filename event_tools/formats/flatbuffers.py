"""The three FlatBuffers of AEDAT 4 by hand: header (IOHE), event packet (EVTS) and packet table (FTAB).

Each is size-prefixed: u32 size, u32 root offset, 4-byte id, then tables that point back to their vtables. Positions
below count from the size prefix; 8-byte fields lie on multiples of 8. Little-endian. Source: flatbuffers.dev,
"FlatBuffer Internals".
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

ENTRY_SIZE = 48
EVENTS_AT = 32  # where the rows of our event packets begin
Buffer = bytes | memoryview | NDArray[np.uint8]


def event_packet_head(count: int) -> bytes:
    """What precedes the rows of an EVTS of so many events: a root table with one vector of 16-byte structs."""
    return struct.pack("<II4s4HiiI", 28 + 16 * count, 16, b"EVTS", 0, 6, 8, 4, 6, 4, count)


def io_header(compression: int, xml: str) -> tuple[bytes, int]:
    """IOHE, and the position in it of the i64 table position (written as -1, to be filled in later)."""
    text = xml.encode() + b"\0"
    text += b"\0" * (-len(text) % 4)
    vtable = struct.pack("<5H2x", 10, 24, 4, 8, 16)  # at 12
    table = struct.pack("<iiqI4x", 12, compression, -1, 8)  # at 24: its string starts 8 after position 40
    string = struct.pack("<I", len(xml.encode())) + text  # at 48
    body = struct.pack("<I4s", 20, b"IOHE") + vtable + table + string
    return struct.pack("<I", len(body)) + body, 32


def file_table(entries: NDArray[np.int64]) -> bytes:
    """FTAB of (n, 6) byte offset, stream, size, elements, first us, last us: one table an entry sharing one vtable."""
    n = len(entries)
    vtable_at = 32 + 4 * n
    first_at = vtable_at + 14 + (-(vtable_at + 14) % 8)
    places = np.arange(n)
    body = struct.pack("<I4s", 16, b"FTAB") + struct.pack("<3H2x", 6, 8, 4)  # vtable at 12, root table at 20
    body += struct.pack("<iII", 8, 4, n)  # vector at 28
    body += (first_at + ENTRY_SIZE * places - (32 + 4 * places)).astype("<u4").tobytes()
    body += struct.pack("<7H", 14, ENTRY_SIZE, 16, 4, 24, 32, 40)
    body += b"\0" * (first_at - vtable_at - 14)
    rows = np.zeros(n, _ENTRY)
    rows["vtable"] = first_at + ENTRY_SIZE * places - vtable_at
    for i, name in enumerate(("offset", "stream", "size", "elements", "first", "last")):
        rows[name] = entries[:, i]
    body += rows.tobytes()
    return struct.pack("<I", len(body)) + body


def read_file_table(buffer: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The entries (n, 6) of a FTAB, by whomever it was built; raises ValueError or struct.error."""
    at, n = vector(buffer)
    if at + 4 * n > len(buffer):
        raise ValueError(f"its {n} entries do not fit {len(buffer)} bytes")
    places = at + 4 * np.arange(n)
    tables = places + _gathered(buffer, places, "<u4")
    vtables = tables - _gathered(buffer, tables, "<i4")
    sizes = _gathered(buffer, vtables, "<u2")
    entries = np.zeros((n, 6), np.int64)
    for column, index, shift, kind in _FIELDS:
        known = sizes > 4 + 2 * index
        offsets = _gathered(buffer, vtables[known] + 4 + 2 * index, "<u2")
        values = _gathered(buffer, tables[known] + offsets + shift, kind)
        entries[known, column] = np.where(offsets > 0, values, 0)
    return entries


_ENTRY = np.dtype(
    {
        "names": ["vtable", "stream", "size", "offset", "elements", "first", "last"],
        "formats": ["<i4", "<i4", "<i4", "<i8", "<i8", "<i8", "<i8"],
        "offsets": [0, 4, 8, 16, 24, 32, 40],
        "itemsize": ENTRY_SIZE,
    }
)
# column of an entry, field of its table, bytes into the field, type
_FIELDS = ((0, 0, 0, "<i8"), (1, 1, 0, "<i4"), (2, 1, 4, "<i4"), (3, 2, 0, "<i8"), (4, 3, 0, "<i8"), (5, 4, 0, "<i8"))


def _gathered(buffer: NDArray[np.uint8], at: NDArray[np.int64], kind: str) -> NDArray[np.int64]:
    """The numbers at those places of a buffer."""
    dtype = np.dtype(kind)
    if len(at) and (at.min() < 0 or at.max() + dtype.itemsize > len(buffer)):
        raise ValueError("an entry points outside it")
    rows = np.ascontiguousarray(buffer[at[:, None] + np.arange(dtype.itemsize)])
    return rows.view(dtype)[:, 0].astype(np.int64)


def read_io_header(buffer: bytes) -> tuple[int, int, str]:
    """(compression, table position, XML) of a whole IOHE; raises ValueError or struct.error."""
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
    return compression, position, buffer[string_at + 4 : string_at + 4 + length].decode("utf-8")


def vector(buffer: Buffer) -> tuple[int, int]:
    """(place, number) of the elements in the vector that is the root table's first field; none where it is absent.

    The elements may lie beyond the end of the buffer. Raises ValueError or struct.error.
    """
    field = _field_at(buffer, _root(buffer), 0)
    if field is None:
        return 0, 0
    at = field + struct.unpack_from("<I", buffer, field)[0]
    return at + 4, struct.unpack_from("<I", buffer, at)[0]


def _root(buffer: Buffer) -> int:
    return 4 + struct.unpack_from("<I", buffer, 4)[0]


def _field_at(buffer: Buffer, table: int, index: int) -> int | None:
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    if vtable < 0:
        raise ValueError("a table points outside it")
    (size,) = struct.unpack_from("<H", buffer, vtable)
    if 4 + 2 * index >= size:
        return None
    (offset,) = struct.unpack_from("<H", buffer, vtable + 4 + 2 * index)
    return table + offset if offset else None


def _field(buffer: Buffer, table: int, index: int, kind: str, default: int) -> int:
    at = _field_at(buffer, table, index)
    return default if at is None else struct.unpack_from(kind, buffer, at)[0]
