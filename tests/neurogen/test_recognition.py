"""The small classifier of recordings."""

from __future__ import annotations

import numpy as np

from neurogen.recognition import CountClassifier


def bars(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts with a horizontal (0) or vertical (1) bar at a random place, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    counts = rng.poisson(0.1, (n, 2, 2, 12, 12))
    for i, label in enumerate(labels):
        at = rng.integers(2, 10)
        if label:
            counts[i, :, :, :, at] += 4
        else:
            counts[i, :, :, at] += 4
    return counts, labels


def test_it_tells_horizontal_from_vertical_bars() -> None:
    classifier = CountClassifier(*bars(200, 0))
    assert classifier.accuracy(*bars(100, 1)) > 0.95


def test_it_is_wrong_about_shuffled_labels() -> None:
    counts, labels = bars(200, 0)
    classifier = CountClassifier(counts, np.random.default_rng(2).permutation(labels))
    assert classifier.accuracy(*bars(100, 1)) < 0.75
