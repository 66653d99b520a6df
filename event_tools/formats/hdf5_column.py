"""One dataset of an HDF5 file as rows that are fetched here and decoded in any thread.

Contiguous datasets, and chunks that are plain, deflated or shuffled and deflated, are read from the file itself:
HDF5's own decoder holds one thread and believes a chunk's size. Whatever else (lzf, blosc, Prophesee's ECF, odd types)
goes through HDF5 and its plugins, in pieces.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.blocks import read_at
from event_tools.formats.hdf5_file import DEFLATE_RATIO, H5_ERRORS, Hdf5, short
from event_tools.formats.hdf5_values import BadRow

DEFLATE, SHUFFLE, FLETCHER, ECF = 1, 2, 3, 0x8ECF
NATIVE = ((), (DEFLATE,), (SHUFFLE, DEFLATE), (DEFLATE, FLETCHER), (SHUFFLE, DEFLATE, FLETCHER))
LARGE_CHUNK = 1 << 20  # rows; a larger one than this and than twice the dataset holds nothing but a lie
HEAP_PLACE = 16  # bytes
WIDEST = 64  # values a row
SMALL = 1 << 14  # values that are not worth numba, which takes half a second to import
LARGE_BYTES = 1 << 26  # of a chunk that HDF5 itself decodes

Decode = Callable[[], NDArray[Any]]
Packed = tuple[NDArray[np.uint8], int, int]  # a chunk's bytes, where they lie, a bit for each filter that was left out


class Column:
    """The rows of a dataset: whole numbers, floats, compounds, or short rows of these.

    raw: values of variable length, whose rows are their places in HDF5's heap. widest: most values a row. rows: how
    many it declares; stored: how many of them, from the first on, the file has bytes for; chunk: rows a chunk, 0 where
    they simply lie one after the other. Raises EventFileError for sizes that cannot be.
    """

    def __init__(self, h5: Hdf5, dataset: Any, raw: bool = False, widest: int = WIDEST) -> None:
        self.h5, self.dataset, self.name = h5, dataset, dataset.name.lstrip("/")
        if dataset.ndim not in (1, 2) or (dataset.ndim == 2 and not 0 < dataset.shape[1] <= widest):
            raise EventFileError(h5.path, f"expected {self.name} to be a row of values, its shape is {dataset.shape}")
        self.rows, self.width = len(dataset), dataset.shape[1] if dataset.ndim == 2 else 1
        self.dtype = np.dtype((np.void, HEAP_PLACE)) if raw else dataset.dtype
        self.item = self.dtype.itemsize
        self.row_bytes = self.item * self.width
        if not self.item:
            raise EventFileError(h5.path, f"expected {self.name} to hold values, they have no size")
        self.chunk = dataset.chunks[0] if dataset.chunks else 0
        self.across = dataset.chunks[1] if dataset.chunks and dataset.ndim == 2 else self.width
        self.filters, fitting = self._filters()
        self.native = fitting and self.filters in NATIVE and (raw or _as_numpy(dataset))
        self.place = None if self.chunk else dataset.id.get_offset()
        self.native &= bool(self.chunk) or self.place is not None  # compact ones lie inside HDF5's own structures
        self.chunks: list[list[tuple[int, int, int]]] = []  # of each stretch of rows: (byte, size, filters left out)
        self.stored = self._stored_chunks() if self.chunk else self._stored_plain()
        if raw and not self.native:
            raise EventFileError(h5.path, f"{self.name} is stored in a way that is not read; write it again plainly")

    def piece(self, start: int, stop: int) -> Decode:
        """Fetch rows start to stop - 1, all stored; the answer decodes them, or raises BadRow."""
        if not self.native:
            return self._by_hdf5(start, stop)
        if not self.chunk:
            assert self.place is not None
            data = read_at(self.h5.file, self.place + start * self.row_bytes, (stop - start) * self.row_bytes)
            return lambda: self._plain(data, start, stop)
        first, last = start // self.chunk, -(-stop // self.chunk)
        packed = [[self._packed(*chunk) for chunk in self.chunks[k]] for k in range(first, last)]
        return lambda: self._joined(packed, first, start, stop)

    def _packed(self, at: int, size: int, mask: int) -> Packed:
        return read_at(self.h5.file, at, size), at, mask

    def _plain(self, data: NDArray[np.uint8], start: int, stop: int) -> NDArray[Any]:
        if len(data) < (stop - start) * self.row_bytes:
            raise BadRow(start + len(data) // self.row_bytes, f"{self.name} ends before its last event")
        return self._shaped(data, self.width)

    def _joined(self, packed: list[list[Packed]], first: int, start: int, stop: int) -> NDArray[Any]:
        parts = []
        for k, chunks in enumerate(packed, first):
            at = k * self.chunk
            low, high = max(start, at), min(stop, at + self.chunk)
            blocks = []
            for data, place, mask in chunks:
                try:
                    blocks.append(self._decoded(data, mask, low - at, high - at))
                except (zlib.error, ValueError) as error:
                    reason = f"{self.name} cannot be decoded from event {at} on, {short(error)}"
                    raise BadRow(low, reason, place) from None
            parts.append(blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1))
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return joined[:, : self.width] if joined.ndim == 2 else joined

    def _decoded(self, data: NDArray[np.uint8], mask: int, low: int, high: int) -> NDArray[Any]:
        """Rows low to high - 1 of one chunk."""
        used = [number for i, number in enumerate(self.filters) if not mask >> i & 1]
        expected = self.chunk * self.across * self.item
        if FLETCHER in used:
            data = data[:-4]  # deflate's own checksum covers the same bytes
        if DEFLATE in used:
            data = np.frombuffer(_inflated(data, expected), np.uint8)
        if len(data) != expected:
            raise ValueError(f"expected {expected} bytes, got {len(data)}")
        low, high = low * self.across, high * self.across
        if SHUFFLE in used and self.item > 1:
            data = _unshuffled(data, self.item, self.chunk * self.across, low, high)
        else:
            data = data[low * self.item : high * self.item]
        return self._shaped(data, self.across)

    def _shaped(self, data: NDArray[np.uint8], width: int) -> NDArray[Any]:
        values = data.view(self.dtype)
        return values.reshape(-1, width) if self.dataset.ndim == 2 else values

    def _by_hdf5(self, start: int, stop: int) -> Decode:
        """Rows that HDF5 decodes, here; where it fails, none from that chunk on."""
        step = self.chunk or stop
        parts: list[NDArray[Any]] = []
        problem = None
        for at in range(start - start % step, stop, step):
            low, high = max(start, at), min(stop, at + step)
            try:
                if self.chunk and DEFLATE in self.filters:
                    self._check_inflated(at // step)
                parts.append(self.dataset[low:high])
            except H5_ERRORS as error:
                place = self.chunks[at // step][0][0] if self.chunk else None
                problem = BadRow(low, f"{self.name} cannot be decoded from event {at} on, {short(error)}", place)
                break

        def decode() -> NDArray[Any]:
            if problem is not None:
                raise problem
            return parts[0] if len(parts) == 1 else np.concatenate(parts)

        return decode

    def _check_inflated(self, k: int) -> None:
        """Raise ValueError where a chunk inflates to more than it should: HDF5 would take the memory for it."""
        for at, size, mask in self.chunks[k]:
            used = [number for i, number in enumerate(self.filters) if not mask >> i & 1]
            if DEFLATE in used:
                if used[-1] not in (DEFLATE, FLETCHER):
                    raise ValueError("its filters come in an order that is not read")
                data = read_at(self.h5.file, at, size)
                _inflated(data[:-4] if used[-1] == FLETCHER else data, self.chunk * self.across * self.item)

    def _filters(self) -> tuple[tuple[int, ...], bool]:
        """Ids of the filters in the order of writing, and whether shuffle's values are the dataset's.

        Raises EventFileError where one of them is not there.
        """
        import h5py

        plist = self.dataset.id.get_create_plist()
        known = [plist.get_filter(i) for i in range(plist.get_nfilters())]
        for number, *_ in known:
            if not h5py.h5z.filter_avail(number):
                self._need_plugin(number)
        fitting = all(number != SHUFFLE or values[:1] in ((), (self.item,)) for number, _, values, _ in known)
        return tuple(number for number, *_ in known), fitting

    def _need_plugin(self, number: int) -> None:
        import h5py

        with suppress(ImportError):
            import hdf5plugin  # noqa: F401
        if h5py.h5z.filter_avail(number):
            return
        what = (
            "ECF, whose decoder comes with Prophesee's hdf5_ecf; install that and set HDF5_PLUGIN_PATH to its folder"
            if number == ECF
            else f"HDF5's filter {number}; pip install hdf5plugin"
        )
        raise EventFileError(self.h5.path, f"{self.name} is compressed with {what}")

    def _stored_plain(self) -> int:
        stored = self.dataset.id.get_storage_size()
        if self.rows * self.row_bytes > stored:
            self._refuse_size(stored)
        if self.place is None:
            return self.rows
        return min(self.rows, max(0, self.h5.size - self.place) // self.row_bytes)

    def _stored_chunks(self) -> int:
        """How many rows there are bytes for; HDF5 itself would make zeros of the others."""
        found: dict[tuple[int, ...], tuple[int, int, int]] = {}
        nominal = self.chunk * self.across * self.item
        most = 2 * nominal + (1 << 16)  # bytes; no filter makes more of a chunk

        def see(info: Any) -> None:
            if 0 < info.size <= most and info.byte_offset + info.size <= self.h5.size:
                found[info.chunk_offset] = (info.byte_offset, info.size, info.filter_mask)

        try:
            self.dataset.id.chunk_iter(see)
        except H5_ERRORS:
            if self.h5.cut is None:
                raise
        stored = sum(size for _, size, _ in found.values())
        lie = self.rows * self.row_bytes > DEFLATE_RATIO * stored and self.h5.cut is None
        if lie or self.chunk > max(LARGE_CHUNK, 2 * self.rows) or (not self.native and nominal > LARGE_BYTES):
            self._refuse_size(stored)
        columns = range(0, self.width, self.across)
        for at in range(0, self.rows, self.chunk):
            places = [(at, column) for column in columns] if self.dataset.ndim == 2 else [(at,)]
            if not all(place in found for place in places):
                return at
            self.chunks.append([found[place] for place in places])
        return self.rows

    def _refuse_size(self, stored: int) -> None:
        raise EventFileError(
            self.h5.path, f"{self.name} declares {self.rows} events in {stored} bytes, which cannot be"
        )


def _inflated(data: NDArray[np.uint8], expected: int) -> bytes:
    """A deflated stream of `expected` bytes; raises ValueError or zlib.error for any other."""
    if expected > DEFLATE_RATIO * len(data) + 1024:
        raise ValueError(f"expected {expected} bytes out of {len(data)}, which cannot be")
    unpacker = zlib.decompressobj()
    out = unpacker.decompress(data, expected + 1)
    if len(out) != expected or not unpacker.eof:
        raise ValueError(f"expected a stream of {expected} bytes, it is cut or holds more")
    return out


def _unshuffled(planes: NDArray[np.uint8], size: int, rows: int, low: int, high: int) -> NDArray[np.uint8]:
    """Rows low to high - 1 of a chunk that holds all first bytes, all second bytes, ... of its values."""
    if high - low <= SMALL:
        return np.ascontiguousarray(planes.reshape(size, rows)[:, low:high].T).reshape(-1)
    from event_tools.kernels.hdf5 import unshuffled

    return unshuffled(planes, size, rows, low, high)


def _as_numpy(dataset: Any) -> bool:
    """Whether the bytes in the file are those of numpy's values."""
    import h5py

    if dataset.dtype.hasobject:
        return False
    stored = dataset.id.get_type()
    return bool(stored.equal(h5py.h5t.py_create(dataset.dtype, logical=True)))
