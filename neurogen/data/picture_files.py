"""Encoded pictures where they lie: in a folder, or in a .zip that is read in place."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from neurogen.data.cache import source_key
from neurogen.data.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


class PictureFiles(Protocol):
    """Pictures in a fixed order; read in any order, from any thread."""

    def __len__(self) -> int: ...

    def read(self, i: int) -> bytes:
        """The encoded picture i; raises OSError or DataError."""

    def place(self, i: int) -> str:
        """Where picture i lies, for errors."""

    def key(self, **settings: Any) -> str:
        """As `source_key`, of these pictures."""


@dataclasses.dataclass(frozen=True)
class FolderFiles:
    """names: paths below the folder `path`, with slashes."""

    path: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def read(self, i: int) -> bytes:
        return (self.path / self.names[i]).read_bytes()

    def place(self, i: int) -> str:
        return str(self.path / self.names[i])

    def key(self, **settings: Any) -> str:
        return source_key(self.path, self.names, **settings)


@dataclasses.dataclass(frozen=True)
class ZipFiles:
    """names: entries of the archive `path`."""

    path: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _archive(self) -> zipfile.ZipFile:
        return open_zip(self.path)

    def read(self, i: int) -> bytes:
        try:
            return self._archive.read(self.names[i])  # threads may share it
        except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
            raise DataError(f"{self.place(i)}: expected a picture, {error}; take a fresh copy of the archive") from None

    def place(self, i: int) -> str:
        return f"{self.path}/{self.names[i]}"

    def key(self, **settings: Any) -> str:
        chosen = hashlib.sha256("\0".join(self.names).encode()).hexdigest()
        return source_key(self.path, **settings, chosen=chosen)


def picture_files(path: Path) -> FolderFiles | ZipFiles:
    """All pictures below a folder or in a .zip, sorted by name; raises DataError for what is neither."""
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in path.rglob("*") if _is_picture(file)]
        return FolderFiles(path, tuple(sorted(names)))
    with open_zip(path) as archive:
        names = [name for name in archive.namelist() if _is_picture(PurePosixPath(name))]
    return ZipFiles(path, tuple(sorted(names)))


def open_zip(path: Path) -> zipfile.ZipFile:
    """An archive to read; raises DataError."""
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: expected a folder or .zip of pictures, {error}") from None


def _is_picture(file: PurePosixPath) -> bool:
    inside_mac = "__MACOSX" in file.parts  # of archives packed on a Mac: forks, not pictures
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and not inside_mac
