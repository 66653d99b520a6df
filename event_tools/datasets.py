"""Labelled sets of recordings: a folder or a .zip with <split>/<label>/<file>, or <label>/<file>."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.files import SUFFIXES, read, settle
from event_tools.formats import nmnist

SPLITS = {"train": ("Train", "train"), "test": ("Test", "test")}
MAX_FILE = 1 << 28  # bytes of one archived recording that we are ready to decode


class Recordings:
    """Recordings with labels, sorted by label, then name. Made by `open_recordings`.

    labels: (n,) int64, indices into `classes`; names: paths below the folder or archive; sensor_size: (width, height)
    for all, or None to let each file say.
    """

    def __init__(self, path: Path, names: list[str], sensor_size: tuple[int, int] | None) -> None:
        parents = [PurePosixPath(name).parent.name for name in names]
        self.path, self.sensor_size = path, sensor_size
        self._archive: zipfile.ZipFile | None = None
        self.classes: tuple[str, ...] = tuple(sorted(set(parents), key=_natural))
        order = sorted(range(len(names)), key=lambda i: (_natural(parents[i]), names[i]))
        self.names = tuple(names[i] for i in order)
        index = {name: i for i, name in enumerate(self.classes)}
        self.labels: NDArray[np.int64] = np.array([index[parents[i]] for i in order], np.int64)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> Events:
        """Recording i; raises EventFileError."""
        if self.path.is_dir():
            return read(self.path / self.names[i], sensor_size=self.sensor_size)
        if self._archive is None:  # reading its directory costs more than a recording
            self._archive = zipfile.ZipFile(self.path)
        return self._decode(i, _member(self._archive, self.names[i], self.path))

    def __iter__(self) -> Iterator[Events]:
        if self.path.is_dir():
            yield from (self[i] for i in range(len(self)))
            return
        for i, data in enumerate(self.raw_bytes()):
            yield self._decode(i, data)

    @property
    def all_nmnist(self) -> bool:
        """Whether every file is in N-MNIST's format, so that `raw_bytes` can be binned directly."""
        return all(PurePosixPath(name).suffix.lower() in nmnist.SUFFIXES for name in self.names)

    def raw_bytes(self) -> Iterator[bytes]:
        """The files' bytes in order."""
        if self.path.is_dir():
            for name in self.names:
                yield (self.path / name).read_bytes()
            return
        with zipfile.ZipFile(self.path) as archive:
            for name in self.names:
                yield _member(archive, name, self.path)

    def _decode(self, i: int, data: bytes) -> Events:
        place = self.path / self.names[i]
        if PurePosixPath(self.names[i]).suffix.lower() not in nmnist.SUFFIXES:
            raise EventFileError(place, "an archive may hold N-MNIST .bin files only; unpack it and name the folder")
        return settle(nmnist.decode(data, place), place, self.sensor_size)


def open_recordings(path: str | Path, split: str | None = None, sensor_size: tuple[int, int] | None = None) -> Recordings:
    """The recordings below a folder or in a .zip.

    split: "train" or "test" picks the folder of that name (Train, train, ...); None takes <label>/<file> as it lies.
    Raises EventFileError where there is nothing.
    """
    path = Path(path)
    if split is not None and split not in SPLITS:
        raise ValueError(f"expected split to be train, test or None, got {split!r}")
    if not path.exists():
        raise EventFileError(path, "expected a folder or .zip of recordings, found nothing")
    if path.is_dir():
        names = [p.relative_to(path).as_posix() for p in sorted(path.rglob("*")) if p.is_file()]
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        except (zipfile.BadZipFile, OSError) as error:
            raise EventFileError(path, f"expected a folder or .zip of recordings, {error}") from None
    names = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES and not PurePosixPath(name).name.startswith(".")]
    if split is not None:
        names = [name for name in names if len(PurePosixPath(name).parts) >= 3 and PurePosixPath(name).parts[-3] in SPLITS[split]]
    names = [name for name in names if len(PurePosixPath(name).parts) >= 2]
    if not names:
        wanted = f"{SPLITS[split][0]}/<label>/<file>" if split else "<label>/<file>"
        raise EventFileError(path, f"expected recordings as {wanted} ({', '.join(sorted(SUFFIXES))}), found none")
    return Recordings(path, names, sensor_size)


def has_split(path: str | Path, split: str) -> bool:
    """Whether the folder or archive has recordings of that split."""
    try:
        open_recordings(path, split)
    except EventFileError:
        return False
    return True


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    entry = archive.getinfo(name)
    if entry.file_size > MAX_FILE:
        raise EventFileError(path / name, f"it declares {entry.file_size} bytes; refused above {MAX_FILE}")
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise EventFileError(path / name, f"it cannot be unpacked, {error}") from None


def _natural(label: str) -> tuple[int, str]:
    return (int(label), "") if label.isdigit() else (1 << 62, label)
