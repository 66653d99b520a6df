"""SLAYER bs3: records with a channel and wider fields, see `slayer`; the known set is DVS128 Gesture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from event_tools.formats.reader import Reader, Reading
from event_tools.formats.slayer import Layout, SlayerReader, SlayerWriter
from event_tools.formats.writer import Writer, Writing

SUFFIXES = (".bs3",)
READS: frozenset[str] = frozenset()
WRITES: frozenset[str] = frozenset()


def open_reader(file: BinaryIO, path: Path, reading: Reading) -> Reader:
    """A recording of whole records; chunks raise EventFileError for one that is cut and for a channel above 1."""
    return SlayerReader(file, path, LAYOUT, reading.tolerant)


def open_writer(file: BinaryIO, path: Path, sensor_size: tuple[int, int], writing: Writing) -> Writer:
    """A writer that refuses what 12 bits of x, 12 of y and 24 of time cannot hold."""
    return SlayerWriter(file, path, LAYOUT)


def _kernels() -> tuple[Callable[..., int], Callable[..., None]]:
    from event_tools.kernels.slayer import pack_bs3, unpack_bs3

    return unpack_bs3, pack_bs3


LAYOUT = Layout("SLAYER bs3", 7, 4, 24, 1 << 12, 1 << 12, (128, 128), _kernels)
