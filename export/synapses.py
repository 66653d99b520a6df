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

from export.chip import ChipLayer, outputs_first

_DENSE_ENOUGH = 0.25
_PERIODS = (2, 4, 8, 9, 16, 36, 64, 144, 256)  # blocks of r or r x r pixels
_GATHERING = 16  # multiplications that take as long as fetching one number of a column
_COLUMNS = 1 << 24


def sums(layer: ChipLayer, frames: torch.Tensor) -> torch.Tensor:
    """a of every frame, before it reaches the neurons: frames (B, ...) integers -> (B, *layer.shape) int64."""
    exact = _exact_type(layer, frames)
    weight = torch.from_numpy(np.ascontiguousarray(layer.weight))
    if layer.kind == "dense":
        total = (frames.reshape(len(frames), -1).to(exact) @ weight.to(exact).T).to(torch.int64) >> layer.shift
        return total.reshape(len(frames), *layer.shape)
    total = (_transposed if layer.kind == "convT" else _convolved)(layer, frames, weight, exact)
    return (total + (1 << 23)) % (1 << 24) - (1 << 23)


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


def _convolved(layer: ChipLayer, frames: torch.Tensor, weight: torch.Tensor, exact: torch.dtype) -> torch.Tensor:
    """torch's cross-correlation, (B, O, H, W) int64, by columns and products."""
    groups, kernel, (height, width) = layer.groups, weight.shape[2:], layer.shape[1:]
    if kernel.numel() >= frames.shape[2:].numel() * height * width:
        return _pixel_to_pixel(layer, frames, weight, exact)
    products = [_Product(rows.to(exact)) for rows in weight.reshape(groups, len(weight) // groups, -1)]
    total = torch.empty(len(frames), *layer.shape, dtype=torch.int64)
    for part in _parts(len(frames), frames.shape[1] * kernel[0] * kernel[1] * height * width):
        some = frames[part].to(exact)
        columns = F.unfold(some, tuple(kernel), layer.dilation, layer.padding, layer.stride)  # (B, I kH kW, H W)
        columns = columns.transpose(0, 1).reshape(groups, -1, len(some) * height * width)
        out = torch.cat([product(columns[g]) for g, product in enumerate(products)])
        total[part] = out.reshape(len(weight), len(some), height, width).transpose(0, 1).to(torch.int64)
    return total


def _pixel_to_pixel(layer: ChipLayer, frames: torch.Tensor, weight: torch.Tensor, exact: torch.dtype) -> torch.Tensor:
    """(B, O, H, W) int64 where the kernel has room for a weight between any two pixels: by the matrix of these alone.

    Layers written out in full are such convolutions; columns of theirs would be padding, H W times as large.
    """
    for axis in (0, 1):
        steps, outputs = torch.arange(frames.shape[2 + axis]), torch.arange(layer.shape[1 + axis])
        from_first = steps + layer.padding[axis] - layer.stride[axis] * outputs[:, None]  # (outputs, inputs)
        tap, between = from_first // layer.dilation[axis], from_first % layer.dilation[axis]
        taps = weight.shape[2 + 2 * axis]
        seen = (between == 0) & (tap >= 0) & (tap < taps)
        weight = weight[:, :, :, :, tap.clamp(0, taps - 1)] if axis else weight[:, :, tap.clamp(0, taps - 1)]
        weight = weight * (seen if axis else seen[:, :, None])
    # weight: (O, I / groups, H, h, W, w)
    matrix = weight.permute(0, 2, 4, 1, 3, 5).reshape(layer.groups, layer.neurons // layer.groups, -1).to(exact)
    given = frames.reshape(len(frames), layer.groups, -1).transpose(0, 1).to(exact)
    return (given @ matrix.mT).transpose(0, 1).reshape(len(frames), *layer.shape).to(torch.int64)


def _transposed(layer: ChipLayer, frames: torch.Tensor, weight: torch.Tensor, exact: torch.dtype) -> torch.Tensor:
    """(B, O, H, W) int64 of torch's transposed convolution: each pixel's products, added where they fall, cropped."""
    (inputs, _, *kernel), groups, (_, height, width) = weight.shape, layer.groups, layer.shape
    before = frames.shape[-2:]
    whole = [(before[i] - 1) * layer.stride[i] + layer.dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    top, left = layer.padding
    beyond = [
        max(0, first + size - all_) for first, size, all_ in zip((top, left), (height, width), whole, strict=True)
    ]
    rows = weight.reshape(groups, inputs // groups, -1).transpose(1, 2).to(exact)
    total = torch.empty(len(frames), *layer.shape, dtype=torch.int64)
    for part in _parts(len(frames), weight[0].numel() * groups * before[0] * before[1]):
        some = frames[part].to(exact).reshape(-1, groups, inputs // groups, before[0] * before[1])
        columns = (rows @ some).flatten(1, 2)  # (B, O kH kW, pixels)
        out = F.pad(F.fold(columns, whole, kernel, layer.dilation, 0, layer.stride), (0, beyond[1], 0, beyond[0]))
        total[part] = out[..., top : top + height, left : left + width].to(torch.int64)
    return total


def _parts(number: int, entries: int) -> list[slice]:
    """So many frames at a time that their columns fit the memory set aside; entries: of one frame."""
    step = max(1, _COLUMNS // max(1, entries))
    return [slice(begin, begin + step) for begin in range(0, number, step)]


class _Product:
    """weight (O, K) times columns (K, n), leaving out what is zero in every P-th row: P products of fewer columns."""

    def __init__(self, weight: torch.Tensor) -> None:
        used, period = weight != 0, 1
        if used.float().mean() < _DENSE_ENOUGH:
            fitting = [n for n in _PERIODS if len(weight) % n == 0]
            period = min((1, *fitting), key=lambda n: _cost(used, n))
        if period == 1:
            self.chosen, self.weight = None, weight
            return
        rows = len(weight) // period
        together = used.reshape(rows, period, -1).any(0)  # (P, K)
        most = int(together.sum(1).max())
        self.chosen = together.to(torch.uint8).topk(most, dim=1).indices  # those in use, then others with weights 0
        of_each = weight.reshape(rows, period, -1).transpose(0, 1)
        self.weight = of_each.gather(2, self.chosen[:, None].expand(-1, rows, -1)).contiguous()

    def __call__(self, columns: torch.Tensor) -> torch.Tensor:
        if self.chosen is None:
            return self.weight @ columns
        patterns, rows, most = self.weight.shape
        total = columns.new_empty(rows, patterns, columns.shape[1])
        for part in _parts(patterns, most * columns.shape[1]):
            some = columns.index_select(0, self.chosen[part].flatten()).reshape(-1, most, columns.shape[1])
            total[:, part] = torch.bmm(self.weight[part], some).transpose(0, 1)
        return total.flatten(0, 1)


def _cost(used: torch.Tensor, period: int) -> int:
    """Multiplications for one column where the rows n, n + period, ... are taken together, and fetching it for each."""
    if period == 1:
        return used.numel()
    rows = len(used) // period
    return int(used.reshape(rows, period, -1).any(0).sum(1).max()) * period * (rows + _GATHERING)
