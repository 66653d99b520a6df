"""Causal spiking attention: both forms against sums over positions, and what a position costs."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from neurogen.blocks.causal_attention import CausalSpikingAttention
from neurogen.config import NeuronConfig, PriorModelConfig
from tests.neurogen.models import plain

NEURONS = NeuronConfig(threshold=0.1)
OPTIONS = {
    "published": {},
    "normalised": {"normalise": True},
    "gains": {"offset_gains": True},
    "both": {"normalise": True, "offset_gains": True},
}


def attention(height: int = 3, width: int = 4, **settings: object) -> CausalSpikingAttention:
    """Width 8 in two heads, over a map of codes, with random gains."""
    torch.manual_seed(0)
    config = PriorModelConfig(dim=8, heads=2, height=height, width=width, **settings)
    layer = CausalSpikingAttention(config, NEURONS).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, 0.0, 0.3)
    return layer


def inputs(length: int = 12) -> Tensor:
    """(T = 3, N = 2, L, 8)."""
    return torch.randn(3, 2, length, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def by_hand(layer: CausalSpikingAttention, x: Tensor, normalise: bool) -> Tensor:
    q, k, v = torch.stack(plain.lif([layer.qkv(step) for step in x], layer.neuron)).chunk(3, -1)
    mixed = torch.zeros_like(x)
    for head in (slice(0, 4), slice(4, 8)):
        for i in range(x.shape[2]):
            for j in range(i + 1):
                score = (q[:, :, i, head] * k[:, :, j, head]).sum(-1, keepdim=True)
                score = score / (i + 1) if normalise else score / 2  # the root of a head width of 4
                if layer.gains is not None:
                    raw = layer.gains[head.start // 4, i // 4 - j // 4, i % 4 - j % 4 + 3]
                    score = score * torch.log1p(torch.exp(4 * raw + 0.5413))
                mixed[:, :, i, head] += score * v[:, :, j, head]
    return layer.proj(mixed)


@pytest.mark.parametrize("name", OPTIONS)
def test_it_is_the_masked_sum_without_softmax(name: str) -> None:
    layer, x = attention(**OPTIONS[name]), inputs()
    expected = by_hand(layer, x, "normalise" in OPTIONS[name])
    assert torch.allclose(layer(x), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_recurrence_equals_it_at_every_position(name: str) -> None:
    layer, x = attention(**OPTIONS[name]), inputs()
    state = layer.start()
    steps = torch.stack([layer.step(x[:, :, i], state, i) for i in range(12)], 2)
    assert torch.allclose(steps, layer(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", OPTIONS)
def test_fewer_positions_than_the_map_are_its_beginning(name: str) -> None:
    layer, x = attention(**OPTIONS[name]), inputs()
    assert torch.allclose(layer(x[:, :, :7]), layer(x)[:, :, :7], atol=1e-13, rtol=0)


def test_queries_keys_and_values_are_spikes() -> None:
    layer, seen = attention(), []
    layer.neuron.register_forward_hook(lambda _layer, _inputs, out: seen.append(out.detach()))
    layer(inputs())
    assert seen[0].shape == (3, 2, 12, 24)
    assert seen[0].unique().tolist() == [0.0, 1.0]


def test_a_gain_belongs_to_an_offset_on_the_map() -> None:
    layer = attention(offset_gains=True)
    gains = layer.pair_gains()
    # (1, 2) reads (0, 1), and (2, 3) reads (1, 2): both one up, one left
    assert torch.equal(gains[:, 6, 1], gains[:, 11, 6])
    assert torch.equal(gains[:, 6, 1], F.softplus(4 * layer.gains[:, 1, 1 + 3] + 0.5413))
    # the code before 4 = (1, 0) in raster order is 3 = (0, 3): one up, three right
    assert torch.equal(gains[:, 4, 3], F.softplus(4 * layer.gains[:, 1, -3 + 3] + 0.5413))
    assert float(gains.detach().triu(1).abs().max()) == 0.0


POSITIONS = (0, 1, 15, 63)


@torch.no_grad()
def operations(layer: CausalSpikingAttention) -> list[int]:
    """Multiplications that `step` takes in matrix products at POSITIONS."""
    x, state, counts = inputs(64), layer.start(), []
    for i in range(64):
        with FlopCounterMode(display=False) if i in POSITIONS else nullcontext() as counter:
            layer.step(x[:, :, i], state, i)
        if counter is not None:
            counts.append(counter.get_total_flops() // 2)
    return counts


def test_a_position_costs_the_same_wherever_it_lies() -> None:
    counts = operations(attention(8, 8))
    linear, matrices = 3 * 2 * (3 * 8 * 8 + 8 * 8), 3 * 2 * 2 * 4 * 4  # T N rows; T N heads d x d
    assert counts == [linear + matrices] * 4


def test_with_gains_a_position_costs_as_many_products_as_there_are_before_it() -> None:
    counts = operations(attention(8, 8, offset_gains=True))
    linear, pair = 3 * 2 * (3 * 8 * 8 + 8 * 8), 3 * 2 * 2 * 2 * 4
    assert counts == [linear + pair * (i + 1) for i in POSITIONS]


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"expected model\.dim to be a multiple of model\.heads=3, got 8"):
        CausalSpikingAttention(PriorModelConfig(dim=8, heads=3), NEURONS)
