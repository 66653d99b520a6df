"""Writing .npz in parts: four columns side by side in constant memory, though each is one member of the archive.

The times go straight to the file, x, y and p into temporary files that are appended at the end; heads hold the number
of events and checksums, so they are written last. Dates are those of the format's first day: equal events give equal
bytes. The layout of the archive stands in `zipped`.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events
from event_tools.formats.arrays import head_bytes
from event_tools.formats.blocks import THREADS
from event_tools.formats.writer import Writer
from event_tools.formats.zipped import END, END64, ENTRY, FULL, LOCAL, STORED

COLUMNS = {"t": np.dtype("<i8"), "x": np.dtype("<u2"), "y": np.dtype("<u2"), "p": np.dtype("u1")}
STEP = 1 << 18  # events whose checksum one thread takes
IN_MEMORY = 1 << 22  # bytes of a column before it goes to the disk
VERSION, DATE = 45, 1 << 5 | 1  # of zip64; 1 January 1980
POLYNOMIAL = 0xEDB88320  # CRC-32, lowest bit first


class NpzWriter(Writer):
    """t, x, y and p as they come, then `extras`, small arrays by name."""

    def __init__(self, file: BinaryIO, path: Path, extras: Mapping[str, NDArray[Any]]) -> None:
        self.file, self.path, self.extras, self.events = file, path, extras, 0
        self.crcs = dict.fromkeys(COLUMNS, 0)
        self.held: dict[str, IO[bytes]] = {
            name: tempfile.SpooledTemporaryFile(IN_MEMORY, dir=Path(file.name).parent)  # noqa: SIM115
            for name in ("x", "y", "p")
        }
        self.pool = ThreadPoolExecutor(THREADS)
        self.start = file.tell()
        file.write(_local("t", 0, 0) + head_bytes(COLUMNS["t"], (0,)))

    def add(self, events: Events) -> None:
        for first in range(0, len(events), 4 * STEP):
            part = events[first : first + 4 * STEP]
            data = {name: np.ascontiguousarray(getattr(part, name), dtype) for name, dtype in COLUMNS.items()}
            pieces = [
                (name, values[at : at + STEP]) for name, values in data.items() for at in range(0, len(part), STEP)
            ]
            checked = self.pool.map(zlib.crc32, (values.view(np.uint8) for _, values in pieces))
            for name, values in data.items():
                (self.file if name == "t" else self.held[name]).write(values.view(np.uint8))
            for (name, values), crc in zip(pieces, checked, strict=True):
                self.crcs[name] = crc_of_both(self.crcs[name], crc, values.nbytes)
            self.events += len(part)

    def finish(self) -> None:
        entries = []
        for name, dtype in COLUMNS.items():
            head = head_bytes(dtype, (self.events,))
            size = len(head) + dtype.itemsize * self.events
            crc = crc_of_both(zlib.crc32(head), self.crcs[name], size - len(head))
            at = self.start if name == "t" else self.file.tell()
            if name == "t":
                self.file.seek(self.start)
            self.file.write(_local(name, crc, size) + head)
            if name == "t":
                self.file.seek(size - len(head), 1)
            else:
                self.held[name].seek(0)
                shutil.copyfileobj(self.held[name], self.file, 1 << 20)
            entries.append((name, crc, size, at))
        for name, array in self.extras.items():
            data = head_bytes(array.dtype, array.shape) + array.tobytes()
            entries.append((name, zlib.crc32(data), len(data), self.file.tell()))
            self.file.write(_local(name, zlib.crc32(data), len(data)) + data)
        at = self.file.tell()
        listed = b"".join(_entry(*entry) for entry in entries)
        self.file.write(listed + _end(len(entries), len(listed), at))

    def close(self) -> None:
        self.pool.shutdown()
        for held in self.held.values():
            held.close()


def _local(name: str, crc: int, size: int) -> bytes:
    """A member's head; its sizes stand in the extra field, whose place has to be kept for large ones."""
    text = f"{name}.npy".encode()
    fixed = LOCAL.pack(b"PK\3\4", VERSION, 0, STORED, 0, DATE, crc, FULL, FULL, len(text), 20)
    return fixed + text + struct.pack("<2H2Q", 1, 16, size, size)


def _entry(name: str, crc: int, size: int, at: int) -> bytes:
    """A member's entry in the directory; an extra field where 32 bits do not do."""
    text = f"{name}.npy".encode()
    sizes = [size, size] if size >= FULL else []
    wide = sizes + ([at] if at >= FULL else [])
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    size, at = min(size, FULL), min(at, FULL)
    numbers = (VERSION, VERSION, 0, STORED, 0, DATE, crc, size, size, len(text), len(extra), 0, 0, 0, 0, at)
    return ENTRY.pack(b"PK\1\2", *numbers) + text + extra


def _end(count: int, size: int, at: int) -> bytes:
    end = END.pack(b"PK\5\6", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), min(size, FULL), min(at, FULL), 0)
    if at < FULL and count < 0xFFFF:
        return end
    wide = END64.pack(b"PK\6\6", END64.size - 12, VERSION, VERSION, 0, 0, count, count, size, at)
    return wide + struct.pack("<4sIQI", b"PK\6\7", 0, at + size, 1) + end


def crc_of_both(one: int, two: int, size: int) -> int:
    """The checksum of two stretches of bytes from theirs; size: bytes of the second.

    A checksum is a polynomial over {0, 1} modulo POLYNOMIAL; appending bytes multiplies it by x^8 for each.
    """
    return _times(one, _power(8 * size)) ^ two


def _times(a: int, b: int) -> int:
    """Product modulo POLYNOMIAL; bit 31 is x^0."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (POLYNOMIAL if b & 1 else 0)
    return product


def _power(exponent: int) -> int:
    """x^exponent modulo POLYNOMIAL, by squaring."""
    square, bits = 1 << 30, []
    while exponent:
        if exponent & 1:
            bits.append(square)
        square, exponent = _times(square, square), exponent >> 1
    return reduce(_times, bits, 1 << 31)
