"""Files of frames: .npz as SpikingJelly keeps them (key `frames`), with edges, sensor and provenance beside; or .npy.

    frames       (T, 2, H, W) counts, channel 0 = OFF, 1 = ON; int32 as written, any whole numbers as read
    edges        (T + 1,) int64 microseconds; absent in SpikingJelly's own files
    sensor_size  (2,) int64, width and height
    provenance   JSON text; absent without any

A .npy holds the frames alone. Equal frames give equal bytes. No pickles; sizes are checked before memory is taken.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from event_tools.atomic import replacing
from event_tools.errors import EventFileError
from event_tools.events import Frames
from event_tools.finding import opened
from event_tools.provenance import Plain, plain_provenance

SUFFIXES = (".npz", ".npy")
DEFLATE_RATIO = 1032  # the most that deflate can pack
UNPACK_ERRORS = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError)


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
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            if path.suffix.lower() == ".npy":
                np.lib.format.write_array(file, frames.counts, allow_pickle=False)
                return
            arrays = {"frames": frames.counts, "edges": frames.edges, "sensor_size": np.array(frames.sensor_size)}
            if provenance:
                arrays["provenance"] = np.array(json.dumps(plain_provenance(provenance, path)))
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, array in arrays.items():
                    entry = zipfile.ZipInfo(f"{name}.npy")  # its date is 1980, so that equal frames are equal bytes
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    with archive.open(entry, "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EventFileError(path, f"it cannot be written, {reason}; free space or choose another place") from None


def read_frames(path: Path) -> FrameFile:
    """Read frames; raises EventFileError for anything that is none."""
    with opened(path) as file:
        head = file.read(2)
        file.seek(0)
        try:
            if head != b"PK":
                size = file.seek(0, 2)
                file.seek(0)
                return FrameFile(_counts(path, _array(file, size)), None, {})
            with zipfile.ZipFile(file) as archive:
                found = {name: _member(archive, name) for name in ("frames", "edges", "provenance")}
        except UNPACK_ERRORS as error:
            raise EventFileError(path, f"expected frames as .npz or .npy, {' '.join(str(error).split())}") from None
    if found["frames"] is None:
        raise EventFileError(path, "expected an array named frames in it, found none; give frames, not events")
    edges = found["edges"]
    if edges is not None and (edges.ndim != 1 or edges.dtype.kind not in "iu"):
        raise EventFileError(path, f"expected edges as a list of whole microseconds, got {edges.dtype} {edges.shape}")
    return FrameFile(_counts(path, found["frames"]), edges, _provenance(path, found["provenance"]))


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any] | None:
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError:
        return None
    if entry.file_size > DEFLATE_RATIO * (entry.compress_size + 1):
        raise ValueError(f"its {name} declare {entry.file_size} bytes in {entry.compress_size}")
    with archive.open(entry) as file:
        return _array(file, entry.file_size)


def _array(file: IO[bytes], size: int) -> NDArray[Any]:
    """An array of which header and bytes together are `size`; ValueError otherwise."""
    start = file.tell()
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"expected version 1 or 2 of numpy's format, got {version}")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are refused")
    held, declared = size - (file.tell() - start), prod(shape) * dtype.itemsize
    if declared != held:
        raise ValueError(f"its header declares {declared} bytes, {held} follow")
    data = bytearray(declared)
    if _fill(file, memoryview(data)) != declared:
        raise ValueError(f"expected {declared} bytes, it ends before")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _fill(file: IO[bytes], view: memoryview) -> int:
    done = 0
    while done < len(view) and (got := file.readinto(view[done:])):  # type: ignore[attr-defined]
        done += got
    return done


def _counts(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers (T, 2, H, W)."""
    if array.ndim != 4 or array.shape[1] != 2:
        raise EventFileError(path, f"expected frames (T, 2, H, W), got {array.shape}")
    if array.dtype.kind in "iub":
        return array.astype(np.uint8) if array.dtype.kind == "b" else array
    if array.dtype.kind != "f":
        raise EventFileError(path, f"expected counts, got {array.dtype}")
    whole = np.rint(array)
    if not np.array_equal(whole, array) or (len(array) and np.abs(array).max(initial=0) >= 1 << 31):
        raise EventFileError(path, "expected counts, whole numbers below 2^31; round them first (event_tools.counts)")
    return whole.astype(np.int32)


def _provenance(path: Path, array: NDArray[Any] | None) -> dict[str, Plain]:
    if array is None:
        return {}
    try:
        found = json.loads(str(array[()]))
        return plain_provenance(found, path)
    except (ValueError, TypeError, AttributeError):
        raise EventFileError(
            path, "expected its provenance as JSON of keys and values; write the frames anew"
        ) from None
