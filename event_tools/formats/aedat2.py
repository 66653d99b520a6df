"""AEDAT 2.0 of jAER: comment lines, then big-endian records of u32 address and i32 microseconds.

DVS128 address: bit 0 polarity, bits 1-7 xf, bits 8-14 yf, bit 15 special (dropped).
DAVIS address: bit 31 frame sample (dropped), bits 30-22 yf, 21-12 xf, 11 polarity, 10 special (dropped).
Tools disagree about axes and polarity, so the reading has a name, which a file does not tell:

    jaer          x = width - 1 - xf, y = height - 1 - yf; DVS128: ON = bit clear, DAVIS: ON = bit set
    spikingjelly  x = 127 - yf,       y = 127 - xf,        ON = bit clear    (the same picture transposed; DVS128)
    tonic         x = yf,             y = xf,              ON = bit set      (DVS128)
    raw           x = xf,             y = yf,              p = bit

A file that names no chip is of a DVS128, unless `camera` says otherwise. Written is the smallest camera on which the
sensor fits; a smaller sensor stands in a comment of ours, which only the jaer convention can keep.
Time is signed and wraps after 2147 s: a step back of more than 2^31 us is a wrap of 2^32 us, so a silence that makes
it ambiguous is not written, nor a first event beyond 32 bits. Source: jAER's DVS128, DavisChip and AEFileInputStream;
docs.inivation.com, "AEDAT 2.0".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.blocks import BLOCK, file_size, in_order, record_blocks
from event_tools.formats.comment_lines import comment_lines, size_in_line, size_line
from event_tools.formats.reader import Columns, Reader, Reading, damaged, one_of
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".aedat",)
READS = frozenset({"convention", "camera"})
WRITES = frozenset({"convention", "camera"})
MAGIC = b"#!AER-DAT2.0"
RECORD = 8
CHIP_LINE = b"# AEChip:"
END_OF_HEADER = b"#End Of ASCII Header"
CONVENTIONS = {"jaer": (False, True), "spikingjelly": (True, True), "tonic": (True, False), "raw": (False, False)}
FIRST_LIMIT = 1 << 31
# Every reader we know accepts these lines as they are; the time is a fixed one, so that equal input gives equal bytes.
HEADER = (
    b"#!AER-DAT2.0",
    b"# This is a raw AE data file - do not edit",
    b"# Data format is int32 address, int32 timestamp (8 bytes total), repeated for each event",
    b"# Timestamps tick is 1 us",
    b"# Creation time: System.currentTimeMillis() 0",
)


@dataclass(frozen=True)
class Camera:
    """sensor_size: (width, height); davis: which address layout; dropped: address bits of what is no event."""

    chip: str
    sensor_size: tuple[int, int]
    davis: bool
    dropped: int


CAMERAS = {
    "dvs128": Camera("ch.unizh.ini.jaer.chip.retina.DVS128", (128, 128), False, 0x8000),
    "davis240": Camera("eu.seebetter.ini.chips.davis.DAVIS240C", (240, 180), True, 0x80000400),
    "davis346": Camera("eu.seebetter.ini.chips.davis.Davis346red", (346, 260), True, 0x80000400),
}
CHIPS = {"dvs128": "dvs128", "tmpdiff128": "dvs128", "davis240": "davis240", "davis346": "davis346"}


def matches(head: bytes) -> bool:
    """Whether a file begins as AEDAT 2.0."""
    return head.startswith(MAGIC)


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """A recording of whole records; raises EventFileError for a chip that is not known."""
    convention = one_of(path, "convention", reading.convention, tuple(CONVENTIONS))
    at, chip, size = _header(file, path)
    named = next((camera for part, camera in CHIPS.items() if part in chip.lower()), None)
    if reading.camera is None and chip and named is None:
        known = "a DVS128, DAVIS240 or DAVIS346"
        raise EventFileError(
            path, f"expected a recording of {known}, its chip is {chip}; it is not read yet, camera says how to try"
        )
    name = one_of(path, "camera", reading.camera or named, tuple(CAMERAS))
    camera = CAMERAS[name]
    turns = _turns(path, camera, convention)
    width, height = camera.sensor_size
    if size is None or convention != "jaer" or size[0] > width or size[1] > height:
        size = camera.sensor_size
    told = {"convention": convention} | ({"chip": chip} if chip else {})
    return _Aedat2Reader(file, path, at, camera, turns, size, told, reading.tolerant)


class _Aedat2Reader(Reader):
    def __init__(
        self,
        file: BinaryIO,
        path: Path,
        start: int,
        camera: Camera,
        turns: tuple[bool, bool, bool],
        sensor_size: tuple[int, int],
        told: dict[str, str],
        tolerant: bool,
    ) -> None:
        self.size = file_size(file)
        capacity = (self.size - start) // RECORD
        super().__init__(version="2.0", sensor_size=sensor_size, capacity=capacity, provenance=dict(told))
        self.file, self.path, self.start, self.tolerant = file, path, start, tolerant
        self.camera, self.turns = camera, turns

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        extra = (self.size - self.start) % RECORD
        blocks = record_blocks(self.file, self.path, self.start, self.size - extra, RECORD)
        shift, last = 0, None
        for at, data, columns, bad, wraps, ends in in_order(partial(_decoded, self.camera, self.turns), blocks):
            if last is not None and ends[0] - last < -(1 << 31):
                shift += 1 << 32
            if shift:
                columns.t[:] += shift
            shift, last = shift + (wraps << 32), ends[1]
            yield columns
            if bad >= 0:
                damaged(self.path, self._bad_address(data, bad), at + RECORD * bad, self.tolerant)
                return
        if extra:
            reason = f"expected records of {RECORD} bytes, the last one has {extra}"
            damaged(self.path, reason, self.size - extra, self.tolerant)

    def _bad_address(self, data: NDArray[np.uint8], record: int) -> str:
        address = int.from_bytes(data[RECORD * record : RECORD * record + 4].tobytes(), "big")
        if not self.camera.davis:
            return f"expected addresses of 16 bits (DVS128), got {address:#x}; say camera if it is another"
        width, height = self.camera.sensor_size
        place = f"({address >> 12 & 0x3FF}, {address >> 22 & 0x1FF})"
        reason = f"expected events within {width}x{height}, got address {address:#x} at {place}"
        return f"{reason}; say camera if it is another"


def _decoded(
    camera: Camera, turns: tuple[bool, bool, bool], block: tuple[int, NDArray[np.uint8]]
) -> tuple[int, NDArray[np.uint8], Columns, int, int, tuple[int, int]]:
    from event_tools.kernels.aedat2 import unpack

    at, data = block
    n = len(data) // RECORD
    t, x, y, p = np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint8)
    kept, bad, wraps, *ends = unpack(data, camera.davis, *camera.sensor_size, *turns, t, x, y, p)
    place = partial(_byte_of, at, data, camera.dropped)
    return at, data, Columns(t[:kept], x[:kept], y[:kept], p[:kept], place), bad, wraps, (ends[0], ends[1])


def _byte_of(at: int, data: NDArray[np.uint8], dropped: int, event: int) -> int:
    return at + RECORD * int(np.flatnonzero((data.view(">u4")[::2] & np.uint32(dropped)) == 0)[event])


def _header(file: BinaryIO, path: Path) -> tuple[int, str, tuple[int, int] | None]:
    """Where the records start, the chip's class, and the sensor's size where the file says another than the chip's.

    jAER's last comment line ends the header, so that a first record may begin with '#'.
    """
    at, chip, size = 0, "", None
    for at, line in comment_lines(file, path):  # noqa: B007
        if line.startswith(CHIP_LINE):
            chip = line.removeprefix(CHIP_LINE).decode("latin-1").strip().rsplit(".", 1)[-1]
        size = size_in_line(line) or size
        if line.startswith(END_OF_HEADER):
            break
    if at == 0:
        file.seek(0)
        raise EventFileError(path, f"expected a header of AEDAT 2.0, it begins with {file.read(12)!r}", 0)
    return at, chip, size


def _turns(path: Path, camera: Camera, convention: str) -> tuple[bool, bool, bool]:
    """Axes swapped, axes counted from the other end, polarity inverted."""
    if camera.davis and convention not in ("jaer", "raw"):
        raise EventFileError(path, f"expected convention jaer or raw for a DAVIS recording, got {convention!r}")
    swap, mirror = CONVENTIONS[convention]
    return swap, mirror, mirror and not camera.davis


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer for a camera on which the sensor fits; raises EventFileError where it does not."""
    convention = one_of(path, "convention", writing.convention, tuple(CONVENTIONS))
    wide, high = sensor_size
    fitting = [name for name, c in CAMERAS.items() if wide <= c.sensor_size[0] and high <= c.sensor_size[1]]
    name = one_of(path, "camera", writing.camera or next(iter(fitting), None), tuple(CAMERAS))
    if name not in fitting:
        limits = ", ".join(f"{key} {c.sensor_size[0]}x{c.sensor_size[1]}" for key, c in CAMERAS.items())
        raise EventFileError(path, f"expected a sensor that fits a camera ({limits}), got {wide}x{high}; crop it")
    camera = CAMERAS[name]
    lines = [*HEADER, CHIP_LINE + b" " + camera.chip.encode()]
    if sensor_size != camera.sensor_size and convention == "jaer":
        lines.append(size_line(sensor_size))
    turns = _turns(path, camera, convention)
    file.write(b"".join(line + b"\r\n" for line in (*lines, END_OF_HEADER)))
    return _Aedat2Writer(file, path, camera, turns)


class _Aedat2Writer(Writer):
    def __init__(self, file: BinaryIO, path: Path, camera: Camera, turns: tuple[bool, bool, bool]) -> None:
        self.file, self.path, self.camera, self.turns = file, path, camera, turns
        self.last: int | None = None

    def add(self, events: Events) -> None:
        if not len(events):
            return
        first = int(events.t[0])
        if self.last is None and not -FIRST_LIMIT <= first < FIRST_LIMIT:
            reason = f"AEDAT 2.0 begins within {-FIRST_LIMIT} to {FIRST_LIMIT - 1} us, the first event is at {first} us"
            raise EventFileError(self.path, f"{reason}; shift the times")
        before = first if self.last is None else self.last
        step = BLOCK // RECORD
        encode = partial(_encoded, self.camera, self.turns, events, before, step)
        for start, data, bad in in_order(encode, range(0, len(events), step)):
            if bad >= 0:
                at = start + bad
                silence = int(events.t[at]) - (int(events.t[at - 1]) if at else before)
                raise EventFileError(
                    self.path, f"AEDAT 2.0 cannot tell a silence of {silence} us before {events.t[at]} us; cut it there"
                )
            self.file.write(data)
        self.last = int(events.t[-1])


def _encoded(
    camera: Camera, turns: tuple[bool, bool, bool], events: Events, before: int, step: int, start: int
) -> tuple[int, NDArray[np.uint8], int]:
    from event_tools.kernels.aedat2 import pack

    part = slice(start, start + step)
    data = np.empty(RECORD * len(events.t[part]), np.uint8)
    before = int(events.t[start - 1]) if start else before
    columns = events.t[part], events.x[part], events.y[part], events.p[part]
    return start, data, pack(*columns, before, camera.davis, *camera.sensor_size, *turns, data)
