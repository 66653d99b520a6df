"""CIFAR-10 from its binary version: cifar-10-batches-bin/data_batch_1.bin to _5.bin and test_batch.bin.

A record has 3,073 bytes: the label, then 32x32 red, green and blue values row by row; 10,000 records a file (A.
Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009). The Python version is pickled, and nothing
here unpickles.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurogen.config import DataConfig
from neurogen.data.errors import DataError
from neurogen.data.images import ImageData, fit_all

FOLDER = "cifar-10-batches-bin"
FILES = {"train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test": ("test_batch.bin",)}
IMAGES = 10_000  # in each file
RECORD = 1 + 3 * 32 * 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def open_cifar10(config: DataConfig, path: Path, split: str) -> ImageData:
    """The 50,000 training or 10,000 test images; raises DataError."""
    if config.channels != 3:
        raise DataError(f"expected data.channels=3 for data.name=cifar10, got {config.channels}")
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    if not (folder / FILES["train"][0]).is_file() and any(
        place.exists() for place in (path / "cifar-10-batches-py", path / "data_batch_1")
    ):
        raise DataError(
            f"{path}: expected CIFAR-10's binary version, this is the Python version, which is pickled and may run "
            f"anything when read; set data.download=true or fetch cifar-10-binary.tar.gz"
        )
    records = np.concatenate([_records(folder / name) for name in FILES[split]])
    pixels = records[:, 1:].reshape(-1, 3, 32, 32)
    return ImageData.whole(fit_all(pixels, config), records[:, 0], CLASSES, config)


def _records(file: Path) -> NDArray[np.uint8]:
    """(10,000, 3,073) uint8; raises DataError."""
    if not file.is_file():
        raise DataError(f"{file.parent}: expected {file.name} of CIFAR-10's binary version, found none; fetch it again")
    if (size := file.stat().st_size) != IMAGES * RECORD:
        raise DataError(f"{file}: expected {IMAGES * RECORD} bytes, got {size}; take a fresh copy of it")
    records = np.fromfile(file, np.uint8).reshape(IMAGES, RECORD)
    if (highest := int(records[:, 0].max())) >= len(CLASSES):
        raise DataError(f"{file}: expected labels 0 to 9, got up to {highest}; take a fresh copy of it")
    return records
