"""Synaptic operations of a network on real data, counted by hooks while it runs.

    accumulate   a spike (an input of exactly 1) adds a weight at every connection that it has
    multiply     an input of another value multiplies at every connection, and so do all inputs of its layer

What a layer is fed decides: all inputs 0 or 1, or not. A convolution behind the gate x * LIF(x), on code rows, on an
image or on a mean over steps multiplies, at its zeros too, as a dense machine would; how many of these products have
an input other than zero is kept beside. Batch norm, of all steps or of each, is part of the weights; biases and
residual sums are not counted.
Attention counts as the recurrence that sampling runs (`blocks/attention_state.py`), whichever way it is computed here.
What is the same at every step counts once, as it is computed: the first layer of an image or a latent vector that is
shown T times, whose current a neuron takes T times, and a last layer behind a weighted sum over the steps
(`readout_operations.py`). A transposed convolution has the connections of the convolution that it transposes.
Shapes: T steps, N batch, L positions, h heads, d head width.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn

from neurogen.blocks import Downsample, SpikingAttention, SpikingResidual
from neurogen.blocks.attention_scoring import Scoring
from neurogen.blocks.causal_attention import CausalSpikingAttention
from neurogen.codebook import TableCodebook
from neurogen.metrics.fan_out import Convolution, fan_out
from neurogen.metrics.readout_operations import readout_rules
from neurogen.metrics.work import LayerWork, NeuronWork
from neurogen.models.bits_in_turn import HIDDEN, BitsInTurn
from neurogen.models.embedding import BitTable

NORM_PRODUCTS = 2  # of each value: its square for the variance, and itself times the scale


@dataclass
class Operations:
    """By dotted name of the layer, in the order in which layers ran."""

    layers: dict[str, LayerWork] = field(default_factory=lambda: defaultdict(LayerWork))
    neurons: dict[str, NeuronWork] = field(default_factory=lambda: defaultdict(NeuronWork))


Rule = Callable[[LayerWork, Any, Any, Any], None]


@contextmanager
def counted_operations(module: nn.Module) -> Iterator[Operations]:
    """Counts what `module` does while the block runs, in eval mode; its outputs stay as they are."""
    found, handles = Operations(), []

    def watch(layer: nn.Module, name: str, rule: Rule) -> None:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            rule(found.layers[name], layer, inputs, output)

        handles.append(layer.register_forward_hook(hook))

    def watch_neuron(layer: nn.Module, name: str) -> None:
        def hook(_layer: nn.Module, _inputs: Any, spikes: Tensor) -> None:
            work = found.neurons[name]
            work.updates += spikes.numel()
            work.spikes += _nonzero(spikes)

        handles.append(layer.register_forward_hook(hook))

    padded = {layer.conv for layer in module.modules() if isinstance(layer, Downsample)}
    of_frames = {one for layer in module.modules() if isinstance(layer, Scoring) for one in layer.modules()}
    try:
        for name, layer in module.named_modules():
            if isinstance(layer, BaseNode):
                watch_neuron(layer, name)
            for watched, suffix, rule in _rules(layer, layer in padded, layer in of_frames):
                watch(watched, ".".join(filter(None, (name, suffix))), rule)
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _rules(layer: nn.Module, padded: bool, of_frames: bool) -> Iterator[tuple[nn.Module, str, Rule]]:
    """What to watch for a layer: a module, what is added to the layer's name, and how it counts.

    padded: whether the layer's last row and column are zeros that `Downsample` put there, and no inputs. of_frames:
    whether all vectors that a linear layer takes are flat frames, and none is a token.
    """
    yield from readout_rules(layer)
    if isinstance(layer, CausalSpikingAttention):
        yield layer.neuron, "products", partial(_causal_attention, layer)
    elif isinstance(layer, SpikingAttention):
        yield layer.query_neuron, "products", partial(_attention, True)
        yield layer.key_neuron, "products", partial(_attention, False)
    elif isinstance(layer, SpikingResidual):
        yield layer, "gain", _skip
    elif isinstance(layer, Convolution):
        yield layer, "", partial(_convolution, padded)
    elif isinstance(layer, nn.Linear):
        yield layer, "", partial(_linear, of_frames)
    else:
        for kind, rule in RULES.items():
            if isinstance(layer, kind):
                yield layer, "", rule


def _convolution(padded: bool, work: LayerWork, layer: Convolution, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    (x,) = inputs  # (M, C, H, W)
    taps = fan_out(layer, (x.shape[2], x.shape[3]), (output.shape[2], output.shape[3])).to(x.device)
    if padded:
        taps[-1], taps[:, -1] = 0, 0
    reached = ((x != 0).sum((0, 1)) * taps).sum()
    work.feed(x, x.shape[0] * x.shape[1] * int(taps.sum()), int(reached), x.shape[0])


def _linear(of_frames: bool, work: LayerWork, layer: nn.Linear, inputs: tuple[Tensor, ...], _output: Any) -> None:
    (x,) = inputs  # (M, dim) with M = T N; else (N, L, dim) or (T, N, L, dim), or frames (T, N, dim)
    out, around = layer.out_features, x.shape[:-1] if x.dim() == 2 or of_frames else x.shape[:-2]
    work.feed(x, x.numel() * out, _nonzero(x) * out, around.numel())


def _skip(work: LayerWork, _layer: Any, inputs: tuple[Tensor, ...], _output: Any) -> None:
    """The second synapse of a spiking residual: one connection an input."""
    (x,) = inputs  # (T, N, C, H, W)
    work.feed(x, x.numel(), _nonzero(x), x.shape[0] * x.shape[1])


def _norm(work: LayerWork, layer: Any, inputs: tuple[Tensor, ...], _output: Any) -> None:
    (x,) = inputs  # (M, C, H, W) of a group norm, (T, N, L, dim) of a layer norm
    work.multiplied += NORM_PRODUCTS * x.numel()
    work.once += NORM_PRODUCTS * x.numel()
    work.frames += len(x) if isinstance(layer, nn.GroupNorm) else x.shape[:-2].numel()


def _embedding(work: LayerWork, _layer: Any, _inputs: Any, output: Tensor) -> None:
    """An index is a spike that reaches all of a row."""
    work.added += output.numel()


def _bit_table(work: LayerWork, _layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    (bits,) = inputs  # (..., m)
    rows = int((bits >= 0).sum()) + int((bits[..., 0] < 0).sum())
    work.added += rows * output.shape[-1]


def _bits_in_turn(work: LayerWork, _layer: Any, inputs: tuple[Tensor, ...], _output: Any) -> None:
    bits = inputs[1]  # (N, L, m)
    tokens, m = bits.shape[:-1].numel(), bits.shape[-1]
    work.added += tokens * (m - 1) * HIDDEN
    work.multiplied += tokens * m * HIDDEN
    work.once += tokens * m * HIDDEN
    work.frames += len(bits)


def _codebook(work: LayerWork, layer: TableCodebook, _inputs: Any, output: Any) -> None:
    """The search for the nearest row: a product of every vector with the table."""
    products = output.codes.numel() * layer.table.numel()
    work.multiplied += products
    work.once += products
    work.frames += output.values.shape[1]


def _causal_attention(
    attention: CausalSpikingAttention, work: LayerWork, _layer: Any, _inputs: Any, spikes: Tensor
) -> None:
    """Of spikes (T, N, L, 3 h d): k^T v is added to a memory that q reads, or q meets a list of keys and values."""
    heads, width = attention.heads, attention.head_width
    q, k, v = spikes.unflatten(-1, (3, heads, width)).sum(-1, dtype=torch.float64).unbind(-2)  # (T, N, L, h) spikes
    tokens, length = spikes.shape[:-1].numel(), spikes.shape[2]
    scale = tokens * heads * width
    if attention.gains is None:
        work.added += int((k * v).sum() + q.sum() * width)
        work.multiplied += scale
        work.once += 2 * tokens * heads * width**2 + scale
    else:
        before = torch.arange(1, length + 1, device=spikes.device, dtype=q.dtype)[:, None]  # keys at each position
        pairs = heads * spikes.shape[:2].numel() * length * (length + 1) // 2
        work.added += int((q * before).sum() + (v * before.flip(0)).sum())
        work.multiplied += pairs + scale
        work.once += pairs * (2 * width + 1) + scale
    work.frames += spikes.shape[:2].numel()


def _attention(query: bool, work: LayerWork, _layer: Any, _inputs: Any, spikes: Tensor) -> None:
    """v (q k)^T / sqrt(C) of spikes (T, N, C, H, W), in the order of the smaller matrix as `SpikingAttention` does."""
    frames, channels, sites = spikes.shape[:2].numel(), spikes.shape[2], spikes.shape[3:].numel()
    if channels < sites:  # v k^T, then q: every spike adds a column
        work.added += _nonzero(spikes) * channels
        work.once += frames * channels**2 * sites
    elif query:  # k^T q by the spikes of q, then v times that
        work.added += _nonzero(spikes) * sites
        work.multiplied += frames * channels * sites**2
        work.once += 2 * frames * channels * sites**2
    if query:
        work.multiplied += frames * channels * sites  # the scale
        work.once += frames * channels * sites
        work.frames += frames


def _nonzero(x: Tensor) -> int:
    return int(torch.count_nonzero(x))


RULES: dict[type[nn.Module], Rule] = {
    nn.LayerNorm: _norm,
    nn.GroupNorm: _norm,
    nn.Embedding: _embedding,
    BitTable: _bit_table,
    BitsInTurn: _bits_in_turn,
    TableCodebook: _codebook,
}
