"""Convolutions as NIR can hold them: no groups, a square kernel, one bias a channel.

Biases that differ from place to place: the layer before fires one neuron more at every place and step, and the bias is
the weight of that spike; each place of the output needs a tap of the kernel that looks at the input for no other place,
as a Linear before a view has them. Before the first layer the input itself must bring a channel of ones.
Square kernels: nir 1.0 takes a kernel's height for its width where it checks shapes. Zeros are added around it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from export.chip import as_image
from export.lowering import Link
from export.network import Array, Neuron, Shape


def with_constants(links: list[Link], input_shape: Shape) -> tuple[list[Link], bool]:
    """The same chain with biases one a channel, and whether its input now ends with a channel of ones.

    Raises ValueError, beginning with the layer's name, where a place has no tap of its own.
    """
    links, ones = list(links), False
    for index in range(len(links) - 1, -1, -1):
        link = links[index]
        if link.kind != "conv" or link.bias is None or link.bias.ndim == 1:
            continue
        before = links[index - 1].shape if index else as_image(input_shape)
        links[index] = replace(link, weight=_with_taps(link, before), bias=None, groups=1)
        if index:
            links[index - 1] = _with_firing_channel(links[index - 1])
        else:
            ones = True
    return links, ones


def ungrouped(link: Link) -> Array:
    """(O, I, ...): grouped kernels with zeros between the groups."""
    if link.groups == 1:
        return link.weight
    outputs, inputs = link.weight.shape[:2]
    whole = np.zeros((outputs, inputs * link.groups, *link.weight.shape[2:]))
    each = outputs // link.groups
    for group in range(link.groups):
        rows = slice(group * each, (group + 1) * each)
        whole[rows, group * inputs : (group + 1) * inputs] = link.weight[rows]
    return whole


def squared(link: Link, weight: Array, before: Shape) -> tuple[Array, tuple[int, int], tuple[int, int]]:
    """A square kernel, its stride and its padding, which compute the same; raises ValueError where there is none."""
    if weight.shape[2] == weight.shape[3]:
        return weight, link.stride, link.padding
    largest = max(weight.shape[2:])
    for size in (largest, largest + 1):
        axes = [_grown(link, weight.shape[2 + axis], size, before[1 + axis], axis) for axis in (0, 1)]
        if axes[0] is not None and axes[1] is not None:
            (row, stride, padding), (column, along, beside) = axes
            whole = np.zeros((*weight.shape[:2], size, size))
            whole[:, :, row : row + weight.shape[2], column : column + weight.shape[3]] = weight
            return whole, (stride, along), (padding, beside)
    raise ValueError(
        f"{link.name}: its kernel, {weight.shape[2]} by {weight.shape[3]}, is not square, which nir 1.0 refuses, "
        f"and has no square equal; use a kernel with two even or two odd sides"
    )


def _grown(link: Link, own: int, size: int, before: int, axis: int) -> tuple[int, int, int] | None:
    """Where the own taps begin in a kernel of `size` taps, its stride and its padding along an axis."""
    stride, dilation, outputs = link.stride[axis], link.dilation[axis], link.shape[1 + axis]
    for start in range(size - own + 1):
        padding = link.padding[axis] + start * dilation
        span = before + 2 * padding - dilation * (size - 1) - 1
        if span >= 0 and (outputs == 1 or span // stride + 1 == outputs):
            return start, span + 1 if outputs == 1 else stride, padding
    return None


def _with_taps(link: Link, before: Shape) -> Array:
    """The kernel with one input channel more, whose weights are the bias."""
    assert link.bias is not None
    rows, columns = (_own_taps(link, before, axis) for axis in (0, 1))
    kernel = ungrouped(link)
    extra = np.zeros((len(kernel), 1, *kernel.shape[2:]))
    for y, a in enumerate(rows):
        for x, b in enumerate(columns):
            extra[:, 0, a, b] = link.bias[:, y, x]
    return np.concatenate([kernel, extra], 1)


def _own_taps(link: Link, before: Shape, axis: int) -> list[int]:
    """For each place along an axis a tap that sees the input there and outside it for all other places."""
    stride, padding, dilation = link.stride[axis], link.padding[axis], link.dilation[axis]
    places, taps = np.arange(link.shape[1 + axis]), np.arange(link.weight.shape[2 + axis])
    seen = places[:, None] * stride - padding + taps * dilation
    inside = (seen >= 0) & (seen < before[1 + axis])
    own = inside & (inside.sum(0) == 1)
    if not own.any(1).all():
        raise ValueError(
            f"{link.name}: its bias differs from place to place, and a NIR convolution has one a channel; "
            f"use a layer without such a bias"
        )
    return [int(row.argmax()) for row in own]


def _with_firing_channel(link: Link) -> Link:
    """A layer and one channel more, of neurons that fire at every step."""
    assert link.neuron is not None
    weight = ungrouped(link)
    bias = np.zeros(link.shape[0]) if link.bias is None else link.bias
    neuron = link.neuron
    gain, theta = (float(np.asarray(value).flat[0]) for value in (neuron.gain, neuron.threshold))
    plane = np.full((1, *bias.shape[1:]), 2 * theta / gain)
    parts = [np.asarray(value) for value in (neuron.leak, neuron.gain, neuron.threshold)]
    parts = [np.append(part, part.flat[0]) if part.ndim else float(part) for part in parts]
    return replace(
        link,
        shape=(link.shape[0] + 1, *link.shape[1:]),
        weight=np.concatenate([weight, np.zeros((1, *weight.shape[1:]))]),
        bias=np.concatenate([bias, plane]),
        neuron=Neuron(parts[0], parts[1], parts[2], neuron.strict),
        channels=np.append(link.channels, -1),
        groups=1,
    )
