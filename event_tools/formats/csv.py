"""Events as text, .csv and .txt: one a line, four numbers or more, between commas, semicolons, tabs or spaces.

    t,x,y,p,time_unit=us,sensor_size=34x34
    654,12,30,1

The first line may name the columns in any order (spellings in `fields`), say key=value as above (or x@34,y@34, as faery
does), be "width height", or be missing: then the order is t x y p or what `convention` tells. Lines that begin with #
are comments, whose keys and names count as well before the first event. Times are microseconds, or seconds with
time_unit "s"; one with a point needs a unit. They are read digit by digit, not as floating point, and rounded to the
nearest microsecond, half to even. Polarities are 0 and 1, -1 and 1, False and True.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.blocks import BLOCK, file_size, in_order, read_at
from event_tools.formats.fields import NAMES, UNITS, named, ordered, refuse_mixture
from event_tools.formats.reader import Columns, Reader, Reading, damaged, one_of
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".csv", ".txt")
READS = frozenset({"time_unit", "convention"})
WRITES = frozenset({"time_unit"})
HEAD = 1 << 16  # bytes in which a first event has to be found
LINE = 8  # bytes of the shortest event
RENDERED = 48  # bytes of the longest one that we write
STEP = 1 << 15  # events that are written at a time
BETWEEN = re.compile(rb"[,;\s]+")
NUMBER = re.compile(rb"[-+]?[0-9.]+([eE][-+]?[0-9]+)?|true|false", re.IGNORECASE)
WRONG = {
    1: "expected {columns} values between commas or spaces",
    2: "expected a time of 64 bits",
    3: "expected x to be whole and from 0 to 65535",
    4: "expected y to be whole and from 0 to 65535",
    5: "expected a polarity of 0 or 1, -1 or 1, False or True",
    6: "its times have a point; say time_unit, us or s",
}


@dataclass
class _Head:
    """What the lines before the first event say; start: where that one begins."""

    places: dict[str, int] | None = None
    columns: int = 4
    sensor_size: tuple[int, int] | None = None
    time_unit: str | None = None
    start: int = 0


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """Lines of events; raises EventFileError for a head that does not name them, chunks for a line that is none."""
    return _CsvReader(file, path, reading)


class _CsvReader(Reader):
    def __init__(self, file: BinaryIO, path: Path, reading: Reading) -> None:
        self.file, self.path, self.tolerant, self.size = file, path, reading.tolerant, file_size(file)
        head = _head(read_at(file, 0, HEAD).tobytes(), path)
        super().__init__(sensor_size=head.sensor_size, capacity=(self.size - head.start + 1) // LINE)
        if reading.convention is not None:
            order = ordered(reading.convention, path)
            if head.places not in (None, order):
                raise EventFileError(path, "expected convention for text without named columns, this has them", 0)
            head.places = order
        places = head.places or ordered("txyp", path)
        unit = reading.time_unit or head.time_unit
        if unit is not None:
            one_of(path, "time_unit", unit, UNITS)
        self.start, self.columns, self.unit = head.start, head.columns, unit
        self.long_line: int | None = None
        self.places = np.array([places[column] for column in "txyp"], np.int64)

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        seen, self.long_line = 0, None
        for columns, wrong, at, more in in_order(self._parsed, self._blocks()):
            seen |= more
            refuse_mixture(self.path, seen)
            yield columns
            if wrong:
                line = read_at(self.file, at, 40).tobytes().split(b"\n")[0]
                reason = f"{WRONG[wrong].format(columns=self.columns)}, got {line.decode('latin1')!a}"
                damaged(self.path, reason, at, self.tolerant)
                return
        if self.long_line is not None:
            damaged(self.path, f"expected lines of up to {HEAD} bytes, got more", self.long_line, self.tolerant)

    def _blocks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """(place, bytes) of whole lines."""
        at = self.start
        while at < self.size:
            data = read_at(self.file, at, min(BLOCK, self.size - at))
            if len(data) < min(BLOCK, self.size - at):  # a line that is cut may look like a whole one
                reason = f"expected {self.size} bytes, it became shorter while it was read"
                raise EventFileError(self.path, reason, at + len(data))
            if at + len(data) < self.size:
                ends = np.flatnonzero(data[-HEAD:] == 10)
                if not len(ends):  # what follows the cut may look like an event, even in a comment
                    ends = np.flatnonzero(data == 10)
                    whole = int(ends[-1]) + 1 if len(ends) else 0
                    self.long_line = at + whole
                    yield at, data[:whole]
                    return
                data = data[: len(data) - min(HEAD, len(data)) + int(ends[-1]) + 1]
            yield at, data
            at += len(data)

    def _parsed(self, block: tuple[int, NDArray[np.uint8]]) -> tuple[Columns, int, int, int]:
        """Events, what is wrong with the line after them, where in the file, and the polarities seen."""
        from event_tools.kernels.text import parse

        at, data = block
        n = (len(data) + 1) // LINE + 1
        t, x, y, p = np.empty(n, np.int64), np.empty(n, np.uint16), np.empty(n, np.uint16), np.empty(n, np.uint8)
        begins = np.empty(n, np.int32)
        shift = 6 if self.unit == "s" else 0
        kept, wrong, place, seen = parse(
            data, self.columns, self.places, shift, self.unit is not None, t, x, y, p, begins
        )
        columns = Columns(t[:kept], x[:kept], y[:kept], p[:kept], lambda event: at + int(begins[event]))
        return columns, wrong, at + place, seen


def _head(data: bytes, path: Path) -> _Head:
    """The lines before the first event; raises EventFileError where they name other columns."""
    head = _Head()
    at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    while at < len(data):
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end
        line, after = data[at:stop].strip(), stop + 1
        comment = line.startswith(b"#")
        words = [word for word in BETWEEN.split(line.lstrip(b"#")) if word]
        names = [word.partition(b"@")[0].decode("latin1") for word in words if b"=" not in word]
        if comment or not words:
            _keys(words, head, path, at)
            if {name.lower() for name in names} & set(NAMES["t"]) and _all_named(names):
                head.places, head.columns = named(names, path, at), len(names)
        elif all(NUMBER.fullmatch(word) for word in words):
            size = _pair(words)
            if size is None or head.places is not None:
                if head.places is None:
                    head.columns = len(words)
                    if len(words) != 4:
                        reason = f"expected four values a line where none are named, got {len(words)}"
                        raise EventFileError(path, reason, at)
                head.start = at
                return head
            head.sensor_size = size
        else:
            _keys(words, head, path, at)
            head.places, head.columns = named(names, path, at), len(names)
        at = after
    head.start = min(at, len(data))
    if len(data) == HEAD:
        raise EventFileError(path, f"expected an event within {HEAD} bytes, found none", 0)
    return head


def _all_named(names: list[str]) -> bool:
    return all(sum(name.lower() in spellings for name in names) == 1 for spellings in NAMES.values())


def _pair(words: list[bytes]) -> tuple[int, int] | None:
    if len(words) != 2 or not all(word.isdigit() and 0 < int(word[:6]) <= 65536 for word in words):
        return None
    return int(words[0]), int(words[1])


def _keys(words: list[bytes], head: _Head, path: Path, at: int) -> None:
    """time_unit=... and sensor_size=...x... among the words of a line, or x@... and y@..., as faery writes them."""
    for word in words:
        key, _, value = word.partition(b"=")
        if key == b"time_unit":
            head.time_unit = value.decode("latin1")
            if head.time_unit not in UNITS:
                raise EventFileError(path, f"expected time_unit=us or s, got {head.time_unit[:20]!a}", at)
        elif key == b"sensor_size":
            head.sensor_size = _pair(value.split(b"x"))
            if head.sensor_size is None:
                told = value[:20].decode("latin1")
                raise EventFileError(path, f"expected sensor_size=(width)x(height), got {told!a}", at)
    sides = [word[2:] for word in sorted(words) if word[:2] in (b"x@", b"y@")]
    head.sensor_size = _pair(sides) or head.sensor_size


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """Lines of t, x, y, p under a line that names them, the unit and the sensor; commas in .csv, else spaces."""
    unit = one_of(path, "time_unit", writing.time_unit, UNITS)
    between = "," if path.suffix.lower() == ".csv" else " "
    keys = f"time_unit={unit}", f"sensor_size={sensor_size[0]}x{sensor_size[1]}"
    file.write(f"{between.join(('t', 'x', 'y', 'p', *keys))}\n".encode())
    return _CsvWriter(file, unit == "s", ord(between))


class _CsvWriter(Writer):
    def __init__(self, file: BinaryIO, seconds: bool, between: int) -> None:
        self.file, self.seconds, self.between = file, seconds, between

    def add(self, events: Events) -> None:
        for part in in_order(partial(self._rendered, events), range(0, len(events), STEP)):
            self.file.write(part)

    def _rendered(self, events: Events, start: int) -> NDArray[np.uint8]:
        from event_tools.kernels.text import render

        part = events[start : start + STEP]
        data = np.empty(RENDERED * len(part), np.uint8)
        return data[: render(part.t, part.x, part.y, part.p, self.seconds, self.between, data)]
