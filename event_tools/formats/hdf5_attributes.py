"""Attributes of HDF5 objects, of variable length too, without the memory that a false length asks for.

HDF5 allocates and clears what a value of variable length declares before it looks at it, and walks a damaged heap for
ever. So these are read here: HDF5 File Format Specification, III.E (global heap), IV.A.1 (headers), IV.A.2.m
(attributes). Attributes that lie elsewhere, as those of objects with many do, are left alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from event_tools.formats.blocks import read_at

ATTRIBUTE, CONTINUATION = 0x0C, 0x10
MAX_HEADER, MAX_BLOCKS = 1 << 20, 64
MAX_HEAP = 1 << 28  # bytes of one collection; a file has fewer


def attribute(file: BinaryIO, holder: Any, name: str) -> Any:
    """The value of an attribute of an object; None where there is none, or where its text cannot be trusted."""
    if name not in holder.attrs:
        return None
    found = holder.attrs.get_id(name)
    if not found.dtype.hasobject:
        return holder.attrs[name]
    if found.shape != () or (place := _place(file, holder, name)) is None:
        return None
    text = heap_bytes(file, holder.file.userblock_size, place, 1)
    return None if text is None else text.decode("utf-8", "replace")


def heap_bytes(file: BinaryIO, base: int, place: bytes, item: int, most: int = MAX_HEAP) -> bytes | None:
    """What a value of variable length holds, of items of so many bytes; None where it is not there whole.

    place: 16 bytes, the number of items, the address of a collection in the heap, and the value's number in there.
    most: bytes of the collection in which it is looked for.
    """
    count, address, number = struct.unpack("<IQI", place)
    if not count:
        return b""
    head = read_at(file, address + base, 16).tobytes() if address < 1 << 60 else b""
    if not head.startswith(b"GCOL"):
        return None
    data = read_at(file, address + base, min(int.from_bytes(head[8:], "little"), most)).tobytes()
    at = 16
    while at + 16 <= len(data):
        found, size = struct.unpack("<H6xQ", data[at : at + 16])
        if found == number:
            value = data[at + 16 : at + 16 + count * item]
            return value if len(value) == count * item <= size else None
        if not found:
            return None
        at += 16 + size + -size % 8
    return None


def _place(file: BinaryIO, holder: Any, name: str) -> bytes | None:
    """Where the heap has the text of an attribute, None where that is not found."""
    import h5py

    base = holder.file.userblock_size
    address = h5py.h5o.get_info(holder.id).addr + base
    for kind, data in _messages(file, address, base):
        if kind == ATTRIBUTE and (found := _text(data)) is not None and found[0] == name.encode():
            return found[1]
    return None


def _text(message: bytes) -> tuple[bytes, bytes] | None:
    """Name of an attribute with a single text of variable length, and where the heap has that."""
    if len(message) < 10:
        return None
    version = message[0]
    sizes = [int.from_bytes(message[at : at + 2], "little") for at in (2, 4, 6)]
    at = 9 if version == 3 else 8
    name = message[at : at + sizes[0]].split(b"\0")[0]
    at += sum(size + (-size % 8 if version == 1 else 0) for size in sizes)
    return (name, message[at : at + 16]) if len(message) >= at + 16 else None


def _messages(file: BinaryIO, address: int, base: int) -> Iterator[tuple[int, bytes]]:
    """Type and data of each message of an object's header and its continuations."""
    head = read_at(file, address, 64).tobytes()
    second = head.startswith(b"OHDR")
    if second:
        flags, at = head[5], 6 + (16 if head[5] & 0x20 else 0) + (4 if head[5] & 0x10 else 0)
        width = 1 << (flags & 3)
        blocks = [(address + at + width, int.from_bytes(head[at : at + width], "little"))]
        step = 6 if flags & 4 else 4
    else:
        blocks, step = [(address + 16, int.from_bytes(head[8:12], "little"))], 8
    for _ in range(MAX_BLOCKS):
        if not blocks:
            return
        place, size = blocks.pop(0)
        data = read_at(file, place, min(size, MAX_HEADER)).tobytes()
        at = 0
        while at + step <= len(data):
            kind = data[at] if second else int.from_bytes(data[at : at + 2], "little")
            start = at + 1 if second else at + 2
            length = int.from_bytes(data[start : start + 2], "little")
            body = data[at + step : at + step + length]
            if kind == CONTINUATION and len(body) >= 16:
                where, long = (int.from_bytes(body[i : i + 8], "little") for i in (0, 8))
                # Continuations of the second version have a signature before their messages, a checksum after them.
                blocks.append((where + base + 4, long - 8) if second else (where + base, long))
            yield kind, body
            at += step + length
