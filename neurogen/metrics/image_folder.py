"""A folder or .zip of pictures of one size, in class folders or loose, as 8-bit arrays."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from neurogen.data.picture_files import SUFFIXES, FolderFiles, ZipFiles, picture_files
from neurogen.metrics.errors import MetricError

GREY, COLOUR = ("1", "L", "LA"), ("P", "RGB", "RGBA", "CMYK", "YCbCr")  # PIL's modes of 8 bits


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """files: of the pictures; size: (height, width) of the first one, which all must have; channels: 1 or 3."""

    files: FolderFiles | ZipFiles
    size: tuple[int, int]
    channels: int

    def __len__(self) -> int:
        return len(self.files)

    def read(
        self, index: NDArray[np.int64], channels: int, progress: Callable[[int], None] = lambda _: None
    ) -> NDArray[np.uint8]:
        """(N, channels, H, W) of these pictures; raises MetricError for one of another size."""
        images = np.empty((len(index), channels, *self.size), np.uint8)
        for n, i in enumerate(index):
            picture = _decoded(self.files, int(i))
            if picture.size[::-1] != self.size:
                (height, width), (other_width, other_height) = self.size, picture.size
                raise MetricError(
                    f"{self.files.place(int(i))}: expected {width}x{height} pixels as the first picture has, got "
                    f"{other_width}x{other_height}; bring all to one size"
                )
            pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
            images[n] = pixels[None] if channels == 1 else np.moveaxis(pixels, -1, 0)
            progress(n + 1)
        return images

    def labels(self, index: NDArray[np.int64], classes: tuple[str, ...]) -> tuple[NDArray[np.int64] | None, str]:
        """(N,) by the folders that pictures lie in; or None, and why there are none."""
        folders = [self.files.names[int(i)].split("/") for i in index]
        names = [parts[-2] if len(parts) > 1 else "" for parts in folders]
        unknown = sorted(set(names) - set(classes))
        if unknown == [""]:
            return None, "its pictures lie in no class folders"
        if unknown:
            return None, f"its folder {unknown[-1]} is no class of the data set"
        return np.array([classes.index(name) for name in names], np.int64), ""


def open_images(path: Path) -> ImageFolder:
    """The pictures below a folder or in a .zip; of what `neurogen sample` writes, those below images/.

    Raises MetricError where there are none.
    """
    files = picture_files(path / "images" if (path / "images").is_dir() else path)
    if not len(files):
        raise MetricError(f"{path}: expected pictures ({', '.join(SUFFIXES)}), recordings or a model, found none")
    first = _decoded(files, 0)
    return ImageFolder(files, first.size[::-1], 1 if first.mode in GREY else 3)


def _decoded(files: FolderFiles | ZipFiles, i: int) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(files.read(i)))
        picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        said = " ".join(str(error).split())[:60]
        raise MetricError(f"{files.place(i)}: expected a picture, {said}; take a fresh copy or remove it") from None
    if picture.mode not in GREY + COLOUR:
        raise MetricError(f"{files.place(i)}: expected a picture of 8 bits a channel, got {picture.mode}; convert it")
    return picture
