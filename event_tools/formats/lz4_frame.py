"""LZ4 frames, block by block, with every checksum they carry looked at.

    magic u32 | flags | block size | [content size u64] | [dictionary id u32] | header checksum
    blocks: u32 size (bit 31: stored as it is), data, [xxHash32 of the data]    | u32 0 | [xxHash32 of the content]

The frame functions of the lz4 package hold the interpreter's lock while they unpack, its block functions do not.
Source: lz4/lz4, doc/lz4_Frame_format.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x184D2204
BLOCK_SIZES = {4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22}
HISTORY = 1 << 16  # bytes that a block may refer back to
STORED = 1 << 31
RATIO = 255  # more than LZ4 can gain on any data


def unpacked(frame: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The blocks of one frame, unpacked; the frame is known to be whole and right when they are exhausted.

    Raises ValueError for a frame that is cut, altered or followed by other bytes.
    """
    from event_tools.kernels.xxhash32 import xxhash32

    try:
        largest, linked, block_sums, size, content_sum, at = _header(frame)
        content = _Sum() if content_sum else None
        total, history = 0, b""
        while length := _number(frame, at, "<I"):
            data = frame[at + 4 : at + 4 + (length & ~STORED)]
            at += 4 + len(data)
            if len(data) != length & ~STORED or len(data) > largest:
                raise ValueError("a block is cut short or too large")
            if block_sums:
                if _number(frame, at, "<I") != xxhash32(data):
                    raise ValueError("a block's checksum is another")
                at += 4
            out = data.tobytes() if length & STORED else _block(data, largest, history)
            total += len(out)
            if linked:
                history = out if len(out) >= HISTORY else (history + out)[-HISTORY:]
            block = np.frombuffer(out, np.uint8)
            if content is not None:
                content.add(block)
            yield block
        at += 4
        if content is not None:
            if _number(frame, at, "<I") != content.value():
                raise ValueError("its checksum is another")
            at += 4
    except struct.error:
        raise ValueError("its frame is cut short") from None
    if size is not None and total != size:
        raise ValueError(f"it holds {total} bytes where it says {size}")
    if at != len(frame):
        raise ValueError(f"its frame ends {len(frame) - at} bytes early")


def _header(frame: NDArray[np.uint8]) -> tuple[int, bool, bool, int | None, bool, int]:
    """(largest block, linked, block checksums, content size, content checksum, where blocks begin)."""
    from event_tools.kernels.xxhash32 import xxhash32

    if _number(frame, 0, "<I") != MAGIC:
        raise ValueError(f"its frame begins with {frame[:4].tobytes()!r}")
    flags, sizes = _number(frame, 4, "B"), _number(frame, 5, "B")
    at = 6
    size = None
    if flags & 0x08:
        size = _number(frame, at, "<Q")
        at += 8
    if _number(frame, at, "B") != xxhash32(frame[4:at]) >> 8 & 0xFF:
        raise ValueError("its frame's header is damaged")
    if flags >> 6 != 1 or flags & 0x03 or sizes & 0x8F or sizes >> 4 not in BLOCK_SIZES:
        raise ValueError(f"its frame has flags {flags:#x} and {sizes:#x}, which are not known")
    return BLOCK_SIZES[sizes >> 4], not flags & 0x20, bool(flags & 0x10), size, bool(flags & 0x04), at + 1


def _number(frame: NDArray[np.uint8], at: int, kind: str) -> int:
    value: int = struct.unpack_from(kind, frame, at)[0]
    return value


def _block(data: NDArray[np.uint8], largest: int, history: bytes) -> bytes:
    import lz4.block

    options: dict[str, Any] = {"dict": history} if history else {}
    try:
        return bytes(lz4.block.decompress(data, uncompressed_size=largest, **options))
    except lz4.block.LZ4BlockError as error:
        raise ValueError(str(error)) from None


class _Sum:
    """xxHash32 of content that comes in blocks."""

    def __init__(self) -> None:
        from event_tools.kernels.xxhash32 import start

        self.lanes, self.total, self.rest = start(), 0, np.empty(0, np.uint8)

    def add(self, block: NDArray[np.uint8]) -> None:
        from event_tools.kernels.xxhash32 import add_stripes

        self.total += len(block)
        if len(self.rest):
            block = np.concatenate([self.rest, block])
        self.rest = block[add_stripes(self.lanes, block) :]

    def value(self) -> int:
        from event_tools.kernels.xxhash32 import finish

        return int(finish(self.lanes, self.total, self.rest))
