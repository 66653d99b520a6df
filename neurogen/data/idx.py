"""MNIST and Fashion-MNIST from their idx files, gzipped or not, also as torchvision lays them out."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurogen.config import DataConfig
from neurogen.data.errors import DataError
from neurogen.data.images import ImageData, fit_all

IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
PLACES = (".", "raw", "MNIST/raw", "FashionMNIST/raw")
FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
DIGITS = tuple("0123456789")


def open_idx_data(config: DataConfig, folder: Path, split: str) -> ImageData:
    """The training or test images; raises DataError."""
    if config.channels != 1:
        raise DataError(f"expected data.channels=1 for data.name={config.name}, got {config.channels}")
    pixels = _read_idx(_find(folder, IDX_FILES[split][0]), 3)
    labels = _read_idx(_find(folder, IDX_FILES[split][1]), 1)
    if len(pixels) != len(labels):
        raise DataError(f"{folder}: expected as many labels as images, got {len(labels)} and {len(pixels)}")
    if labels.max(initial=0) > 9:
        raise DataError(f"{folder}: expected labels 0 to 9 for data.name={config.name}, got up to {labels.max()}")
    classes = FASHION if config.name == "fashion" else DIGITS
    return ImageData.whole(fit_all(pixels[:, None], config), labels, classes, config)


def _find(folder: Path, name: str) -> Path:
    for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx")):
        for place in PLACES:
            if (folder / place / candidate).is_file():
                return folder / place / candidate
    raise DataError(f"{folder}: expected {name} or {name}.gz, found neither")


def _read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """An idx file of unsigned bytes; raises DataError for anything else."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: expected an idx file, {error}") from None
    header = 4 + 4 * dimensions
    if data[:4] != bytes((0, 0, 8, dimensions)):
        raise DataError(f"{path}: expected an idx file of {dimensions}-dimensional bytes, it begins with {data[:4]!r}")
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions))
    if len(data) != header + int(np.prod(shape, dtype=np.int64)):
        raise DataError(f"{path}: expected {shape} bytes, the file is cut short or too long")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
