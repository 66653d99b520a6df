"""Baselines against numpy, scipy and their definition."""

from __future__ import annotations

import numpy as np
import pytest

from neurogen.metrics.baselines import BaselineName, blurred, mean_images, noisy, parse_baseline, pca_gaussian
from neurogen.metrics.errors import MetricError
from tests.neurogen.metrics.small_data import squares


def test_the_mean_image_is_that_of_numpy_every_time() -> None:
    images, _ = squares(30, 0)
    made = mean_images(images, 5)
    assert made.shape == (5, 1, 28, 28)
    assert (made == np.round(images.astype(float).mean(0)).astype(np.uint8)).all()


def test_a_pca_gaussian_has_the_mean_and_the_first_variances_of_the_data_and_no_others() -> None:
    rng = np.random.default_rng(0)
    spread = np.array([20.0, 12.0, 6.0, 1.0])  # along four axes of 16, far from 0 and 255
    axes = np.linalg.qr(rng.normal(size=(16, 16)))[0][:4]
    data = np.clip(128 + rng.normal(size=(4000, 4)) * spread @ axes, 0, 255).round().astype(np.uint8)
    made = pca_gaussian(data.reshape(-1, 1, 4, 4), 4000, rng, components=2).reshape(4000, 16).astype(float)
    np.testing.assert_allclose(made.mean(0), data.mean(0), atol=1.5)  # 20 / sqrt(4000) = 0.3, rounding 0.5
    along = np.sqrt(np.var((made - made.mean(0)) @ axes.T, axis=0))
    np.testing.assert_allclose(along[:2], spread[:2], rtol=0.06)  # 1 / sqrt(2 * 4000) = 1 %, twice, and rounding
    assert (along[2:] < 1).all()  # rounding alone: 0.29


def test_a_blur_is_scipys_gaussian_filter() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    images = np.random.default_rng(1).integers(0, 256, (3, 2, 12, 15)).astype(np.uint8)
    for sigma in (0.5, 1.3, 4.0):  # the last reaches beyond the image
        wanted = ndimage.gaussian_filter(images.astype(float), (0, 0, sigma, sigma), mode="reflect")
        assert np.abs(blurred(images, sigma) - wanted).max() <= 0.5 + 1e-6


def test_noise_has_the_deviation_asked_for_in_units_of_minus_1_to_1() -> None:
    grey = np.full((40, 1, 28, 28), 128, np.uint8)
    added = noisy(grey, 0.1, np.random.default_rng(2)).astype(float) / 127.5 - 128 / 127.5
    assert added.std() == pytest.approx(0.1, rel=0.02)
    assert added.mean() == pytest.approx(0, abs=0.002)


def test_names_with_and_without_a_sigma_are_read_and_others_refused() -> None:
    assert parse_baseline("blurred") == BaselineName("blurred", 1.0)
    assert parse_baseline("noisy:0.5") == BaselineName("noisy", 0.5)
    for wrong, said in (
        ("median", "baseline:mean, baseline:pca"),
        ("pca:2", "got baseline:pca:2"),
        ("blurred:much", "from 0 to 100, got much"),
        ("noisy:-1", "got -1"),
        ("noisy:nan", "got nan"),
    ):
        with pytest.raises(MetricError, match=said):
            parse_baseline(wrong)
