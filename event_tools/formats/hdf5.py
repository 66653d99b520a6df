"""HDF5: recordings in the layouts of `hdf5_layouts`, written in DSEC's or rpg's (`hdf5_writer`), and labelled sets.

Superblock at byte 0 (or after a user's block of 512 bytes): 89 48 44 46 0d 0a 1a 0a. Which layout a file has is
told by its structure and said in `version`. External, soft and virtual links and external storage are refused; sizes
that a dataset or chunk declares are held against the bytes that it has. A set of recordings (`hdf5_sets`) asks for
member=, a position or a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from event_tools.errors import EventFileError
from event_tools.formats.hdf5_file import H5_ERRORS, MAGIC, USER_BLOCK, Hdf5, short
from event_tools.formats.reader import Reader, Reading, one_of
from event_tools.formats.writer import Writer, Writing

if TYPE_CHECKING:
    from event_tools.formats.hdf5_many import Many

SUFFIXES = (".h5", ".hdf5")
READS = frozenset({"member", "time_unit"})
WRITES = frozenset({"layout", "provenance"})
LAYOUTS = ("dsec", "rpg")
TIME_UNITS = ("us", "s")


def matches(head: bytes) -> bool:
    """Whether HDF5's own bytes come first, or after a block of the user's; MATLAB's files belong to `mat`."""
    return head.startswith(MAGIC) or (head[USER_BLOCK:].startswith(MAGIC) and not head.startswith(b"MATLAB"))


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """The recording of a file, or a member of a set; raises EventFileError."""
    from event_tools.formats.hdf5_layouts import find_layout
    from event_tools.formats.hdf5_rows import RowsReader
    from event_tools.formats.hdf5_sets import find_set

    if reading.time_unit is not None:
        one_of(path, "time_unit", reading.time_unit, TIME_UNITS)
    h5 = Hdf5(file, path, reading.tolerant)
    with _decoding(path):
        if (many := find_set(h5)) is not None:
            return many.reader(many.position(reading.member))
        member = None if reading.member is None else str(reading.member)
        if (layout := find_layout(h5, member)) is None:
            raise EventFileError(
                path, f"expected events in a layout of DSEC, rpg, M3ED, Prophesee, v2e and others, found {h5.names()}"
            )
        return RowsReader(h5, layout, reading.time_unit)


def open_set(file: BinaryIO, path: Path, tolerant: bool) -> Many | None:
    """The set that an HDF5 file holds, None where it holds a single recording; raises EventFileError."""
    from event_tools.formats.hdf5_sets import find_set

    h5 = Hdf5(file, path, tolerant)
    with _decoding(path):
        return find_set(h5)


def cached_label(file: BinaryIO, path: Path) -> str:
    """The label in a file of tonic's disk cache; raises EventFileError."""
    h5 = Hdf5(file, path, False)
    with _decoding(path):
        target = h5.small("target/0", 1)
    if target is None or np.ndim(target) > 0:
        raise EventFileError(path, "expected one label in target/0 of this cache of tonic's")
    return target.decode("utf-8", "replace") if isinstance(target, bytes) else str(target)


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """HDF5's many errors as the one of ours."""
    try:
        yield
    except H5_ERRORS as error:
        if isinstance(error, EventFileError):
            raise
        raise EventFileError(path, f"its contents cannot be decoded, {short(error)}") from None


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer of DSEC's layout, or of rpg's; raises EventFileError for another."""
    from event_tools.formats.hdf5_writer import DsecWriter, RpgWriter

    rpg = one_of(path, "layout", writing.layout, LAYOUTS) == "rpg"
    return (RpgWriter if rpg else DsecWriter)(file, path, sensor_size, writing)
