"""Linear maps folded into one another, in float64: scales, pools before and after convolutions, rearranged inputs.

Legend: C channels, H W height and width, O outputs, I inputs, F features, Q entries of a rearranged input.
A rearranged input is a gather (Q,): the feature behind each entry, or -1 for a constant zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.network import Array, Conv, ConvTranspose, Dense, Map, Shape
from export.running import apply
from export.signals import Copy

Indices = NDArray[np.int64]
Padding = tuple[int, int, int, int]  # top, bottom, left, right


class CannotFold(Exception):
    """why, and what to use instead."""

    def __init__(self, why: str, instead: str) -> None:
        super().__init__(why)
        self.why, self.instead = why, instead


@dataclass(frozen=True, eq=False)
class Placement:
    """How a (C, H, W) input was made from a map (channels, height, width): channels chosen, pixels repeated, zeros."""

    channels: Indices
    size: tuple[int, int]
    upsample: tuple[int, int]
    padding: Padding


def placement(gather: Indices, features: int, grid: tuple[int, int] | None) -> Placement:
    """Where a convolution's input (C, H, W) of gathered features lies on a map of that height and width.

    features: F of the map; grid None: any height and width would do. Raises CannotFold.
    """
    inside = gather >= 0
    if not inside.any():
        raise CannotFold("its input is constantly zero", "remove the layer")
    top, bottom = _border(inside.any((0, 2)))
    left, right = _border(inside.any((0, 1)))
    inner = gather[:, top : gather.shape[1] - bottom, left : gather.shape[2] - right]
    height, width = inner.shape[1:]
    down, along = (_run(inner[0, :, 0]), _run(inner[0, 0])) if grid is None else (height // grid[0], width // grid[1])
    wrong = CannotFold("it sees the spikes rearranged", "keep them in the order C, H, W between layers")
    if not down or not along or height % down or width % along:
        raise wrong
    base = inner[:, ::down, ::along]
    size = base.shape[1], base.shape[2]
    channels = base[:, 0, 0] // (size[0] * size[1])
    whole = (channels[:, None] * (size[0] * size[1]) + np.arange(size[0] * size[1])).reshape(base.shape)
    repeated = base.repeat(down, 1).repeat(along, 2)
    misfit = (grid is not None and size != tuple(grid)) or features % (size[0] * size[1])
    if misfit or (base != whole).any() or (repeated != inner).any():
        raise wrong
    return Placement(channels, size, (down, along), (top, bottom, left, right))


def placed_conv(conv: Conv, place: Placement, channels: int) -> Conv:
    """The convolution of a rearranged input as one of the map (channels, height, width) itself."""
    padding = tuple(a + b for a, b in zip(conv.padding, place.padding, strict=True))
    return replace(
        conv, weight=_chosen(conv.weight, 1, place, channels, conv.groups), padding=padding, upsample=place.upsample
    )


def placed_transpose(conv: ConvTranspose, place: Placement, channels: int) -> ConvTranspose:
    """The same for a transposed convolution, whose input may be neither padded nor upsampled."""
    if any(place.padding) or place.upsample != (1, 1):
        raise CannotFold("its input is padded or upsampled", "put the convolution with a stride of its own there")
    return replace(conv, weight=_chosen(conv.weight, 0, place, channels, conv.groups))


def gathered(weight: Array, gather: Indices, features: int) -> Array:
    """A matrix (O, Q) on a gathered input as one (O, F) on the features."""
    out = np.zeros((len(weight), features))
    known = gather >= 0
    np.add.at(out.T, gather[known], weight.T[known])
    return out


def scaled(linear: Map | Copy, shape: Shape, factor: Array) -> Map | Copy:
    """The map with its outputs (F,), of that shape, each times its factor (F,). Raises CannotFold."""
    if isinstance(linear, Copy):
        return Copy(linear.scale * factor)
    if isinstance(linear, Dense):
        return Dense(linear.weight * factor[:, None])
    by_channel = factor.reshape(shape[0], -1)
    if (by_channel != by_channel[:, :1]).any():
        raise CannotFold("a convolution has one factor a channel, not one a neuron", "scale whole channels")
    if isinstance(linear, Conv):
        return replace(linear, weight=linear.weight * by_channel[:, 0].reshape(-1, 1, 1, 1))
    _, outputs, *kernel = linear.weight.shape
    blocks = linear.weight.reshape(linear.groups, -1, outputs, *kernel)
    return replace(
        linear,
        weight=(blocks * by_channel[:, 0].reshape(linear.groups, 1, outputs, 1, 1)).reshape(linear.weight.shape),
    )


def through(function: Callable[[Tensor], Tensor], values: Array, shape: Shape) -> Array:
    """A linear function of one step's (1, *shape), applied to values (F,): (F',)."""
    return function(torch.from_numpy(values).reshape(1, *shape)).numpy().reshape(-1)


def pool_as_conv(
    pool: Callable[[Tensor], Tensor], shape: Shape, kernel: tuple[int, int], stride: tuple[int, int], padding: Padding
) -> Conv:
    """Average pooling of (C, H, W) as a convolution of each channel.

    pool is what torch does; raises CannotFold where it divides by less at the border.
    """
    ones = torch.ones(1, *shape, dtype=torch.float64)
    out = pool(ones)
    inner = pool(torch.ones(1, 1, *[4 * (k + s) for k, s in zip(kernel, stride, strict=True)], dtype=torch.float64))
    weight = np.full((shape[0], 1, *kernel), float(inner[0, 0, 2, 2]) / (kernel[0] * kernel[1]))
    conv = fitted(Conv(weight, stride, padding, groups=shape[0]), shape, tuple(out.shape[2:]))
    if not torch.allclose(apply(conv, ones), out, rtol=0, atol=1e-12):
        raise CannotFold(
            "it divides by fewer pixels at the border", "use count_include_pad=True without ceil_mode, or no padding"
        )
    return conv


def fitted(conv: Conv, shape: Shape, size: tuple[int, int]) -> Conv:
    """The convolution with as much padding at the bottom and right as makes its output of that size."""
    top, _, left, _ = conv.padding
    ends = []
    for axis, start in enumerate((top, left)):
        span = (conv.weight.shape[2 + axis] - 1) * conv.dilation[axis] + 1
        covered = shape[1 + axis] * conv.upsample[axis] + start
        ends.append(max(0, (size[axis] - 1) * conv.stride[axis] + span - covered))
    return replace(conv, padding=(top, ends[0], left, ends[1]))


def chained(inner: Conv, outer: Conv, shape: Shape, between: Shape, size: tuple[int, int]) -> Conv:
    """outer(inner(x)) as one convolution, of which at least one acts on each channel by itself (a pool).

    shape: of x; between: of inner's output; size: of the result. Raises CannotFold where a padding pixel of `outer`
    would not be zero in the whole.
    """
    for axis in (0, 1):
        start = outer.padding[2 * axis]
        span = (inner.weight.shape[2 + axis] - 1) * inner.dilation[axis] + 1
        before = inner.padding[2 * axis]
        step = inner.stride[axis]
        reach = (size[axis] - 1) * outer.stride[axis] + (outer.weight.shape[2 + axis] - 1) * outer.dilation[axis]
        before_first = bool(start) and span > step + before
        after_last = reach - start >= between[1 + axis]
        after_last &= between[1 + axis] * step - before < shape[1 + axis] * inner.upsample[axis]
        if before_first or after_last:
            raise CannotFold(
                "its padding follows a pool that overlaps or leaves pixels over", "pool whole windows side by side"
            )
    stride = tuple(a * b for a, b in zip(inner.stride, outer.stride, strict=True))
    top = outer.padding[0] * inner.stride[0] + inner.padding[0]
    left = outer.padding[2] * inner.stride[1] + inner.padding[2]
    groups = outer.groups if inner.weight.shape[1] == 1 and inner.groups == len(inner.weight) else inner.groups
    weight = _chained_weight(inner, outer)
    whole = Conv(weight, stride, (top, 0, left, 0), (1, 1), groups, inner.upsample)
    return fitted(whole, shape, size)


def pooled_dense(dense: Dense, pool: Conv, shape: Shape) -> Dense:
    """A pool of a dense layer's outputs, which have that shape."""
    columns = torch.from_numpy(dense.weight.T.copy()).reshape(-1, *shape)
    return Dense(apply(pool, columns).flatten(1).numpy().T.copy())


def dense_after(weight: Array, linear: Map | Copy, shape: Shape) -> Array:
    """A matrix (O, F) on a map's outputs as one (O, F') on its inputs, which have that shape."""
    if isinstance(linear, Copy):
        return weight * linear.scale
    with torch.enable_grad():
        x = torch.zeros(len(weight), *shape, dtype=torch.float64, requires_grad=True)
        y = apply(linear, x)
        (gradient,) = torch.autograd.grad((y.flatten(1) * torch.from_numpy(weight)).sum(), x)
    return gradient.flatten(1).numpy()


def _chained_weight(inner: Conv, outer: Conv) -> Array:
    """(O, I / groups, K, K'): outer taps lie inner.stride apart, each spreading over inner's taps."""
    w, p = outer.weight, inner.weight
    if p.shape[1] == 1 and inner.groups == len(p):  # the inner one is a pool: its kernel of the channel read
        per_group = w.shape[1]
        group = np.arange(len(w)) // (len(w) // outer.groups)
        w, p = w, p[group[:, None] * per_group + np.arange(per_group), 0]  # (O, I/g, k, k'), (O, I/g, k, k')
    else:  # the outer one is: its kernel of the channel written
        w, p = np.broadcast_to(w, (len(p), p.shape[1], *w.shape[2:])), p
    steps = [s * d for s, d in zip(inner.stride, outer.dilation, strict=True)]
    spans = [(w.shape[2 + a] - 1) * steps[a] + (p.shape[2 + a] - 1) * inner.dilation[a] + 1 for a in (0, 1)]
    out = np.zeros((*p.shape[:2], *spans))
    for (a, b), (u, v) in ((tap, sub) for tap in np.ndindex(w.shape[2:]) for sub in np.ndindex(p.shape[2:])):
        y, x = a * steps[0] + u * inner.dilation[0], b * steps[1] + v * inner.dilation[1]
        out[:, :, y, x] += w[:, :, a, b] * p[:, :, u, v]
    return out


def _chosen(weight: Array, axis: int, place: Placement, channels: int, groups: int) -> Array:
    if np.array_equal(place.channels, np.arange(channels)):
        return weight
    if groups != 1:
        raise CannotFold("it has groups and sees the channels rearranged", "keep the channels in order")
    out = np.zeros((*weight.shape[:axis], channels, *weight.shape[axis + 1 :]))
    np.add.at(np.moveaxis(out, axis, 0), place.channels, np.moveaxis(weight, axis, 0))
    return out


def _border(used: NDArray[np.bool_]) -> tuple[int, int]:
    """Unused entries at the beginning and at the end."""
    return int(used.argmax()), int(used[::-1].argmax())


def _run(values: Indices) -> int:
    """How often the first value stands at the beginning."""
    different = values != values[0]
    return int(different.argmax()) if different.any() else len(values)
