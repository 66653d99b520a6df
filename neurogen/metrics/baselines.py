"""What a simple generator scores: images that need no network, made of real training images.

    mean      the mean training image, every time
    pca       a Gaussian in the 64 first principal components, clipped: the best that a linear generator can do
    blurred   real training images under a Gaussian of sigma pixels
    noisy     real training images with N(0, sigma) added in [-1, 1] units
    real      real images that were held out

A model that scores worse than `pca` has learned less than the covariance of the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurogen.metrics.errors import MetricError

COMPONENTS = 64
SIGMAS = {"blurred": 1.0, "noisy": 0.2}  # pixels; [-1, 1] units
NAMES = ("mean", "pca", "blurred", "noisy", "real")


@dataclass(frozen=True)
class BaselineName:
    """kind: one of NAMES; sigma: of blurred (pixels) and noisy ([-1, 1] units), 0 for the others."""

    kind: str
    sigma: float


def parse_baseline(text: str) -> BaselineName:
    """`pca`, `blurred` or `blurred:0.5`; raises MetricError for another."""
    kind, _, given = text.partition(":")
    if kind not in NAMES or (given and kind not in SIGMAS):
        raise MetricError(f"expected baseline:{', baseline:'.join(NAMES)}, got baseline:{text}")
    try:
        sigma = float(given) if given else SIGMAS.get(kind, 0.0)
    except ValueError:
        sigma = 0.0
    if kind in SIGMAS and not 0 < sigma < 100:
        raise MetricError(f"expected baseline:{kind}:SIGMA with a number from 0 to 100, got {given}")
    return BaselineName(kind, sigma)


def mean_images(train: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """(count, C, H, W): the mean of (M, C, H, W) again and again."""
    mean = np.round(train.mean(0, dtype=np.float64)).astype(np.uint8)
    return np.repeat(mean[None], count, axis=0)


def pca_gaussian(
    train: NDArray[np.uint8], count: int, rng: np.random.Generator, components: int = COMPONENTS
) -> NDArray[np.uint8]:
    """(count, C, H, W) of a Gaussian with the mean of (M, C, H, W) and its variance along the first components."""
    flat = train.reshape(len(train), -1).astype(np.float32)
    mean = flat.mean(0, dtype=np.float64)
    flat -= mean.astype(np.float32)
    covariance = (flat.T @ flat).astype(np.float64) / (len(flat) - 1)
    values, vectors = np.linalg.eigh(covariance)
    top = slice(-min(components, len(values)), None)
    weights = rng.normal(size=(count, len(values[top]))) * np.sqrt(np.clip(values[top], 0, None))
    return _as_pixels(mean + weights @ vectors[:, top].T).reshape(count, *train.shape[1:])


def blurred(images: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    """Images (N, C, H, W) under a Gaussian of sigma pixels, cut off at 4 sigma; the edge pixels are mirrored."""
    reach = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    rows, columns = (_blur_matrix(size, kernel) for size in images.shape[2:])
    return _as_pixels(rows @ images.astype(np.float64) @ columns.T)


def noisy(images: NDArray[np.uint8], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Images (N, C, H, W) with N(0, sigma^2) added in [-1, 1] units, clipped."""
    return _as_pixels(images + rng.normal(0, 127.5 * sigma, images.shape))


def _blur_matrix(size: int, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """(size, size): the filter along one axis, mirrored at the edges."""
    reach, matrix = len(kernel) // 2, np.zeros((size, size))
    mirrored = np.pad(np.arange(size), reach, mode="symmetric")
    for i in range(size):
        np.add.at(matrix[i], mirrored[i : i + len(kernel)], kernel)
    return matrix


def _as_pixels(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
