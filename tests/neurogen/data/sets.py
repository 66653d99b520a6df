"""Small data sets on disk: recordings, pictures and idx files."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from event_tools import Events, write


def recording(seed: int, events: int = 200, size: tuple[int, int] = (34, 34)) -> Events:
    """Random events over about 300 ms."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 300_000, events))
    x, y = rng.integers(0, size[0], events), rng.integers(0, size[1], events)
    return Events(t, x.astype(np.uint16), y.astype(np.uint16), rng.integers(0, 2, events).astype(np.uint8), size)


def recordings(folder: Path, items: dict[str, int], suffix: str = ".bin", size: tuple[int, int] = (34, 34)) -> Path:
    """`items` maps "Train/3" or "3" to how many recordings lie there; all differ."""
    seed = 0
    for place, count in items.items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        for n in range(count):
            write(folder / place / f"{n:05d}{suffix}", recording(seed, size=size))
            seed += 1
    return folder


def zipped(folder: Path, archive: Path, below: str = "") -> Path:
    """The files below a folder as a .zip."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted((folder / below).rglob("*")):
            if file.is_file():
                target.write(file, file.relative_to(folder))
    return archive


def picture(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """A .png of (H, W) or (H, W, 3)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def idx(path: Path, values: NDArray[np.uint8]) -> Path:
    """An idx file of unsigned bytes, gzipped where the name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = b"".join(int(n).to_bytes(4, "big") for n in values.shape)
    data = bytes((0, 0, 8, values.ndim)) + sizes + values.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path
