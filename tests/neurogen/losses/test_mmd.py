"""The two-sample distance of rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import rbf_kernel

from neurogen.losses.mmd import rbf_mmd


def _clouds(shift: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 20, 3, dtype=torch.float64, generator=generator)
    return x, y + shift


def test_it_is_the_sum_of_kernels_that_scikit_learn_computes() -> None:
    x, y = _clouds(0.5)
    both = np.concatenate([x.numpy(), y.numpy()])
    distances = ((both[:, None] - both[None]) ** 2).sum(-1)
    width = distances.sum() / (40 * 39)
    expected = 0.0
    for scale in (0.25, 0.5, 1, 2, 4):
        kernel = rbf_kernel(both, gamma=1 / (scale * width))
        expected += kernel[:20, :20].mean() + kernel[20:, 20:].mean() - 2 * kernel[:20, 20:].mean()
    assert float(rbf_mmd(x, y)) == pytest.approx(expected, rel=1e-10)


def test_two_points_are_as_far_as_by_hand() -> None:
    # pairs: 0 on the diagonal, 1 twice; w = 2 / 2 = 1; each kernel gives 1 + 1 - 2 exp(-1 / scale)
    expected = sum(2 - 2 * math.exp(-1 / scale) for scale in (0.25, 0.5, 1, 2, 4))
    assert float(rbf_mmd(torch.zeros(1, 1), torch.ones(1, 1))) == pytest.approx(expected, rel=1e-6)


def test_equal_batches_have_no_distance_and_shifted_ones_more() -> None:
    x, y = _clouds(0.0)
    assert float(rbf_mmd(x, x)) == pytest.approx(0, abs=1e-12)
    assert float(rbf_mmd(x, y)) < float(rbf_mmd(x, y + 1)) < float(rbf_mmd(x, y + 2))


def test_batches_of_one_point_have_no_distance_and_a_finite_gradient() -> None:
    x = torch.full((4, 2), 0.3, requires_grad=True)
    loss = rbf_mmd(x, x.detach().clone())
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_the_gradient_leaves_the_width_alone() -> None:
    x = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    rbf_mmd(x, torch.ones(1, 1, dtype=torch.float64)).backward()
    # d/dx of -2 exp(-(x - 1)^2 / scale) at 0, w kept at 1
    expected = sum(-4 / scale * math.exp(-1 / scale) for scale in (0.25, 0.5, 1, 2, 4))
    assert x.grad is not None
    assert float(x.grad) == pytest.approx(expected, rel=1e-10)


def test_with_labels_batches_whose_classes_are_exchanged_are_far_apart() -> None:
    x, _ = _clouds(0.0)
    x[10:] += 5
    labels = torch.arange(20) // 10
    exchanged = torch.cat((x[10:], x[:10]))
    assert float(rbf_mmd(x, exchanged)) == pytest.approx(0, abs=1e-12)
    assert float(rbf_mmd(x, exchanged, labels)) > 0.5
    assert float(rbf_mmd(x, x, labels)) == pytest.approx(0, abs=1e-12)
