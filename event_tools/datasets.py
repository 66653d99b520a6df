"""Labelled sets of recordings: a folder, .zip or .tar with <split>/<label>/<file>, or one HDF5 file of many."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from event_tools.archives import SUFFIXES as ARCHIVES
from event_tools.archives import Files, files_at
from event_tools.atomic import appearing
from event_tools.class_archives import class_archives
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.finding import SUFFIXES, opened
from event_tools.formats import hdf5
from event_tools.formats.aedat2 import CONVENTIONS
from event_tools.formats.reader import HEAD
from event_tools.known_sensors import known_sensor
from event_tools.naming import SPLITS, chosen, classes_of, label_of, natural, split_of, without_notes
from event_tools.provenance import plain_provenance
from event_tools.recordings import InOneFile, Recordings

__all__ = ["Labelled", "Recordings", "holds_many", "open_recordings", "write_set"]
CACHED = re.compile(r"\d+_\d+\.hdf5")  # of tonic's DiskCachedDataset: <position>_<copy>


@dataclass(frozen=True)
class Labelled:
    """A recording for `write_set`: label, a class's name or number; events, whole or in parts in order of time.

    name: such as Train/7/00012, whose first folder is its split; None makes <label>/<position>. provenance: its own.
    """

    label: str | int
    events: Events | Iterable[Events]
    name: str | None = None
    provenance: Mapping[str, Any] | None = None


def open_recordings(
    path: str | Path,
    split: str | None = None,
    sensor_size: tuple[int, int] | None = None,
    convention: str | None = None,
) -> Recordings:
    """The recordings below a folder, in a .zip or .tar (.gz, .bz2, .xz), or in one HDF5 file.

    split: "train" or "test" picks the folder of that name (Train, train, ...), or the archive or set that is named so
    in `path`; None takes the files of both where there are such folders, otherwise <label>/<file> as it lies. Classes
    are those of the whole set, so that labels mean the same in each split. A folder of one archive a class is a set
    too, and so is one of tonic's disk cache.
    sensor_size: (width, height) of the set, for files that do not say; None asks the name of a well-known set.
    convention: how AEDAT 2.0 files are read, see `formats.aedat2`. Raises EventFileError where there is nothing.
    """
    path = Path(path)
    if split is not None and split not in SPLITS:
        raise ValueError(f"expected split to be train, test or None, got {split!r}")
    if convention is not None and convention not in CONVENTIONS:
        raise ValueError(f"expected convention to be {', '.join(CONVENTIONS)}, got {convention!r}")
    if _is_hdf5(path):
        return _of_file(path, split, sensor_size)
    files = files_at(path)
    names = without_notes(files.listed())
    some = chosen(names, split)
    if not some and split is not None and path.is_dir():
        for place in (path / f"{name}{suffix}" for name in SPLITS[split] for suffix in (*ARCHIVES, *hdf5.SUFFIXES)):
            if place.is_file():
                return open_recordings(place, split, sensor_size, convention)
    if not some and split is None and path.is_dir() and (packed := class_archives(path)) is not None:
        files, names = packed, without_notes(packed.listed())
        some = chosen(names, None)
    if not some and split is None and path.is_dir() and (cached := _cached(path)):
        return _sorted(
            path,
            list(cached),
            list(cached.values()),
            tuple(sorted(set(cached.values()), key=natural)),
            sensor_size or known_sensor(path),
            files,
        )
    if not some:
        wanted = f"{SPLITS[split][0]}/<label>/<file>" if split else "<label>/<file>"
        raise EventFileError(path, f"expected recordings as {wanted} ({', '.join(sorted(SUFFIXES))}), found none")
    # Labels of all splits, or of all files where there are none.
    classes = classes_of(name for name in names if split_of(name)) or classes_of(names)
    size = sensor_size or known_sensor(path, some[0])
    return _sorted(path, some, [label_of(name) for name in some], classes, size, files, convention)


def holds_many(path: Path) -> bool:
    """Whether a path is an HDF5 file of many recordings; a damaged one counts as one recording."""
    try:
        if not _is_hdf5(path):
            return False
        with opened(path) as file:
            return hdf5.open_set(file, path, False) is not None
    except EventFileError:
        return False


def write_set(
    path: str | Path,
    recordings: Iterable[Labelled | tuple[str | int, Events]],
    classes: Sequence[str] | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> int:
    """Write many labelled recordings into one HDF5 file, beside and then renamed; returns how many they were.

    recordings: `Labelled`, or pairs of label and events; they are taken one after the other and never held together.
    classes: what labels mean, in order; None takes the labels that come, numbers by value, then words. provenance: of
    the whole set. `open_recordings` gives the set back, `read(path, member=...)` one of it; `formats.hdf5_sets` says
    how it lies there. Equal input gives equal bytes. Raises EventFileError.
    """
    from event_tools.formats.hdf5_set_writer import SetWriter

    path = Path(path)
    told = plain_provenance(provenance or {}, path)
    count = 0
    with appearing(path) as temporary:
        temporary.touch()
        writer = SetWriter(temporary, path, classes, told)
        try:
            for one in recordings:
                one = one if isinstance(one, Labelled) else Labelled(*one)
                parts = [one.events] if isinstance(one.events, Events) else one.events
                writer.add(one.label, parts, one.name, plain_provenance(one.provenance or {}, path))
                count += 1
            writer.finish()
        finally:
            writer.close()
    return count


def _is_hdf5(path: Path) -> bool:
    if not path.is_file():
        return False
    with opened(path) as file:
        return hdf5.matches(file.read(HEAD))


def _of_file(path: Path, split: str | None, sensor_size: tuple[int, int] | None) -> Recordings:
    with opened(path) as file:
        many = hdf5.open_set(file, path, False)
        if many is None:
            raise EventFileError(path, "expected a set of many recordings, this file holds one; read it")
        position = {name: i for i, name in enumerate(many.names)}
        some = chosen(many.names, split)
        if not some and split is not None and split in path.stem.lower():  # shd_train.h5
            some = list(many.names)
        if not some:
            wanted = f"named {SPLITS[split][0]}/<label>/<file>" if split else "in it"
            raise EventFileError(path, f"expected recordings {wanted}, found none")
        rows = np.array([position[name] for name in some], np.int64)
        return InOneFile(path, many, rows, sensor_size)


def _cached(folder: Path) -> dict[str, str]:
    """The files of tonic's disk cache in a folder, each with its label; none in another folder."""
    labels = {}
    for name in sorted(entry.name for entry in folder.iterdir() if CACHED.fullmatch(entry.name)):
        with opened(folder / name) as file:
            labels[name] = hdf5.cached_label(file, folder / name)
    return labels


def _sorted(
    path: Path,
    names: list[str],
    labels: list[str],
    classes: tuple[str, ...],
    sensor_size: tuple[int, int] | None,
    files: Files,
    convention: str | None = None,
) -> Recordings:
    """By label, then name."""
    index = {name: i for i, name in enumerate(classes)}
    order = sorted(
        (index[label], natural(name.rpartition("/")[2]), name) for label, name in zip(labels, names, strict=True)
    )
    numbers = np.array([label for label, _, _ in order], np.int64)
    return Recordings(path, [name for _, _, name in order], numbers, classes, sensor_size, files, convention)
