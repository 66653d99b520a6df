"""Arrays as pictures and as PNG: grids of images, and the T frames of recordings side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from event_tools.atomic import replacing
from event_tools.viewer.colours import colours, rgb

OFF, ON = (np.array(rgb(colour), np.float64) for colour in (colours().off, colours().on))  # the player's


def image_grid(images: NDArray[np.uint8], columns: int | None = None, scale: int = 2) -> NDArray[np.uint8]:
    """(N, C, H, W) uint8 laid out row by row, each pixel `scale` wide: (C, rows * (H + 1), columns * (W + 1))."""
    n, channels, height, width = images.shape
    columns = columns or min(n, 10)
    rows = -(-n // columns)
    sheet = np.zeros((channels, rows * (height + 1), columns * (width + 1)), np.uint8)
    for i, image in enumerate(images):
        y, x = i // columns * (height + 1), i % columns * (width + 1)
        sheet[:, y : y + height, x : x + width] = image
    return sheet.repeat(scale, 1).repeat(scale, 2)


def colour_counts(counts: NDArray[np.integer] | NDArray[np.floating], top: float | None = None) -> NDArray[np.uint8]:
    """(..., 2, H, W) OFF and ON counts as (..., 3, H, W) uint8 colours; `top` counts are full brightness."""
    top = top or max(float(np.quantile(counts, 0.999)), 1.0)
    level = np.sqrt(np.clip(np.asarray(counts, np.float64) / top, 0, 1))
    colour = level[..., 0, None, :, :] * OFF[:, None, None] + level[..., 1, None, :, :] * ON[:, None, None]
    return np.clip(colour, 0, 255).round().astype(np.uint8)


def pictures_of(values: NDArray[np.floating], recordings: bool) -> list[NDArray[np.uint8]]:
    """(H, W) or (H, W, 3) uint8 of images (N, C, H, W) in [-1, 1], or of the events of recordings (N, T, 2, H, W)."""
    if recordings:
        colours = colour_counts(np.maximum(values, 0).sum(1))
    else:
        colours = np.rint((values.clip(-1, 1) + 1) * 127.5).astype(np.uint8)
    return [image[0] if len(image) == 1 else np.moveaxis(image, 0, -1) for image in colours]


def frame_strip(counts: NDArray[np.integer]) -> NDArray[np.uint8]:
    """(N, T, 2, H, W) counts as one picture (3, ., .): a row per recording, its T frames side by side."""
    n, steps = counts.shape[:2]
    return image_grid(colour_counts(counts.reshape(n * steps, *counts.shape[2:])), columns=steps)


def save_png(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write (C, H, W) uint8 with 1 or 3 channels; beside, then renamed."""
    if image.shape[0] not in (1, 3):
        raise ValueError(f"expected 1 or 3 channels, got {image.shape[0]}")
    array = image[0] if image.shape[0] == 1 else np.moveaxis(image, 0, -1)
    with replacing(Path(path)) as temporary:
        Image.fromarray(array).save(temporary, format="PNG")
