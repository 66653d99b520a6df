"""MAT-files of version 5, as far as recordings need them: matrices of numbers, and structs of these, read as a stream.

    header 128 bytes: text | 124 version 0x0100 | 126 "IM" little-endian, "MI" big-endian
    element: type u4, size u4, data filled up to 8 bytes; short ones: size << 16 | type, data of 4 bytes
    type 15: one element, deflated, not filled up; type 14, a matrix: flags, dimensions, name, then its data

Numbers are stored in whichever type they fit, column after column. Source: MathWorks, MAT-File Format.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.formats.blocks import file_size, read_at

HEADER = 128
MATRIX, DEFLATED = 14, 15
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMBERS, STRUCT = frozenset(range(6, 16)), 2
COMPLEX = 0x800
BLOCK = 1 << 16
MAX_NAME, MAX_FIELDS = 1 << 10, 1 << 10


class BadMat(Exception):
    """What is there is no MAT-file of version 5, or it is cut."""


@dataclass(frozen=True)
class Element:
    """A variable: where it lies in the file, its bytes there, and whether they are deflated."""

    at: int
    size: int
    deflated: bool


@dataclass(frozen=True)
class Matrix:
    """A matrix's head. kind: MATLAB's class; shape: rows first; its data comes next in the stream."""

    kind: int
    shape: tuple[int, ...]
    name: str
    complex: bool

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(np.prod(self.shape, dtype=np.object_))


class Stream:
    """The bytes of an element, inflated as they are asked for; raises BadMat where they end early."""

    def __init__(self, file: BinaryIO, element: Element, order: str) -> None:
        self.file, self.order = file, order
        self.at, self.stop = element.at, element.at + element.size
        self.unpacker = zlib.decompressobj() if element.deflated else None

    def read(self, size: int) -> bytes:
        """The next bytes, exactly `size`."""
        if self.unpacker is None:
            got = read_at(self.file, self.at, max(0, min(size, self.stop - self.at))).tobytes()
            self.at += len(got)
        else:
            got = self._inflated(size)
        if len(got) < size:
            raise BadMat(f"expected {size} bytes more, the file ends")
        return got

    def _inflated(self, size: int) -> bytes:
        assert self.unpacker is not None
        parts, missing = [], size
        try:
            while missing and not self.unpacker.eof:
                data = self.unpacker.unconsumed_tail
                if not data:
                    data = read_at(self.file, self.at, min(BLOCK, self.stop - self.at)).tobytes()
                    self.at += len(data)
                part = self.unpacker.decompress(data, missing)
                if not data and not part:
                    break
                parts.append(part)
                missing -= len(part)
        except zlib.error as error:
            raise BadMat(str(error)) from None
        return b"".join(parts)

    def finish(self) -> None:
        """Raise BadMat unless a deflated element ends here, its checksum right."""
        if self.unpacker is not None and (self._inflated(1) or not self.unpacker.eof):
            raise BadMat("its deflated data is cut or goes on after its end")

    def tag(self) -> tuple[int, int, bytes | None]:
        """Type, size, and the data of a short element."""
        head = self.read(8)
        kind, size = whole_numbers(head, self.order + "u4")
        if kind >> 16:
            if kind >> 16 > 4:
                raise BadMat("a short element declares more than 4 bytes")
            return kind & 0xFFFF, kind >> 16, head[4 : 4 + (kind >> 16)]
        return kind, size, None

    def small(self, most: int) -> tuple[int, bytes]:
        """Type and data of an element of at most so many bytes."""
        kind, size, data = self.tag()
        if data is not None:
            return kind, data
        if size > most:
            raise BadMat(f"expected an element of at most {most} bytes, it declares {size}")
        return kind, self.read(size + -size % 8)[:size]

    def matrix(self) -> Matrix:
        """The head of a matrix; its tag has been read."""
        flags = whole_numbers(self.small(16)[1], self.order + "u4")
        shape = tuple(whole_numbers(self.small(256)[1], self.order + "i4"))
        name = self.small(MAX_NAME)[1].decode("ascii", "replace")
        if not len(flags) or len(shape) < 2 or min(shape) < 0:
            raise BadMat("a matrix without class or dimensions")
        return Matrix(flags[0] & 0xFF, shape, name, bool(flags[0] & COMPLEX))

    def fields(self) -> list[str]:
        """The names of a struct's fields, whose matrices come next."""
        step = (whole_numbers(self.small(8)[1], self.order + "i4") or [0])[0]
        if not 0 < step <= MAX_NAME:
            raise BadMat("a struct with names of no length")
        names = self.small(MAX_NAME * MAX_FIELDS)[1]
        return [names[i : i + step].split(b"\0")[0].decode("ascii", "replace") for i in range(0, len(names), step)]

    def skip(self, size: int) -> None:
        """Leave out so many bytes and what fills them up."""
        left = size + -size % 8
        while left:
            left -= len(self.read(min(left, BLOCK)))

    def numbers(self, matrix: Matrix, step: int) -> Iterator[NDArray[np.generic]]:
        """The values of a matrix of numbers, `step` at a time."""
        if matrix.kind not in NUMBERS or matrix.complex:
            raise BadMat(f"expected {matrix.name or 'a field'} to hold numbers")
        kind, size, data = self.tag()
        if kind not in STORED:
            raise BadMat(f"expected numbers, got an element of type {kind}")
        dtype = np.dtype(self.order + STORED[kind])
        if size != matrix.count * dtype.itemsize:
            raise BadMat(f"expected {matrix.count} values of {dtype.itemsize} bytes, got {size} bytes")
        if data is not None:
            yield np.frombuffer(data, dtype)
            return
        for at in range(0, matrix.count, step):
            yield np.frombuffer(self.read(min(step, matrix.count - at) * dtype.itemsize), dtype)
        self.read(-size % 8)


def whole_numbers(data: bytes, dtype: str) -> list[int]:
    """The whole numbers in some bytes; raises BadMat for bytes left over."""
    if len(data) % np.dtype(dtype).itemsize:
        raise BadMat(f"expected whole numbers, got {len(data)} bytes")
    return [int(value) for value in np.frombuffer(data, dtype)]


def opened_matrix(file: BinaryIO, element: Element, order: str) -> tuple[Stream, Matrix]:
    """A variable's stream and head, its data next; raises BadMat."""
    stream = Stream(file, element, order)
    kind, _, _ = stream.tag()
    if kind != MATRIX:
        raise BadMat(f"expected a matrix, got an element of type {kind}")
    return stream, stream.matrix()


def elements(file: BinaryIO) -> tuple[str, list[Element]]:
    """The order of bytes, "<" or ">", and a file's variables, the last one possibly cut; raises BadMat."""
    head = read_at(file, 0, HEADER).tobytes()
    order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
    if order is None or len(head) < HEADER or whole_numbers(head[124:126], order + "u2") != [0x0100]:
        raise BadMat("expected version 0x0100 and an order of bytes at byte 124")
    found, at, end = [], HEADER, file_size(file)
    while at < end:
        tag = read_at(file, at, 8).tobytes()
        if len(tag) < 8:
            break
        kind, size = whole_numbers(tag, order + "u4")
        if kind == DEFLATED:
            found.append(Element(at + 8, min(size, end - at - 8), True))
        elif kind == MATRIX:
            found.append(Element(at, min(size + 8, end - at), False))
        at += 8 + size + (0 if kind == DEFLATED else -size % 8)
    return order, found
