"""AEDAT 2.0 of jAER: comment lines, then big-endian records of u32 address and i32 microseconds. Read only.

DVS128 address: bit 0 polarity, bits 1-7 xf, bits 8-14 yf, bit 15 special (dropped).
Readers disagree about DVS128's axes and polarity, so the reading has a name:

    jaer          x = 127 - xf, y = 127 - yf, ON = bit 0 clear    (the chip's class in jAER)
    spikingjelly  x = 127 - yf, y = 127 - xf, ON = bit 0 clear    (the same picture transposed)
    tonic         x = yf,       y = xf,       ON = bit 0 set
    raw           x = xf,       y = yf,       p = bit 0

DAVIS address: bit 31 frame sample (dropped), bits 30-22 y from the bottom, 21-12 xf, 11 polarity (1 = ON), 10 special
(dropped); jaer: x = width - 1 - xf, raw: x = xf with y from the bottom.
Time is signed and wraps after 2147 s: only a step back of more than 2^31 us is a wrap. Source: jAER's DVS128,
DavisChip and AEFileInputStream classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.raw import RawEvents, WholeReader
from event_tools.formats.reader import damaged

SUFFIXES = (".aedat",)
MAGIC = b"#!AER-DAT2.0"
RECORD = 8
END_OF_HEADER = b"#End Of ASCII Header"
CONVENTIONS = ("jaer", "spikingjelly", "tonic", "raw")
DVS128 = ("dvs128", "tmpdiff128")
DAVIS_SIZES = {"davis346": (346, 260), "davis240": (240, 180)}


def decode(data: bytes, path: Path, tolerant: bool = False, convention: str = "jaer") -> RawEvents:
    """Columns of the recording in `data` under a named convention; raises EventFileError."""
    if convention not in CONVENTIONS:
        raise EventFileError(path, f"expected convention to be {', '.join(CONVENTIONS)}, got {convention!r}")
    if not data.startswith(MAGIC):
        raise EventFileError(path, f"expected a header of AEDAT 2.0, it begins with {data[:12]!r}", 0)
    try:
        at, chip = _header(data)
    except ValueError as error:
        raise EventFileError(path, str(error), len(data)) from None
    extra = (len(data) - at) % RECORD
    if extra:
        damaged(path, f"expected records of {RECORD} bytes, the last one has {extra}", len(data) - extra, tolerant)
    records = np.frombuffer(data, ">u4", (len(data) - at - extra) // 4, at).reshape(-1, 2)
    address, t = records[:, 0].astype(np.uint32), _unwrapped(records[:, 1].astype(np.uint32).view(np.int32))
    davis = next((size for name, size in DAVIS_SIZES.items() if name in chip.lower()), None)
    if davis is None:
        _check_dvs128(address, chip, path, at)
        size, kept = (128, 128), np.flatnonzero((address & 0x8000) == 0)
        x, y, p = _dvs128(address[kept], convention)
    else:
        size, kept = davis, np.flatnonzero((address & 0x80000400) == 0)
        x, y, p = _davis(address[kept], size, convention, path)
    told = {"convention": convention} | ({"chip": chip} if chip else {})
    return RawEvents(
        t[kept], x, y, p, sensor_size=size, version="2.0", provenance=told, byte_of=lambda i: at + RECORD * int(kept[i])
    )


def _check_dvs128(address: NDArray[np.uint32], chip: str, path: Path, at: int) -> None:
    if chip and not any(name in chip.lower() for name in DVS128):
        raise EventFileError(
            path, f"expected a recording of a DVS128, DAVIS240 or DAVIS346, its chip is {chip}; it is not read yet"
        )
    wide = address > 0xFFFF
    if wide.any():
        first = at + RECORD * int(np.argmax(wide))
        raise EventFileError(
            path, f"expected addresses of 16 bits (DVS128), got {address.max():#x}; name the chip in the header", first
        )


def _dvs128(address: NDArray[np.uint32], convention: str) -> tuple[NDArray[np.uint32], ...]:
    bit, xf, yf = address & 1, address >> 1 & 127, address >> 8 & 127
    if convention == "jaer":
        return 127 - xf, 127 - yf, 1 - bit
    if convention == "spikingjelly":
        return 127 - yf, 127 - xf, 1 - bit
    return (yf, xf, bit) if convention == "tonic" else (xf, yf, bit)


def _davis(
    address: NDArray[np.uint32], size: tuple[int, int], convention: str, path: Path
) -> tuple[NDArray[np.int64], ...]:
    if convention not in ("jaer", "raw"):
        raise EventFileError(path, f"expected convention jaer or raw for a DAVIS recording, got {convention!r}")
    width, height = size
    xf, yf, p = (address >> shift & mask for shift, mask in ((12, 0x3FF), (22, 0x1FF), (11, 1)))
    if len(address) and (xf.max() >= width or yf.max() >= height):
        raise EventFileError(
            path, f"expected events within {width}x{height}, got x up to {xf.max()} and y up to {yf.max()}"
        )
    return (xf, yf, p) if convention == "raw" else (width - 1 - xf, height - 1 - yf, p)


def _header(data: bytes) -> tuple[int, str]:
    """Where the records start, and the chip's class; a comment line without an end is ValueError.

    jAER's last comment line ends the header, so that a first record may begin with '#'.
    """
    at, chip = 0, ""
    while data[at : at + 1] == b"#":
        end = data.find(b"\n", at)
        if end < 0:
            raise ValueError(f"expected the end of a comment line, the file ends after {len(data) - at} bytes of it")
        line = data[at:end].rstrip(b"\r")
        at = end + 1
        if line.startswith(b"# AEChip:"):
            chip = line.decode("latin-1").partition(":")[2].strip().rsplit(".", 1)[-1]
        if line.startswith(END_OF_HEADER):
            break
    return at, chip


def _unwrapped(t: NDArray[np.int32]) -> NDArray[np.int64]:
    wide = t.astype(np.int64)
    wraps = np.diff(wide, prepend=wide[:1]) < -(1 << 31)
    return wide + (np.cumsum(wraps) << 32)


READS = frozenset({"convention"}) if True else frozenset()
WRITES = frozenset({}) if False else frozenset()


def matches(head):
    return head.startswith(MAGIC)


def open_reader(file, path, reading):
    file.seek(0)
    data = file.read()
    return WholeReader(decode(data, path, reading.tolerant, reading.convention or "jaer"))
