"""HDF5 in DSEC's layout: events/{p u1, t u4 or i8, x u2, y u2}, ms_to_idx, t_offset.

ms_to_idx[m] is the index of the first event at or after m milliseconds (of t as stored). Chunks are gzip-1 with
shuffle, which every HDF5 build reads; the four columns of a stretch lie side by side, so that a cut file keeps whole
events. t_offset, which some readers ignore, is 0 unless times are negative or beyond 32 bits; reading honours it.
Source: dsec.ifi.uzh.ch, data format.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.events import Events
from event_tools.formats.raw import RawEvents, WholeReader, WholeWriter, load_bytes
from event_tools.formats.reader import damaged
from event_tools.provenance import Plain

SUFFIXES = (".h5", ".hdf5")
MAGIC = b"\x89HDF\r\n\x1a\n"
CHUNK = 1 << 16
COLUMNS = ("t", "x", "y", "p")
PREFIX = "provenance_"
THREADS = 2
DEFLATE_RATIO = 1100  # more than gzip can gain on any data, so a larger declared size is a lie
TORN = 1 << 16  # bytes, more than one of HDF5's own structures takes
MAX_MS = 1 << 26  # 18 hours: entries of ms_to_idx
H5_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError)


def write_file(temporary: Path, path: Path, events: Events, provenance: Mapping[str, Plain] | None = None) -> None:
    """Write one recording; errors speak of `path`. It is made in memory, so that a full disk is met in one place."""
    import h5py

    shift = int(events.t[0]) if len(events) and not (events.t[0] >= 0 and events.t[-1] < 1 << 32) else 0
    t = events.t - shift
    last_ms = -(-int(t[-1]) // 1000) if len(t) else 0
    if last_ms > MAX_MS:
        raise EventFileError(
            path, f"DSEC's layout indexes every millisecond, {last_ms} of them are too many; cut the recording"
        )
    columns = {
        "p": events.p,
        "t": t.astype("u4" if not len(t) or t[-1] < 1 << 32 else "i8"),
        "x": events.x,
        "y": events.y,
    }
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("earliest", "v110")) as file:
        group = file.create_group("events")
        for holder in (file, group):
            holder.attrs["width"], holder.attrs["height"] = events.sensor_size
        for key, value in (provenance or {}).items():
            file.attrs[PREFIX + key] = value
        file.create_dataset("t_offset", data=np.int64(shift), track_times=False)
        _write_columns(group, columns)
        _write_columns(file, {"ms_to_idx": np.searchsorted(t, np.arange(last_ms + 1) * 1000).astype("u8")})
    temporary.write_bytes(buffer.getbuffer())


def _write_columns(group: Any, columns: dict[str, NDArray[Any]]) -> None:
    """Columns of one length, chunk by chunk side by side; the last chunk is filled up with zeros."""
    length = len(next(iter(columns.values())))
    if not length:
        for name, values in columns.items():
            group.create_dataset(name, data=values, track_times=False)
        return
    size = min(CHUNK, length)
    packing = {"chunks": (size,), "compression": "gzip", "compression_opts": 1, "shuffle": True, "track_times": False}
    made = {name: group.create_dataset(name, (length,), values.dtype, **packing) for name, values in columns.items()}
    places = [(name, start) for start in range(0, length, size) for name in columns]
    for (name, start), chunk in zip(
        places, _mapped(lambda place: _packed(columns[place[0]], place[1], size), places), strict=True
    ):
        made[name].id.write_direct_chunk((start,), chunk)


def _packed(values: NDArray[Any], start: int, size: int) -> bytes:
    """One chunk through HDF5's shuffle (all first bytes, all second bytes, ...) and deflate filters."""
    part = values[start : start + size]
    rows = np.zeros((size, values.itemsize), np.uint8)
    rows[: len(part)] = np.ascontiguousarray(part).view(np.uint8).reshape(len(part), -1)
    return zlib.compress(rows.T.tobytes(), 1)


def _mapped(function: Callable[[Any], bytes], items: list[Any]) -> Iterator[bytes]:
    if len(items) < 8 * THREADS:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(function, items)


def read_file(path: Path, tolerant: bool = False) -> RawEvents:
    """Columns of a DSEC file, ours or another's, read where it lies; raises EventFileError."""
    return _read(path, path, tolerant)


def decode(data: bytes, path: Path, tolerant: bool = False) -> RawEvents:
    """Columns of the recording in `data`; raises EventFileError."""
    return _read(io.BytesIO(data), path, tolerant)


def _read(source: Path | io.BytesIO, path: Path, tolerant: bool) -> RawEvents:
    import h5py

    try:
        file = h5py.File(source, "r")
    except H5_ERRORS as error:
        data = load_bytes(source) if isinstance(source, Path) else source.getvalue()
        end = _declared_end(data)
        if end is None:
            raise EventFileError(path, f"expected an HDF5 file, {_short(error)}") from None
        damaged(path, f"expected {end} bytes of HDF5, the file ends", len(data), tolerant)
        return _read_cut(data, end, path)
    with file:
        return _decoded(file, path, tolerant)


def _read_cut(data: bytes, end: int, path: Path) -> RawEvents:
    """Columns of a cut file up to the cut; HDF5 opens it when it is filled up, sparsely, to its length."""
    import h5py

    with TemporaryFile() as filled:
        # ff.. is HDF5's undefined address: half an address at the cut must not lead to other bytes
        filled.write(data + b"\xff" * min(TORN, end - len(data)))
        filled.truncate(end)
        try:
            file = h5py.File(filled, "r")
        except H5_ERRORS as error:
            raise EventFileError(path, f"too little of it is left to read, {_short(error)}", len(data)) from None
        with file:
            return _decoded(file, path, True, len(data))


def _decoded(file: Any, path: Path, tolerant: bool, cut: int | None = None) -> RawEvents:
    try:
        return _columns(file, path, tolerant, cut)
    except H5_ERRORS as error:
        if isinstance(error, EventFileError):
            raise
        raise EventFileError(path, f"its contents cannot be decoded, {_short(error)}") from None


def _columns(file: Any, path: Path, tolerant: bool, cut: int | None) -> RawEvents:
    """cut: where the file's own bytes end, None where it is whole."""
    import h5py

    group = _inside(file, "events", path)
    if not isinstance(group, h5py.Group):
        raise EventFileError(path, "expected a group events with p, t, x, y (DSEC's layout), found none")
    columns = {name: _checked(_inside(group, name, path), name, path) for name in COLUMNS}
    lengths = {name: len(dataset) for name, dataset in columns.items()}
    if len(set(lengths.values())) > 1:
        damaged(path, f"expected columns of equal length, got {lengths}", None, tolerant)
    count = min(lengths.values())
    values = {}
    for name, dataset in columns.items():
        values[name] = _values(dataset, count, path, tolerant, cut)
        count = len(values[name])
    values = {name: column[:count] for name, column in values.items()}
    offset = _inside(file, "t_offset", path)
    shift = int(offset[()]) if isinstance(offset, h5py.Dataset) and offset.shape == () else 0
    if count and not -(1 << 62) < int(values["t"].min()) + shift <= int(values["t"].max()) + shift < 1 << 62:
        raise EventFileError(path, f"its times do not fit 64 bits, t_offset is {shift}")
    sizes = [_size(holder.attrs) for holder in (file, group)]
    told = {key.removeprefix(PREFIX): _plain(value) for key, value in file.attrs.items() if key.startswith(PREFIX)}
    size = sizes[0] or sizes[1]
    t = values["t"].astype(np.int64) + shift
    return RawEvents(t, values["x"], values["y"], values["p"], sensor_size=size, version="DSEC", provenance=told)


def _checked(dataset: Any, name: str, path: Path) -> Any:
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.dtype.kind not in "iub":
        raise EventFileError(path, f"expected events/{name} to be a row of whole numbers (DSEC's layout)")
    if dataset.external or dataset.is_virtual:
        raise EventFileError(path, f"events/{name} lies outside the file, which is refused")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > DEFLATE_RATIO * stored or (
        dataset.chunks and dataset.chunks[0] > max(1 << 20, 2 * len(dataset))
    ):
        raise EventFileError(path, f"events/{name} declares {len(dataset)} events in {stored} bytes, which cannot be")
    return dataset


def _values(dataset: Any, count: int, path: Path, tolerant: bool, cut: int | None) -> NDArray[Any]:
    """The first `count` values; a damaged chunk is named by its place, and ends what a tolerant reader gets."""
    whole = _whole(dataset, count, cut)
    if whole < count and cut is None:
        damaged(path, f"{dataset.name} has no bytes for its events from {whole} on", None, tolerant)
    try:
        return dataset[:whole]
    except H5_ERRORS as error:
        if not dataset.chunks:
            raise
        reason = _short(error)
    size, kept = dataset.chunks[0], []
    for start in range(0, whole, size):
        try:
            kept.append(dataset[start : min(start + size, whole)])
        except H5_ERRORS:
            place = dataset.id.get_chunk_info_by_coord((start,)).byte_offset
            damaged(path, f"{dataset.name} cannot be decoded from event {start} on, {reason}", place, tolerant)
            break
    return np.concatenate(kept) if kept else np.empty(0, dataset.dtype)


def _whole(dataset: Any, count: int, cut: int | None) -> int:
    """How many of the first `count` values the file has bytes for; HDF5 itself would make zeros of the others."""
    if not dataset.chunks:
        offset = dataset.id.get_offset()
        return count if offset is None or cut is None else min(count, max(0, cut - offset) // dataset.dtype.itemsize)
    found: set[int] = set()

    def see(chunk: Any) -> None:
        if chunk.size and (cut is None or chunk.byte_offset + chunk.size <= cut):
            found.add(chunk.chunk_offset[0])

    dataset.id.chunk_iter(see)
    return next((start for start in range(0, count, dataset.chunks[0]) if start not in found), count)


def _declared_end(data: bytes) -> int | None:
    """The length that the superblock of a cut file declares; None where the file is not cut."""
    if not data.startswith(MAGIC) or len(data) < 48:
        return None
    place = {0: 40, 1: 44, 2: 28, 3: 28}.get(data[8])
    if place is None:
        return None
    end = int.from_bytes(data[place : place + 8], "little")
    return end if len(data) < end <= DEFLATE_RATIO * len(data) else None


def _inside(group: Any, name: str, path: Path) -> Any:
    """The member called `name`, or None; a soft or external link is refused."""
    import h5py

    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise EventFileError(path, f"{name} is a link to elsewhere, which is refused")
    return group[name]


def _size(attributes: Any) -> tuple[int, int] | None:
    if "width" in attributes and "height" in attributes:
        return int(attributes["width"]), int(attributes["height"])
    return None


def _plain(value: Any) -> Plain:
    return value.item() if isinstance(value, np.generic) else str(value) if not isinstance(value, Plain) else value


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]


READS = frozenset({}) if False else frozenset()
WRITES = frozenset({"provenance"}) if True else frozenset()


def matches(head):
    return head.startswith(MAGIC)


def open_reader(file, path, reading):
    file.seek(0)
    data = file.read()
    return WholeReader(decode(data, path, reading.tolerant))


def open_writer(file, path, sensor_size, writing):
    return WholeWriter(write_file, file, path, writing)
