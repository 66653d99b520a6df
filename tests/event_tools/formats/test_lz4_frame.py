"""LZ4 frames unpacked block by block: what lz4 packs in every way it has, published hashes, and every altered byte."""

from __future__ import annotations

from typing import Any

import lz4.block
import lz4.frame
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools.formats.lz4_frame import unpacked
from event_tools.kernels.xxhash32 import xxhash32

WAYS: list[dict[str, Any]] = [
    {},
    {"block_linked": False},
    {"block_size": 5, "content_checksum": True},
    {"block_size": 7, "block_checksum": True},
    {"store_size": False, "content_checksum": True, "block_checksum": True},
    {"compression_level": 9, "block_size": 6},
]


def whole(frame: bytes) -> bytes:
    return b"".join(block.tobytes() for block in unpacked(np.frombuffer(frame, np.uint8)))


def head(flags: int, sizes: int, rest: bytes = b"") -> bytes:
    """The header of a frame, with its checksum."""
    told = bytes([flags, sizes]) + rest
    return b"\x04\x22\x4d\x18" + told + bytes([xxhash32(np.frombuffer(told, np.uint8)) >> 8 & 0xFF])


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0x02CC5D05), (b"a", 0x550D7456), (b"Nobody inspects the spammish repetition", 0xE2293B2F)],
)
def test_published_hashes(data: bytes, value: int) -> None:
    assert xxhash32(np.frombuffer(data, np.uint8)) == value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [0, 1, 15, 65535, 65537, 200_000])
def test_what_lz4_packs_is_unpacked(way: dict[str, Any], size: int) -> None:
    rng = np.random.default_rng(size)
    for data in (rng.bytes(size), rng.integers(0, 3, size, np.uint8).tobytes(), bytes(size)):
        assert whole(lz4.frame.compress(data, **way)) == data


def test_blocks_of_the_largest_size_are_unpacked() -> None:
    data = np.random.default_rng(0).integers(0, 200, (1 << 22) + 5, np.uint8).tobytes()
    assert whole(lz4.frame.compress(data, block_size=7, content_checksum=True)) == data


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=8), st.booleans())
def test_blocks_of_any_size_refer_back_to_each_other(parts: list[bytes], linked: bool) -> None:
    with lz4.frame.LZ4FrameCompressor(block_linked=linked, content_checksum=True, auto_flush=True) as packer:
        frame = packer.begin() + b"".join(packer.compress(part) for part in parts * 2) + packer.flush()
    assert whole(frame) == b"".join(parts * 2)


def test_small_blocks_refer_back_over_64_kib() -> None:
    data = np.random.default_rng(1).bytes(60_000) * 3
    frame = head(0x40, 0x40)
    for at in range(0, len(data), 1_000):
        history = data[max(0, at - 65_536) : at]
        block = lz4.block.compress(data[at : at + 1_000], store_size=False, **({"dict": history} if history else {}))
        frame += len(block).to_bytes(4, "little") + block
    assert len(frame) < 120_000
    assert whole(frame + bytes(4)) == data


def test_a_stored_block_larger_than_the_frame_says_is_refused() -> None:
    frame = lz4.frame.compress(np.random.default_rng(1).bytes(70_000), store_size=False, block_size=5)
    with pytest.raises(ValueError, match="a block is cut short or too large"):
        whole(head(frame[4], 0x40) + frame[7:])


@pytest.mark.parametrize("sums", [{"content_checksum": True}, {"block_checksum": True}])
def test_every_altered_byte_and_every_cut_is_noticed(sums: dict[str, bool]) -> None:
    data = bytes(range(64)) * 3
    frame = lz4.frame.compress(data, **sums)
    for place in range(len(frame)):
        altered = frame[:place] + bytes([frame[place] ^ 0x10]) + frame[place + 1 :]
        for damaged in (altered, frame[:place]):
            with pytest.raises(ValueError, match=r"\w"):
                whole(damaged)


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (b"", "its frame is cut short"),
        (b"\x02\x21\x4c\x18" + bytes(20), "its frame begins with"),  # the older format
        (b"\x50\x2a\x4d\x18" + bytes(20), "its frame begins with"),  # a frame that is to be skipped
        (lz4.frame.compress(b"abc") + b"\0", "its frame ends 1 bytes early"),
        (lz4.frame.compress(b"abc") * 2, "its frame ends 26 bytes early"),
    ],
)
def test_what_is_no_single_frame_is_refused(frame: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        whole(frame)


def test_flags_that_are_not_known_and_a_wrong_size_are_refused() -> None:
    def frame(flags: int, sizes: int, rest: bytes = b"") -> bytes:
        return head(flags, sizes, rest) + b"\x01\0\0\x80a" + bytes(4)

    assert whole(frame(0x40, 0x40)) == b"a"
    assert whole(frame(0x48, 0x40, (1).to_bytes(8, "little"))) == b"a"
    with pytest.raises(ValueError, match="it holds 1 bytes where it says 2"):
        whole(frame(0x48, 0x40, (2).to_bytes(8, "little")))
    for flags, sizes in ((0x80, 0x40), (0x42, 0x40), (0x41, 0x40), (0x40, 0x30), (0x40, 0x41), (0x40, 0xC0)):
        with pytest.raises(ValueError, match="flags"):
            whole(frame(flags, sizes))
