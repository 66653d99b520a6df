"""Static images: MNIST and Fashion-MNIST from their idx files, folders of pictures by class."""

from __future__ import annotations

import dataclasses
import gzip
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurogen.config import DataConfig
from neurogen.data.augment import augmented
from neurogen.data.cache import built, cache_dir, source_key
from neurogen.data.errors import DataError

IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
DIGITS = tuple("0123456789")


@dataclasses.dataclass(frozen=True)
class ImageData:
    """One split. pixels: (N, C, R, R) uint8; labels: (N,) int64; classes: their names."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    shift: int
    flip: bool
    scaling = None
    kind = "images"

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, index: NDArray[np.int64] | Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Items in [-1, 1], (n, C, R, R) float32; shifted and flipped by the generator where one is given."""
        x = torch.from_numpy(self.pixels[np.asarray(index)].astype(np.float32) / 127.5 - 1)
        return x if generator is None else augmented(x, self.shift, self.flip, -1.0, generator)

    def subset(self, index: NDArray[np.int64]) -> ImageData:
        """Some of the items, in that order."""
        return dataclasses.replace(self, pixels=self.pixels[index], labels=self.labels[index])


def open_idx_data(config: DataConfig, folder: Path, split: str) -> ImageData:
    """MNIST or Fashion-MNIST from idx files, gzipped or not; raises DataError."""
    pixels = _read_idx(_find(folder, IDX_FILES[split][0]), 3)
    labels = _read_idx(_find(folder, IDX_FILES[split][1]), 1)
    if len(pixels) != len(labels):
        raise DataError(f"{folder}: expected as many labels as images, got {len(labels)} and {len(pixels)}")
    pixels = _fit_all(pixels, config)
    classes = FASHION if config.name == "fashion" else DIGITS
    return ImageData(pixels[:, None], labels.astype(np.int64), classes, config.shift, config.flip)


def open_image_folder(config: DataConfig, folder: Path, split: str | None) -> ImageData:
    """Pictures below <split>/<class>/ or <class>/, decoded once into the cache; raises DataError."""
    root = folder / split if split and (folder / split).is_dir() else folder
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(f"{root}: expected pictures ({', '.join(SUFFIXES)}) in one folder per class, found none")
    names = tuple(sorted({p.parent.name for p in files}))
    labels = np.array([names.index(p.parent.name) for p in files], np.int64)
    key = source_key(root, resolution=config.resolution, channels=config.channels, fit=config.fit)
    cache = built(cache_dir() / "images" / key, lambda place: _decode_all(files, config, place))
    pixels = np.load(cache / "pixels.npy", mmap_mode="r")
    return ImageData(pixels, labels, names, config.shift, config.flip)


def fit_image(image: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) to a square: box-halved while the short side is twice as large, bicubic, centre crop (ADM)."""
    from PIL import Image

    picture = Image.fromarray(image)
    while min(picture.size) >= 2 * resolution:
        picture = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX)
    scale = resolution / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    left, top = (picture.width - resolution) // 2, (picture.height - resolution) // 2
    return np.asarray(picture.crop((left, top, left + resolution, top + resolution)))


def _fit_all(pixels: NDArray[np.uint8], config: DataConfig) -> NDArray[np.uint8]:
    if pixels.shape[1:] == (config.resolution, config.resolution):
        return pixels
    if config.fit == "none":
        raise DataError(f"expected images of {config.resolution}x{config.resolution} for data.fit=none, got {pixels.shape[1:]}")
    return np.stack([fit_image(image, config.resolution) for image in pixels])


def _decode_all(files: list[Path], config: DataConfig, place: Path) -> None:
    from PIL import Image, UnidentifiedImageError

    mode = {1: "L", 3: "RGB"}.get(config.channels)
    if mode is None:
        raise DataError(f"expected data.channels to be 1 or 3 for images, got {config.channels}")
    shape = (len(files), config.channels, config.resolution, config.resolution)
    out = np.lib.format.open_memmap(place / "pixels.npy", mode="w+", dtype=np.uint8, shape=shape)
    for i, file in enumerate(files):
        try:
            with Image.open(file) as picture:
                image = np.asarray(picture.convert(mode))
        except (UnidentifiedImageError, OSError, ValueError) as error:
            raise DataError(f"{file}: expected a picture, {error}") from None
        if config.fit == "none" and image.shape[:2] != (config.resolution, config.resolution):
            raise DataError(f"{file}: expected {config.resolution}x{config.resolution} for data.fit=none, got {image.shape[1]}x{image.shape[0]}")
        fitted = fit_image(image, config.resolution)
        out[i] = fitted[None] if config.channels == 1 else np.moveaxis(fitted, -1, 0)
    out.flush()


def _find(folder: Path, name: str) -> Path:
    for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx")):
        for place in (folder, folder / "raw", folder / "MNIST" / "raw", folder / "FashionMNIST" / "raw"):
            if (place / candidate).is_file():
                return place / candidate
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
