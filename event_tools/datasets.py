"""Labelled sets of recordings: a folder or a .zip with <split>/<label>/<file>, or <label>/<file>."""

from __future__ import annotations

import os
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.finding import SUFFIXES, open_reader, opened
from event_tools.formats import nmnist
from event_tools.formats.reader import Reader, Reading
from event_tools.settling import settle

SPLITS = {"train": ("Train", "train"), "test": ("Test", "test")}
MAX_FILE = 1 << 28  # bytes of one archived recording that we are ready to unpack
UNPACK_ERRORS = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError)


class Recordings:
    """Recordings with labels, sorted by label, then name. Made by `open_recordings`.

    labels: (n,) int64, indices into `classes`; names: paths below the folder or archive; sensor_size: (width, height)
    of the set, for files that do not say, or None.
    """

    def __init__(
        self, path: Path, names: Sequence[str], classes: tuple[str, ...], sensor_size: tuple[int, int] | None
    ) -> None:
        self.path, self.classes, self.sensor_size = path, classes, sensor_size
        index = {name: i for i, name in enumerate(classes)}
        labelled = sorted((index[_label(name)], _natural(name.rpartition("/")[2]), name) for name in names)
        self.names = tuple(name for _, _, name in labelled)
        self.labels: NDArray[np.int64] = np.array([label for label, _, _ in labelled], np.int64)
        self._archive: tuple[int, zipfile.ZipFile] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> Events:
        """Recording i; raises EventFileError."""
        return self.events(i)

    def __iter__(self) -> Iterator[Events]:
        return (self[i] for i in range(len(self)))

    def events(self, i: int, reading: Reading | None = None) -> Events:
        """Recording i; a sensor_size in `reading` wins over the file's and the set's. Raises EventFileError."""
        with self.reader(i, reading := reading or Reading()) as (_, reader):
            return settle(reader, self.path / self.names[i], reading, self.sensor_size)

    @contextmanager
    def reader(self, i: int, reading: Reading) -> Iterator[tuple[str, Reader]]:
        """The format's name and the reader of recording i, while its file is open; raises EventFileError."""
        path = self.path / self.names[i]
        with opened(path) if self.path.is_dir() else BytesIO(self._member(self.names[i])) as file:
            yield open_reader(file, path, reading)

    @property
    def all_nmnist(self) -> bool:
        """Whether every file is in N-MNIST's format, so that `raw_bytes` can be binned directly."""
        return all(name.lower().endswith(nmnist.SUFFIXES) for name in self.names)

    def raw_bytes(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes of files start to stop - 1, in order; raises EventFileError.

        An archive is read by one thread at a time; for more, take a `copy.copy` of this object for each.
        """
        folder = self.path.is_dir()
        for name in self.names[start:stop]:
            yield _bytes(self.path / name) if folder else self._member(name)

    def _member(self, name: str) -> bytes:
        try:
            archive = self._opened()
            entry = archive.getinfo(name)
            if entry.file_size > MAX_FILE:
                raise EventFileError(
                    self.path / name, f"it declares {entry.file_size} bytes, more than {MAX_FILE} are refused"
                )
            return archive.read(entry)
        except UNPACK_ERRORS as error:
            raise EventFileError(self.path / name, f"it cannot be unpacked, {' '.join(str(error).split())}") from None

    def _opened(self) -> zipfile.ZipFile:
        """The archive, opened once a process: its list of members takes long to read, a fork shares its position."""
        if self._archive is None or self._archive[0] != os.getpid():
            self._archive = os.getpid(), zipfile.ZipFile(self.path)
        return self._archive[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_archive": None}


def _bytes(path: Path) -> bytes:
    with opened(path) as file:
        return file.read()


def open_recordings(
    path: str | Path, split: str | None = None, sensor_size: tuple[int, int] | None = None
) -> Recordings:
    """The recordings below a folder or in a .zip.

    split: "train" or "test" picks the folder of that name (Train, train, ...), or the archive Train.zip or Test.zip in
    `path`; None takes the files of both where there are such folders, otherwise <label>/<file> as it lies. Classes are
    those of the whole set, so that labels mean the same in each split. sensor_size: (width, height) of the set, for
    files that do not say. Raises EventFileError where there is nothing.
    """
    path = Path(path)
    if split is not None and split not in SPLITS:
        raise ValueError(f"expected split to be train, test or None, got {split!r}")
    names = [name for name in _listed(path) if _is_recording(name)]
    chosen, classes = _of_split(names, split)
    if not chosen and split is not None and path.is_dir():
        archives = [path / f"{folder}.zip" for folder in SPLITS[split] if (path / f"{folder}.zip").is_file()]
        if archives:
            return open_recordings(archives[0], split, sensor_size)
    if not chosen:
        wanted = f"{SPLITS[split][0]}/<label>/<file>" if split else "<label>/<file>"
        raise EventFileError(path, f"expected recordings as {wanted} ({', '.join(sorted(SUFFIXES))}), found none")
    return Recordings(path, chosen, classes, sensor_size)


def _listed(path: Path) -> list[str]:
    """Files below a folder or in an archive, with forward slashes."""
    if path.is_dir():
        return list(_walked(path))
    if not path.is_file():
        raise EventFileError(path, "expected a folder or .zip of recordings, found nothing")
    try:
        with zipfile.ZipFile(path) as archive:
            return [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    except UNPACK_ERRORS as error:
        raise EventFileError(path, f"expected a folder or .zip of recordings, {' '.join(str(error).split())}") from None


def _walked(folder: str | Path, below: str = "") -> Iterator[str]:
    """Files below a folder; by strings, which for the 70,000 of N-MNIST is several times faster than by paths."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walked(entry.path, f"{below}{entry.name}/")
            elif entry.is_file():
                yield below + entry.name


def _is_recording(name: str) -> bool:
    parts = _parts(name)
    hidden = any(part.startswith(".") for part in parts)
    return posixpath.splitext(name)[1].lower() in SUFFIXES and len(parts) >= 2 and not hidden


def _of_split(names: list[str], split: str | None) -> tuple[list[str], tuple[str, ...]]:
    """The names of a split, and the classes of all splits."""
    known = {folder: key for key, spellings in SPLITS.items() for folder in spellings}
    split_of = {name: known[parts[-3]] for name in names if len(parts := _parts(name)) >= 3 and parts[-3] in known}
    if split is None and not split_of:
        chosen = pool = names
    else:
        pool = list(split_of)
        chosen = [name for name in pool if split in (None, split_of[name])]
    return chosen, tuple(sorted({_label(name) for name in pool}, key=_natural))


def _label(name: str) -> str:
    return _parts(name)[-2]


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _natural(text: str) -> tuple[int, str]:
    """A sorting key that puts 2 before 10, and numbers before words."""
    number = posixpath.splitext(text)[0]
    return (int(number), text) if number.isascii() and number.isdigit() else (1 << 62, text)
