"""Blocks of the strictly spiking kind: convolution, batch norm over T and N, neuron with hard reset."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neurogen.blocks import ConvBNLIF, SpikingResidual
from neurogen.config import NeuronConfig
from tests.neurogen.models import plain

NEURONS = NeuronConfig(tau=2.0, decay_input=False, threshold=1.0, alpha=1.0)


def spikes(channels: int = 4, side: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(3, 2, channels, side, side, generator=generator) < 0.4).double()


def made(*arguments: int, transposed: bool = False) -> ConvBNLIF:
    torch.manual_seed(0)
    return ConvBNLIF(*arguments, NEURONS, transposed).double()


def passing(layer: nn.Module, gain: float = 1.0) -> None:
    """Make convolution and norm of a layer multiply by `gain`."""
    nn.init.dirac_(layer.conv.weight)
    with torch.no_grad():
        layer.conv.weight *= gain * (1 + layer.norm.eps) ** 0.5
    layer.norm.eval()


@pytest.mark.parametrize("training", [True, False])
def test_the_order_is_convolution_norm_neuron(training: bool) -> None:
    layer, x = made(4, 5, 3, 1).train(training), spikes()
    layer.norm.running_mean.fill_(0.1)
    layer.norm.running_var.fill_(0.01)
    currents = torch.stack([nn.functional.conv2d(step, layer.conv.weight, padding=1) for step in x])
    if training:  # over steps, samples and pixels at once
        mean, variance = currents.mean((0, 1, 3, 4)), currents.var((0, 1, 3, 4), unbiased=False)
    else:
        mean, variance = torch.full((5,), 0.1).double(), torch.full((5,), 0.01).double()
    normed = (currents - mean[:, None, None]) / torch.sqrt(variance[:, None, None] + 1e-5)
    expected = torch.stack(plain.lif(list(normed), layer.neuron))
    assert 0 < expected.mean() < 1
    assert torch.equal(layer(x), expected)


def test_running_statistics_are_of_one_pass_over_steps_and_samples() -> None:
    layer, x = made(4, 5, 3, 1).train(), spikes()
    layer(x)
    currents = layer.conv(x.flatten(0, 1))
    assert int(layer.norm.num_batches_tracked) == 1
    assert torch.allclose(layer.norm.running_mean, 0.1 * currents.mean((0, 2, 3)))
    assert torch.allclose(layer.norm.running_var, 0.9 + 0.1 * currents.var((0, 2, 3)))


def test_the_norm_folds_into_the_convolution_before_it() -> None:
    """So that a chip needs no norm: scaled weights and a bias give the same currents."""
    layer, x = made(4, 5, 3, 2), spikes()
    for _ in range(5):
        layer.train()(x)
    nn.init.normal_(layer.norm.weight, 1.0, 0.3)
    nn.init.normal_(layer.norm.bias, 0.0, 0.3)
    norm = layer.eval().norm
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight, bias = layer.conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
    folded = nn.functional.conv2d(x.flatten(0, 1), weight, bias, stride=2, padding=1)
    assert torch.allclose(layer.current(x.flatten(0, 1)), folded, atol=1e-13, rtol=0)


def test_the_reset_is_hard_to_zero() -> None:
    layer = ConvBNLIF(1, 1, 3, 1, NEURONS)
    passing(layer, 0.9)
    # h: 0.9; 0.45 + 0.9 fires; 0 + 0.9; fires. With a soft reset 0.35 would stay and step 3 fire: 0.175 + 0.9.
    assert layer(torch.ones(4, 1, 1, 3, 3))[:, 0, 0, 1, 1].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("kernel", "stride", "transposed", "side"), [(3, 1, False, 6), (3, 2, False, 3), (5, 2, False, 3), (4, 2, True, 12)]
)
def test_sizes_halve_stay_or_double_with_equal_padding_on_all_sides_and_no_bias(
    kernel: int, stride: int, transposed: bool, side: int
) -> None:
    layer = made(4, 5, kernel, stride, transposed=transposed)
    assert layer(spikes()).shape == (3, 2, 5, side, side)
    assert layer.conv.bias is None
    assert layer.conv.padding[0] == layer.conv.padding[1] > 0
    assert layer.conv.padding_mode == "zeros"


def test_a_constant_input_is_convolved_once_with_equal_spikes() -> None:
    layer, x = made(4, 5, 3, 1).train(), spikes()[0]
    calls: list[int] = []
    layer.conv.register_forward_hook(lambda _layer, inputs, _out: calls.append(len(inputs[0])))
    once = layer.forward_constant(x, 3)
    layer.neuron.reset()
    assert torch.equal(once, layer(x.expand(3, *x.shape)))
    assert calls == [2, 6]
    assert once.any()


def residual() -> SpikingResidual:
    torch.manual_seed(0)
    layer = SpikingResidual(4, NEURONS).double()
    nn.init.uniform_(layer.gain, -1.0, 1.0)
    return layer


@pytest.mark.parametrize("training", [True, False])
def test_the_residual_block_equals_its_equation(training: bool) -> None:
    layer, x = residual().train(training), spikes()
    inner = plain.conv_bn_lif(list(x), layer.first)
    currents = plain.batch_norm([layer.conv(step) for step in inner], layer.norm)
    charged = [current + layer.gain * step for current, step in zip(currents, x, strict=True)]
    assert torch.equal(layer(x), torch.stack(plain.lif(charged, layer.neuron)))


def test_where_both_ways_fire_the_output_is_still_one_spike() -> None:
    layer = SpikingResidual(1, NEURONS)
    passing(layer.first, 2.0)
    passing(layer, 2.0)
    out = layer(torch.ones(2, 1, 1, 3, 3))
    assert out.unique().tolist() == [1.0]  # not 2: the skip adds current, not spikes


def test_the_skip_is_a_second_synapse_with_one_weight_per_channel() -> None:
    layer = SpikingResidual(2, NEURONS)
    nn.init.zeros_(layer.conv.weight)
    layer.norm.eval()
    with torch.no_grad():
        layer.gain[:, 0, 0] = torch.tensor([1.0, 0.6])
    out = layer(torch.ones(4, 1, 2, 1, 1))[:, 0, :, 0, 0]
    # channel 0 is driven over the threshold at every step; channel 1 charges 0.6, 0.9, 1.05
    assert out.tolist() == [[1, 0], [1, 0], [1, 1], [1, 0]]
