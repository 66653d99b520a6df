"""AEDAT 2.0 of jAER: comment lines, then big-endian records of u32 address and i32 microseconds. Read only, for now.

DVS128 address: bit 0 polarity, bits 1-7 xf, bits 8-14 yf, bit 15 special (dropped). DAVIS: bit 31 APS (dropped),
bits 30-22 y from the bottom, 21-12 x, 11 polarity, 10 special (dropped).

Readers disagree about DVS128's axes and polarity, so the reading has a name:

    jaer          x = 127 - xf, y = 127 - yf, ON = bit 0 clear    (the chip class; the data sets' own readers)
    spikingjelly  x = 127 - yf, y = 127 - xf, ON = bit 0 clear    (the picture transposed)
    tonic         x = yf,       y = xf,       ON = bit 0 set
    raw           x = xf,       y = yf,       p = bit 0

Time is signed and wraps after 2147 s: only a step back of more than 2^31 us is a wrap. Source: jAER's DVS128 class.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.raw import RawEvents, damaged, load_bytes

SUFFIXES = (".aedat",)
MAGIC = b"#!AER-DAT2.0"
RECORD = 8
END_OF_HEADER = b"#End Of ASCII Header"
CONVENTIONS = ("jaer", "spikingjelly", "tonic", "raw")
DAVIS_SIZES = {"Davis346": (346, 260), "DAVIS346": (346, 260), "Davis240": (240, 180), "DAVIS240": (240, 180)}


def read_file(path: Path, tolerant: bool = False, convention: str = "jaer") -> RawEvents:
    """Read a recording under a named convention; raises EventFileError."""
    if convention not in CONVENTIONS:
        raise EventFileError(path, f"expected convention to be {', '.join(CONVENTIONS)}, got {convention!r}")
    data = load_bytes(path)
    at, chip = _header(data)
    extra = (len(data) - at) % RECORD
    if extra:
        damaged(path, f"expected records of {RECORD} bytes, the last one has {extra}", len(data) - extra, tolerant)
    records = np.frombuffer(data, ">u4", (len(data) - at - extra) // 4, at).reshape(-1, 2)
    address, t = records[:, 0].astype(np.uint32), _unwrapped(records[:, 1].astype(np.uint32).view(np.int32))
    size = next((size for name, size in DAVIS_SIZES.items() if name in chip), None)
    if size is not None:
        return _davis(address, t, size, convention)
    keep = (address & 0x8000) == 0
    address, t = address[keep], t[keep]
    bit, xf, yf = address & 1, address >> 1 & 127, address >> 8 & 127
    x, y, p = {
        "jaer": (127 - xf, 127 - yf, 1 - bit),
        "spikingjelly": (127 - yf, 127 - xf, 1 - bit),
        "tonic": (yf, xf, bit),
        "raw": (xf, yf, bit),
    }[convention]
    return RawEvents(t, x, y, p, sensor_size=(128, 128), version="2.0", provenance={"convention": convention})


def _davis(address: NDArray[np.uint32], t: NDArray[np.int64], size: tuple[int, int], convention: str) -> RawEvents:
    keep = (address & 0x80000400) == 0
    address, t = address[keep], t[keep]
    y_up, x, p = address >> 22 & 0x1FF, address >> 12 & 0x3FF, address >> 11 & 1
    y = y_up if convention == "raw" else np.maximum(size[1] - 1 - y_up.astype(np.int64), 0)
    return RawEvents(t, x, y, p, sensor_size=size, version="2.0", provenance={"convention": convention})


def _header(data: bytes) -> tuple[int, str]:
    """Where the records start, and the chip's name. A first record that begins with '#' ends nothing: jAER marks it."""
    at, chip = 0, ""
    while data[at : at + 1] == b"#":
        end = data.find(b"\n", at)
        if end < 0:
            break
        line = data[at:end].rstrip(b"\r")
        at = end + 1
        if line.startswith(b"# AEChip:"):
            chip = line.decode("latin-1").rsplit(".", 1)[-1].strip()
        if line.startswith(END_OF_HEADER):
            break
    return at, chip


def _unwrapped(t: NDArray[np.int32]) -> NDArray[np.int64]:
    wide = t.astype(np.int64)
    wraps = np.diff(wide, prepend=wide[:1]) < -(1 << 31)
    return wide + (np.cumsum(wraps) << 32)
