"""What a layer takes on a chip: its connections, counted one by one, their cores, and how far u and v can go.

weights      non-zero numbers in the file's kernel, which neurons at other places share
synapses     non-zero connections between two neurons, each written out: padding and zero weights make none
cores        at least: neurons, and each shared weight stored once       at most: neurons, and every synapse stored
headroom     bits between the largest value that a register can reach in T steps and the 24 bits that it has
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from export.chip import Chip, ChipLayer
from export.extremes import largest_sums
from export.limits import Limits
from export.network import Shape

SHARED_WEIGHT_BITS = 8
UNROLLED_SYNAPSE_BITS = 12  # the weight, and about half as much again that says where it leads
REGISTER = 1 << 17  # u and v in weight units: 24 bits, 6 of them behind the point


@dataclass(frozen=True)
class Connections:
    """weights, synapses: see above; fan_in: the most of one neuron; fan_out: (*input shape) of each input."""

    weights: int
    synapses: int
    fan_in: int
    fan_out: NDArray[np.float64]


@dataclass(frozen=True)
class Cores:
    """Cores for one layer; no core holds two layers. at_least: weights shared; at_most: every synapse written out."""

    at_least: int
    at_most: int


@dataclass(frozen=True)
class Reach:
    """u, v: the largest magnitude in weight units, whatever the input; headroom in bits, below 0 where it overflows."""

    u: float
    v: float
    u_headroom_bits: float
    v_headroom_bits: float


def input_shapes(chip: Chip) -> list[Shape]:
    """Shape of the frame that each layer takes."""
    return [chip.frame_shape, *(layer.shape for layer in chip.layers[:-1])]


def connections(layer: ChipLayer, source: Shape) -> Connections:
    """Counts for a layer that takes frames of shape `source`."""
    used = torch.from_numpy((layer.weight != 0).astype(np.float64))
    if layer.kind == "dense":
        fan_in, fan_out = used.sum(1), used.sum(0).reshape(source)
    else:
        fan_in, fan_out = _places(layer, used, source)
    weights, synapses = int(used.sum()), int(fan_in.sum())
    return Connections(weights, synapses, int(fan_in.max()), fan_out.numpy())


def cores(layer: ChipLayer, found: Connections, limits: Limits) -> Cores:
    """By whichever there is less room for: neurons or synapses."""
    for_neurons = ceil(layer.neurons / limits.neurons_per_core)
    at_least, at_most = (
        max(1, for_neurons, ceil(number * bits / limits.synapse_bits_per_core))
        for number, bits in ((found.weights, SHARED_WEIGHT_BITS), (found.synapses, UNROLLED_SYNAPSE_BITS))
    )
    return Cores(at_least, max(at_least, at_most))


def reach(layer: ChipLayer, source: Shape, steps: int, largest_input: int = 1) -> Reach:
    """Bounds from the weights alone: every input that helps is there at every step, no other one ever is.

    source: shape of the frames that the layer takes.
    """
    up, down = largest_sums(layer, layer.weight, source)
    if largest_input > 1:  # integers, which may be negative
        up = down = (up + down) * largest_input
    bias = np.zeros((len(up), 1)) if layer.bias is None else layer.bias.reshape(len(up), -1)
    decay_u, decay_v, threshold = (
        np.broadcast_to(np.asarray(value, np.float64), len(up))
        for value in (layer.i_decay, layer.v_decay, layer.v_threshold)
    )
    u_up, u_down = (_added_up(each, decay_u, steps) for each in (up, down))
    rise, fall = u_up + bias.max(1).clip(min=0), u_down - bias.min(1).clip(max=0)
    if layer.output == "spikes":  # before its last step a neuron that has not fired is at its threshold at most
        highest = np.minimum(_added_up(rise, decay_v, steps), threshold + rise)
    else:
        highest = _added_up(rise, decay_v, steps)
    u = float(np.maximum(u_up, u_down).max())
    v = float(np.maximum(highest, _added_up(fall, decay_v, steps)).max())
    return Reach(u, v, _headroom(u), _headroom(v))


def _places(layer: ChipLayer, used: torch.Tensor, source: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    """Fan-in of every output and fan-out of every input: the kernel's counts laid over ones."""
    sizes = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    onto_first, onto_second = used.sum(1), _summed_in_groups(used, layer.groups)  # (channels, kH, kW)
    inputs, outputs = torch.ones(1, 1, *source[1:]).double(), torch.ones(1, 1, *layer.shape[1:]).double()
    if layer.kind == "convT":
        from_inputs, onto_outputs = onto_first, onto_second
        fan_in = F.conv_transpose2d(inputs, onto_outputs[None], output_padding=layer.output_padding, **sizes)
        return fan_in[0], F.conv2d(outputs, from_inputs[:, None], **sizes)[0]
    from_inputs, onto_outputs = onto_second, onto_first
    fan_in = F.conv2d(inputs, onto_outputs[:, None], **sizes)
    missing = [
        source[1 + i]
        - ((layer.shape[1 + i] - 1) * layer.stride[i] - 2 * layer.padding[i])
        - layer.dilation[i] * (layer.weight.shape[2 + i] - 1)
        - 1
        for i in (0, 1)
    ]
    fan_out = F.conv_transpose2d(outputs, from_inputs[None], output_padding=missing, **sizes)
    return fan_in[0], fan_out[0]


def _summed_in_groups(used: torch.Tensor, groups: int) -> torch.Tensor:
    """(first, second / groups, kH, kW) ones and zeros -> (second, kH, kW): taps between each channel and all others."""
    return used.reshape(groups, -1, *used.shape[1:]).sum(1).reshape(-1, *used.shape[2:])


def _added_up(each: NDArray[np.float64], decay: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """each added at every one of so many steps to a state that keeps 1 - decay / 4096 of itself."""
    keep = 1 - decay / 4096
    return each * sum((keep**n for n in range(steps)), np.zeros_like(keep))


def _headroom(reached: float) -> float:
    return log2(REGISTER / reached) if reached else log2(REGISTER)
