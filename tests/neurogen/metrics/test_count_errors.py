"""Errors of counts by hand, however they are cut into blocks."""

from __future__ import annotations

import numpy as np
import pytest

from neurogen.metrics.count_errors import CountErrors, neighbourhood


def figures(true: np.ndarray, expected: np.ndarray, rounded: np.ndarray, cut: int) -> dict[str, float]:
    errors = CountErrors()
    for part in (slice(None, cut), slice(cut, None)):
        errors.add(true[part], expected[part], rounded[part])
    return errors.figures()


def test_errors_by_hand() -> None:
    """Two recordings of one bin and one polarity, four pixels in a row; 8 cells."""
    true = np.array([[4, 0, 0, 0], [0, 0, 1, 0]]).reshape(2, 1, 1, 1, 4)
    expected = np.array([[3.5, 0, 0, 0.6], [0, 0.4, 1, 0]]).reshape(true.shape)
    rounded = np.array([[4, 0, 0, 1], [0, 0, 1, 0]]).reshape(true.shape)
    found = figures(true, expected, rounded, 1)
    assert found == pytest.approx(
        {
            "variance_of_counts": (16 + 1) / 8 - (5 / 8) ** 2,
            "mse_counts_real": (0.25 + 0.36 + 0.16) / 8,
            "mse_counts_rounded": 1 / 8,
            "total_error": (1 / 4 + 0) / 2,
            "total_bias": (1 / 4 + 0) / 2,
            "spurious": 1 / 6,  # the one event three pixels from the next true one; beside a single one none is
            "cell_count_tv": 1 / 8,
        }
    )


def test_blocks_change_nothing() -> None:
    rng = np.random.default_rng(0)
    true, rounded = (rng.poisson(0.3, (7, 3, 2, 6, 6)) for _ in range(2))
    expected = rng.gamma(0.3, size=true.shape)
    assert figures(true, expected, rounded, 1) == pytest.approx(figures(true, expected, rounded, 5), rel=1e-12)
    single = float(np.square(expected - true).mean())
    assert figures(true, expected, rounded, 5)["mse_counts_real"] == pytest.approx(single, rel=1e-12)


def test_a_neighbourhood_is_the_sum_over_nine_pixels() -> None:
    one = np.zeros((1, 4, 5))
    one[0, 0, 1] = 3
    assert (neighbourhood(one)[0, :2, :3] == 3).all()
    assert neighbourhood(one).sum() == 18  # six pixels are inside
