"""How many connections each input of a convolution has; taps beyond a border and between strides are none.

    convolution   input i meets output o by tap k where   i = o stride - padding + k dilation
    transposed    likewise where                          o = i stride - padding + k dilation

Axes do not mix, so that the count of a place is the product of those of its row and its column. A transposed
convolution has as many connections as the convolution that it transposes, not stride^2 times as many.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Convolution = nn.Conv2d | nn.ConvTranspose2d


def fan_out(layer: Convolution, source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """(H, W) int64 connections of an input at each place of any channel; source, target: (H, W) of input and output."""
    rows, columns = (_taps(layer, axis, source[axis], target[axis]) for axis in (0, 1))
    return torch.outer(rows, columns) * (layer.out_channels // layer.groups)


def _taps(layer: Convolution, axis: int, source: int, target: int) -> Tensor:
    """(source,) int64 pairs of an output and a tap that each input of a row or column has."""
    stride, padding, dilation = layer.stride[axis], int(layer.padding[axis]), layer.dilation[axis]
    offsets = torch.arange(layer.kernel_size[axis]) * dilation - padding
    if isinstance(layer, nn.ConvTranspose2d):
        reached = torch.arange(source)[:, None] * stride + offsets
        return ((reached >= 0) & (reached < target)).sum(1)
    met = (torch.arange(target)[:, None] * stride + offsets).flatten()
    return torch.bincount(met[(met >= 0) & (met < source)], minlength=source)
