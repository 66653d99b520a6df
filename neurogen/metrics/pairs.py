"""How near reconstructions come to their originals, pair by pair.

MSE   mean of (a - b)^2 with pixels in [-1, 1]: the unit of published reconstruction losses
PSNR  10 log10(255^2 / MSE of that image in 0..255), in dB, mean over images
SSIM  structural similarity with a Gaussian window of 11x11, sigma 1.5, population covariance, K1 0.01, K2 0.03
      (Wang, Bovik, Sheikh and Simoncelli 2004), by scikit-image; mean over channels and images
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from neurogen.metrics.errors import MetricError

PEAK = 255.0
WINDOW, SIGMA = 11, 1.5  # pixels


def pair_figures(reconstructed: NDArray[np.uint8], original: NDArray[np.uint8]) -> dict[str, float | int | str]:
    """mse, psnr, ssim and the number of pairs, of images (N, C, H, W) uint8; raises MetricError for others.

    PSNR is infinite where an image equals its original.
    """
    for images in (reconstructed, original):
        if images.dtype != np.uint8 or images.ndim != 4 or not images.size:
            raise MetricError(f"expected images (N, C, H, W) in uint8, got shape {images.shape} in {images.dtype}")
    if reconstructed.shape != original.shape:
        raise MetricError(
            f"expected a reconstruction for every original, got shapes {reconstructed.shape} and {original.shape}"
        )
    squares = squared_errors(reconstructed, original)
    return {
        "pairs": len(original),
        "mse": float(squares.mean() / (PEAK / 2) ** 2),
        "psnr": float(np.mean([peak_ratio(square) for square in squares])),
        "ssim": structural_similarity(reconstructed, original),
        "ssim_window": window(original.shape[2:]),
    }


def squared_errors(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N,) mean squared difference of each pair, in units of 0..255."""
    return np.array([np.square(x.astype(np.float64) - y).mean() for x, y in zip(a, b, strict=True)])


def peak_ratio(squared_error: float) -> float:
    """PSNR in dB of one image; infinite for no error."""
    return math.inf if squared_error == 0 else 10 * math.log10(PEAK**2 / squared_error)


def structural_similarity(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean SSIM of images (N, C, H, W); raises MetricError where scikit-image is missing."""
    try:
        from skimage.metrics import structural_similarity as ssim
    except ImportError:
        raise MetricError(
            "expected the package scikit-image for SSIM, it is absent; pip install 'neurogen[metrics]'"
        ) from None
    fit = {"win_size": window(a.shape[2:]), "gaussian_weights": True, "sigma": SIGMA, "use_sample_covariance": False}
    each = [ssim(x, y, data_range=PEAK, channel_axis=0, **fit) for x, y in zip(a, b, strict=True)]
    return float(np.mean(each))


def window(size: tuple[int, ...]) -> int:
    """The side of SSIM's window in pixels: 11, or the largest odd one that fits into a smaller image.

    The Gaussian then reaches over the edge, where the image is mirrored.
    """
    return min(WINDOW, min(size) - 1 + min(size) % 2)
