"""The members of a .zip archive: its directory checked before it is used, members read piece by piece.

    local head 30 bytes "PK\\3\\4" | name | extra | data ...        once a member
    directory entry 46 bytes "PK\\1\\2" | name | extra | comment    once a member
    end 22 bytes "PK\\5\\6", before it for large archives 20 bytes "PK\\6\\7" and 56 bytes "PK\\6\\6"

Stored and deflated members are read; their checksums are compared. Source: PKWARE's APPNOTE.TXT 6.3, 4.3 and 4.5.3.
"""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from event_tools.errors import EventFileError
from event_tools.formats.blocks import BLOCK, file_size, read_at

LOCAL = struct.Struct("<4s5H3I2H")  # magic, version, flags, method, time, date, crc, packed, size, name, extra
ENTRY = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
END64 = struct.Struct("<4sQ2H2I4Q")
STORED, DEFLATED = 0, 8
MAX_DIRECTORY = 1 << 20
MAX_RATIO = 1032  # what deflate can reach
FULL = 0xFFFFFFFF
COMMENT = 0xFFFF


@dataclass(frozen=True)
class Entry:
    """One member as the directory has it."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    at: int  # of its local head


def directory(file: BinaryIO, path: Path) -> list[Entry]:
    """The archive's members; raises EventFileError for what is no archive, encrypted, or larger than can be true."""
    length = file_size(file)
    tail_at = max(0, length - END.size - COMMENT)
    tail = read_at(file, tail_at, length - tail_at).tobytes()
    place = tail.rfind(b"PK\5\6")
    if place < 0 or place + END.size > len(tail):
        raise EventFileError(path, "expected a zip archive, its directory is missing; was it cut?", length)
    end_at = tail_at + place
    _, _, _, _, count, size, at, _ = END.unpack_from(tail, place)
    if FULL in (size, at) or count == 0xFFFF:
        wide = read_at(file, max(0, end_at - 20 - END64.size), END64.size).tobytes()
        if len(wide) < END64.size or wide[:4] != b"PK\6\6":
            raise EventFileError(path, "expected a zip archive, the end of its directory is damaged", end_at)
        _, _, _, _, _, _, _, count, size, at = END64.unpack(wide)
    if size > MAX_DIRECTORY or at + size > end_at:
        raise EventFileError(path, f"expected a directory of at most {MAX_DIRECTORY} bytes, it declares {size}", end_at)
    entries = list(_entries(read_at(file, at, size).tobytes(), at, path, length))
    if len(entries) != count:
        raise EventFileError(path, f"its directory declares {count} members and lists {len(entries)}", at)
    if len({entry.name for entry in entries}) != count:
        raise EventFileError(path, "its directory lists a name twice", at)
    return entries


def _entries(data: bytes, start: int, path: Path, length: int) -> Iterator[Entry]:
    at = 0
    while at < len(data):
        if at + ENTRY.size > len(data):
            raise EventFileError(path, "expected a directory's entry, it is cut", start + at)
        fields = ENTRY.unpack_from(data, at)
        magic, _, _, flags, method, _, _, crc, packed, size, name, extra, comment, _, _, _, local = fields
        stop = at + ENTRY.size + name + extra + comment
        if magic != b"PK\1\2" or stop > len(data):
            raise EventFileError(path, "expected a directory's entry, it is damaged", start + at)
        text = data[at + ENTRY.size : at + ENTRY.size + name].decode("utf-8", "replace")
        more = data[at + ENTRY.size + name : at + ENTRY.size + name + extra]
        size, packed, local = _wide([size, packed, local], more)
        if flags & 1 or method not in (STORED, DEFLATED):
            kind = "encrypted" if flags & 1 else f"packed by method {method}"
            raise EventFileError(path, f"its member {text[:80]} is {kind}; store or deflate it", start + at)
        if packed > length or size > packed * (MAX_RATIO if method == DEFLATED else 1):
            raise EventFileError(path, f"its member {text[:80]} declares {size} bytes out of {packed}", start + at)
        yield Entry(text, method, crc, packed, size, local)
        at = stop


def _wide(numbers: list[int], extra: bytes) -> list[int]:
    """Numbers that do not fit 32 bits stand in the extra field 1, in the same order."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + size]
            for i, number in enumerate(numbers):
                if number == FULL and len(field) >= 8:
                    numbers[i], field = int.from_bytes(field[:8], "little"), field[8:]
        at += 4 + size
    return numbers


class Member:
    """A member's bytes in order. lock: held while `file` is moved and read, so that members can be read by threads."""

    def __init__(self, file: BinaryIO, path: Path, entry: Entry, lock: threading.Lock) -> None:
        self.file, self.path, self.entry, self.lock = file, path, entry, lock
        with lock:
            head = read_at(file, entry.at, LOCAL.size).tobytes()
            if len(head) < LOCAL.size or head[:4] != b"PK\3\4":
                raise EventFileError(path, f"expected the head of member {entry.name[:80]}", entry.at)
            name, extra = LOCAL.unpack(head)[9:]
            told = read_at(file, entry.at + LOCAL.size, name).tobytes().decode("utf-8", "replace")
        if told != entry.name:
            raise EventFileError(
                path, f"expected member {entry.name[:80]}, its head says {told[:80]!r}", entry.at + LOCAL.size
            )
        self.start = entry.at + LOCAL.size + name + extra
        self.taken, self.given, self.crc = 0, 0, 0
        self.unpacking = zlib.decompressobj(-15) if entry.method == DEFLATED else None
        self.waiting: bytes = b""

    def read(self, size: int) -> bytes | memoryview:
        """The next `size` bytes, fewer at the end; raises EventFileError for damage, a wrong checksum at the end."""
        size = min(size, self.entry.size - self.given)
        data = self._take(size) if self.unpacking is None else self._unpack(size)
        if len(data) < size:
            self._damaged(f"ends after {self.given + len(data)} of {self.entry.size} bytes")
        self.given += len(data)
        self.crc = zlib.crc32(data, self.crc)
        if self.given == self.entry.size and size:
            self._check_end()
        return data

    def _check_end(self) -> None:
        if self.crc != self.entry.crc:
            self._damaged("is not what its checksum says")
        if self.unpacking is None and self.taken != self.entry.packed:
            self._damaged(f"has {self.entry.packed} bytes, {self.entry.size} were declared")

    def _unpack(self, size: int) -> bytes:
        assert self.unpacking is not None
        parts, missing = [], size
        try:
            while missing and not self.unpacking.eof:
                packed = self.waiting or self._take(BLOCK // 8)
                part = self.unpacking.decompress(packed, missing)
                self.waiting = self.unpacking.unconsumed_tail
                if not part and not packed:
                    break
                parts.append(part)
                missing -= len(part)
        except zlib.error as error:
            self._damaged(f"cannot be unpacked ({str(error).rpartition(': ')[2]})")
        return b"".join(parts)

    def _take(self, size: int) -> memoryview:
        """The next bytes as they lie in the archive."""
        size = min(size, self.entry.packed - self.taken)
        with self.lock:
            data = read_at(self.file, self.start + self.taken, size)
        self.taken += len(data)
        return memoryview(data)

    def _damaged(self, what: str) -> None:
        raise EventFileError(self.path, f"its member {self.entry.name[:80]} {what}", self.start + self.taken)
