"""What a format's reader hands to `files.py`, and reading bytes with a limit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError


@dataclass
class RawEvents:
    """Columns as decoded, in file order, before sorting, cutting and the sensor's size are settled.

    t: int64 microseconds; x, y: integers; p: 0 or 1; sensor_size: what the file says, or None; default_size: the
    format's own, used where all events fit.
    """

    t: NDArray[np.int64]
    x: NDArray[Any]
    y: NDArray[Any]
    p: NDArray[Any]
    sensor_size: tuple[int, int] | None = None
    default_size: tuple[int, int] | None = None
    version: str = ""
    streams: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)


def load_bytes(path: Path) -> bytes:
    """A regular file's bytes; a folder, FIFO or device is refused."""
    if not path.exists():
        raise EventFileError(path, "expected a recording, found no such file")
    if not path.is_file():
        raise EventFileError(path, "expected a regular file, got a folder or a device")
    return path.read_bytes()


def damaged(path: Path, reason: str, offset: int, tolerant: bool) -> None:
    """Raise for a damaged file, or warn where the caller keeps what precedes the damage."""
    error = EventFileError(path, reason, offset)
    if not tolerant:
        raise error
    warnings.warn(f"{error}; kept what precedes it", stacklevel=3)
