"""The packets of an AEDAT 4 file: those of one stream of events become columns, those of others are counted.

Packets come in batches, so that threads have enough to do even where packets are small. Within a packet, blocks are
unpacked and turned into columns one after the other: it is never held whole, and what it declares is not believed.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.formats import flatbuffers
from event_tools.formats.aedat4_info import Stream
from event_tools.formats.blocks import read_at
from event_tools.formats.packing import PackingError, most_unpacked, unpacked
from event_tools.formats.reader import Columns
from event_tools.provenance import Plain

MAGIC = b"#!AER-DAT4.0\r\n"
PACKET = struct.Struct("<ii")  # stream, bytes of the body that follows
ROW = 16
MAX_BODY = 1 << 28  # bytes of one packet of events, unpacked, that we are ready to take
HEAD = 1 << 10  # bytes in which a FlatBuffer says where its elements are
TAIL = 1 << 16  # bytes that may follow the elements
VECTORS = ("EVTS", "IMUS", "TRIG")  # kinds whose packets hold many elements; of frames and others, packets are counted
PIECE = 1 << 16  # events
OTHERS = 5 << 20  # bytes of another stream's packet, in which the count of its elements lies for sure


@dataclass(frozen=True)
class Layout:
    """Where the packets of a file begin and the table is said to be, how packets are packed, what the streams hold."""

    start: int
    table_at: int
    compression: int
    streams: dict[int, Stream]
    provenance: dict[str, Plain]


@dataclass(frozen=True)
class Packet:
    """body: as stored, of other streams perhaps only its first bytes; at: the body's place in the file."""

    stream: int
    kind: str
    body: NDArray[np.uint8]
    at: int


@dataclass
class Batch:
    """Packets that follow each other, and what is wrong after them: a reason and a place, or None."""

    packets: list[Packet] = field(default_factory=list)
    problem: tuple[str, int] | None = None


@dataclass
class Decoded:
    """Columns of the wanted stream, elements by stream, and what is wrong after them."""

    pieces: list[Columns]
    counts: dict[int, int]
    problem: tuple[str, int] | None


def packets(file: BinaryIO, layout: Layout, at: int, size: int, wanted: int) -> Iterator[Packet | tuple[str, int]]:
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


def decoded(compression: int, wanted: int, batch: Batch) -> Decoded:
    """A batch's events up to a damage; a damaged packet gives none."""
    rows, counts, problem = _Rows(), {}, batch.problem
    for packet in batch.packets:
        mark = rows.mark()
        try:
            if packet.kind not in VECTORS:
                count = 1
            else:
                blocks = unpacked(packet.body, compression)
                head = _head(blocks)
                at, count = flatbuffers.vector(head)
                if packet.stream == wanted:
                    rows.places.append((rows.total, packet.at))
                    limit = min(MAX_BODY, most_unpacked(len(packet.body), compression))
                    _add_events(rows, head, blocks, at, count, limit)
        except PackingError as error:
            problem = f"a packet cannot be decompressed, {error}", packet.at
        except (ValueError, struct.error) as error:
            problem = f"expected a packet of {packet.kind}, {error}", packet.at
        if problem is not batch.problem:
            rows.rewind(mark)
            break
        counts[packet.stream] = counts.get(packet.stream, 0) + count
    return Decoded(rows.columns(), counts, problem)


def _head(blocks: Iterator[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The first bytes, HEAD of them or all there are, and what comes with them."""
    parts, size = [], 0
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size >= HEAD:
            break
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.uint8), *parts])


def _add_events(
    rows: _Rows, head: NDArray[np.uint8], blocks: Iterator[NDArray[np.uint8]], at: int, count: int, limit: int
) -> None:
    """The `count` rows that begin at byte `at`; raises ValueError where they are not all there."""
    stop = at + ROW * count
    if stop > limit:
        raise ValueError(f"its {count} elements do not fit {limit} bytes")
    place, held = 0, np.empty(0, np.uint8)
    block: NDArray[np.uint8] | None = head
    while block is not None:
        part = block[max(0, at - place) : max(0, stop - place)]
        if len(held):
            part = np.concatenate([held, part])
        whole = len(part) // ROW
        rows.add(part, whole)
        held = part[ROW * whole :]  # a row that the border of two blocks divides
        place += len(block)
        if place > stop + TAIL:
            raise ValueError(f"its {count} elements end before its {place} bytes")
        block = next(blocks, None)
    if place < stop:
        raise ValueError(f"its {count} elements do not fit {place} bytes")


class _Rows:
    """Columns that grow piece by piece, with no more memory than there are events."""

    def __init__(self) -> None:
        self.pieces: list[tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]] = []
        self.total = 0
        self.places: list[tuple[int, int]] = []  # first event of a packet, place of the packet

    def mark(self) -> int:
        return self.total

    def rewind(self, mark: int) -> None:
        self.total = mark
        self.pieces = self.pieces[: -(-mark // PIECE)]

    def add(self, data: NDArray[np.uint8], count: int) -> None:
        from event_tools.kernels.aedat4 import unpack

        at = 0
        while at < count:
            filled = self.total % PIECE
            if not filled and self.total == PIECE * len(self.pieces):
                self.pieces.append(
                    (
                        np.empty(PIECE, np.int64),
                        np.empty(PIECE, np.uint16),
                        np.empty(PIECE, np.uint16),
                        np.empty(PIECE, np.uint8),
                    )
                )
            n = min(count - at, PIECE - filled)
            if unpack(data[ROW * at :], n, *self.pieces[-1], filled):
                raise ValueError("its events hold negative coordinates or polarities above 1")
            at, self.total = at + n, self.total + n

    def columns(self) -> list[Columns]:
        sizes = [min(PIECE, self.total - PIECE * i) for i in range(len(self.pieces))]
        return [
            Columns(*(column[:size] for column in piece), partial(_place, self.places, PIECE * i))
            for i, (piece, size) in enumerate(zip(self.pieces, sizes, strict=True))
        ]


def _place(places: list[tuple[int, int]], start: int, event: int) -> int:
    """The place of the packet that holds an event."""
    return places[bisect_right(places, start + event, key=lambda entry: entry[0]) - 1][1]
