"""The Frechet distance against closed forms and scipy's matrix root."""

from __future__ import annotations

import numpy as np
import pytest

from neurogen.metrics.frechet import Moments, frechet_distance, moments


def test_one_dimensional_gaussians_are_apart_by_their_means_and_spreads() -> None:
    a, b = Moments(np.array([1.0]), np.array([[4.0]]), 9), Moments(np.array([4.0]), np.array([[25.0]]), 9)
    assert frechet_distance(a, b) == pytest.approx(3**2 + (5 - 2) ** 2)


def test_the_distance_equals_that_of_scipys_matrix_root() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    rng = np.random.default_rng(0)
    a, b = (moments(rng.normal(size=(200, 8)) @ rng.normal(size=(8, 8)) + rng.normal(size=8)) for _ in range(2))
    root = linalg.sqrtm(a.covariance @ b.covariance).real
    wanted = np.square(a.mean - b.mean).sum() + np.trace(a.covariance + b.covariance - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_covariances_without_full_rank_have_a_distance() -> None:
    few = np.random.default_rng(1).normal(size=(5, 16))
    assert frechet_distance(moments(few), moments(few + 2)) == pytest.approx(4 * 16)


def test_too_few_features_and_other_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="two feature vectors or more"):
        moments(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="one width, got 4 and 3"):
        frechet_distance(moments(np.eye(4)), moments(np.eye(3)))
