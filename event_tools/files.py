"""Read, write and describe recordings: the format by content, then by suffix; the sensor's size by evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from event_tools.atomic import replacing
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats import aedat2, aedat4, hdf5, nmnist
from event_tools.formats.raw import RawEvents

READERS: dict[str, Any] = {
    "nmnist": nmnist.read_file,
    "aedat2": aedat2.read_file,
    "aedat4": aedat4.read_file,
    "hdf5": hdf5.read_file,
}
WRITERS: dict[str, Any] = {"nmnist": nmnist.write_file, "aedat4": aedat4.write_file, "hdf5": hdf5.write_file}
MAGICS = {aedat2.MAGIC: "aedat2", aedat4.MAGIC.rstrip(): "aedat4", hdf5.MAGIC: "hdf5"}
SUFFIXES = {
    suffix: name
    for name, module in (("nmnist", nmnist), ("aedat2", aedat2), ("aedat4", aedat4), ("hdf5", hdf5))
    for suffix in module.SUFFIXES
}


@dataclass(frozen=True)
class FileInfo:
    """What a file holds: counts over the whole file, times in microseconds, other streams by name, provenance."""

    path: str
    format: str
    version: str
    sensor_size: tuple[int, int] | None
    events: int
    first_us: int | None
    last_us: int | None
    on_share: float | None
    streams: dict[str, int]
    provenance: dict[str, Any]


def read(
    path: str | Path,
    format: str | None = None,
    *,
    sensor_size: tuple[int, int] | None = None,
    start_us: int | None = None,
    stop_us: int | None = None,
    tolerant: bool = False,
    order: Literal["refuse", "sort"] = "refuse",
    convention: str | None = None,
) -> Events:
    """Read a recording.

    format: nmnist, aedat2, aedat4 or hdf5; None asks the content, then the suffix. start_us, stop_us keep
    start_us <= t < stop_us. tolerant keeps what precedes a damage and warns. order="sort" sorts times that decrease
    (stable), otherwise they are refused. convention: how AEDAT 2.0 is read, see `formats.aedat2`.
    The sensor's size is the argument, else the file's, else the format's default where all events fit.
    Raises EventFileError.
    """
    path = Path(path)
    if order not in ("refuse", "sort"):
        raise ValueError(f"expected order to be refuse or sort, got {order!r}")
    name = format or find_format(path)
    if name not in READERS:
        raise EventFileError(path, f"expected format to be {', '.join(READERS)}, got {name!r}")
    options = {"convention": convention} if name == "aedat2" and convention else {}
    if convention and name != "aedat2":
        raise EventFileError(path, f"convention is for AEDAT 2.0, this is {name}")
    return settle(READERS[name](path, tolerant=tolerant, **options), path, sensor_size, start_us, stop_us, order)


def settle(
    raw: RawEvents,
    path: Path,
    sensor_size: tuple[int, int] | None = None,
    start_us: int | None = None,
    stop_us: int | None = None,
    order: str = "refuse",
) -> Events:
    """Decoded columns as Events: time order, the sensor's size and the time window; raises EventFileError."""
    t, x, y, p = raw.t, raw.x, raw.y, raw.p
    if len(t) > 1 and (t[1:] < t[:-1]).any():
        if order != "sort":
            at = int(np.argmax(t[1:] < t[:-1])) + 1
            raise EventFileError(path, f"its times decrease at event {at} ({t[at - 1]} to {t[at]} us); read it with order='sort'")
        by_time = np.argsort(t, kind="stable")
        t, x, y, p = t[by_time], x[by_time], y[by_time], p[by_time]
    size = _choose_size(raw, path, sensor_size)
    if start_us is not None or stop_us is not None:
        low = 0 if start_us is None else int(np.searchsorted(t, start_us))
        high = len(t) if stop_us is None else int(np.searchsorted(t, stop_us))
        t, x, y, p = t[low:high], x[low:high], y[low:high], p[low:high]
    try:
        return Events(t, x, y, p, size)
    except ValueError as error:
        raise EventFileError(path, str(error)) from None


def write(
    path: str | Path,
    events: Events,
    format: str | None = None,
    *,
    compression: str | None = None,
    provenance: dict[str, Any] | None = None,
) -> None:
    """Write a recording, beside and then renamed; the format by suffix unless given.

    compression: lz4 (default), none or zstd for AEDAT 4. provenance: plain values kept in AEDAT 4 and HDF5 files.
    Raises EventFileError for what the format cannot hold.
    """
    path = Path(path)
    name = format or SUFFIXES.get(path.suffix.lower())
    if name not in WRITERS:
        raise EventFileError(
            path, f"expected a suffix or format that can be written ({', '.join(sorted(WRITERS))}), got {name or path.suffix!r}"
        )
    options: dict[str, Any] = {}
    if compression is not None:
        if name != "aedat4":
            raise EventFileError(path, f"compression is for AEDAT 4, this is {name}")
        options["compression"] = compression
    if provenance is not None:
        if name == "nmnist":
            raise EventFileError(path, "N-MNIST files hold no provenance; write AEDAT 4 or HDF5")
        options["provenance"] = provenance
    if not path.parent.is_dir():
        raise EventFileError(path, f"expected the folder {path.parent} to exist; make it first")
    with replacing(path) as temporary:
        WRITERS[name](temporary, path, events, **options)


def info(path: str | Path, format: str | None = None) -> FileInfo:
    """Describe a recording; raises EventFileError."""
    path = Path(path)
    name = format or find_format(path)
    if name not in READERS:
        raise EventFileError(path, f"expected format to be {', '.join(READERS)}, got {name!r}")
    raw: RawEvents = READERS[name](path)
    n = len(raw.t)
    return FileInfo(
        path=str(path),
        format=name,
        version=raw.version,
        sensor_size=raw.sensor_size or (raw.default_size if _fits(raw, raw.default_size) else None),
        events=n,
        first_us=int(raw.t.min()) if n else None,
        last_us=int(raw.t.max()) if n else None,
        on_share=float(np.mean(raw.p)) if n else None,
        streams=raw.streams,
        provenance=raw.provenance,
    )


def find_format(path: Path) -> str:
    """The format's name by the first bytes, then by suffix; raises EventFileError."""
    if not path.exists():
        raise EventFileError(path, "expected a recording, found no such file")
    if not path.is_file():
        raise EventFileError(path, "expected a regular file, got a folder or a device")
    with open(path, "rb") as file:
        head = file.read(16)
    for magic, name in MAGICS.items():
        if head.startswith(magic):
            return name
    name = SUFFIXES.get(path.suffix.lower())
    if name == "nmnist":
        return name
    if name is None:
        raise EventFileError(path, f"its format is unknown; say format= one of {', '.join(READERS)}")
    if not head:
        raise EventFileError(path, f"expected a header of {name}, the file is empty", 0)
    raise EventFileError(path, f"expected a header of {name}, it begins with {head[:12]!r}", 0)


def _choose_size(raw: RawEvents, path: Path, argument: tuple[int, int] | None) -> tuple[int, int]:
    for size in (argument, raw.sensor_size):
        if size is not None:
            return size
    if raw.default_size is not None and _fits(raw, raw.default_size):
        return raw.default_size
    largest = f"{int(raw.x.max())}, {int(raw.y.max())}" if len(raw.x) else "none"
    raise EventFileError(path, f"its sensor's size is unknown (largest x, y: {largest}); give sensor_size=(width, height)")


def _fits(raw: RawEvents, size: tuple[int, int] | None) -> bool:
    return size is not None and (not len(raw.x) or (int(raw.x.max()) < size[0] and int(raw.y.max()) < size[1]))
