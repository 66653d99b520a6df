"""Pairs of images against values by hand and Wang's formula written out."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from neurogen.metrics.errors import MetricError
from neurogen.metrics.pairs import pair_figures


def plain(*values: int, size: int = 16) -> NDArray[np.uint8]:
    """One constant image (1, size, size) for each value."""
    return np.stack([np.full((1, size, size), value, np.uint8) for value in values])


def noise(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def wangs_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Eq. 13 of Wang et al. 2004 on one channel (H, W), at every place where the window of 11x11 lies inside."""
    tap = np.exp(-np.square(np.arange(-5, 6)) / (2 * 1.5**2))
    weight = np.outer(tap, tap) / tap.sum() ** 2
    values = []
    for row in range(a.shape[0] - 10):
        for column in range(a.shape[1] - 10):
            x, y = (image[row : row + 11, column : column + 11].astype(float) for image in (a, b))
            mx, my = (weight * x).sum(), (weight * y).sum()
            vx, vy, vxy = (
                (weight * (x - mx) ** 2).sum(),
                (weight * (y - my) ** 2).sum(),
                (weight * (x - mx) * (y - my)).sum(),
            )
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            values.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return float(np.mean(values))


def test_the_error_of_black_for_white_is_four_in_units_of_minus_one_to_one() -> None:
    assert pair_figures(plain(0), plain(255))["mse"] == pytest.approx(4)
    assert pair_figures(plain(0, 7), plain(255, 7))["mse"] == pytest.approx(2)


def test_psnr_is_the_mean_of_the_images_ratios_not_the_ratio_of_their_mean() -> None:
    figures = pair_figures(plain(10, 10), plain(11, 20))  # off by 1 and by 10 of 255: 48.13 and 28.13 dB
    assert figures["psnr"] == pytest.approx(20 * math.log10(255) - 10)
    assert figures["pairs"] == 2


def test_equal_images_have_an_infinite_ratio_and_similarity_one() -> None:
    images = noise(0, 2, 3, 16, 16)
    figures = pair_figures(images, images)
    assert (figures["mse"], figures["psnr"]) == (0, math.inf)
    assert figures["ssim"] == pytest.approx(1)


def test_similarity_of_constant_images_is_that_of_their_means() -> None:
    c1 = (0.01 * 255) ** 2
    wanted = (2 * 100 * 200 + c1) / (100**2 + 200**2 + c1)
    assert pair_figures(plain(100), plain(200))["ssim"] == pytest.approx(wanted, rel=1e-9)


def test_similarity_is_wangs_mean_over_windows_channels_and_images() -> None:
    a, b = noise(1, 2, 3, 13, 14), noise(2, 2, 3, 13, 14)
    b = ((a.astype(int) * 3 + b) // 4).astype(np.uint8)
    wanted = np.mean([wangs_ssim(x, y) for m, n in zip(a, b, strict=True) for x, y in zip(m, n, strict=True)])
    assert pair_figures(a, b)["ssim"] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(("size", "side"), [(8, 7), (9, 9), (11, 11), (32, 11)])
def test_the_window_is_the_largest_odd_one_that_fits(size: int, side: int) -> None:
    figures = pair_figures(plain(3, size=size), plain(9, size=size))
    assert figures["ssim_window"] == side
    assert 0 < figures["ssim"] < 1  # type: ignore[operator]


def test_pairs_that_do_not_match_are_refused_in_one_sentence() -> None:
    with pytest.raises(MetricError, match=r"a reconstruction for every original, got shapes \(1, .* and \(2, "):
        pair_figures(plain(1), plain(1, 2))
    with pytest.raises(MetricError, match=r"in uint8, got shape .* in float64"):
        pair_figures(plain(1).astype(np.float64), plain(1))
    with pytest.raises(MetricError, match=r"in uint8, got shape \(0, 1, 8, 8\)"):
        pair_figures(np.empty((0, 1, 8, 8), np.uint8), plain(1))


def test_a_missing_package_is_answered_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(MetricError, match=r"pip install 'neurogen\[metrics\]'"):
        pair_figures(plain(1), plain(2))
