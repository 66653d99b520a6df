"""Images that a test can make in no time: a bright square on a dark ground, further right for a higher class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.neurogen.data.sets import idx, picture

CLASSES = 3


def squares(count: int, seed: int, size: int = 28) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(images (count, 1, size, size), labels (count,)): classes in turn, noise on every pixel."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, 1, size, size)).astype(np.uint8)
    labels = np.arange(count) % CLASSES
    for image, label in zip(images, labels, strict=True):
        x = int(label) * size // CLASSES + int(rng.integers(0, 3))
        y = int(rng.integers(4, size - 12))
        image[0, y : y + 8, x : x + 6] = rng.integers(150, 256)
    return images, labels.astype(np.int64)


def mnist_like(folder: Path, train: int = 300, test: int = 120) -> Path:
    """Such images as MNIST's files; training and test images differ."""
    for name, count, seed in (("train", train, 1), ("t10k", test, 2)):
        images, labels = squares(count, seed)
        idx(folder / f"{name}-images-idx3-ubyte", images[:, 0])
        idx(folder / f"{name}-labels-idx1-ubyte", labels.astype(np.uint8))
    return folder


def picture_folder(folder: Path, count: int, seed: int = 3, labelled: bool = True) -> Path:
    """Such images as PNG, in folders 0, 1, 2 or loose."""
    images, labels = squares(count, seed)
    for n, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / str(label) if labelled else folder
        picture(place / f"{n:05d}.png", image[0])
    return folder
