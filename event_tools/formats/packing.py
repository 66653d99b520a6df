"""How AEDAT 4 packs a packet: not at all, as an LZ4 frame, or as a ZSTD frame; unpacked in blocks of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.formats import lz4_frame

NUMBERS = {"lz4": 1, "none": 0, "zstd": 3}  # as they are written; 2 and 4 are the same formats packed harder
ZSTD_RATIO = 1 << 15  # a block of 128 KiB takes four bytes at least
ZSTD_WHOLE = 1 << 20  # a frame of up to so many bytes is unpacked in one go
ZSTD_STEP = 1 << 8  # packed bytes that give at most 8 MiB
MAX_WINDOW = 1 << 25


class PackingError(ValueError):
    """A packet that cannot be unpacked."""


def packed(body: NDArray[np.uint8], compression: str) -> bytes | NDArray[np.uint8]:
    """A packet's body as it is stored; LZ4 and ZSTD frames carry a checksum."""
    if compression == "none":
        return body
    if compression == "zstd":
        return bytes(zstandard().ZstdCompressor(write_checksum=True).compress(body))
    import lz4.frame

    return bytes(lz4.frame.compress(body, content_checksum=True))


def unpacked(body: NDArray[np.uint8], number: int) -> Iterator[NDArray[np.uint8]]:
    """The blocks of a stored body, packed as the header's `number` says; raises PackingError."""
    if number == 0:
        yield body
        return
    try:
        yield from lz4_frame.unpacked(body) if number in (1, 2) else _unpacked_zstd(body)
    except ValueError as error:
        raise PackingError(str(error)) from None


def most_unpacked(size: int, number: int) -> int:
    """More bytes than `size` packed ones can give."""
    return size * (1, lz4_frame.RATIO, lz4_frame.RATIO, ZSTD_RATIO, ZSTD_RATIO)[number]


def zstandard() -> Any:
    """The optional package."""
    try:
        import zstandard
    except ImportError as error:
        raise ImportError("AEDAT 4 with ZSTD needs zstandard: pip install zstandard") from error
    return zstandard


def _unpacked_zstd(body: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    zstd = zstandard()
    try:
        unpacker = zstd.ZstdDecompressor(max_window_size=MAX_WINDOW)
        if 0 < zstd.get_frame_parameters(body).content_size <= ZSTD_WHOLE:
            yield np.frombuffer(unpacker.decompress(body, allow_extra_data=False), np.uint8)
            return
        stream = unpacker.decompressobj()
        for at in range(0, len(body), ZSTD_STEP):
            if stream.eof:
                raise ValueError("its frame ends early")
            if block := stream.decompress(body[at : at + ZSTD_STEP]):
                yield np.frombuffer(block, np.uint8)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from None
    if not stream.eof or stream.unused_data:
        raise ValueError("its frame is cut short or ends early")
