"""An HDF5 file that is written as it comes: columns that grow chunk by chunk, and a disk that may be full.

HDF5 cannot give up a file that it failed to write: it tries again when the interpreter ends, and crashes. So it writes
through a file object that never fails, keeps what the disk refused in memory, and is asked for its error afterwards.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.formats.blocks import in_order
from event_tools.formats.hdf5_file import H5_ERRORS, PREFIX

CHUNK = 1 << 16  # events
BATCH_CHUNKS = 4  # that are compressed side by side
LEVEL = 1  # of gzip


class Disk(io.RawIOBase):
    """The file object; error: the first that the disk gave."""

    def __init__(self, path: Path) -> None:
        self.file = open(path, "r+b", buffering=0)  # noqa: SIM115
        self.at = self.end = 0
        self.error: OSError | None = None
        self.refused: list[tuple[int, bytes]] = []

    def seek(self, at: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the start, from here or from the end."""
        self.at = at + (0, self.at, self.end)[whence]
        return self.at

    def tell(self) -> int:
        """The place."""
        return self.at

    def write(self, data: Any) -> int:
        """Write at the place; what the disk refuses is kept."""
        plain = bytes(data)
        start, self.at = self.at, self.at + len(plain)
        self.end = max(self.end, self.at)
        try:
            if self.error is None:
                self.file.seek(start)
                rest = memoryview(plain)
                while rest:
                    rest = rest[self.file.write(rest) :]
                return len(plain)
        except OSError as error:
            self.error = error
        self.refused.append((start, plain))
        return len(plain)

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what was written; zeros where nothing was."""
        view = np.asarray(memoryview(buffer)).view(np.uint8)
        self.file.seek(self.at)
        found = self.file.read(len(view)) or b""
        view[: len(found)] = np.frombuffer(found, np.uint8)
        view[len(found) :] = 0
        for start, data in self.refused:
            low, high = max(start, self.at), min(start + len(data), self.at + len(view))
            if low < high:
                view[low - self.at : high - self.at] = np.frombuffer(data, np.uint8)[low - start : high - start]
        self.at += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Cut or lengthen the file."""
        self.end = self.at if size is None else size
        if self.error is None:
            try:
                self.file.truncate(self.end)
            except OSError as error:
                self.error = error
        return self.end

    def flush(self) -> None:
        """Nothing is held back."""

    def check(self) -> None:
        """Raise the error that the disk gave, if any."""
        if self.error is not None:
            raise self.error


class Output:
    """An HDF5 file being written at `path`, which is there and empty. Raises OSError from `check` on."""

    def __init__(self, path: Path) -> None:
        import h5py

        self.disk = Disk(path)
        self.root = h5py.File(self.disk, "w", libver="v110")

    def note(self, provenance: Any) -> None:
        """Keep provenance in attributes."""
        import h5py

        for key, value in provenance.items():
            if isinstance(value, str):  # of fixed length, which is read without a heap
                encoded = value.encode()
                dtype = h5py.string_dtype("utf-8", len(encoded) or 1)
                self.root.attrs.create(PREFIX + key, encoded, dtype=dtype)
            else:
                self.root.attrs[PREFIX + key] = value

    def compact(self, name: str, value: np.generic) -> None:
        """A single value inside HDF5's own structures, which have checksums."""
        import h5py

        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        plist.set_obj_track_times(False)
        kind = h5py.h5t.py_create(value.dtype)
        made = h5py.h5d.create(self.root.id, name.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR), plist)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(value))

    def check(self) -> None:
        """Raise the error that the disk gave, if any."""
        self.disk.check()

    def finish(self) -> None:
        """Complete the file."""
        self.root.close()
        self.disk.check()

    def close(self) -> None:
        """Let go of it, finished or not."""
        if self.root:
            with suppress(*H5_ERRORS):
                self.root.close()
        self.disk.file.close()


class Table:
    """Columns of one length, gzip-1 with shuffle, which every HDF5 build reads.

    The chunks of a stretch lie side by side, so that a cut file keeps whole events; the last one is filled up with
    zeros. dtypes: by name, in the order of writing; nothing is made before `begin`.
    """

    def __init__(self, group: Any, dtypes: dict[str, str], chunk: int) -> None:
        self.group, self.dtypes, self.chunk, self.rows = group, dict(dtypes), chunk, 0
        self.made: dict[str, Any] = {}

    def begin(self, rows: int | None = None) -> None:
        """Make the columns, before what they hold; rows: how many there will be, where that is known."""
        self.chunk = self.chunk if rows is None else min(self.chunk, rows)
        self.made = {name: self._dataset(name, dtype) for name, dtype in self.dtypes.items()}

    def add(self, columns: dict[str, NDArray[Any]]) -> None:
        """The next rows: a multiple of the chunk unless they are the last."""
        count = len(next(iter(columns.values())))
        if not count:
            return
        size = self.chunk
        jobs = [(name, start) for start in range(0, count, size) for name in self.dtypes]
        packed = partial(self._packed, columns, size)
        for (name, start), data in zip(jobs, in_order(packed, jobs), strict=True):
            dataset = self.made[name]
            dataset.resize((self.rows + min(start + size, count),))
            dataset.id.write_direct_chunk((self.rows + start,), data)
        self.rows += count

    def retype(self, name: str, dtype: str) -> None:
        """Give a column another type; what was written is written again, and its old place is free for later."""
        self.dtypes[name] = dtype
        if name not in self.made:
            return
        old, size = self.made[name], self.chunk
        del self.group[name]
        new = self.made[name] = self._dataset(name, dtype)
        new.resize((self.rows,))
        for start in range(0, self.rows, size):
            values = old[start : start + size].astype(dtype)
            new.id.write_direct_chunk((start,), zlib.compress(_shuffled(values, size), LEVEL))

    def _dataset(self, name: str, dtype: str) -> Any:
        if not self.chunk:
            return self.group.create_dataset(name, (0,), dtype, track_times=False)
        packing = {"chunks": (self.chunk,), "compression": "gzip", "compression_opts": LEVEL, "shuffle": True}
        return self.group.create_dataset(name, (0,), dtype, maxshape=(None,), track_times=False, **packing)

    def _packed(self, columns: dict[str, NDArray[Any]], size: int, job: tuple[str, int]) -> bytes:
        name, start = job
        values = columns[name][start : start + size].astype(self.dtypes[name], copy=False)
        return zlib.compress(_shuffled(values, size), LEVEL)


class Batches:
    """Columns that come in parts of any size, given on in equal batches."""

    def __init__(self, rows: int) -> None:
        self.rows, self.held, self.count = rows, [], 0  # type: ignore[var-annotated]

    def add(self, *columns: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
        """The batches that are full by now."""
        at, count = 0, len(columns[0])
        while self.count + count - at >= self.rows:
            stop = at + self.rows - self.count
            yield self._joined(tuple(column[at:stop] for column in columns))
            self.held, self.count, at = [], 0, stop
        if at < count:
            self.held.append(tuple(column[at:].copy() for column in columns))
            self.count += count - at

    def rest(self, *empty: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """What remains, `empty` where nothing does."""
        return self._joined(()) if self.held else empty

    def _joined(self, last: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
        if not self.held:
            return last
        return tuple(np.concatenate(parts) for parts in zip(*self.held, *([last] if last else []), strict=True))


def _shuffled(values: NDArray[Any], rows: int) -> bytes:
    """The bytes of a chunk of `rows` that holds the values, then zeros: all first bytes, all second bytes, ..."""
    planes = np.zeros((values.itemsize, rows), np.uint8)
    planes[:, : len(values)] = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1).T
    return planes.tobytes()
