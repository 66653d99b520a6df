"""Read, write and describe recordings: the format by content, then by suffix; the sensor's size by evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from event_tools.atomic import replacing
from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats import aedat2, aedat4, hdf5, nmnist
from event_tools.formats.raw import Plain, RawEvents, check_regular, load_bytes, plain_provenance

FORMATS: dict[str, Any] = {"nmnist": nmnist, "aedat2": aedat2, "aedat4": aedat4, "hdf5": hdf5}
WRITERS: dict[str, Any] = {name: FORMATS[name].write_file for name in ("nmnist", "aedat4", "hdf5")}
SUFFIXES = {suffix: name for name, module in FORMATS.items() for suffix in module.SUFFIXES}
MAGICS = {"aedat2": aedat2.MAGIC, "aedat4": aedat4.MAGIC, "hdf5": hdf5.MAGIC}
ORDERS = ("refuse", "sort")


@dataclass(frozen=True)
class FileInfo:
    """What a file holds: counts over the whole file, times in microseconds, streams by name, provenance."""

    path: str
    format: str
    version: str
    sensor_size: tuple[int, int] | None
    events: int
    first_us: int | None
    last_us: int | None
    on_share: float | None
    streams: dict[str, int]
    provenance: dict[str, Plain]


def read(
    path: str | Path,
    start_us: int | None = None,
    stop_us: int | None = None,
    tolerant: bool = False,
    order: Literal["refuse", "sort"] = "refuse",
    *,
    format: str | None = None,
    sensor_size: tuple[int, int] | None = None,
    convention: str = "jaer",
) -> Events:
    """Read a recording.

    start_us, stop_us keep start_us <= t < stop_us. tolerant keeps what precedes a damage and warns. order="sort" sorts
    times that decrease (stable), otherwise they are refused. format: nmnist, aedat2, aedat4 or hdf5; None asks the
    content, then the suffix. convention: how AEDAT 2.0 is read, see `formats.aedat2`.
    The sensor's size is the argument, else the file's, else the format's default where all events fit, else it has to
    be given (a data set knows its own, see `datasets`). Raises EventFileError.
    """
    path = Path(path)
    _, raw = load(path, format, tolerant, convention)
    return settle(raw, path, sensor_size, start_us, stop_us, order)


def load(
    path: Path, format: str | None = None, tolerant: bool = False, convention: str = "jaer"
) -> tuple[str, RawEvents]:
    """The format's name, and the columns of a file as they lie in it; raises EventFileError."""
    check_regular(path)
    if format is None:
        try:
            with open(path, "rb") as file:
                head = file.read(16)
        except OSError as error:
            raise EventFileError(path, f"it cannot be read, {(error.strerror or str(error)).lower()}") from None
        format = find_format(path, head)
    if format == "hdf5":
        return format, hdf5.read_file(path, tolerant)  # not through memory: these may be large
    return format, decode(load_bytes(path), path, format, tolerant, convention)


def decode(
    data: bytes, path: Path, format: str | None = None, tolerant: bool = False, convention: str = "jaer"
) -> RawEvents:
    """Columns of a recording in memory; `path` names it in errors and gives its suffix. Raises EventFileError."""
    name = format or find_format(path, data[:16])
    if name not in FORMATS:
        raise EventFileError(path, f"expected format to be {', '.join(FORMATS)}, got {name!r}")
    if name == "aedat2":
        return aedat2.decode(data, path, tolerant, convention)
    return FORMATS[name].decode(data, path, tolerant)


def settle(
    raw: RawEvents,
    path: Path,
    sensor_size: tuple[int, int] | None = None,
    start_us: int | None = None,
    stop_us: int | None = None,
    order: str = "refuse",
    set_size: tuple[int, int] | None = None,
) -> Events:
    """Decoded columns as Events: time order, the sensor's size and the time window; raises EventFileError.

    sensor_size wins over the file; set_size, of the data set that the file belongs to, serves where the file is silent.
    """
    if order not in ORDERS:
        raise ValueError(f"expected order to be {' or '.join(ORDERS)}, got {order!r}")
    width, height = size = _choose_size(raw, path, sensor_size, set_size)
    outside = (raw.x >= width) | (raw.y >= height)
    if outside.any():
        at = int(np.argmax(outside))
        reason = f"expected events within {width}x{height}, event {at} lies at ({raw.x[at]}, {raw.y[at]})"
        raise EventFileError(path, reason, raw.byte_of(at) if raw.byte_of else None)
    t, x, y, p = raw.t, raw.x, raw.y, raw.p
    back = t[1:] < t[:-1]
    if back.any():
        if order == "refuse":
            at = int(np.argmax(back)) + 1
            reason = f"its times decrease at event {at} ({t[at - 1]} to {t[at]} us); read it with order='sort'"
            raise EventFileError(path, reason, raw.byte_of(at) if raw.byte_of else None)
        by_time = np.argsort(t, kind="stable")
        t, x, y, p = t[by_time], x[by_time], y[by_time], p[by_time]
    low = 0 if start_us is None else int(np.searchsorted(t, start_us))
    high = len(t) if stop_us is None else int(np.searchsorted(t, stop_us))
    try:
        return Events(t[low:high], x[low:high], y[low:high], p[low:high], size)
    except ValueError as error:
        raise EventFileError(path, str(error)) from None


def write(
    path: str | Path,
    events: Events,
    format: str | None = None,
    *,
    compression: str | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a recording, beside and then renamed; the format by suffix unless given.

    compression: lz4 (default), none or zstd for AEDAT 4. provenance: where the recording comes from (seed, edges,
    options, version): text, numbers and truth values by key, kept in AEDAT 4 and HDF5 files; `info` gives them back.
    Equal input gives equal bytes. Raises EventFileError for what the format cannot hold, and for a full disk.
    """
    path = Path(path)
    name = format or SUFFIXES.get(path.suffix.lower())
    if name not in WRITERS:
        known = ", ".join(WRITERS)
        raise EventFileError(
            path, f"expected a suffix or format that can be written ({known}), got {name or path.suffix!r}"
        )
    options: dict[str, Any] = {}
    if compression is not None:
        if name != "aedat4":
            raise EventFileError(path, f"expected compression with AEDAT 4 only, this is {name}")
        options["compression"] = compression
    if provenance is not None:
        if name == "nmnist":
            raise EventFileError(path, "N-MNIST files hold no provenance; write AEDAT 4 or HDF5")
        options["provenance"] = plain_provenance(provenance, path)
    try:
        with replacing(path) as temporary:
            WRITERS[name](temporary, path, events, **options)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EventFileError(path, f"it cannot be written, {reason}; free space or choose another place") from None


def info(path: str | Path, format: str | None = None, *, tolerant: bool = False, convention: str = "jaer") -> FileInfo:
    """Describe a recording; the options are those of `read`. Raises EventFileError."""
    path = Path(path)
    name, raw = load(path, format, tolerant, convention)
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


def find_format(path: Path, head: bytes) -> str:
    """The format's name by a file's first bytes, then by suffix; raises EventFileError."""
    for name, magic in MAGICS.items():
        if head.startswith(magic):
            return name
    name = SUFFIXES.get(path.suffix.lower(), "")
    if name == "nmnist":
        return name
    if not name:
        raise EventFileError(path, f"expected a known suffix or header; say format, one of {', '.join(FORMATS)}")
    if not head:
        raise EventFileError(path, f"expected a header of {name}, the file is empty", 0)
    raise EventFileError(path, f"expected a header of {name}, it begins with {head[:12]!r}", 0)


def _choose_size(
    raw: RawEvents, path: Path, argument: tuple[int, int] | None, of_set: tuple[int, int] | None
) -> tuple[int, int]:
    for size in (argument, raw.sensor_size, of_set):
        if size is not None:
            return size
    if raw.default_size is not None and _fits(raw, raw.default_size):
        return raw.default_size
    largest = f"{int(raw.x.max())}, {int(raw.y.max())}" if len(raw.x) else "none"
    raise EventFileError(
        path, f"its sensor's size is unknown (largest x, y: {largest}); give sensor_size=(width, height)"
    )


def _fits(raw: RawEvents, size: tuple[int, int] | None) -> bool:
    return size is not None and (not len(raw.x) or (int(raw.x.max()) < size[0] and int(raw.y.max()) < size[1]))
