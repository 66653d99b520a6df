"""Files of frames: .npz as SpikingJelly keeps them (key `frames`), with edges, sensor and provenance beside; or .npy.

    frames            (T, 2, H, W) counts, channel 0 = OFF, 1 = ON; int32 as written, any whole numbers as read
    edges             (T + 1,) int64 microseconds; absent in SpikingJelly's own files
    width, height     uint64, one number each
    provenance.<key>  text, a number or a truth value

A .npy holds the frames alone. Equal frames give equal bytes. Heads and sizes are checked before memory is taken, there
are no pickles (see `formats.zipped` and `formats.arrays`). Source: spikingjelly.datasets (frames_number_...).
"""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from event_tools.atomic import appearing
from event_tools.errors import EventFileError
from event_tools.events import Frames
from event_tools.finding import opened
from event_tools.formats.arrays import read_head
from event_tools.formats.blocks import file_size, read_at
from event_tools.formats.zipped import Entry, Member, directory
from event_tools.provenance import Plain, plain_provenance

SUFFIXES = (".npz", ".npy")
PROVENANCE = "provenance."
MOST = (1 << 31) - 1  # a count


@dataclass(frozen=True, eq=False)
class FrameFile:
    """What a file holds: counts (T, 2, H, W), edges (T + 1,) in microseconds or None, provenance."""

    counts: NDArray[Any]
    edges: NDArray[np.int64] | None
    provenance: dict[str, Plain]


def write_frames(path: Path, frames: Frames, provenance: Mapping[str, Plain]) -> None:
    """Write frames, beside and then renamed; the suffix says how. Raises EventFileError."""
    if path.suffix.lower() not in SUFFIXES:
        raise EventFileError(path, f"expected frames to go into {' or '.join(SUFFIXES)}, got {path.suffix or 'none'!r}")
    width, height = frames.sensor_size
    arrays = {"frames": frames.counts, "edges": frames.edges, "width": np.uint64(width), "height": np.uint64(height)}
    told = plain_provenance(provenance, path).items()
    with appearing(path) as temporary, open(temporary, "wb") as file:
        if path.suffix.lower() == ".npy":
            np.lib.format.write_array(file, frames.counts, allow_pickle=False)
            return
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in [*arrays.items(), *((PROVENANCE + key, value) for key, value in told)]:
                entry = zipfile.ZipInfo(f"{name}.npy")  # of 1980, so that equal frames are equal bytes
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def read_frames(path: Path) -> FrameFile:
    """Read frames; raises EventFileError for anything that is none."""
    with opened(path) as file:
        if file.read(2) != b"PK":
            return FrameFile(_counts(path, _loose(file, path)), None, {})
        entries = {entry.name.removesuffix(".npy"): entry for entry in directory(file, path)}
        if "frames" not in entries:
            names = ", ".join(list(entries)[:5]) or "none"
            raise EventFileError(
                path, f"expected an array named frames, got {names}; frames come from event-tools frames"
            )
        counts = _counts(path, _member(file, path, entries["frames"]))
        edges = _member(file, path, entries["edges"]) if "edges" in entries else None
        if edges is not None and (edges.ndim != 1 or edges.dtype.kind not in "iu"):
            raise EventFileError(path, f"expected edges as whole microseconds, got {edges.dtype} {edges.shape}")
        told = {name: _member(file, path, entries[name]) for name in entries if name.startswith(PROVENANCE)}
    plain = {name.removeprefix(PROVENANCE): array.item() for name, array in told.items() if array.size == 1}
    return FrameFile(counts, edges, plain_provenance(plain, path))


def _member(file: BinaryIO, path: Path, entry: Entry) -> NDArray[Any]:
    return _array(Member(file, path, entry, threading.Lock()).read, entry.size, path, entry.at)


def _loose(file: BinaryIO, path: Path) -> NDArray[Any]:
    """A file that is one array."""
    at, size = 0, file_size(file)

    def read(count: int) -> memoryview:
        nonlocal at
        data = read_at(file, at, min(count, size - at))
        at += len(data)
        return memoryview(data)

    return _array(read, size, path, 0)


def _array(read: Callable[[int], bytes | memoryview], size: int, path: Path, at: int) -> NDArray[Any]:
    """An array whose head and numbers are `size` bytes together, which begin at `at`."""
    head = read_head(read, path, at)
    if head.bytes != size - head.size:
        raise EventFileError(path, f"its array {head.shape} needs {head.bytes} bytes, {size - head.size} follow", at)
    data = read(head.bytes)
    if len(data) != head.bytes:
        raise EventFileError(path, f"its array {head.shape} ends after {len(data)} of {head.bytes} bytes", at)
    return np.frombuffer(data, head.dtype).reshape(head.shape)


def _counts(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers (T, 2, H, W)."""
    if array.ndim != 4 or array.shape[1] != 2 or 0 in array.shape[2:]:
        raise EventFileError(path, f"expected frames (T, 2, H, W), got {array.shape}")
    if array.dtype.kind == "b":
        return array.view(np.uint8)
    if array.dtype.kind not in "iuf":
        raise EventFileError(path, f"expected counts, got {array.dtype}")
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if not (low >= 0 and high <= MOST and (array.dtype.kind != "f" or np.array_equal(np.rint(array), array))):
        raise EventFileError(path, "expected counts, whole numbers 0 to 2^31 - 1; make them so by event_tools.counts")
    return array.astype(np.int32) if array.dtype.kind == "f" else array
