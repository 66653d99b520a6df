"""LSUN (Yu et al., arXiv 1506.03365): bedrooms and outdoor churches, as LMDB or as a folder of pictures.

bedroom_train_lmdb/ and bedroom_val_lmdb/ (church_outdoor_...), as LSUN's own script and torchvision have them, need the
package lmdb. The 20 % of the bedrooms that arXiv 2405.14474 trains on (303,125 pictures, on Kaggle) are a folder, or
its .zip, of any depth. Without LSUN's own 300 validation pictures as many are held out for testing.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurogen.config import DataConfig
from neurogen.data.cache import built, cache_dir, source_key
from neurogen.data.decoding import decoded_pixels
from neurogen.data.errors import DataError
from neurogen.data.images import ImageData
from neurogen.data.picture_files import PictureFiles, picture_files

CATEGORIES = {"lsun_bedroom": "bedroom", "lsun_church": "church_outdoor"}
CLASSES = {"lsun_bedroom": ("bedroom",), "lsun_church": ("church",)}
TESTS = 300  # pictures, as in LSUN's validation sets


def open_lsun(config: DataConfig, path: Path, split: str) -> tuple[ImageData, bool]:
    """The pictures that hold a split, and whether there is a test split of its own; raises DataError."""
    category = CATEGORIES[config.name]
    train, test = (path / f"{category}_{part}_lmdb" for part in ("train", "val"))
    own_test = train.is_dir() and test.is_dir()
    files: PictureFiles
    if train.is_dir():
        files = LmdbFiles(test if own_test and split == "test" else train)
    else:
        files = LmdbFiles(path) if (path / "data.mdb").is_file() else picture_files(path)
    if not len(files):
        raise DataError(
            f"{path}: expected {train.name}, or a folder or .zip of pictures, found neither; set data.path to one"
        )
    pixels = decoded_pixels(files, config)
    return ImageData.whole(pixels, np.zeros(len(files), np.int64), CLASSES[config.name], config), own_test


class LmdbFiles:
    """Pictures that are the values of an LMDB; the order is that of the keys."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __len__(self) -> int:
        return len(self._keys)

    def read(self, i: int) -> bytes:
        with self._environment.begin() as reading:
            return bytes(reading.get(self._keys[i].tobytes().rstrip(b"\0")))

    def place(self, i: int) -> str:
        return f"{self.path}/{self._keys[i].decode(errors='replace')}"

    def key(self, **settings: Any) -> str:
        return source_key(self.path, ["data.mdb"], **settings)

    @cached_property
    def _environment(self) -> Any:
        try:
            import lmdb
        except ImportError:
            raise DataError(
                f"{self.path}: expected the package lmdb to read it, found none; pip install 'neurogen[lsun]'"
            ) from None
        try:
            return lmdb.open(str(self.path), readonly=True, lock=False, readahead=False, meminit=False, create=False)
        except lmdb.Error as error:
            raise DataError(f"{self.path}: expected an LMDB of pictures, {error}; take a fresh copy of it") from None

    @cached_property
    def _keys(self) -> NDArray[np.bytes_]:
        """Listed once, as three million of them take a while."""
        if not (self.path / "data.mdb").is_file():
            raise DataError(f"{self.path}: expected data.mdb of an LMDB of pictures, found none; take a fresh copy")
        environment = self._environment

        def build(place: Path) -> None:
            with environment.begin() as reading, reading.cursor() as cursor:
                np.save(place / "keys.npy", np.array([bytes(key) for key in cursor.iternext(values=False)], np.bytes_))

        return np.load(built(cache_dir() / "lsun" / self.key(), build) / "keys.npy")
