"""SLAYER bs1: spikes of a one-dimensional sensor, see `slayer`; the known set is N-TIDIGITS, 64 channels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from event_tools.formats.reader import Reader, Reading
from event_tools.formats.slayer import Layout, SlayerReader, SlayerWriter
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".bs1",)
READS: frozenset[str] = frozenset()
WRITES: frozenset[str] = frozenset()


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """A recording of whole records; chunks raise EventFileError for one that is cut."""
    return SlayerReader(file, path, LAYOUT, reading.tolerant)


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer that refuses what 16 bits of id, y = 0 and 23 bits of time cannot hold."""
    return SlayerWriter(file, path, LAYOUT)


def _kernels() -> tuple[Callable[..., int], Callable[..., None]]:
    from event_tools.kernels.slayer import pack_bs1, unpack_bs1

    return unpack_bs1, pack_bs1


LAYOUT = Layout("SLAYER bs1", 5, 2, 23, 1 << 16, 1, (64, 1), _kernels)
