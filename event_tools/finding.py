"""Which format a file has: by its first bytes, then by its suffix; and the formats there are."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from event_tools.errors import EventFileError
from event_tools.formats import (
    aedat2,
    aedat3,
    aedat4,
    bs1,
    bs2,
    bs3,
    csv,
    dat,
    es,
    evt2,
    evt3,
    evt21,
    hdf5,
    mat,
    nmnist,
    npy,
    npz,
)
from event_tools.formats.reader import HEAD, Reader, Reading

FORMATS: dict[str, ModuleType] = {
    "nmnist": nmnist,
    "bs1": bs1,
    "bs2": bs2,
    "bs3": bs3,
    "aedat2": aedat2,
    "aedat3": aedat3,
    "aedat4": aedat4,
    "hdf5": hdf5,
    "dat": dat,
    "evt2": evt2,
    "evt21": evt21,
    "evt3": evt3,
    "es": es,
    "npz": npz,
    "npy": npy,
    "csv": csv,
    "mat": mat,
}
WRITERS = tuple(name for name, module in FORMATS.items() if hasattr(module, "open_writer"))
SUFFIXES: dict[str, tuple[str, ...]] = {}  # to the formats that it may mean, the one that is written first
for _name, _module in FORMATS.items():
    for _suffix in _module.SUFFIXES:
        SUFFIXES[_suffix] = (*SUFFIXES.get(_suffix, ()), _name)
WRITTEN = {suffix: name for suffix, names in SUFFIXES.items() for name in reversed(names) if name in WRITERS}


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, opened without a buffer of its own; EventFileError for a folder, a FIFO or a device."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO must not be waited for
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a path with a zero byte
        raise EventFileError(path, "expected a recording, found no such file; check the path") from None
    except OSError as error:
        raise EventFileError(path, f"it cannot be read, {(error.strerror or str(error)).lower()}") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise EventFileError(path, "expected a regular file, got a folder, a pipe or a device")
    with os.fdopen(number, "rb", buffering=0) as file:
        yield file  # type: ignore[misc]


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> tuple[str, Reader]:
    """The format's name and a reader of an opened file; `path` names it in errors and gives its suffix.

    Raises EventFileError for an unknown format, and for an option that the format does not have.
    """
    name = reading.format
    if name is None:
        file.seek(0)
        name = find_format(path, file.read(HEAD))
    elif name not in FORMATS:
        raise EventFileError(path, f"expected format to be {', '.join(FORMATS)}, got {name!r}")
    module = FORMATS[name]
    refuse_options(path, name, reading, module.READS)
    return name, module.open_reader(file, path, reading)


def find_format(path: Path, head: bytes) -> str:
    """The format's name by a file's first HEAD bytes, then by suffix; raises EventFileError."""
    for name, module in FORMATS.items():
        if hasattr(module, "matches") and module.matches(head):
            return name
    names = SUFFIXES.get(path.suffix.lower(), ())
    plain = [name for name in names if not hasattr(FORMATS[name], "matches")]
    if len(plain) == 1:
        return plain[0]
    known = ", ".join(names or FORMATS)
    if not names:
        raise EventFileError(path, f"expected a known suffix or header; say format, one of {known}")
    if not head:
        raise EventFileError(path, f"expected a header of {known}, the file is empty", 0)
    raise EventFileError(
        path, f"expected a header of {known}, it begins with {head[:12]!r}; say format (--from) if it has none", 0
    )


def refuse_options(path: Path, name: str, options: object, known: frozenset[str]) -> None:
    """Raise EventFileError where an option is set that means nothing to the format."""
    for option in ("compression", "layout", "convention", "camera", "time_unit", "endianness", "member"):
        if getattr(options, option, None) is not None and option not in known:
            having = ", ".join(key for key, module in FORMATS.items() if option in module.READS | module.WRITES)
            raise EventFileError(path, f"expected {option} with {having or 'no format'} only, this is {name}")
