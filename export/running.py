"""What a Network means: its layers run one after the other in float64, all steps of one before the next.

Legend: T time steps, N batch; the equations are in `network.py`. Exact rules of a chip are in `simulator.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional as F

from export.fitting import fits
from export.network import INPUT, Array, Conv, ConvTranspose, Layer, Map, Network, Neuron, Shape


def run(network: Network, spikes: ArrayLike | Tensor, probes: Iterable[str] = ()) -> dict[str, Array]:
    """Outputs (T, N, ...) float64 of the last layer and of the layers named in `probes`, by name.

    spikes: (T, N, *input_shape). A layer's output is its spikes, 0 or 1; of a layer without neurons its input x; of
    neurons that never fire (threshold inf) their membrane w. The last one comes as the module gives it (output_shape),
    probes as (T, N, *shape). Raises ValueError for a shape that does not fit and for an unknown probe.
    """
    wanted = set(probes) | {network.layers[-1].name}
    _check_probes(network, wanted)
    values: dict[int, Tensor] = {INPUT: _as_input(network, spikes)}
    last_use = {synapses.source: i for i, layer in enumerate(network.layers) for synapses in layer.synapses}
    results: dict[str, Array] = {}
    with torch.no_grad():
        for index, layer in enumerate(network.layers):
            values[index] = fire(layer.neuron, currents(layer, values, _shapes(network)))
            if layer.name in wanted:
                results[layer.name] = values[index].numpy()
            for source in [s for s in values if last_use.get(s, -1) <= index]:
                del values[source]
    name = network.layers[-1].name
    results[name] = results[name].reshape(*results[name].shape[:2], *network.output_shape)
    return results


def currents(layer: Layer, values: dict[int, Tensor], shapes: dict[int, Shape]) -> Tensor:
    """Input currents x (T, N, *shape) of a layer's neurons; values: (T, N, *shape) of its sources."""
    steps, batch = values[layer.synapses[0].source].shape[:2]
    parts = []
    for synapses in layer.synapses:
        rows = values[synapses.source].reshape(steps * batch, *shapes[synapses.source])
        parts.append(apply(synapses.map, rows).reshape(steps, batch, *layer.shape))
    x = sum(parts[1:], parts[0])
    if layer.bias is None:
        return x
    bias = torch.from_numpy(np.asarray(layer.bias, np.float64))
    return x + (bias if bias.shape == layer.shape else along_channels(bias, layer.shape))


def apply(linear: Map, rows: Tensor) -> Tensor:
    """A linear map of one step: (M, C, H, W) or (M, F) -> (M, ...)."""
    weight = torch.from_numpy(np.ascontiguousarray(linear.weight, np.float64))
    if isinstance(linear, Conv):
        if linear.upsample != (1, 1):
            down, right = linear.upsample
            rows = rows.repeat_interleave(down, 2).repeat_interleave(right, 3)
        top, bottom, left, right = linear.padding
        rows = F.pad(rows, (left, right, top, bottom))
        return F.conv2d(rows, weight, None, linear.stride, 0, linear.dilation, linear.groups)
    if isinstance(linear, ConvTranspose):
        sizes = linear.stride, linear.padding, linear.output_padding, linear.groups, linear.dilation
        return F.conv_transpose2d(rows, weight, None, *sizes)
    return F.linear(rows.flatten(1), weight)


def fire(neuron: Neuron | None, x: Tensor) -> Tensor:
    """Spikes of the input currents x (T, N, ...), membranes where the threshold is inf, x itself without neurons."""
    if neuron is None:
        return x
    keep, gain, threshold = (
        along_channels(torch.as_tensor(p, dtype=torch.float64), x.shape[2:])
        for p in (1.0 - np.asarray(neuron.leak), neuron.gain, neuron.threshold)
    )
    silent = torch.isinf(threshold)
    out = torch.empty_like(x)
    w = torch.zeros_like(x[0])
    for t in range(len(x)):
        w = keep * w + gain * x[t]
        spikes = w > threshold if neuron.strict else w >= threshold
        out[t] = torch.where(silent, w, spikes.to(w.dtype))
        w = torch.where(spikes, 0.0, w)
    return out


def along_channels(values: Tensor, shape: Sequence[int]) -> Tensor:
    """One number, or one a channel (C,), so that it broadcasts over (..., *shape)."""
    return values.reshape(-1, *[1] * (len(shape) - 1)) if values.ndim else values


def _shapes(network: Network) -> dict[int, Shape]:
    return {INPUT: network.input_shape, **{i: layer.shape for i, layer in enumerate(network.layers)}}


def _as_input(network: Network, spikes: ArrayLike | Tensor) -> Tensor:
    x = torch.as_tensor(np.asarray(spikes) if not isinstance(spikes, Tensor) else spikes.detach().cpu())
    x = x.to(torch.float64)
    if not fits(x.shape, network.input_shape):
        expected = ", ".join(map(str, network.input_shape))
        raise ValueError(f"expected an input of shape (T, N, {expected}), got {tuple(x.shape)}")
    return x.reshape(*x.shape[:2], *network.input_shape)


def _check_probes(network: Network, wanted: set[str]) -> None:
    names = [layer.name for layer in network.layers]
    unknown = sorted(wanted.difference(names))
    if unknown:
        raise ValueError(f"expected probes among the layers {', '.join(names)}, got {', '.join(unknown)}")
