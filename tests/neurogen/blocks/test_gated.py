"""Blocks of the published autoencoder, each against its equation written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from neurogen.blocks import Downsample, GatedResidual, SpikingAttention, group_norm, upsample
from neurogen.config import NeuronConfig
from tests.neurogen.models import plain

NEURONS = NeuronConfig()  # as published


def values(steps: int, channels: int, side: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(steps, 2, channels, side, side, dtype=torch.float64, generator=generator)


def lively(module: nn.Module) -> nn.Module:
    """In double precision, with weights that make every neuron fire sometimes."""
    torch.manual_seed(0)
    for parameter in module.double().parameters():
        nn.init.normal_(parameter, 0.0, 0.3)
    return module


def test_the_norm_is_of_32_groups_within_a_sample() -> None:
    x = values(1, 64, 4)[0]
    y = group_norm(64).double()(x)
    groups = x.view(2, 32, 2 * 16)
    expected = (groups - groups.mean(-1, keepdim=True)) / torch.sqrt(
        groups.var(-1, unbiased=False, keepdim=True) + 1e-6
    )
    assert torch.allclose(y.view(2, 32, 32), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("channels", "side"), [(32, 8), (64, 2)], ids=["fewer channels", "fewer sites"])
def test_attention_is_q_k_v_without_softmax(channels: int, side: int) -> None:
    """Whichever product comes first: 32 channels at 64 sites, 64 channels at 4 sites."""
    layer, x = lively(SpikingAttention(channels, NEURONS)), values(3, channels, side)
    normed = [layer.norm(step) for step in x]
    q = plain.lif([layer.query(step) for step in normed], layer.query_neuron)
    k = plain.lif([layer.key(step) for step in normed], layer.key_neuron)
    assert 0.02 < torch.stack(q).mean() < 0.98
    for t, out in enumerate(layer(x)):
        v = layer.value(normed[t]).flatten(2)
        mixed = torch.zeros_like(v)
        for i in range(side * side):
            score = (q[t].flatten(2)[..., i, None] * k[t].flatten(2)).sum(1) / channels**0.5  # of i with every j
            mixed[..., i] = (score[:, None] * v).sum(-1)
        assert torch.allclose(out, x[t] + layer.proj(mixed.view_as(x[t])), atol=1e-11, rtol=0)


def test_queries_and_keys_are_spikes_and_values_are_not() -> None:
    layer, seen = lively(SpikingAttention(32, NEURONS)), []
    for part in (layer.query_neuron, layer.key_neuron, layer.value):
        part.register_forward_hook(lambda _layer, _inputs, out: seen.append(set(out.detach().unique().tolist())))
    layer(values(3, 32, 4))
    assert seen[0] == seen[1] == {0.0, 1.0}
    assert len(seen[2]) > 100


def test_attention_does_not_look_at_other_steps_or_samples() -> None:
    layer, x = lively(SpikingAttention(32, NEURONS)), values(3, 32, 4)
    before = layer(x)
    for node in (layer.query_neuron, layer.key_neuron):
        node.reset()
    changed = x.clone()
    changed[2, 1] += 1
    difference = (layer(changed) - before).abs().amax((2, 3, 4)) > 0
    assert difference.tolist() == [[False, False], [False, False], [False, True]]


@pytest.mark.parametrize("out", [32, 64])
def test_the_residual_block_equals_its_equation(out: int) -> None:
    layer, x = lively(GatedResidual(32, out, 0.0, NEURONS)), values(3, 32, 4)
    h = [layer.norm1(step) for step in x]
    h = [a * s for a, s in zip(h, plain.lif(h, layer.gate1.neuron), strict=True)]
    h = [layer.norm2(layer.conv1(step)) for step in h]
    h = [a * s for a, s in zip(h, plain.lif(h, layer.gate2.neuron), strict=True)]
    short = [layer.shortcut(step) for step in x] if out == 64 else list(x)
    expected = torch.stack([a + layer.conv2(b) for a, b in zip(short, h, strict=True)])
    assert torch.allclose(layer(x), expected, atol=1e-12, rtol=0)


def test_the_shortcut_is_a_1x1_convolution_only_where_the_channels_change() -> None:
    assert isinstance(GatedResidual(32, 32, 0.0, NEURONS).shortcut, nn.Identity)
    shortcut = GatedResidual(32, 64, 0.0, NEURONS).shortcut
    assert isinstance(shortcut, nn.Conv2d)
    assert shortcut.kernel_size == (1, 1)


def test_what_passes_the_gates_is_real_valued() -> None:
    layer, seen = lively(GatedResidual(32, 32, 0.0, NEURONS)), []
    layer.conv2.register_forward_hook(lambda _layer, inputs, _out: seen.append(inputs[0].detach()))
    layer(values(3, 32, 4))
    assert (seen[0] == 0).double().mean() > 0.1
    assert len(seen[0].unique()) > 50


def test_dropout_acts_in_training_only() -> None:
    layer, x = lively(GatedResidual(32, 32, 1.0, NEURONS)), values(1, 32, 4)
    bias = layer.conv2.bias[:, None, None]
    assert torch.allclose(layer.train()(x), x + bias)
    assert not torch.allclose(layer.eval()(x), x + bias)


def test_halving_pads_right_and_bottom_with_zeros() -> None:
    layer = Downsample(1).double()
    nn.init.ones_(layer.conv.weight)
    nn.init.zeros_(layer.conv.bias)
    x = torch.arange(16, dtype=torch.float64).view(1, 1, 1, 4, 4)
    # 3x3 windows from (0, 0), (0, 2), (2, 0), (2, 2); the last column and row reach past the edge
    rows = [
        [0 + 1 + 2 + 4 + 5 + 6 + 8 + 9 + 10, 2 + 3 + 6 + 7 + 10 + 11],
        [8 + 9 + 10 + 12 + 13 + 14, 10 + 11 + 14 + 15],
    ]
    assert layer(x)[0, 0, 0].tolist() == rows


def test_an_odd_size_cannot_be_halved() -> None:
    with pytest.raises(ValueError, match=r"expected an even height and width to halve, got \(4, 5\)"):
        Downsample(1)(torch.zeros(1, 1, 1, 4, 5))


def test_doubling_by_repetition_or_by_a_transposed_convolution() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 1, 1, 2, 2)
    nearest = upsample(1, "nearest")
    nn.init.dirac_(nearest.layer.conv.weight)
    nn.init.zeros_(nearest.layer.conv.bias)
    assert nearest(x)[0, 0, 0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    transposed = upsample(1, "transposed")
    nn.init.ones_(transposed.layer.weight)
    nn.init.zeros_(transposed.layer.bias)
    # each output pixel is reached by 1, 2 or 4 inputs through a 4x4 kernel of ones with stride 2
    assert transposed(x)[0, 0, 0].tolist() == [[1, 3, 3, 2], [4, 10, 10, 6], [4, 10, 10, 6], [3, 7, 7, 4]]
