"""Threshold-dependent batch norm against SpikingJelly's, and what a stage leaves out against what it stands for."""

from __future__ import annotations

import pytest
import torch
from spikingjelly.activation_based import functional, layer
from torch import Tensor, nn

from neurogen.blocks.threshold_norm import Layer, ThresholdNorm, ThresholdStage, running_statistics
from neurogen.config_fsvae import FSVAENeuronConfig

T, N = 3, 4
NEURONS = FSVAENeuronConfig()
LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "linear": (nn.Linear(5, 6), (5,)),
    "convolution": (nn.Conv2d(5, 6, 3, 2, 1), (5, 8, 8)),
    "transposed convolution": (nn.ConvTranspose2d(5, 6, 3, 2, 1, 1), (5, 4, 4)),
}


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-12, rtol=0)  # float64, some hundred terms


def inputs(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_it_is_the_published_norm_with_the_scale_outside_of_the_weight() -> None:
    ours = ThresholdNorm(6, 2 * 0.2).double()
    theirs = layer.ThresholdDependentBatchNorm2d(2.0, 0.2, 6)
    torch.testing.assert_close(ours.gain.float(), theirs.weight)
    theirs.double().weight.data.fill_(0.4)  # in all digits
    x = inputs(T, N, 6, 5, 5)
    for norm in (ours.train(), ours.eval()):
        theirs.train(norm.training)
        close(norm(x.flatten(0, 1)).unflatten(0, (T, N)), theirs(x))
    assert ours.weight.tolist() == [1.0] * 6
    close(ours.running_mean, theirs.running_mean)
    close(ours.running_var, theirs.running_var)


def test_copies_move_running_statistics_as_steps_that_are_all_the_same() -> None:
    once, often = ThresholdNorm(6, 0.2).double(), ThresholdNorm(6, 0.2).double()
    x = inputs(N, 6, 2, 2)
    close(once(x, T), often(x.repeat(T, 1, 1, 1))[:N])
    close(once.running_mean, often.running_mean)
    close(once.running_var, often.running_var)


@pytest.mark.parametrize("name", LAYERS)
def test_a_bias_that_is_left_out_in_training_is_missed_nowhere(name: str) -> None:
    synapses, shape = LAYERS[name]
    stage = ThresholdStage(synapses, 6, NEURONS, 2.0).double()
    assert synapses.bias is not None
    nn.init.uniform_(synapses.bias, 1, 3)
    plain = nn.BatchNorm2d(6).double()
    plain._check_input_dim = lambda x: None  # type: ignore[method-assign]
    nn.init.constant_(plain.weight, 0.4)
    x = inputs(T * N, *shape)
    for _ in range(3):
        close(stage.current(x), plain(synapses(x)))
    close(stage.norm.running_mean, plain.running_mean)
    close(stage.eval().current(x), plain.eval()(synapses(x)))
    assert float(stage.current(x).detach().std()) > 0.1


def test_neurons_see_all_steps() -> None:
    stage = ThresholdStage(nn.Conv2d(2, 6, 3, 2, 1), 6, NEURONS).double()
    x = inputs(T, N, 2, 8, 8)
    spikes = stage(x).detach()
    current, v = stage.current(x.flatten(0, 1)).unflatten(0, (T, N)), torch.zeros(())
    for t in range(T):  # u / 4 + x, set to 0 by a spike above 0.2
        u = v / 4 + current[t]
        assert torch.equal(spikes[t], (u > 0.2).double())
        v = torch.where(u > 0.2, 0.0, u)
    assert 0.05 < float(spikes.mean()) < 0.5


@pytest.mark.parametrize("training", [True, False])
def test_an_input_that_stays_is_computed_once(training: bool) -> None:
    torch.manual_seed(0)
    stage = ThresholdStage(nn.Conv2d(2, 6, 3, 2, 1), 6, NEURONS).double()
    stage(inputs(T, N, 2, 8, 8))
    stage.train(training)
    x, means = inputs(N, 2, 8, 8), []
    made = []
    for run in (lambda: stage.forward_constant(x, T), lambda: stage(x.expand(T, *x.shape))):
        functional.reset_net(stage)
        stage.zero_grad()
        spikes = run()
        (spikes * torch.arange(1, 7)[:, None, None]).sum().backward()
        assert stage.layer.weight.grad is not None
        made.append((spikes, stage.layer.weight.grad.clone()))
        means.append(stage.norm.running_var.clone())
    assert torch.equal(made[0][0], made[1][0])
    torch.testing.assert_close(made[0][1], made[1][1], atol=1e-10, rtol=0)
    assert float(made[0][1].abs().max()) > 1e-6
    assert torch.equal(means[0], means[1]) is not training


def test_running_statistics_are_used_and_stay() -> None:
    norm = ThresholdNorm(6, 0.2)
    norm(torch.randn(50, 6) * 3 + 1)
    x, kept = torch.randn(20, 6), norm.running_mean.clone()
    with running_statistics(norm):
        inside = norm(x)
    assert torch.equal(norm.running_mean, kept)
    assert norm.training
    assert torch.equal(inside, norm.eval()(x))
    assert not torch.equal(inside, norm.train()(x))
