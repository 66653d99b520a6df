"""Nearest training items by hand, and copies that are found."""

from __future__ import annotations

import numpy as np
import pytest

from neurogen.metrics.errors import MetricError
from neurogen.metrics.memorisation import copies


def test_distances_and_the_share_of_copies_by_hand() -> None:
    """Training items at 0 and 100; held-out ones 1, 2, ... 200 away, whose 1 % quantile is 2.99."""
    train = np.array([[0.0], [1000.0]])
    held_out = np.arange(1.0, 201.0)[:, None]
    samples = np.array([[2.9], [3.0], [990.0], [1000.0]])
    found = copies(samples, held_out, train)
    assert found.figures["held_out_quantile"] == pytest.approx(1 + 0.01 * 199)
    assert found.figures["copied"] == 0.5  # 2.9 and 1000
    assert found.figures["samples_median"] == pytest.approx((2.9 + 3) / 2)
    assert (found.figures["samples_least"], found.figures["held_out_least"]) == (0, 1)
    assert found.sample.tolist() == [3, 0, 1, 2]
    assert found.neighbour.tolist() == [1, 0, 0, 1]


def test_copies_of_training_images_are_all_found_and_new_images_hardly_ever() -> None:
    images = np.random.default_rng(0).integers(0, 256, (700, 1, 6, 6)).astype(np.uint8)
    train, held_out, new = images[:400], images[400:600], images[600:]
    copied = copies(train[:50], held_out, train, unit=255.0)
    assert copied.figures["copied"] == 1
    assert copied.figures["samples_least"] == copied.figures["samples_median"] == 0
    assert copied.neighbour[np.argsort(copied.sample)].tolist() == list(range(50))
    fresh = copies(new, held_out, train, unit=255.0)
    assert fresh.figures["copied"] <= 0.05
    by_hand = np.linalg.norm(new.reshape(100, 1, -1) / 255 - train.reshape(1, 400, -1) / 255, axis=2).min(1)
    assert fresh.figures["samples_median"] == pytest.approx(np.median(by_hand), rel=1e-9)


def test_a_quantile_of_too_few_held_out_items_is_refused() -> None:
    with pytest.raises(MetricError, match="expected 100 held-out items or more for a 1 % quantile, there are 99"):
        copies(np.zeros((3, 2)), np.zeros((99, 2)), np.zeros((5, 2)))
