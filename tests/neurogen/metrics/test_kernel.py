"""The kernel distance against its definition, by scikit-learn and torch-fidelity."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from neurogen.metrics import kernel
from neurogen.metrics.kernel import kernel_distance


def sets() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(70, 5)), rng.normal(0.3, 1.4, size=(40, 5))


def test_it_equals_the_unbiased_sum_over_pairs_whatever_is_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = sets()

    def within(x: np.ndarray) -> float:
        k = polynomial_kernel(x, degree=3, gamma=1 / 5, coef0=1)
        return (k.sum() - np.trace(k)) / (len(x) * (len(x) - 1))

    cross = polynomial_kernel(a, b, degree=3, gamma=1 / 5, coef0=1).mean()
    wanted = within(a) + within(b) - 2 * cross
    for slab in (kernel.SLAB, 7):
        monkeypatch.setattr(kernel, "SLAB", slab)
        assert kernel_distance(a, b) == pytest.approx(wanted, rel=1e-10)


def test_it_equals_torch_fidelity_on_one_subset_of_everything() -> None:
    metric = pytest.importorskip("torch_fidelity.metric_kid")
    a, b = (x[:40] for x in sets())
    assert kernel_distance(a, b) == pytest.approx(metric.kernel_mmd(a, b), rel=1e-10)


def test_it_is_symmetric_and_about_zero_for_one_distribution() -> None:
    rng = np.random.default_rng(1)
    a, b, c = rng.normal(size=(400, 3)), rng.normal(size=(500, 3)), rng.normal(1.0, 1.0, size=(500, 3))
    assert kernel_distance(a, b) == pytest.approx(kernel_distance(b, a))
    assert abs(kernel_distance(a, b)) < 0.05 * kernel_distance(a, c)


def test_single_features_and_other_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="two feature vectors or more"):
        kernel_distance(np.zeros((1, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="of one width"):
        kernel_distance(np.zeros((4, 3)), np.zeros((4, 2)))
