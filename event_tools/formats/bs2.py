"""SLAYER bs2: N-MNIST's layout without overflow events, see `slayer`; the known set is N-MNIST."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from event_tools.formats.reader import Reader, Reading
from event_tools.formats.slayer import Layout, SlayerReader, SlayerWriter
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".bs2",)
READS: frozenset[str] = frozenset()
WRITES: frozenset[str] = frozenset()


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """A recording of whole records; chunks raise EventFileError for one that is cut."""
    return SlayerReader(file, path, LAYOUT, reading.tolerant)


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer that refuses what 8 bits of x, 8 of y and 23 of time cannot hold."""
    return SlayerWriter(file, path, LAYOUT)


def _kernels() -> tuple[Callable[..., int], Callable[..., None]]:
    from event_tools.kernels.slayer import pack_bs2, unpack_bs2

    return unpack_bs2, pack_bs2


LAYOUT = Layout("SLAYER bs2", 5, 2, 23, 1 << 8, 1 << 8, (34, 34), _kernels)
