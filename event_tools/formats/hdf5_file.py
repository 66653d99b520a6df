"""An HDF5 file opened with care: cut or whole, in an archive or on disk, and nothing followed that leads out of it.

HDF5 reads through a file object, so a recording in an archive is read like any other, and a file that shrinks meanwhile
is an error and no crash. A cut file is shown to HDF5 at its declared length: what is missing reads as ff.., HDF5's
undefined address (half an address at the cut must not lead to other bytes), and further on as zeros.
"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from event_tools.errors import EventFileError
from event_tools.formats.blocks import file_size, read_at
from event_tools.formats.hdf5_attributes import attribute
from event_tools.formats.reader import damaged
from event_tools.provenance import Plain

MAGIC = b"\x89HDF\r\n\x1a\n"
USER_BLOCK = 512  # bytes before HDF5's own, in files of MATLAB 7.3 and few others
PREFIX = "provenance_"
TORN = 1 << 16  # bytes, more than one of HDF5's own structures takes
DEFLATE_RATIO = 1100  # more than gzip can gain on any data, so a larger declared size is a lie
SHOWN_NAMES = 8
DEFLATE_ID = 1
H5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError, MemoryError)


class Shown(io.RawIOBase):
    """The file object that HDF5 reads: `end` bytes, of which the file has `size`."""

    def __init__(self, file: BinaryIO, size: int, end: int) -> None:
        self.file, self.size, self.end, self.at = file, size, end, 0

    def seek(self, at: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the start, from here or from the declared end."""
        self.at = at + (0, self.at, self.end)[whence]
        return self.at

    def tell(self) -> int:
        """The place."""
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer whole, with what is there and what stands for the rest."""
        view = np.asarray(memoryview(buffer)).view(np.uint8)
        got = read_at(self.file, self.at, len(view)) if self.at < self.size else view[:0]
        view[: len(got)] = got
        torn = max(len(got), min(len(view), self.size + TORN - self.at))
        view[len(got) : torn] = 0xFF
        view[torn:] = 0
        self.at += len(view)
        return len(view)


class Hdf5:
    """An opened HDF5 file.

    file: its bytes; path: for messages; root: h5py's object; cut: where its bytes end, if that is before they should;
    size: its bytes; tolerant: whether what precedes a damage is kept. Raises EventFileError.
    """

    def __init__(self, file: BinaryIO, path: Path, tolerant: bool) -> None:
        import h5py

        self.file, self.path, self.tolerant = file, path, tolerant
        self.size, self.cut = file_size(file), None
        try:
            self.root = h5py.File(Shown(file, self.size, self.size), "r")
        except H5_ERRORS as error:
            end = _declared_end(file, self.size)
            if end is None:
                raise EventFileError(path, f"expected an HDF5 file, {short(error)}") from None
            damaged(path, f"expected {end} bytes of HDF5, the file ends", self.size, tolerant)
            self.cut = self.size
            try:
                self.root = h5py.File(Shown(file, self.size, end), "r")
            except H5_ERRORS as error:
                raise EventFileError(path, f"too little of it is left to read, {short(error)}", self.size) from None

    def close(self) -> None:
        """Let go of HDF5's own state; the file stays open."""
        with suppress(*H5_ERRORS):
            self.root.close()

    def __del__(self) -> None:
        if hasattr(self, "root"):
            self.close()

    def find(self, place: str, below: Any = None) -> Any:
        """The group or dataset at a path, None where there is none; a soft or external link is refused."""
        import h5py

        found = self.root if below is None else below
        for name in place.split("/"):
            if not isinstance(found, h5py.Group):
                return None
            link = found.get(name, getlink=True)
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise EventFileError(self.path, f"{place} is a link to elsewhere, which is refused")
            found = found[name]
        return found

    def group(self, place: str, *names: str) -> Any:
        """The group at a path if it has all the names, otherwise None."""
        import h5py

        found = self.find(place) if place else self.root
        return found if isinstance(found, h5py.Group) and all(name in found for name in names) else None

    def dataset(self, place: str, below: Any = None) -> Any:
        """The dataset at a path, None where there is none; one that lies outside the file is refused."""
        import h5py

        found = self.find(place, below)
        if not isinstance(found, h5py.Dataset):
            return None
        if found.external or found.is_virtual:
            raise EventFileError(self.path, f"{found.name.lstrip('/')} lies outside the file, which is refused")
        return found

    def small(self, place: str, most: int = 1 << 20) -> Any:
        """The values at a path, None where there are none; raises EventFileError for more than `most`.

        HDF5 reads these, and would inflate a chunk to whatever it holds, so deflated ones are refused.
        """
        found = self.dataset(place)
        if found is None or found.shape is None:
            return None
        if found.size > most:
            raise EventFileError(self.path, f"expected at most {most} values in {place}, it declares {found.size}")
        at = None if found.chunks else found.id.get_offset()
        if self.cut is not None and (found.chunks or (at is not None and at + found.nbytes > self.cut)):
            raise EventFileError(self.path, f"too little of it is left to read, {place} is missing", self.cut)
        if found.dtype.hasobject:  # HDF5 walks a damaged heap for ever
            raise EventFileError(self.path, f"expected {place} to be of fixed length, got {found.dtype}")
        if found.chunks and DEFLATE_ID in _filters(found):
            raise EventFileError(self.path, f"expected {place} without compression; write it plainly")
        return found[()]

    def names(self) -> str:
        """Some of what lies at the top, for a message."""
        listed = [repr(name)[:40] for name, _ in zip(self.root, range(SHOWN_NAMES), strict=False)]
        return ", ".join(listed) or "nothing"

    def told(self, holder: Any, name: str) -> Any:
        """An attribute of a group or dataset, None where there is none."""
        return attribute(self.file, holder, name)

    def provenance(self) -> dict[str, Plain]:
        """What our writers noted, by key."""
        noted = {key: self.told(self.root, key) for key in self.root.attrs if key.startswith(PREFIX)}
        return {key.removeprefix(PREFIX): _plain(value) for key, value in noted.items() if value is not None}


def _filters(dataset: Any) -> list[int]:
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]


def short(error: BaseException) -> str:
    """An error of HDF5's in one line."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def _declared_end(file: BinaryIO, size: int) -> int | None:
    """The length that the superblock of a cut file declares; None where the file is not cut."""
    for start in (0, USER_BLOCK):
        head = read_at(file, start, 48).tobytes()
        place = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[8]) if head.startswith(MAGIC) and len(head) == 48 else None
        if place is not None:
            end = int.from_bytes(head[place : place + 8], "little")  # counted from the start of the file
            return end if size < end <= DEFLATE_RATIO * size else None
    return None


def _plain(value: Any) -> Plain:
    value = value.item() if isinstance(value, np.generic) else value
    value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return value if isinstance(value, Plain) else str(value)
