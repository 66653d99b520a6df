"""SHD and SSC: spike trains of spoken digits and words, many in one HDF5 file.

    spikes/times (N) variable length [s] | spikes/units (N) variable length | labels (N) | extra/keys: what they mean

One dimension: y = 0, p = 1, sensor (700, 1). Source: Cramer et al. 2020, zenkelab.org/datasets.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.hdf5_attributes import heap_bytes
from event_tools.formats.hdf5_column import Column
from event_tools.formats.hdf5_file import H5_ERRORS, Hdf5, short
from event_tools.formats.hdf5_many import Many, texts_of, values_of
from event_tools.formats.hdf5_values import BadRow, coordinates, microseconds
from event_tools.formats.reader import Columns, Reader, damaged

UNITS = 700


class SpikeSet(Many):
    """SHD's and SSC's layout."""

    version = "SHD/SSC"

    def __init__(self, h5: Hdf5) -> None:
        super().__init__(h5, values_of(h5, "labels"))
        self.times, self.units = h5.dataset("spikes/times"), h5.dataset("spikes/units")
        for dataset in (self.times, self.units):
            if dataset.ndim != 1 or len(dataset) != len(self):
                raise EventFileError(
                    h5.path, f"expected {len(self)} recordings in {dataset.name.lstrip('/')}, got {dataset.shape}"
                )
        self.heaps = [(Column(h5, dataset, raw=True), _base(h5, dataset)) for dataset in (self.times, self.units)]
        self.check_labels()

    def spikes(self, i: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Times and units of recording i; raises BadRow or one of H5_ERRORS."""
        found, base = [], self.h5.root.userblock_size
        for column, dtype in self.heaps:
            if i >= column.stored:
                raise BadRow(i, f"{column.name} has no bytes for it")
            data = heap_bytes(self.h5.file, base, column.piece(i, i + 1)().tobytes(), dtype.itemsize)
            if data is None:
                raise BadRow(i, f"{column.name} has no such values in HDF5's heap")
            found.append(np.frombuffer(data, dtype))
        return found[0], found[1]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        if self.h5.find("extra/keys") is not None:
            return texts_of(self.h5, "extra/keys")
        top = int(self.labels.max(initial=-1))
        if not top < 1 << 16:
            raise EventFileError(self.h5.path, f"expected labels below {1 << 16}, got {top}")
        return tuple(map(str, range(top + 1)))

    def reader(self, i: int) -> Reader:
        return _SpikeReader(self, i)


class _SpikeReader(Reader):
    def __init__(self, many: SpikeSet, i: int) -> None:
        super().__init__(many.version, default_size=(UNITS, 1))
        self.many, self.i = many, i

    def chunks(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Columns]:
        many, path = self.many, self.many.h5.path
        try:
            times, units = many.spikes(self.i)
            n = min(len(times), len(units))
            if len(times) != len(units):
                reason = f"recording {self.i} has {len(times)} times and {len(units)} units"
                damaged(path, reason, None, many.h5.tolerant)
            t, x = microseconds(times[:n], None, 0, 0), coordinates(units[:n], "unit", 0)
        except H5_ERRORS as error:
            if isinstance(error, EventFileError):
                raise
            damaged(path, f"recording {self.i} cannot be decoded, {short(error)}", None, many.h5.tolerant)
        except BadRow as problem:
            damaged(path, f"in recording {self.i}, {problem.reason}", None, many.h5.tolerant)
        else:
            yield Columns(t, x, np.zeros(n, np.uint16), np.ones(n, np.uint8))


def _base(h5: Hdf5, dataset: Any) -> np.dtype[Any]:
    """The type of the values in a dataset of variable length."""
    import h5py

    base = h5py.check_vlen_dtype(dataset.dtype)
    if base is None or np.dtype(base).kind not in "iuf":
        raise EventFileError(
            h5.path, f"expected {dataset.name.lstrip('/')} to hold rows of numbers, got {dataset.dtype}"
        )
    return np.dtype(base)
