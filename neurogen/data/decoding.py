"""From encoded pictures to pixels: once, into a mapped file; or each time, where that file would be too large.

Threads do it: Pillow decodes and resizes without holding Python's lock.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurogen.config import DataConfig
from neurogen.data.array_file import save_parts
from neurogen.data.cache import built, cache_dir
from neurogen.data.crops import fit_image
from neurogen.data.errors import DataError
from neurogen.data.picture_files import PictureFiles
from neurogen.progress import bar

LARGEST_CACHE = 8 << 30  # bytes; CelebA at 64 pixels has 2.0e9, LSUN's 20 % of bedrooms at 256 have 6.0e10
BULK = 64  # pictures decoded at once
LAYOUT = 2  # of the cache; raise it when what is stored changes
MODES = {1: "L", 3: "RGB"}


@dataclasses.dataclass(frozen=True)
class DecodedWhenAsked:
    """Pixels that are decoded for each batch: indexed by (n,) int64, like an array (N, C, R, R) uint8."""

    files: PictureFiles
    channels: int
    resolution: int
    fit: str

    def __len__(self) -> int:
        return len(self.files)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, R, R)."""
        return len(self), self.channels, self.resolution, self.resolution

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(os.cpu_count() or 1, "decoding")

    def __getitem__(self, index: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n, C, R, R) uint8; raises DataError."""
        if not len(index):
            return np.empty((0, *self.shape[1:]), np.uint8)
        return np.stack(list(self._threads.map(self.decoded, index.tolist())))

    def decoded(self, i: int) -> NDArray[np.uint8]:
        """Picture i, (C, R, R); raises DataError."""
        image = _decode(self.files, i, MODES[self.channels])
        try:
            image = fit_image(image, self.resolution, self.fit)
        except DataError as error:
            raise DataError(f"{self.files.place(i)}: {error}") from None
        return image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)


Pixels = NDArray[np.uint8] | DecodedWhenAsked


def decoded_pixels(files: PictureFiles, config: DataConfig) -> Pixels:
    """Pixels (N, C, R, R) uint8 of pictures, from the cache where they fit into it; raises DataError."""
    if config.channels not in MODES:
        raise DataError(f"expected data.channels to be 1 or 3 for images, got {config.channels}")
    pixels = DecodedWhenAsked(files, config.channels, config.resolution, config.fit)
    if int(np.prod(pixels.shape, dtype=np.int64)) > LARGEST_CACHE:
        return pixels
    try:
        key = files.key(layout=LAYOUT, resolution=config.resolution, channels=config.channels, fit=config.fit)
    except OSError as error:
        raise DataError(f"{error.filename}: expected a picture, {error.strerror}") from None

    def build(place: Any) -> None:
        save_parts(place / "pixels.npy", _parts(pixels), len(pixels))

    return np.load(built(cache_dir() / "images" / key, build) / "pixels.npy", mmap_mode="r")


def _parts(pixels: DecodedWhenAsked) -> Iterator[NDArray[np.uint8]]:
    """All pixels in order, BULK pictures at a time; threads decode the parts to come."""

    def part(start: int) -> NDArray[np.uint8]:
        return np.stack([pixels.decoded(i) for i in range(start, min(start + BULK, len(pixels)))])

    threads, starts, done = os.cpu_count() or 1, iter(range(0, len(pixels), BULK)), 0
    with bar("decoding pictures", len(pixels)) as progress, ThreadPoolExecutor(threads) as pool:
        coming = deque(pool.submit(part, start) for start in itertools.islice(starts, threads + 1))
        while coming:
            ready = coming.popleft().result()
            done += len(ready)
            progress(done)
            yield ready
            coming.extend(pool.submit(part, start) for start in itertools.islice(starts, 1))


def _decode(files: PictureFiles, i: int, mode: str) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(files.read(i))) as picture:
            return np.asarray(picture.convert(mode))
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(
            f"{files.place(i)}: expected a picture, its content is none that can be read; remove it"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{files.place(i)}: expected a picture, {error}; remove or replace it") from None
