"""Labelled recordings, opened: in files below a folder or archive, or in one HDF5 file. `datasets` opens them."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from event_tools.archives import Files
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.finding import open_reader, opened
from event_tools.formats import aedat2, hdf5, nmnist
from event_tools.formats.reader import HEAD, Reader, Reading
from event_tools.settling import settle

if TYPE_CHECKING:
    from event_tools.formats.hdf5_many import Many


class Recordings:
    """Recordings with labels. Made by `open_recordings`.

    labels: (n,) int64, indices into `classes`; names: paths below the folder or archive; sensor_size: (width, height)
    of the set, for files that do not say, or None; convention: of AEDAT 2.0 files, None for jaer. Files come sorted by
    label, then name; those of one HDF5 file in its order.
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        labels: NDArray[np.int64],
        classes: tuple[str, ...],
        sensor_size: tuple[int, int] | None,
        files: Files,
        convention: str | None = None,
    ) -> None:
        self.path, self.names, self.labels, self.classes = path, tuple(names), labels, classes
        self.sensor_size, self.files, self.convention = sensor_size, files, convention

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
        with self.files.file(self.names[i]) as file:
            if self.convention is not None and reading.convention is None and aedat2.matches(file.read(HEAD)):
                reading = replace(reading, convention=self.convention)
            file.seek(0)
            yield open_reader(file, self.path / self.names[i], reading)

    def subset(self, index: NDArray[np.int64]) -> Recordings:
        """Some of the recordings, in that order; classes stay those of the whole set."""
        some = copy.copy(self)
        some.names, some.labels = tuple(self.names[i] for i in index), self.labels[index]
        return some

    @property
    def all_nmnist(self) -> bool:
        """Whether every file is in N-MNIST's format, so that `raw_bytes` can be binned directly."""
        return all(name.lower().endswith(nmnist.SUFFIXES) for name in self.names)

    def raw_bytes(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes of files start to stop - 1, in order; raises EventFileError.

        An archive is read by one thread at a time; for more, take a `copy.copy` of this object for each.
        """
        return (self.files.data(name) for name in self.names[start:stop])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "files": copy.copy(self.files)}


class InOneFile(Recordings):
    """The recordings of one HDF5 file; `rows`: which of them."""

    def __init__(self, path: Path, many: Many, rows: NDArray[np.int64], sensor_size: tuple[int, int] | None) -> None:
        self.path, self.classes, self.sensor_size, self.rows = path, many.classes, sensor_size, rows
        self.labels, names, self.convention = many.labels[rows], many.names, None
        self.names = tuple(names[i] for i in rows)
        self.open: tuple[object, ...] = ()

    @contextmanager
    def reader(self, i: int, reading: Reading) -> Iterator[tuple[str, Reader]]:
        """See `Recordings`; the file is opened once a process, since a fork shares its position."""
        key, current = (os.getpid(), reading.tolerant), self.open  # which lives on here if a thread puts another there
        if current[:2] != key:
            holder = opened(self.path)
            many = hdf5.open_set(holder.__enter__(), self.path, reading.tolerant)
            current = self.open = (*key, many, holder)
        many: Many = current[2]  # type: ignore[assignment]
        yield "hdf5", many.reader(int(self.rows[i]))

    def subset(self, index: NDArray[np.int64]) -> Recordings:
        some = super().subset(index)
        assert isinstance(some, InOneFile)
        some.rows = self.rows[index]
        return some

    @property
    def all_nmnist(self) -> bool:
        return False

    def raw_bytes(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """There are none: the recordings lie in one file."""
        raise EventFileError(self.path, "expected single files for their bytes, its recordings lie in one; read them")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "open": ()}
