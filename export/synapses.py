"""Sums of integer weights over spikes, exact and fast: columns of the input times weights, in floats that never round.

A product of integers is exact in float32 while every partial sum stays below 2^24, and in float64 below 2^53; the bound
is taken from the weights, and a product is never left to a convolution routine, which may choose an inexact algorithm.
Kernels of polyphase layers are mostly zeros, the same zeros in every n-th row: such rows are multiplied together, with
only the columns that they use.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from export.chip import ChipLayer, outputs_first

_DENSE_ENOUGH = 0.25
_PERIODS = (2, 4, 8, 9, 16, 25, 32, 36, 49, 64, 128, 256, 1024)
_COLUMNS = 1 << 24


def sums(layer: ChipLayer, frames: torch.Tensor) -> torch.Tensor:
    """a of every frame, before it reaches the neurons: frames (B, ...) integers -> (B, *layer.shape) int64."""
    exact = _exact_type(layer, frames)
    weight = torch.from_numpy(np.ascontiguousarray(layer.weight))
    if layer.kind == "dense":
        total = (frames.reshape(len(frames), -1).to(exact) @ weight.to(exact).T).to(torch.int64) >> layer.shift
        return total.reshape(len(frames), *layer.shape)
    if layer.kind == "convT":
        frames, weight, padding = _as_convolution(layer, frames, weight)
        total = _convolve(frames, weight, (1, 1), padding, layer.dilation, layer.groups, exact)
        total = total[..., : layer.shape[1], : layer.shape[2]]
    else:
        total = _convolve(frames, weight, layer.stride, layer.padding, layer.dilation, layer.groups, exact)
    return (total + (1 << 23)) % (1 << 24) - (1 << 23)


def largest_sum(layer: ChipLayer, largest_input: int = 1) -> NDArray[np.int64]:
    """(O,) largest magnitude that each output channel's sum can reach: the positive or the negative weights alone."""
    weight = layer.weight.astype(np.int64)
    if layer.kind == "convT":
        weight = outputs_first(weight, layer.groups)
    rows = weight.reshape(len(weight), -1)
    return np.maximum(rows.clip(min=0).sum(1), -rows.clip(max=0).sum(1)) * largest_input


def _exact_type(layer: ChipLayer, frames: torch.Tensor) -> torch.dtype:
    """The fastest type in which no partial sum is rounded."""
    weight = layer.weight if layer.kind != "convT" else outputs_first(layer.weight, layer.groups)
    bound = int(np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(1).max(initial=0))
    bound *= max(1, int(frames.abs().max())) if frames.numel() else 1
    if bound >= 1 << 53:
        raise ValueError(
            f"{layer.name}: sums of its weights can reach {bound}, more than 2^53; give smaller weights or inputs"
        )
    return torch.float32 if bound < 1 << 24 else torch.float64


def _as_convolution(
    layer: ChipLayer, frames: torch.Tensor, weight: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, tuple[int, int]]:
    """A transposed convolution as a stride-1 convolution over the input with zeros between its pixels."""
    (rows, columns), (height, width) = layer.stride, frames.shape[-2:]
    spread = frames.new_zeros(
        *frames.shape[:2],
        (height - 1) * rows + 1 + layer.output_padding[0],
        (width - 1) * columns + 1 + layer.output_padding[1],
    )
    spread[:, :, : (height - 1) * rows + 1 : rows, : (width - 1) * columns + 1 : columns] = frames
    kernel = torch.from_numpy(outputs_first(weight.numpy(), layer.groups)).flip(-2, -1)
    padding = tuple(layer.dilation[i] * (weight.shape[2 + i] - 1) - layer.padding[i] for i in (0, 1))
    spread = F.pad(spread, tuple(min(0, padding[i]) for i in (1, 1, 0, 0)))
    return spread, kernel, (max(0, padding[0]), max(0, padding[1]))


def _convolve(
    frames: torch.Tensor,
    weight: torch.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    exact: torch.dtype,
) -> torch.Tensor:
    """torch's cross-correlation, (B, O, H, W) int64, by columns and products."""
    outputs, kernel = len(weight), weight.shape[2:]
    size = [(frames.shape[2 + i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in (0, 1)]
    products = [_Product(rows.to(exact)) for rows in weight.reshape(groups, outputs // groups, -1)]
    total = torch.empty(len(frames), outputs, size[0] * size[1], dtype=torch.int64)
    step = max(1, _COLUMNS // max(1, frames.shape[1] * kernel[0] * kernel[1] * size[0] * size[1]))
    for begin in range(0, len(frames), step):
        part = frames[begin : begin + step].to(exact)
        columns = F.unfold(part, tuple(kernel), dilation, padding, stride)  # (B, I kH kW, H W)
        columns = columns.transpose(0, 1).reshape(groups, -1, len(part) * size[0] * size[1])
        out = torch.cat([product(columns[g]) for g, product in enumerate(products)])
        total[begin : begin + step] = out.reshape(outputs, len(part), -1).transpose(0, 1).to(torch.int64)
    return total.reshape(len(frames), outputs, *size)


class _Product:
    """weight (O, K) times columns (K, n), leaving out what is zero in every n-th row."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.outputs, used = len(weight), weight != 0
        period = 1
        if used.float().mean() < _DENSE_ENOUGH:
            period = min((1, *_PERIODS), key=lambda n: _cost(used, n))
        self.parts = []
        for first in range(period):
            columns = used[first::period].any(0).nonzero().squeeze(1)
            self.parts.append((slice(first, None, period), columns, weight[first::period][:, columns]))

    def __call__(self, columns: torch.Tensor) -> torch.Tensor:
        if len(self.parts) == 1:
            return self.parts[0][2] @ columns[self.parts[0][1]]
        total = columns.new_zeros(self.outputs, columns.shape[1])
        for rows, chosen, weight in self.parts:
            total[rows] = weight @ columns[chosen]
        return total


def _cost(used: torch.Tensor, period: int) -> int:
    """Multiplications for one column where the rows n, n + period, ... are taken together."""
    rows = used[: len(used) // period * period]
    if len(rows) == 0:
        return int(used.numel()) + 1
    together = rows.reshape(-1, period, used.shape[1]).any(0)
    return int(together.sum()) * (len(used) // period) + int(used[len(rows) :].any(0).sum())
