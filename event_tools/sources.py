"""What a person names on a command line, as single recordings: files, folders, patterns, archives, sets in one file.

Recordings come in one order on every machine: by source as given, then by name, numbers by their value. A folder gives
the files of known suffix below it, without hidden ones, and without text where there is anything else (it tends to be
notes and tables); a pattern (*, ?, [...], ** for any depth) gives all that it matches.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath

from event_tools.archives import SUFFIXES as ARCHIVES
from event_tools.datasets import Recordings, holds_many, open_recordings
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.files import pieces_of
from event_tools.finding import SUFFIXES, find_format, open_reader, opened
from event_tools.formats import csv, hdf5
from event_tools.formats.reader import HEAD, Reader, Reading
from event_tools.known_sensors import known_sensor
from event_tools.settling import settle

DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Item:
    """One recording. path: the file, or the archive or set that holds it; member: its name in there, None for a file.

    name: where it lies below what was named, with forward slashes; outputs are named after it. set_size: (width,
    height) of the sensor of a well-known data set that a file lies in.
    """

    path: Path
    name: str
    member: str | None = None
    set_size: tuple[int, int] | None = None

    @property
    def place(self) -> Path:
        """What messages call it."""
        return self.path if self.member is None else self.path / self.member


@dataclass(frozen=True)
class Sources:
    """The recordings of a command line, and whether it names one file or may name many."""

    items: tuple[Item, ...]
    many: bool


def expand(sources: Sequence[str], suffixes: Sequence[str] = tuple(SUFFIXES), member: str | None = None) -> Sources:
    """All recordings that are named; raises EventFileError for a folder, pattern or archive that holds none.

    A file that is named stands for itself, whether it exists shows when it is opened. With one source, names are those
    below it; with several, a folder's or archive's own name comes first. With a member, HDF5 files of many stand for
    that one recording.
    """
    found: list[list[Item]] = []
    many = len(sources) > 1
    for source in sources:
        paths, base = _matched(source)
        many = many or base is not None
        for path in paths:
            inside = _inside(path, suffixes, member is None)
            if inside is None:
                found.append([Item(path, (path.relative_to(base) if base else PurePath(path.name)).as_posix())])
                continue
            if not inside and base is None:
                raise EventFileError(path, f"expected files in it ({', '.join(sorted(suffixes))}), found none")
            many = True
            head = f"{_stem(path)}/" if len(sources) > 1 or len(paths) > 1 else ""
            found.append([replace(item, name=head + item.name) for item in inside])
    items = tuple(item for group in found for item in group)
    if not items:
        raise EventFileError(sources[0], "expected a pattern that matches recordings, it matches folders without any")
    _refuse_strays(items)
    return Sources(items, many)


@contextmanager
def opened_item(item: Item, reading: Reading) -> Iterator[tuple[str, Reader, tuple[int, int] | None]]:
    """The format's name, the reader of an item while its file is open, and the sensor's size that its set has."""
    if item.member is None:
        with opened(item.path) as file:
            yield *open_reader(file, item.path, reading), item.set_size
        return
    recordings = _container(item.path)
    with recordings.reader(_position(item.path)[item.member], reading) as (name, reader):
        yield name, reader, recordings.sensor_size


def format_of(item: Item, reading: Reading) -> str:
    """The name of an item's format; raises EventFileError."""
    if reading.format is not None:
        return reading.format
    if item.member is None:
        with opened(item.path) as file:
            return find_format(item.path, file.read(HEAD))
    with opened_item(item, Reading()) as (name, _, _):
        return name


def events_of(item: Item, reading: Reading) -> Events:
    """A whole recording; raises EventFileError."""
    with opened_item(item, reading) as (_, reader, size):
        return settle(reader, item.place, reading, size)


def parts_of(item: Item, reader: Reader, reading: Reading, set_size: tuple[int, int] | None) -> Iterator[Events]:
    """An opened recording in pieces; in one where it has to be sorted."""
    if reading.order == "sort":
        yield settle(reader, item.place, reading, set_size)
    else:
        yield from pieces_of(reader, item.place, reading, set_size)


def outside(items: Sequence[Item], folder: Path) -> list[Item]:
    """The items that do not lie in a folder: a pattern may match what an earlier run wrote there."""
    inside = os.path.join(os.path.abspath(folder), "")
    return [item for item in items if not os.path.abspath(item.path).startswith(inside)]


def natural(name: str) -> tuple[tuple[tuple[bool, int, str], ...], str]:
    """A sorting key that puts 2 before 10, folder by folder."""
    parts = DIGITS.split(name.replace("/", "\0"))
    return tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts if part), name


def _matched(source: str) -> tuple[list[Path], Path | None]:
    """The paths that a source names; for a pattern also the folder that it begins in."""
    if not glob.has_magic(source) or os.path.lexists(source):
        return [Path(source)], None
    names = sorted(glob.glob(source, recursive=True), key=natural)
    paths = [Path(name) for name in names if not (name.endswith("/") and "**" in source)]
    if "**" in source:
        paths = [path for path in paths if not path.is_dir()]
    if not paths:
        raise EventFileError(source, "expected a pattern that some file matches, none does; check it and its quotes")
    fixed = []
    for part in Path(source).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return paths, Path(*fixed)


def _inside(path: Path, suffixes: Sequence[str], sets: bool) -> list[Item] | None:
    """The recordings below a folder, in an archive or in a set of one file; None for a single recording."""
    if path.is_dir():
        names = [name for name in _walked(path) if name.lower().endswith(tuple(suffixes))]
        names = [name for name in names if not name.lower().endswith(csv.SUFFIXES)] or names
        names.sort(key=natural)
        size = known_sensor(path, names[0]) if names else None
        return [Item(path / name, name, None, size) for name in names]
    if path.name.lower().endswith(ARCHIVES) or (sets and path.suffix.lower() in hdf5.SUFFIXES and holds_many(path)):
        return [Item(path, name, name) for name in sorted(_container(path).names, key=natural)]
    return None


def _walked(folder: str | Path, below: str = "") -> Iterator[str]:
    """Files below a folder that are not hidden, by strings: 70,000 of them take half a second."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walked(entry.path, f"{below}{entry.name}/")
            elif entry.is_file():
                yield below + entry.name


@lru_cache(4)
def _container(path: Path) -> Recordings:
    return open_recordings(path)


@lru_cache(4)
def _position(path: Path) -> dict[str, int]:
    return {name: i for i, name in enumerate(_container(path).names)}


def _stem(path: Path) -> str:
    name = path.name if path.name else path.resolve().name
    for suffix in (*ARCHIVES, *hdf5.SUFFIXES):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _refuse_strays(items: Sequence[Item]) -> None:
    for item in items:
        name = PurePath(item.name)
        if name.is_absolute() or name.drive or ".." in name.parts:
            raise EventFileError(item.place, "its name leads out of the folder, which is refused")
