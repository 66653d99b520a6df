"""Small image data sets in the layouts of the real ones."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurogen.config import DataConfig
from tests.neurogen.data.sets import idx, picture


def pixels(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """A picture (height, width, 3) of noise; every seed has another."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def set_config(name: str, path: Path | None, **more: object) -> DataConfig:
    settings = {"name": name, "path": None if path is None else str(path), "resolution": 32, "channels": 3}
    return DataConfig(**settings | more)  # type: ignore[arg-type]


def cifar10(folder: Path, images: int) -> Path:
    """Six files of so many records: labels in turn, all values of image n of file f are 10 f + n."""
    folder.mkdir(parents=True, exist_ok=True)
    for f, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        records = np.repeat(10 * f + np.arange(images, dtype=np.uint8), 3073).reshape(images, 3073)
        records[:, 0] = np.arange(images) % 10
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return folder


def celeba(folder: Path, parts: str = "0000000000112") -> Path:
    """Picture n is of part parts[n - 1], 218x178, grey level n."""
    lines = []
    for n, part in enumerate(parts, 1):
        name = f"{n:06d}.jpg"
        picture(folder / "img_align_celeba" / name, np.full((218, 178, 3), n, np.uint8))
        lines.append(f"{name} {part}\n")
    (folder / "list_eval_partition.txt").write_text("".join(lines))
    return folder


def packed(folder: Path, archive: Path) -> Path:
    """The files of a folder as an archive, below the folder's own name."""
    with zipfile.ZipFile(archive, "w") as target:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                target.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return archive


def rooms(folder: Path, count: int) -> Path:
    """Pictures as the 20 % of LSUN's bedrooms lie: single letters deep."""
    for n in range(count):
        picture(folder / "data0" / f"{n % 3}" / f"{n:040x}.png", pixels(n, 40, 48))
    return folder


def mnist(folder: Path, images: int = 12) -> Path:
    rng = np.random.default_rng(0)
    for name in ("train", "t10k"):
        idx(folder / f"{name}-images-idx3-ubyte", rng.integers(0, 256, (images, 28, 28)).astype(np.uint8))
        idx(folder / f"{name}-labels-idx1-ubyte", (np.arange(images) % 10).astype(np.uint8))
    return folder
