"""The read-out neuron without a threshold."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from neurogen.config import NeuronConfig
from neurogen.neurons.integrator import Integrator

CLOSE = 1e-12  # float64, sums of some ten terms of order 1


def test_membranes_integrate_and_leak() -> None:
    x = torch.tensor([4.0, 0.0, 8.0], dtype=torch.float64)[:, None]
    assert Integrator(NeuronConfig(tau=2.0))(x)[:, 0].tolist() == [2.0, 1.0, 4.5]
    assert Integrator(NeuronConfig(tau=4.0, decay_input=False))(x)[:, 0].tolist() == [4.0, 3.0, 10.25]
    assert Integrator(NeuronConfig(kind="if"))(x)[:, 0].tolist() == [4.0, 4.0, 12.0]


@pytest.mark.parametrize("shape", [(5, 3, 4), (5, 3, 4, 6, 6)])
def test_the_last_membrane_is_a_weighted_sum(shape: tuple[int, ...]) -> None:
    integrator, x = Integrator(NeuronConfig(tau=3.0)), torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(integrator.last(x), integrator(x)[-1], rtol=0, atol=CLOSE)
    if len(shape) == 5:
        inner = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, shape[:2])
        torch.testing.assert_close(integrator.last(inner), integrator(x)[-1], rtol=0, atol=CLOSE)


@pytest.mark.parametrize(
    ("layer", "places"),
    [
        (nn.Linear(4, 7), ()),
        (nn.Conv2d(4, 7, 3), (6, 6)),
        (nn.ConvTranspose2d(4, 7, 4, 2, 1), (6, 6)),
        (nn.Conv2d(4, 7, 3, bias=False), (6, 6)),
    ],
)
def test_a_layer_in_front_is_taken_once(layer: nn.Module, places: tuple[int, ...]) -> None:
    integrator, x = Integrator(NeuronConfig()), torch.randn(5, 3, 4, *places, dtype=torch.float64)
    layer = layer.double()
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    once, each = integrator.last_of(layer, a), integrator(torch.stack([layer(step) for step in b]))[-1]
    torch.testing.assert_close(once, each, rtol=0, atol=CLOSE)
    wants = [*layer.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad(once.square().sum(), [a, *wants]),
        torch.autograd.grad(each.square().sum(), [b, *wants]),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=CLOSE)


def test_sixteen_bits_are_summed_in_thirty_two() -> None:
    x = torch.ones(16, 2, 3, dtype=torch.bfloat16)
    last = Integrator(NeuronConfig()).last(x)
    assert last.dtype == torch.float32
    assert torch.allclose(last, torch.tensor(1 - 2.0**-16), rtol=0, atol=1e-7)
