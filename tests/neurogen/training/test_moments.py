"""Running statistics are measured anew, and put back."""

from __future__ import annotations

import torch
from torch import nn

from neurogen.blocks.step_norm import StepNorm
from neurogen.training.moments import measured_moments

T = 3


def test_statistics_are_the_mean_over_batches() -> None:
    norm = StepNorm(2).double().eval()
    batches = torch.randn(5, 6, 2, dtype=torch.float64) * torch.arange(1, 6).view(5, 1, 1)
    with measured_moments(nn.Sequential(norm).eval(), lambda k: norm.forward_constant(batches[k], T), 5, T):
        torch.testing.assert_close(norm.running_mean, batches.mean((0, 1)))
        torch.testing.assert_close(norm.running_var, batches.var(1).mean(0))
        assert not norm.training


def test_steps_of_a_batch_weigh_nearly_the_same() -> None:
    norm = StepNorm(1).double()
    batch = torch.randn(T, 8, 1, dtype=torch.float64) + torch.arange(T).view(T, 1, 1)
    with measured_moments(norm, lambda _: norm(batch), 100, T):
        assert norm.running_mean is not None
        torch.testing.assert_close(norm.running_mean, batch.mean((0, 1)), rtol=0, atol=0.03)
    assert abs(batch[-1].mean() - batch.mean()) > 0.9


def test_all_is_afterwards_as_before() -> None:
    norm = StepNorm(2).eval()
    norm.shares_statistics = True
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    with measured_moments(norm, lambda _: norm(torch.randn(T, 4, 2) + 5), 3, T):
        assert not torch.equal(norm.running_mean, before["running_mean"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in norm.state_dict().items())
    assert (norm.momentum, norm.shares_statistics, norm.training) == (0.1, True, False)
