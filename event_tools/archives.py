"""Where the files of a set lie: in a folder, a .zip, or a .tar, packed or not. Nothing is ever unpacked to a place.

Members are read by their name in the archive; links, devices and files over MAX_FILE are left out or refused. A packed
.tar has no order that could be sought in, so its recordings are copied once into a nameless temporary file.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from event_tools.errors import EventFileError
from event_tools.finding import opened
from event_tools.naming import is_recording

MAX_FILE = 1 << 28  # bytes of one archived recording that we are ready to unpack
MAX_UNPACKED = 1 << 37  # bytes of all recordings of a packed .tar
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
SUFFIXES = (".zip", *TAR_SUFFIXES)
UNPACK_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,
    NotImplementedError,
    EOFError,
    OSError,
    ValueError,
)


class Files(ABC):
    """The recordings' files below `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def listed(self) -> list[str]:
        """All recordings, with forward slashes; raises EventFileError."""

    @abstractmethod
    def data(self, name: str) -> bytes:
        """The bytes of one; raises EventFileError."""

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        """One of them, opened; raises EventFileError."""
        yield BytesIO(self.data(name))


class Folder(Files):
    """Files on disk."""

    def listed(self) -> list[str]:
        return [name for name in _walked(self.path) if is_recording(name)]

    def data(self, name: str) -> bytes:
        with opened(self.path / name) as file:
            return file.read()

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        with opened(self.path / name) as file:
            yield file


class _Archive(Files):
    """One that is opened once a process: its list of members takes long to read, and a fork shares its position."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._open: tuple[int, Any] | None = None

    def opened(self) -> Any:
        """The archive, opened in this process."""
        if self._open is None or self._open[0] != os.getpid():
            self._open = os.getpid(), self.open()
        return self._open[1]

    @abstractmethod
    def open(self) -> Any:
        """Open it; raises one of UNPACK_ERRORS."""

    @abstractmethod
    def member(self, name: str) -> bytes:
        """The bytes of a member; raises one of UNPACK_ERRORS."""

    def data(self, name: str) -> bytes:
        try:
            return self.member(name)
        except EventFileError:
            raise
        except UNPACK_ERRORS as error:
            raise EventFileError(self.path / name, f"it cannot be unpacked, {_short(error)}") from None

    def refuse_large(self, name: str, size: int) -> None:
        """Raise EventFileError for a member that declares more than we are ready to unpack."""
        if size > MAX_FILE:
            raise EventFileError(self.path / name, f"it declares {size} bytes, more than {MAX_FILE} are refused")

    def trying(self, function: Callable[[], list[str]]) -> list[str]:
        """What the function gives; EventFileError where this is no archive."""
        try:
            return function()
        except EventFileError:
            raise
        except UNPACK_ERRORS as error:
            raise EventFileError(
                self.path, f"expected a folder or .zip of recordings, or a .tar or HDF5 set, {_short(error)}"
            ) from None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}


class ZipFiles(_Archive):
    """Members of a .zip."""

    def open(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self.path)

    def listed(self) -> list[str]:
        return self.trying(
            lambda: [e.filename for e in self.opened().infolist() if not e.is_dir() and is_recording(e.filename)]
        )

    def member(self, name: str) -> bytes:
        archive = self.opened()
        entry = archive.getinfo(name)
        self.refuse_large(name, entry.file_size)
        return archive.read(entry)


class TarFiles(_Archive):
    """Members of a .tar: plain files alone."""

    def opened(self) -> Any:
        """The archive, opened once: it is read at places, so threads and forks may share it."""
        if self._open is None:
            self._open = os.getpid(), self.open()
        return self._open[1]

    def __copy__(self) -> TarFiles:
        return self

    def __del__(self) -> None:
        if self._open is not None:
            self._open[1][0].close()

    def open(self) -> tuple[BinaryIO, dict[str, tuple[int, int]]]:
        """A file, and (place, size) of each recording in it."""
        with opened(self.path) as source:
            plain = source.read(512)[257:262] == b"ustar"
        if plain:
            with tarfile.open(self.path, "r:") as archive:
                places = {entry.name: (entry.offset_data, entry.size) for entry in archive if _is_plain(entry)}
            return open(self.path, "rb", buffering=0), places
        return self._copied()

    def _copied(self) -> tuple[BinaryIO, dict[str, tuple[int, int]]]:
        file, places = TemporaryFile(buffering=0), {}  # noqa: SIM115
        try:
            self._copy(file, places)
        except BaseException:
            file.close()
            raise
        return file, places  # type: ignore[return-value]

    def _copy(self, file: Any, places: dict[str, tuple[int, int]]) -> None:
        done = 0
        with tarfile.open(self.path, "r|*") as archive:
            for entry in archive:
                if not _is_plain(entry):
                    continue
                self.refuse_large(entry.name, entry.size)
                data = archive.extractfile(entry)
                content = data.read() if data else b""
                if len(content) != entry.size:
                    raise EOFError(f"{entry.name} is cut")
                if done + len(content) > MAX_UNPACKED:
                    raise EventFileError(self.path, f"it unpacks to more than {MAX_UNPACKED} bytes, which is refused")
                file.write(content)
                places[entry.name] = done, entry.size
                done += entry.size

    def listed(self) -> list[str]:
        return self.trying(lambda: list(self.opened()[1]))

    def member(self, name: str) -> bytes:
        file, places = self.opened()
        at, size = places[name]
        self.refuse_large(name, size)
        data = os.pread(file.fileno(), size, at)
        if len(data) < size:
            raise EOFError(f"expected {size} bytes, got {len(data)}")
        return data


def files_at(path: Path) -> Files:
    """The files below a folder or in an archive; raises EventFileError for anything else."""
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise EventFileError(path, "expected a folder or .zip of recordings, or a .tar or HDF5 set, found nothing")
    return (TarFiles if path.name.lower().endswith(TAR_SUFFIXES) else ZipFiles)(path)


def _is_plain(entry: tarfile.TarInfo) -> bool:
    return entry.isreg() and not entry.issparse() and is_recording(entry.name)


def _walked(folder: str | Path, below: str = "") -> Iterator[str]:
    """Files below a folder; by strings, which for the 70,000 of N-MNIST is several times faster than by paths."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walked(entry.path, f"{below}{entry.name}/")
            elif entry.is_file():
                yield below + entry.name


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
