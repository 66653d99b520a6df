"""Overlap of features by hand on a line, and by the definition on random sets."""

from __future__ import annotations

import numpy as np
import pytest

from neurogen.metrics import neighbours
from neurogen.metrics.neighbours import nearest, overlap


def line(*values: float) -> np.ndarray:
    return np.array(values)[:, None]


def test_overlap_on_a_line_by_hand() -> None:
    """k = 1; balls of the real ones reach 1, 1, 2: [-1, 1], [0, 2], [1, 5]; of the generated 3.5, 3.5, 6."""
    figures = overlap(line(0, 1, 3), line(0.5, 4, 10), k=1)
    assert figures.precision == pytest.approx(2 / 3)
    assert figures.density == pytest.approx((2 + 1 + 0) / 3)
    assert figures.recall == 1
    assert figures.coverage == 1


def test_overlap_equals_its_definition_and_does_not_depend_on_how_much_is_held_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    real, generated, k = rng.normal(size=(60, 3)), rng.normal(0.5, 1.2, size=(50, 3)), 3

    def reach(x: np.ndarray) -> np.ndarray:
        return np.sort(np.linalg.norm(x[:, None] - x, axis=2), axis=1)[:, k]

    apart = np.linalg.norm(real[:, None] - generated, axis=2)
    in_real, in_generated = apart <= reach(real)[:, None], apart <= reach(generated)
    wanted = (in_real.any(0).mean(), in_generated.any(1).mean(), in_real.sum(0).mean() / k, in_real.any(1).mean())
    for slab in (neighbours.SLAB, 100):
        monkeypatch.setattr(neighbours, "SLAB", slab)
        found = overlap(real, generated, k)
        assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(wanted)


def test_equal_sets_overlap_wholly_and_far_ones_not_at_all() -> None:
    x = np.random.default_rng(1).normal(size=(40, 4))
    same, far = overlap(x, x), overlap(x, x + 100)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)


def test_the_nearest_of_each_is_found() -> None:
    index, distance = nearest(line(0.4, 9), line(0, 1, 5))
    assert index.tolist() == [0, 2]
    assert distance == pytest.approx([0.4, 4])


def test_fewer_features_than_neighbours_are_refused() -> None:
    with pytest.raises(ValueError, match="more than k=5 generated features"):
        overlap(np.zeros((9, 2)), np.zeros((5, 2)))
