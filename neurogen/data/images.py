"""Static images: one split of a set, and folders of pictures by class."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurogen.config import DataConfig
from neurogen.data.augment import augmented
from neurogen.data.crops import fit_image
from neurogen.data.decoding import Pixels, decoded_pixels
from neurogen.data.errors import DataError
from neurogen.data.picture_files import SUFFIXES, FolderFiles, ZipFiles, picture_files
from neurogen.draws import Draws

FOLDERS = {"train": ("train", "Train"), "test": ("test", "Test")}


@dataclasses.dataclass(frozen=True)
class ImageData:
    """One split of a set of images: items `index` of a source.

    source: (M, C, R, R) uint8, mapped or decoded when asked for; source_labels: (M,) int64; classes: their names;
    index: (N,) int64, which of the source's images are in this split.
    """

    source: Pixels
    source_labels: NDArray[np.int64]
    classes: tuple[str, ...]
    index: NDArray[np.int64]
    shift: int
    flip: bool
    scaling = None
    kind = "images"

    @classmethod
    def whole(
        cls, pixels: Pixels, labels: NDArray[np.integer], classes: tuple[str, ...], config: DataConfig
    ) -> ImageData:
        """All images of a source."""
        return cls(pixels, labels.astype(np.int64), classes, np.arange(len(labels)), config.shift, config.flip)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(N, C, R, R); the mapped file itself where the split is the whole of it, else a copy."""
        if isinstance(self.source, np.ndarray) and len(self.index) == len(self.source):
            return self.source
        return self.source[self.index]

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) indices into `classes`."""
        return self.source_labels[self.index]

    def batch(self, index: NDArray[np.int64] | Tensor, generator: Draws | None = None) -> Tensor:
        """Items in [-1, 1], (n, C, R, R) float32; shifted and flipped by the generator where one is given."""
        x = torch.from_numpy(self.source[self.index[np.asarray(index)]].astype(np.float32) / 127.5 - 1)
        return x if generator is None else augmented(x, self.shift, self.flip, -1.0, generator)

    def subset(self, index: NDArray[np.int64]) -> ImageData:
        """Some of the items, in ascending order."""
        return dataclasses.replace(self, index=self.index[index])


def open_image_folder(config: DataConfig, path: Path, split: str) -> tuple[ImageData, bool]:
    """Pictures below <split>/<class>/ or <class>/ of a folder or .zip, and whether they have a test split of their own.

    Raises DataError.
    """
    everything = picture_files(path)
    own_test = has_image_splits(everything)
    files = _below(everything, split) if own_test else everything
    if not len(files):
        raise DataError(f"{path}: expected pictures ({', '.join(SUFFIXES)}) in one folder per class, found none")
    depth = 2 if own_test else 1
    loose = next((i for i, name in enumerate(files.names) if name.count("/") < depth), None)
    if loose is not None:
        raise DataError(
            f"{files.place(loose)}: expected pictures in one folder per class, this one has none; move it into one"
        )
    classes = _classes(_below(everything, "train") if own_test else files)
    labels_of = [name.split("/")[-2] for name in files.names]
    unknown = sorted(set(labels_of) - set(classes))
    if unknown:
        raise DataError(f"{path}: expected the labels of the training pictures, got {', '.join(unknown)} too")
    numbers = {name: i for i, name in enumerate(classes)}
    labels = np.array([numbers[name] for name in labels_of], np.int64)
    return ImageData.whole(decoded_pixels(files, config), labels, classes, config), own_test


def has_image_splits(files: FolderFiles | ZipFiles) -> bool:
    """Whether pictures lie in a training and a test folder."""
    first = {name.split("/")[0] for name in files.names if "/" in name}
    return all(first & set(names) for names in FOLDERS.values())


def fit_all(pixels: NDArray[np.uint8], config: DataConfig) -> NDArray[np.uint8]:
    """(N, C, H, W) to (N, C, R, R); raises DataError where data.fit does not allow it."""
    size = config.resolution
    if pixels.shape[2:] == (size, size) and config.fit != "fsvae148":
        return pixels
    if config.fit == "none":
        raise DataError(
            f"expected images of {size}x{size} for data.fit=none, got {pixels.shape[3]}x{pixels.shape[2]}; "
            f"set data.fit=resize or data.resolution={pixels.shape[2]}"
        )
    if pixels.shape[1] == 1:
        return np.stack([fit_image(image[0], size, config.fit) for image in pixels])[:, None]
    rows = np.stack([fit_image(np.moveaxis(image, 0, -1), size, config.fit) for image in pixels])
    return np.ascontiguousarray(np.moveaxis(rows, -1, 1))


def _below(files: FolderFiles | ZipFiles, split: str) -> FolderFiles | ZipFiles:
    names = tuple(name for name in files.names if "/" in name and name.split("/")[0] in FOLDERS[split])
    return dataclasses.replace(files, names=names)


def _classes(files: FolderFiles | ZipFiles) -> tuple[str, ...]:
    """Names of the class folders, numbers in their own order."""
    names = {name.split("/")[-2] for name in files.names}
    return tuple(sorted(names, key=lambda name: (int(name), "") if name.isdecimal() else (1 << 62, name)))
