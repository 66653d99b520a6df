"""Read, walk, write and describe recordings: the format by content, then by suffix; the sensor's size by evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from operator import index
from pathlib import Path
from typing import Any, Literal, SupportsIndex

from event_tools.atomic import appearing
from event_tools.describing import FileInfo, describe
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.finding import FORMATS, WRITERS, WRITTEN, open_reader, opened, refuse_options
from event_tools.formats.reader import Reader, Reading
from event_tools.formats.writer import Writing
from event_tools.parts import by_count, by_time
from event_tools.provenance import plain_provenance
from event_tools.settling import Check, fitting_size, known_size, settle, walk


def read(
    path: str | Path,
    format: str | None = None,
    start_us: int | None = None,
    stop_us: int | None = None,
    *,
    sensor_size: tuple[int, int] | None = None,
    tolerant: bool = False,
    order: Literal["refuse", "sort"] = "refuse",
    convention: str | None = None,
    camera: str | None = None,
    time_unit: str | None = None,
    endianness: str | None = None,
    member: str | int | None = None,
) -> Events:
    """Read a recording.

    format: one of `finding.FORMATS`; None asks the content, then the suffix. start_us, stop_us keep
    start_us <= t < stop_us. tolerant keeps what precedes a damage and warns. order="sort" sorts times that decrease
    (stable), otherwise they are refused. convention: how axes and polarity of AEDAT 2.0 are meant, see
    `formats.aedat2`; of text and plain arrays the order of columns, such as "txyp". camera: the chip of an AEDAT 2.0
    file that does not name it. time_unit: "us" or "s" for text and arrays that do not say. endianness: order of an
    EVT 2.1 file's words, "little" or "legacy". member: which recording of an HDF5 file of many, by name or position,
    or which stream of an AEDAT file of several.
    The sensor's size is the argument, else the file's, else the format's default where all events fit, else it has to
    be given (a data set knows its own, see `datasets`). Raises EventFileError.
    """
    reading = Reading(
        format, sensor_size, start_us, stop_us, order, tolerant, convention, camera, time_unit, endianness, member
    )
    return read_as(Path(path), reading)


def read_as(path: Path, reading: Reading) -> Events:
    """`read` with its options in one piece."""
    with opened(path) as file:
        _, reader = open_reader(file, path, reading)
        return settle(reader, path, reading)


def iterate(
    path: str | Path,
    events: int | None = None,
    microseconds: int | None = None,
    format: str | None = None,
    start_us: int | None = None,
    stop_us: int | None = None,
    **options: Any,
) -> Iterator[Events]:
    """Walk a recording that may be larger than memory, in parts of so many events or of so much time.

    With microseconds, part k holds start + k * microseconds <= t < start + (k + 1) * microseconds, where start is
    start_us or the first event; parts without events come too. Options are those of `read` except order: times that
    decrease are refused. Raises ValueError unless one of the two sizes is given, and EventFileError.
    """
    size = microseconds if events is None else events
    if (events is None) == (microseconds is None) or not isinstance(size, SupportsIndex) or index(size) < 1:
        raise ValueError(
            f"expected events or microseconds, one of them, whole and 1 or more, got {events} and {microseconds}"
        )
    path, reading = Path(path), Reading(format, start_us=start_us, stop_us=stop_us, **options)
    if reading.order != "refuse":
        raise ValueError("expected order='refuse' when a file is walked; read it whole to sort it")
    parts = pieces(path, reading)
    return by_time(parts, index(size), path, reading.start_us) if events is None else by_count(parts, index(size))


def pieces(path: Path, reading: Reading) -> Iterator[Events]:
    """A recording in the pieces that its format has, one after the other; raises EventFileError."""
    with opened(path) as file:
        yield from pieces_of(open_reader(file, path, reading)[1], path, reading)


def pieces_of(
    reader: Reader, path: Path, reading: Reading, set_size: tuple[int, int] | None = None
) -> Iterator[Events]:
    """The pieces of an opened recording, one empty one where it has no event; set_size is that of its data set.

    A piece may use the memory of the one before.
    """
    known = known_size(reader, reading, set_size)
    size = known or fitting_size(reader, path, (-1, -1))
    check = Check(path, known)
    empty = True
    for part in walk(reader, reading, check):
        if known is None:
            fitting_size(reader, path, check.largest)
        empty = False
        yield Events.unchecked(part.t, part.x, part.y, part.p, size)
    if empty:
        yield Events.empty(size)


def write(
    path: str | Path,
    events: Events | Iterable[Events],
    format: str | None = None,
    *,
    compression: str | None = None,
    layout: str | None = None,
    convention: str | None = None,
    camera: str | None = None,
    time_unit: str | None = None,
    endianness: str | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a recording, beside and then renamed; the format by suffix unless given.

    events: a recording, or its parts in order of time, which are never held together. compression: lz4 (default),
    none or zstd for AEDAT 4. layout: dsec (default) or rpg for HDF5. convention, camera: see `formats.aedat2`.
    time_unit: "us" (default) or "s" for text. endianness: "little" (default) or "legacy" for EVT 2.1. provenance:
    where the recording comes from (seed, edges, options, version): text, numbers and truth values by key, refused
    where the format has no place for them; `info` gives them back.
    Equal input gives equal bytes, however it is divided. Raises EventFileError for what the format cannot hold, and
    for a full disk.
    """
    path = Path(path)
    told = plain_provenance(provenance, path) if provenance is not None else {}
    writing = Writing(compression, layout, convention, camera, time_unit, endianness, told)
    write_as(path, events, format, writing)


def write_as(path: Path, events: Events | Iterable[Events], format: str | None, writing: Writing) -> None:
    """`write` with its options in one piece."""
    name = format_to_write(path, format)
    module = FORMATS[name]
    refuse_options(path, name, writing, module.WRITES)
    if writing.provenance and "provenance" not in module.WRITES:
        keeping = ", ".join(key for key in WRITERS if "provenance" in FORMATS[key].WRITES)
        raise EventFileError(path, f"{name} files hold no provenance; leave it out or write one of {keeping}")
    if isinstance(events, Events):
        events = [events]
    elif not isinstance(events, Iterable):
        _refuse_other(events)
    parts = iter(events)
    first = next(parts, None)
    if first is None:
        raise EventFileError(path, "expected a recording in parts, got none; give one empty part for its sensor's size")
    _refuse_other(first)
    with appearing(path) as temporary, open(temporary, "wb") as file:
        writer = module.open_writer(file, path, first.sensor_size, writing)
        try:
            for part in _in_order(chain([first], parts), path):
                writer.add(part)
            writer.finish()
        finally:
            writer.close()


def format_to_write(path: Path, format: str | None) -> str:
    """The format's name for a new file; raises EventFileError where it cannot be written."""
    name = format or WRITTEN.get(path.suffix.lower())
    if name not in WRITERS:
        raise EventFileError(
            path,
            f"expected a suffix or format that can be written ({', '.join(WRITERS)}), got {name or path.suffix!r}",
        )
    return name


def info(path: str | Path, format: str | None = None, *, tolerant: bool = False, **options: Any) -> FileInfo:
    """Describe a whole recording without holding it; the options are those of `read`, but for a window and an order.

    Raises EventFileError.
    """
    path, reading = Path(path), Reading(format, tolerant=tolerant, **options)
    if (reading.start_us, reading.stop_us) != (None, None):
        raise ValueError("expected no start_us and stop_us, a whole recording is described; read a window for its own")
    with opened(path) as file:
        name, reader = open_reader(file, path, reading)
        return describe(name, reader, path, reading)


def _in_order(parts: Iterable[Events], path: Path) -> Iterator[Events]:
    """The parts as they come; raises EventFileError where one is of another sensor or begins before the last ended."""
    size, last = None, None
    for part in parts:
        _refuse_other(part)
        if part.sensor_size != (size := size or part.sensor_size):
            raise EventFileError(path, f"expected parts of one sensor, got {size} and then {part.sensor_size}")
        if len(part):
            if last is not None and part.t[0] < last:
                raise EventFileError(path, f"expected parts in order of time, {part.t[0]} us follows {last} us")
            last = part.t[-1]
        yield part


def _refuse_other(part: object) -> None:
    """Raise TypeError for what is no recording."""
    if not isinstance(part, Events):
        raise TypeError(f"expected Events, or an iterable of Events, to write, got {type(part).__name__}")
