"""What sets of labelled recordings in one HDF5 file have in common, and how what they say of each is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.formats.hdf5_attributes import heap_bytes
from event_tools.formats.hdf5_column import Column
from event_tools.formats.hdf5_file import Hdf5
from event_tools.formats.hdf5_values import BadRow
from event_tools.formats.reader import Reader

PLAIN_BYTES = 1 << 26  # of labels, names and the like; more only where the file is as large
HEAP_TEXTS, HEAP_BYTES = 1 << 10, 1 << 20  # texts of variable length; bytes of a heap that are searched for each


class Many(ABC):
    """The recordings of a file: version, and by position labels, names and readers. Raises EventFileError."""

    version = ""

    def __init__(self, h5: Hdf5, labels: NDArray[Any]) -> None:
        self.h5 = h5
        if labels.dtype.kind not in "iu" or labels.ndim != 1:
            raise EventFileError(h5.path, f"expected labels to be whole numbers, got {labels.dtype} {labels.shape}")
        self.labels: NDArray[np.int64] = labels.astype(np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """What the labels mean."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for each recording."""
        return tuple(f"{self.classes[label]}/{i}" for i, label in enumerate(self.labels))

    @abstractmethod
    def reader(self, i: int) -> Reader:
        """The reader of recording i."""

    def position(self, member: str | int | None) -> int:
        """Which recording `member` means; raises EventFileError where it means none."""
        n = len(self)
        if isinstance(member, str) and member in self.names:
            return self.names.index(member)
        if isinstance(member, str) and member.isascii() and member.isdecimal():
            member = int(member)
        if isinstance(member, int) and 0 <= member < n:
            return member
        such = f" or a name such as {self.names[0]!r}" if n else ""
        got = "" if member is None else f", none of them {member!r}"
        raise EventFileError(
            self.h5.path,
            f"it holds {n} recordings of {len(self.classes)} classes{got}; "
            f"choose one by member=0 to {n - 1}{such}, or walk them with open_recordings",
        )

    def check_labels(self) -> None:
        """Raise EventFileError for a label without a class."""
        wrong = (self.labels < 0) | (self.labels >= len(self.classes))
        if wrong.any():
            at = int(np.argmax(wrong))
            raise EventFileError(
                self.h5.path, f"expected labels of {len(self.classes)} classes, recording {at} has {self.labels[at]}"
            )


def column_of(h5: Hdf5, place: str) -> Column:
    """A dataset that a set has to have; raises EventFileError."""
    dataset = h5.dataset(place)
    if dataset is None:
        raise EventFileError(h5.path, f"expected {place} in this set, it is not there")
    return Column(h5, dataset)


def values_of(h5: Hdf5, place: str) -> NDArray[Any]:
    """All values of a dataset that says something of each recording."""
    column = column_of(h5, place)
    if column.rows * column.row_bytes > max(PLAIN_BYTES, 64 * h5.size) or column.stored < column.rows:
        raise EventFileError(h5.path, f"{place} declares {column.rows} values, of which it holds {column.stored}")
    try:
        if column.dtype.hasobject:
            if column.rows > HEAP_TEXTS:
                raise EventFileError(h5.path, f"expected up to {HEAP_TEXTS} texts in {place}, got {column.rows}")
            places = Column(h5, column.dataset, raw=True).piece(0, column.rows)()
            base = h5.root.userblock_size
            texts = [heap_bytes(h5.file, base, row.tobytes(), 1, HEAP_BYTES) for row in places]
            if None in texts:
                raise EventFileError(h5.path, f"{place} has no such texts in HDF5's heap")
            return np.array(texts, object)
        return column.piece(0, column.rows)()
    except BadRow as problem:
        raise EventFileError(h5.path, problem.reason, problem.offset) from None


def texts_of(h5: Hdf5, place: str, count: int | None = None) -> tuple[str, ...]:
    """The texts of a dataset, of fixed or variable length; count: how many there have to be."""
    values = values_of(h5, place)
    if values.dtype.kind not in "SO" or values.ndim != 1 or (count is not None and len(values) != count):
        raise EventFileError(
            h5.path, f"expected {place} to be {count or 'some'} texts, got {values.dtype} {values.shape}"
        )
    return tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values)
