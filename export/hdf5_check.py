"""A first look at an HDF5 file that a stranger may have made: only plain groups and data, of a size that memory takes.

Links to other files, data kept in other files, groups inside themselves and sizes beyond all reason are refused before
anything is read.
"""

from __future__ import annotations

from pathlib import Path

import h5py

LARGEST = 1 << 31  # bytes of all data together, as declared
MOST = 1 << 16  # groups and data
DEEPEST = 16


def check_hdf5(path: Path) -> None:
    """Raises ValueError, one sentence, for a file that is no plain HDF5; OSError where it cannot be opened."""
    with path.open("rb"):
        pass
    if not h5py.is_hdf5(path):
        raise ValueError(f"{path}: expected an HDF5 file, its contents are something else; give the right file")
    try:
        with h5py.File(path, "r") as file:
            _check_group(path, file, [0, 0], 0)
    except (OSError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"{path}: expected an HDF5 file, it is damaged ({reason}); take a fresh copy") from error


def _check_group(path: Path, group: h5py.Group, totals: list[int], depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"{path}: expected groups up to {DEEPEST} deep, {group.name[:60]} is deeper; take another")
    for name in group:
        totals[1] += 1
        if totals[1] > MOST:
            raise ValueError(f"{path}: expected up to {MOST:,} groups and data sets, it has more; take another file")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{path}: expected no links, {name!r} in {group.name[:60]} is one; take another file")
        item = group[name]
        if isinstance(item, h5py.Group):
            _check_group(path, item, totals, depth + 1)
        elif isinstance(item, h5py.Dataset):
            _check_data(path, item, totals)


def _check_data(path: Path, data: h5py.Dataset, totals: list[int]) -> None:
    if data.external or data.is_virtual:
        raise ValueError(f"{path}: expected all data in the file, {data.name[:60]} is kept in others; take another")
    totals[0] += (data.size or 0) * data.dtype.itemsize
    if totals[0] > LARGEST:
        raise ValueError(
            f"{path}: expected up to {LARGEST:,} bytes of data, {data.name[:60]} leads beyond that; take another file"
        )
