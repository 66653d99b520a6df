"""Static images: MNIST and Fashion-MNIST from their idx files, folders of pictures by class."""

from __future__ import annotations

import dataclasses
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurogen.config import DataConfig
from neurogen.data.array_file import save_parts
from neurogen.data.augment import augmented
from neurogen.data.cache import built, cache_dir, source_key
from neurogen.data.errors import DataError
from neurogen.draws import Draws
from neurogen.progress import bar

IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
DIGITS = tuple("0123456789")
FOLDERS = {"train": ("train", "Train"), "test": ("test", "Test")}
LAYOUT = 1  # of the cache; raise it when what is stored changes


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

    def batch(self, index: NDArray[np.int64] | Tensor, generator: Draws | None = None) -> Tensor:
        """Items in [-1, 1], (n, C, R, R) float32; shifted and flipped by the generator where one is given."""
        x = torch.from_numpy(self.pixels[np.asarray(index)].astype(np.float32) / 127.5 - 1)
        return x if generator is None else augmented(x, self.shift, self.flip, -1.0, generator)

    def subset(self, index: NDArray[np.int64]) -> ImageData:
        """Some of the items, in that order."""
        return dataclasses.replace(self, pixels=self.pixels[index], labels=self.labels[index])


def open_idx_data(config: DataConfig, folder: Path, split: str) -> ImageData:
    """MNIST or Fashion-MNIST from idx files, gzipped or not; raises DataError."""
    if config.channels != 1:
        raise DataError(f"expected data.channels=1 for data.name={config.name}, got {config.channels}")
    pixels = _read_idx(_find(folder, IDX_FILES[split][0]), 3)
    labels = _read_idx(_find(folder, IDX_FILES[split][1]), 1)
    if len(pixels) != len(labels):
        raise DataError(f"{folder}: expected as many labels as images, got {len(labels)} and {len(pixels)}")
    if labels.max(initial=0) > 9:
        raise DataError(f"{folder}: expected labels 0 to 9 for data.name={config.name}, got up to {labels.max()}")
    pixels = _fit_all(pixels, config)
    classes = FASHION if config.name == "fashion" else DIGITS
    return ImageData(pixels[:, None], labels.astype(np.int64), classes, config.shift, config.flip)


def open_image_folder(config: DataConfig, folder: Path, split: str | None) -> ImageData:
    """Pictures below <split>/<class>/ or <class>/, decoded once into the cache; raises DataError."""
    mode = {1: "L", 3: "RGB"}.get(config.channels)
    if mode is None:
        raise DataError(f"expected data.channels to be 1 or 3 for images, got {config.channels}")
    root = _split_folder(folder, split) if split else folder
    files = _pictures(root)
    if not files:
        raise DataError(f"{root}: expected pictures ({', '.join(SUFFIXES)}) in one folder per class, found none")
    loose = next((file for file in files if file.parent == root), None)
    if loose is not None:
        raise DataError(f"{loose}: expected pictures in one folder per class, this one has none; move it into one")
    classes = _classes(files if split != "test" else _pictures(_split_folder(folder, "train")))
    unknown = sorted({file.parent.name for file in files} - set(classes))
    if unknown:
        raise DataError(f"{root}: expected the labels of the training pictures, got {', '.join(unknown)} too")
    numbers = {name: i for i, name in enumerate(classes)}
    labels = np.array([numbers[file.parent.name] for file in files], np.int64)
    names = [file.relative_to(root).as_posix() for file in files]
    key = source_key(root, names, layout=LAYOUT, resolution=config.resolution, channels=config.channels, fit=config.fit)
    cache = built(cache_dir() / "images" / key, lambda place: _decode_all(files, mode, config, place))
    pixels = np.load(cache / "pixels.npy", mmap_mode="r")
    return ImageData(pixels, labels, classes, config.shift, config.flip)


def has_image_splits(folder: Path) -> bool:
    """Whether a folder of pictures has training and test pictures apart."""
    return all(_split_folder(folder, split).is_dir() for split in FOLDERS)


def fit_image(image: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) to a square: box-halved while twice as large, bicubic, centre crop (as ADM)."""
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
        raise DataError(
            f"expected images of {config.resolution}x{config.resolution} for data.fit=none, "
            f"got {pixels.shape[2]}x{pixels.shape[1]}; set data.fit=resize or data.resolution={pixels.shape[1]}"
        )
    return np.stack([fit_image(image, config.resolution) for image in pixels])


def _decode_all(files: list[Path], mode: str, config: DataConfig, place: Path) -> None:
    def pixels() -> Iterator[NDArray[np.uint8]]:
        with bar("decoding pictures", len(files)) as progress:
            for done, file in enumerate(files, 1):
                image = _decode(file, mode, config)
                progress(done)
                yield image[None, None] if image.ndim == 2 else np.moveaxis(image, -1, 0)[None]

    save_parts(place / "pixels.npy", pixels(), len(files))


def _decode(file: Path, mode: str, config: DataConfig) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            image = np.asarray(picture.convert(mode))
    except UnidentifiedImageError:
        raise DataError(f"{file}: expected a picture, its content is none that can be read; remove it") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{file}: expected a picture, {error}; remove or replace it") from None
    size = config.resolution
    if config.fit == "none" and image.shape[:2] != (size, size):
        raise DataError(
            f"{file}: expected {size}x{size} pixels for data.fit=none, got {image.shape[1]}x{image.shape[0]}; "
            f"set data.fit=crop"
        )
    return image if image.shape[:2] == (size, size) else fit_image(image, size)


def _split_folder(folder: Path, split: str) -> Path:
    return next((folder / name for name in FOLDERS[split] if (folder / name).is_dir()), folder / FOLDERS[split][0])


def _pictures(root: Path) -> list[Path]:
    return sorted(file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))


def _classes(files: list[Path]) -> tuple[str, ...]:
    """Names of the class folders, numbers in their own order."""
    names = {file.parent.name for file in files}
    return tuple(sorted(names, key=lambda name: (int(name), "") if name.isdecimal() else (1 << 62, name)))


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
