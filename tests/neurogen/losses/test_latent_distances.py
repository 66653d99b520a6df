"""Distances of posterior and prior, by numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from neurogen.losses.latent_distances import DISTANCES, kld, mmd, psp, psp_mmd


def steps(*values: float) -> Tensor:
    """(T, 1, 1) of one channel."""
    return torch.tensor(values, dtype=torch.float64)[:, None, None]


def test_a_postsynaptic_potential_goes_half_of_the_way_to_each_spike() -> None:
    assert psp(steps(1, 0, 0, 1)).flatten().tolist() == [0.5, 0.25, 0.125, 0.5625]


def test_distances_at_the_published_scale() -> None:
    q, p = steps(1, 0), steps(0, 0)
    assert float(mmd(q, p)) == 0.5  # (1 + 0) / 2
    assert float(psp_mmd(q, p)) == pytest.approx((0.25 + 0.0625) / 2, abs=1e-15)
    assert float(kld(q, p)) == pytest.approx(1e-4 * (math.log(1.01 / 0.01)), abs=1e-15)  # nothing where both are 0
    both = 0.5 * math.log(0.51 / 0.26) + 0.5 * math.log(0.51 / 0.76)
    assert float(kld(steps(0.5), steps(0.25))) == pytest.approx(1e-4 * both, abs=1e-15)


def test_kld_adds_up_steps_and_channels_and_averages_items() -> None:
    q = torch.rand(3, 2, 4, dtype=torch.float64)
    p = torch.rand(3, 2, 4, dtype=torch.float64)
    one = torch.stack([kld(q[:, i : i + 1], p[:, i : i + 1]) for i in range(2)])
    parts = sum(kld(q[t : t + 1, :, c : c + 1], p[t : t + 1, :, c : c + 1]) for t in range(3) for c in range(4))
    assert float(kld(q, p)) == pytest.approx(float(one.mean()), rel=1e-12)
    assert float(kld(q, p)) == pytest.approx(float(parts), rel=1e-12)


@pytest.mark.parametrize("name", DISTANCES)
def test_the_gradient_flows_into_both(name: str) -> None:
    q, p = (torch.rand(4, 3, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    DISTANCES[name](q, p).backward()
    assert q.grad is not None and p.grad is not None
    assert float(q.grad.abs().min()) > 0 and float(p.grad.abs().min()) > 0


@pytest.mark.parametrize("name", DISTANCES)
def test_equal_probabilities_are_no_distance_apart(name: str) -> None:
    q = torch.rand(4, 3, 5, dtype=torch.float64)
    assert float(DISTANCES[name](q, q.clone())) == 0
