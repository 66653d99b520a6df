"""One link of a chain in integers, and what is wrong with it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from export.chip import ChipLayer, Integers, Kind, outputs_first
from export.extremes import largest_sums
from export.limits import Limits
from export.lowering import Link
from export.network import Array, Neuron, Shape
from export.refusal import Fault
from export.scales import Firing, Scale, decay, scale, threshold

Readout = Literal["host", "membrane", "sigma"]


def quantised(link: Link, before: Shape, per_channel: bool, readout: Readout, limits: Limits) -> ChipLayer:
    """The link's weights, biases and neurons in integers. Relays keep weight 1 and threshold 0.

    before: shape of the frame that it takes.
    """
    silent = link.neuron is None or bool(np.isinf(link.neuron.threshold).any())
    sigma = silent and readout == "sigma"
    neuron = link.neuron or Neuron(1.0, 1.0, np.inf)
    firing = _firing(neuron, len(link.channels))
    biases = np.zeros((len(link.channels), 1))
    if link.bias is not None and not sigma:
        biases = link.bias.reshape(len(link.channels), -1)
    scales = _scales(link, before, biases, firing, per_channel, limits)
    each = np.array([scales[c].value if c >= 0 else 1.0 for c in link.channels])
    bias = np.rint(biases * each[:, None]).astype(np.int32)
    thresholds = [threshold(scales[c], firing[i], limits) if c >= 0 else 0 for i, c in enumerate(link.channels)]
    return ChipLayer(
        name=link.name,
        kind=link.kind,
        shape=link.shape,
        weight=_free_of_traps(_rounded(link.weight * _over_outputs(link, each)), link.kind),
        v_threshold=_one_or_each(thresholds),
        v_decay=_one_or_each([decay(one.leak) for one in firing]),
        layout=link.layout,
        bias=bias.reshape(link.bias.shape) if link.bias is not None and bias.any() else None,
        stride=link.stride,
        padding=link.padding,
        dilation=link.dilation,
        output_padding=link.output_padding,
        groups=link.groups,
        scale=np.array([one.value for one in scales]) if per_channel else scales[0].value,
        gain=_of_own_channels(neuron.gain, link),
        output="sigma" if sigma else "membrane" if silent else "spikes",
        host_bias=_own_bias(link) if sigma else None,
    )


def faults_of(link: Link, layer: ChipLayer, before: Shape, limits: Limits, largest_input: int) -> list[Fault]:
    """Why these weights cannot be the chip's."""
    own = link.channels >= 0
    weights, rounded = _rows(link.weight, link)[own], _rows(layer.weight, link)[own]
    scaling = "rescale the layer, for which it was trained too small beside its threshold or bias"
    if not weights.any():
        return [Fault(layer.name, "a layer without weights", "all of them are zero", "train it, or leave it out")]
    if not rounded.any():
        largest = f"the largest, {np.abs(weights).max():.3g}, is less than half a step of {1 / np.max(layer.scale):.3g}"
        return [Fault(layer.name, "weights that all round to zero", largest, scaling)]
    if layer.kind == "dense" and layer.weight.max() <= 0 and layer.weight.min() == -1:
        why = "lava-dl turns such a matrix into another"
        return [Fault(layer.name, "weights of 0 and -1 only", why, "add a weight above 0, or use a finer scale")]
    most = int(np.maximum(*largest_sums(layer, layer.weight, before)).max()) * largest_input
    if most >= limits.sum:
        why = f"a neuron's input could reach {most:,}, and the chip's current wraps around at {limits.sum:,}"
        less = "use fewer inputs to a neuron, or smaller weights" if largest_input == 1 else "give smaller inputs"
        return [Fault(layer.name, "sums that could pass the chip's current", why, less)]
    return []


def _firing(neuron: Neuron, channels: int) -> list[Firing]:
    """One for each channel of the chain."""
    leak, gain, at = (np.broadcast_to(p, channels) for p in (neuron.leak, neuron.gain, neuron.threshold))
    return [Firing(float(a), float(t / g), neuron.strict) for a, g, t in zip(leak, gain, at, strict=True)]


def _scales(
    link: Link, before: Shape, biases: Array, firing: list[Firing], per_channel: bool, limits: Limits
) -> list[Scale]:
    """One for each channel that the layer has in the network."""
    rows, sums = _rows(link.weight, link), np.maximum(*largest_sums(link, link.weight, before))
    number = int(link.channels.max()) + 1
    scales = [Scale(0.0)] * number
    for group in [[c] for c in range(number)] if per_channel else [list(range(number))]:
        chosen = np.flatnonzero(np.isin(link.channels, group))
        some = rows if len(chosen) == len(rows) else rows[chosen]
        one = scale(some, biases[chosen], _shared([firing[i] for i in chosen]), float(sums[chosen].max()), limits)
        for channel in group:
            scales[channel] = one
    alive = [one.value for one in scales if one.value]
    dead = Scale(min(alive, default=1.0))  # a channel without weights and bias never fires at any scale
    return [one if one.value else dead for one in scales]


def _shared(firing: list[Firing]) -> Firing:
    """The neurons' own where they are alike; else what bounds a scale that none of them may pass."""
    if len(set(firing)) == 1:
        return firing[0]
    return Firing(0.0, max(one.theta for one in firing))


def _rows(weight: NDArray[np.generic], link: Link) -> NDArray[np.generic]:
    """(O, ...) weights onto each channel of the chain."""
    first = outputs_first(weight, link.groups) if link.kind == "convT" else weight
    return first.reshape(len(first), -1)


def _over_outputs(link: Link, each: Array) -> Array:
    """One number for each output channel, so that it multiplies the link's weights."""
    if link.kind == "convT":
        of_groups = np.repeat(each.reshape(link.groups, -1), len(link.weight) // link.groups, axis=0)
        return of_groups[:, :, None, None]
    return each.reshape(-1, *[1] * (link.weight.ndim - 1))


def _rounded(weight: Array) -> Integers:
    return np.rint(weight, out=weight).astype(np.int32)


def _one_or_each(values: list[int]) -> int | Integers:
    return values[0] if len(set(values)) == 1 else np.array(values, np.int32)


def _of_own_channels(value: float | Array, link: Link) -> float | Array:
    """From the chain's channels to those that the layer has in the network."""
    if np.ndim(value) == 0:
        return float(value)
    first = np.unique(link.channels[link.channels >= 0], return_index=True)[1]
    own = np.asarray(value)[first]
    return own if np.ptp(own) else float(own[0])


def _own_bias(link: Link) -> Array | None:
    """One a neuron, in the layer's own shape."""
    if link.bias is None:
        return None
    whole = np.broadcast_to(link.bias.reshape(len(link.bias), -1), (len(link.bias), int(np.prod(link.shape[1:]))))
    return whole.reshape(-1)[link.layout.places()].reshape(link.layout.shape)


def _free_of_traps(weight: Integers, kind: Kind) -> Integers:
    """Of weights without a positive one, the least gives way by 1 if it is a power of two: lava-dl would spoil them.

    The matrix is shifted to fill 8 bits, clipped at -255, and cut to fewer bits (`optimize_weight_bits`). -2 becomes
    -3, since -1 is a power of two as well; -1 stays, and is a fault.
    """
    least = -int(weight.min())
    if kind != "dense" or weight.max() > 0 or least <= 1 or least & (least - 1):
        return weight
    return np.where(weight == -least, 1 - least if least > 2 else -3, weight).astype(np.int32)
