"""What a format's reader hands to `files.py`, and what all readers share: regular files, damage, provenance."""

from __future__ import annotations

import math
import re
import stat
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError

Plain = str | int | float | bool
KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
MAX_TEXT = 60_000  # bytes of all provenance; one HDF5 attribute ends at 64 KiB


@dataclass
class RawEvents:
    """Columns as decoded, in file order, before sorting, cutting and the sensor's size are settled.

    t: int64 microseconds; x, y: integers; p: 0 or 1; sensor_size: what the file says, or None; default_size: the
    format's own, used where all events fit; byte_of: where event i begins, for formats with plain records.
    """

    t: NDArray[np.int64]
    x: NDArray[Any]
    y: NDArray[Any]
    p: NDArray[Any]
    sensor_size: tuple[int, int] | None = None
    default_size: tuple[int, int] | None = None
    version: str = ""
    streams: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, Plain] = field(default_factory=dict)
    byte_of: Callable[[int], int] | None = None


def load_bytes(path: Path) -> bytes:
    """A regular file's bytes; a folder, FIFO or device is refused."""
    check_regular(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise EventFileError(path, f"it cannot be read, {(error.strerror or str(error)).lower()}") from None


def check_regular(path: Path) -> None:
    """Raise EventFileError unless `path` is a regular file."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise EventFileError(path, "expected a recording, found no such file; check the path") from None
    except OSError as error:
        raise EventFileError(path, f"it cannot be read, {(error.strerror or str(error)).lower()}") from None
    if not stat.S_ISREG(mode):
        raise EventFileError(path, "expected a regular file, got a folder, a pipe or a device")


def damaged(path: Path, reason: str, offset: int | None, tolerant: bool) -> None:
    """Raise for a damaged file, or warn where the caller keeps what precedes the damage."""
    error = EventFileError(path, reason, offset)
    if not tolerant:
        raise error
    warnings.warn(f"{error}; kept what precedes it", stacklevel=3)


def plain_provenance(values: Mapping[str, Any], path: Path) -> dict[str, Plain]:
    """Provenance as every format can hold it; raises EventFileError for other keys, types, sizes or characters."""
    plain: dict[str, Plain] = {}
    for key, value in values.items():
        value = value.item() if isinstance(value, np.generic) else value
        if not KEY.fullmatch(key):
            raise EventFileError(path, f"expected provenance keys of letters, digits and _.- (64 at most), got {key!r}")
        if not isinstance(value, Plain):
            raise EventFileError(
                path, f"expected provenance {key} as text, a number or a truth value, got {type(value).__name__}"
            )
        if isinstance(value, str) and UNPRINTABLE.search(value):
            raise EventFileError(path, f"expected provenance {key} without control characters, got {value[:40]!r}")
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise EventFileError(path, f"expected provenance {key} to fit 64 bits, got {value}")
        if isinstance(value, float) and not math.isfinite(value):
            raise EventFileError(path, f"expected provenance {key} to be finite, got {value}")
        plain[key] = value
    size = sum(len(value.encode()) for value in plain.values() if isinstance(value, str))
    if size > MAX_TEXT:
        raise EventFileError(path, f"expected provenance of at most {MAX_TEXT} bytes, got {size}; shorten it")
    return plain
