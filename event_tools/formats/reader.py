"""What a format's reader is to `files.py`: a head, and pieces of columns in file order.

A format is a module with

    SUFFIXES                 the suffixes it is known by
    READS, WRITES            names of the options in `Reading` and `Writing` that mean something to it
    matches(head)            whether the first HEAD bytes of a file are its own; absent without a magic
    open_reader(file, path, reading) -> Reader
                             file: opened in binary, on disk or in memory; path: for messages
    open_writer(file, path, sensor_size, writing) -> Writer
                             file: a temporary one on disk, its name is file.name; absent where a format is only read

Decoding is piece by piece, so that a file larger than memory can be walked; raises EventFileError for damage.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import index
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import whole_size
from event_tools.provenance import Plain

HEAD = 512 + 16  # bytes that tell a format; MATLAB's HDF5 begins at 512
ORDERS = ("refuse", "sort")


@dataclass(frozen=True)
class Reading:
    """How a file is to be read; None means that nothing was said. `read` says what each is.

    Raises ValueError for a sensor_size that is none, and for a window that is not whole microseconds.
    """

    format: str | None = None
    sensor_size: tuple[int, int] | None = None
    start_us: int | None = None
    stop_us: int | None = None
    order: str = "refuse"
    tolerant: bool = False
    convention: str | None = None
    camera: str | None = None
    time_unit: str | None = None
    endianness: str | None = None
    member: str | int | None = None

    def __post_init__(self) -> None:
        if self.sensor_size is not None:
            object.__setattr__(self, "sensor_size", whole_size(self.sensor_size))
        for name in ("start_us", "stop_us"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, whole_us(name, value))


@dataclass(frozen=True)
class Columns:
    """Events as decoded, in file order; not yet checked for order or against a sensor.

    t: (n,) int64 microseconds; x, y: (n,) uint16; p: (n,) uint8, 0 or 1. A reader may use the memory again for the
    next piece. byte_of: the place in the file of event i of these columns, for formats with plain records.
    """

    t: NDArray[np.int64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    p: NDArray[np.uint8]
    byte_of: Callable[[int], int] | None = None

    def __len__(self) -> int:
        return len(self.t)


@dataclass
class Reader(ABC):
    """An opened file: what its head says, and its events.

    sensor_size: what the file says, or None; set_size: that of the data set it surely belongs to; default_size: the
    format's own, used where all events fit. capacity: an upper bound of its events where it is known without decoding
    (it sizes one allocation, so it must be borne out by the file's length), or None. streams: counts by name; those of
    other kinds of data (frames, imu, triggers) are complete when `chunks` is exhausted.
    """

    version: str = ""
    sensor_size: tuple[int, int] | None = None
    default_size: tuple[int, int] | None = None
    capacity: int | None = None
    streams: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, Plain] = field(default_factory=dict)

    @abstractmethod
    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        """The events, piece by piece.

        start_us, stop_us are hints: every event with start_us <= t < stop_us comes, others may. They are given only
        where times are expected not to decrease, so an index or a bisection may be used.
        """


def whole_us(name: str, value: int) -> int:
    """A number of microseconds; raises ValueError where it is not whole."""
    try:
        return index(value)
    except TypeError:
        raise ValueError(f"expected {name} as whole microseconds, got {value!r}") from None


def damaged(path: Path, reason: str, offset: int | None, tolerant: bool) -> None:
    """Raise for a damaged file, or warn where the caller keeps what precedes the damage."""
    error = EventFileError(path, reason, offset)
    if not tolerant:
        raise error
    warnings.warn(f"{error}; kept what precedes it", stacklevel=3)


def one_of(path: Path, name: str, value: str | None, known: tuple[str, ...]) -> str:
    """The option's value, its first known one for None; raises EventFileError for another."""
    if value is None:
        return known[0]
    if value not in known:
        raise EventFileError(path, f"expected {name} to be {', '.join(known)}, got {value!r}")
    return value
