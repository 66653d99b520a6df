"""Arrays written part by part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurogen.data.array_file import save_parts


@pytest.mark.parametrize(("high", "dtype"), [(255, np.uint8), (256, np.uint16), (65535, np.uint16)])
def test_parts_are_kept_in_the_smallest_type_that_holds_them(tmp_path: Path, high: int, dtype: type) -> None:
    parts = [np.arange(12).reshape(2, 3, 2), np.full((1, 3, 2), high), np.ones((3, 3, 2), int)]
    save_parts(tmp_path / "x.npy", parts, 6)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert mapped.dtype == dtype
    np.testing.assert_array_equal(mapped, np.concatenate(parts))


@pytest.mark.parametrize("value", [-1, 65536])
def test_a_number_that_does_not_fit_is_refused(tmp_path: Path, value: int) -> None:
    with pytest.raises(ValueError, match="numbers from 0 to 65535"):
        save_parts(tmp_path / "x.npy", [np.full((1, 2), value)], 1)


def test_missing_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 3 rows, got 1"):
        save_parts(tmp_path / "x.npy", [np.ones((1, 2), int)], 3)


def test_the_file_is_numpys_own_format(tmp_path: Path) -> None:
    save_parts(tmp_path / "ours.npy", [np.array([[1, 2], [3, 4]]), np.array([[5, 6]])], 3)
    np.save(tmp_path / "numpy.npy", np.array([[1, 2], [3, 4], [5, 6]], np.uint8))
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
