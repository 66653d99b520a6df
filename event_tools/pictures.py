"""Labelled pictures to simulate recordings of: an .npz, CIFAR-10's binary files, idx files, or a folder by class.

    .npz                       images (N, H, W) or (N, H, W, 3) uint8, labels (N,), and, if they have names, classes
    data_batch_1.bin ...       CIFAR-10's binary version (Krizhevsky 2009): a byte of label, 3 x 1,024 bytes of pixels
    cifar10_batch_0.png ...    1,000 images a file, one a row, cifar10_labels.js beside them: as convnetjs has CIFAR-10
    train-images-idx3-ubyte    MNIST's format, its labels beside it; gzipped or not
    <label>/<file>.png         or .jpg, .bmp, .webp

Pictures are grey: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
"""

from __future__ import annotations

import gzip
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from event_tools.errors import EventFileError
from event_tools.naming import natural
from event_tools.presets import CIFAR10

GREY = np.array([0.299, 0.587, 0.114])
CIFAR_RECORD = 1 + 3 * 32 * 32
SHEET, TRAINING_SHEETS = 1000, 50
IDX = {3: "-images-idx3-ubyte", 1: "-labels-idx1-ubyte"}
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@dataclass(frozen=True)
class Pictures:
    """pixels: (N, H, W) or (N, H, W, 3) uint8, or one path a picture; labels: (N,) into classes; () if no names."""

    pixels: NDArray[np.uint8] | tuple[Path, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def grey(self, i: int) -> NDArray[np.float64]:
        """Picture i, (H, W) in [0, 1]; raises EventFileError for a file that is none."""
        pixels = _decoded(self.pixels[i]) if isinstance(self.pixels, tuple) else self.pixels[i]
        return (pixels @ GREY if pixels.ndim == 3 else pixels.astype(np.float64)) / 255


def open_pictures(path: str | Path) -> Pictures:
    """The pictures at a path, in their order there; those of a folder by class, then name. Raises EventFileError."""
    path = Path(path)
    if path.is_dir():
        batches = sorted(path.rglob("data_batch_*.bin"))
        if batches:
            return _cifar(batches)
        sheets = sorted((file for file in path.glob("cifar10_batch_*.png")), key=lambda file: _number(file.stem))
        if sheets and (path / "cifar10_labels.js").is_file():
            return _sheets(sheets, path / "cifar10_labels.js")
        images = [file for file in sorted(path.rglob(f"train{IDX[3]}*")) if file.is_file()]
        return _idx(images[0]) if images else _folder(path)
    if not path.is_file():
        raise EventFileError(
            path, "expected pictures: an .npz, a folder of them by class or of a data set; found nothing"
        )
    if path.suffix.lower() == ".npz":
        return _npz(path)
    if path.suffix.lower() == ".bin":
        return _cifar([path])
    if IDX[3] in path.name:
        return _idx(path)
    raise EventFileError(path, "expected pictures: an .npz, CIFAR-10's .bin, an idx file or a folder by class")


def _npz(path: Path) -> Pictures:
    try:
        with np.load(path, allow_pickle=False) as file:
            pixels, labels = file["images"], file["labels"]
            classes = tuple(str(name) for name in file["classes"]) if "classes" in file else ()
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise EventFileError(path, f"expected arrays images and labels, {' '.join(str(error).split())}") from None
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4) or (pixels.ndim == 4 and pixels.shape[-1] != 3):
        raise EventFileError(
            path, f"expected images (N, H, W) or (N, H, W, 3) uint8, got {pixels.shape} {pixels.dtype}"
        )
    if labels.shape != (len(pixels),) or labels.dtype.kind not in "iu":
        raise EventFileError(path, f"expected a whole number a picture in labels, got {labels.shape} {labels.dtype}")
    return _labelled(path, pixels, labels, classes)


def _cifar(paths: Sequence[Path]) -> Pictures:
    parts = []
    for path in paths:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        if not len(data) or len(data) % CIFAR_RECORD:
            raise EventFileError(path, f"expected records of {CIFAR_RECORD} bytes (CIFAR-10), got {len(data)} bytes")
        parts.append(data.reshape(-1, CIFAR_RECORD))
    rows = np.concatenate(parts)
    pixels = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return _labelled(paths[0], pixels, rows[:, 0], CIFAR10)


def _sheets(paths: Sequence[Path], labels: Path) -> Pictures:
    """Training images alone: sheets 0 to 49; the file has the labels of all."""
    text = labels.read_text(encoding="utf-8")
    try:
        known = np.array(json.loads(text[text.index("[") : text.rindex("]") + 1]))
    except ValueError:
        raise EventFileError(labels, "expected var labels = [...], this is something else") from None
    pixels, chosen = [], []
    for path in (path for path in paths if _number(path.stem) < TRAINING_SHEETS):
        sheet, first = _decoded(path), _number(path.stem) * SHEET
        if sheet.shape != (SHEET, 32 * 32, 3) or len(known) < first + SHEET:
            raise EventFileError(path, f"expected {SHEET} rows of 1024 pixels and as many labels, got {sheet.shape}")
        pixels.append(sheet.reshape(SHEET, 32, 32, 3))
        chosen.append(known[first : first + SHEET])
    return _labelled(labels, np.concatenate(pixels), np.concatenate(chosen), CIFAR10)


def _number(stem: str) -> int:
    digits = stem.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else TRAINING_SHEETS


def _idx(path: Path) -> Pictures:
    pixels = _idx_values(path, 3)
    labels = _idx_values(path.with_name(path.name.replace(IDX[3], IDX[1])), 1)
    if len(labels) != len(pixels):
        raise EventFileError(path, f"expected as many labels as pictures, got {len(labels)} and {len(pixels)}")
    return _labelled(path, pixels, labels, ())


def _idx_values(path: Path, dimensions: int) -> NDArray[np.uint8]:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise EventFileError(path, f"expected an idx file, {error}") from None
    header = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions))
    if data[:4] != bytes((0, 0, 8, dimensions)) or len(data) != header + int(np.prod(shape, dtype=object)):
        raise EventFileError(path, f"expected an idx file of {dimensions}-dimensional bytes, this is none or it is cut")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _folder(path: Path) -> Pictures:
    files = [file for file in path.rglob("*") if file.suffix.lower() in IMAGES and file.parent != path]
    if not files:
        raise EventFileError(path, f"expected pictures as <label>/<file> ({', '.join(IMAGES)}), found none")
    classes = tuple(sorted({file.parent.name for file in files}, key=natural))
    files.sort(key=lambda file: (classes.index(file.parent.name), natural(file.name), str(file)))
    labels = np.array([classes.index(file.parent.name) for file in files], np.int64)
    return Pictures(tuple(files), labels, classes)


def _labelled(path: Path, pixels: NDArray[np.uint8], labels: NDArray[np.integer], classes: tuple[str, ...]) -> Pictures:
    if not len(labels):
        raise EventFileError(path, "expected pictures, got none")
    if labels.min() < 0:
        raise EventFileError(path, f"expected labels 0 or more, got {labels.min()}")
    if classes and labels.max() >= len(classes):
        raise EventFileError(path, f"expected labels 0 to {len(classes) - 1}, got {labels.min()} to {labels.max()}")
    return Pictures(pixels, labels.astype(np.int64), classes)


def _decoded(path: Path) -> NDArray[np.uint8]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ImportError("pictures in files need Pillow: pip install pillow") from None
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise EventFileError(path, f"expected a picture, {' '.join(str(error).split())}; remove it") from None
