"""HDF5 in DSEC's layout: events/{p u1, t u4 or i8, x u2, y u2}, ms_to_idx, t_offset.

ms_to_idx[m] is the index of the first event at or after m milliseconds. Chunks are gzip-1 with shuffle, which every
HDF5 build reads. t_offset is written as 0, since readers that matter ignore it, and honoured on reading.
Source: dsec.ifi.uzh.ch, data format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.raw import RawEvents, damaged

SUFFIXES = (".h5", ".hdf5")
MAGIC = b"\x89HDF\r\n\x1a\n"
CHUNK = 1 << 16
COLUMNS = ("t", "x", "y", "p")
MAX_EVENTS = 1 << 33


def write_file(temporary: Path, path: Path, events: Events, provenance: dict[str, Any] | None = None) -> None:
    """Write one recording; raises EventFileError for negative times."""
    import h5py

    if len(events) and events.t[0] < 0:
        raise EventFileError(path, f"DSEC's layout holds times from 0 us, got {events.t[0]}; shift them")
    fits = not len(events) or events.t[-1] < 1 << 32
    last_ms = -(-int(events.t[-1]) // 1000) if len(events) else 0
    with h5py.File(temporary, "w", libver=("earliest", "v110"), track_order=False) as file:
        group = file.create_group("events")
        columns = {"p": events.p, "t": events.t.astype("u4" if fits else "i8"), "x": events.x, "y": events.y}
        for name, values in columns.items():
            _dataset(group, name, values)
        _dataset(file, "ms_to_idx", np.searchsorted(events.t, np.arange(last_ms + 1) * 1000).astype("u8"))
        file.create_dataset("t_offset", data=np.int64(0), track_times=False)
        width, height = events.sensor_size
        for key, value in {"width": width, "height": height}.items():
            file.attrs[key] = value
            group.attrs[key] = value
        for key, value in (provenance or {}).items():
            file.attrs[f"provenance_{key}"] = value


def _dataset(group: Any, name: str, values: np.ndarray[Any, Any]) -> None:
    if len(values) == 0:
        group.create_dataset(name, data=values, track_times=False)
        return
    chunks = (min(CHUNK, len(values)),)
    group.create_dataset(name, data=values, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True, track_times=False)


def read_file(path: Path, tolerant: bool = False) -> RawEvents:
    """Read a DSEC file, ours or another's; links out of the file are refused."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise EventFileError(path, f"expected an HDF5 file, {_short(error)}") from None
    with file:
        group = _inside(file, "events", path)
        if not isinstance(group, h5py.Group):
            raise EventFileError(path, "expected a group events/ with p, t, x, y (DSEC's layout), found none")
        columns = {}
        for name in COLUMNS:
            dataset = _inside(group, name, path)
            if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.dtype.kind not in "iub":
                raise EventFileError(path, f"expected events/{name} to be a row of whole numbers (DSEC's layout)")
            if dataset.external or len(dataset) > MAX_EVENTS:
                raise EventFileError(path, f"events/{name} lies outside the file or is too long; refused")
            columns[name] = dataset
        lengths = {name: len(dataset) for name, dataset in columns.items()}
        count = min(lengths.values())
        if len(set(lengths.values())) > 1:
            damaged(path, f"expected columns of equal length, got {lengths}", 0, tolerant)
        try:
            values = {name: dataset[:count] for name, dataset in columns.items()}
            offset = int(file["t_offset"][()]) if isinstance(_inside(file, "t_offset", path), h5py.Dataset) else 0
        except (OSError, TypeError, ValueError) as error:
            raise EventFileError(path, f"its data cannot be decoded, {_short(error)}") from None
        size = next((_size(holder.attrs) for holder in (file, group) if _size(holder.attrs)), None)
        prefix = "provenance_"
        provenance = {k.removeprefix(prefix): _value(v) for k, v in file.attrs.items() if k.startswith(prefix)}
    t = values["t"].astype(np.int64) + offset
    return RawEvents(t, values["x"], values["y"], values["p"], sensor_size=size, version="DSEC", provenance=provenance)


def _inside(group: Any, name: str, path: Path) -> Any:
    """The member called `name`, or None; a soft or external link is refused."""
    import h5py

    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise EventFileError(path, f"{name} is a link to elsewhere; refused")
    return group[name]


def _size(attributes: Any) -> tuple[int, int] | None:
    if "width" in attributes and "height" in attributes:
        return int(attributes["width"]), int(attributes["height"])
    return None


def _value(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]
