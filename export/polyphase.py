"""Linear maps between maps of different resolution as one stock convolution on a base grid, exactly.

A (C, r G, r G) map is kept as (C r r, G, G): neighbouring pixels become channels (`chip.Layout`), which neurons, being
element-wise, do not notice. There, "same" convolutions, transposed convolutions with kernel - 2 padding +
output_padding == stride, nearest upsampling and asymmetric padding are ordinary convolutions with weights moved and
zeros added. Along each axis, with Y on the output's grid, y = r_out Y + i and x = r_in (S Y + d) + j:

    convolution             x = (s y - padding + dilation k) // upsample        S = s r_out / (upsample r_in)
    transposed convolution  y = s x - padding + dilation k                      S = r_out / (s r_in)

so that phase i of the output takes phase j of the input, d grid steps away, with weight k. Any map at all, also a
Linear that a view follows, is a convolution whose stride and steps never share a weight (`unrolled`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from export.chip import Layout, as_image, outputs_first
from export.network import Array, Conv, ConvTranspose, Dense, Map
from export.running import apply


@dataclass(frozen=True, eq=False)
class Block:
    """One map from values at `source` in the frame before to values at `target` in the frame after."""

    map: Map
    source: Layout
    target: Layout


@dataclass(frozen=True)
class Window:
    """Where a stock convolution looks along one axis: `size` taps, the first at -padding."""

    padding: int
    size: int
    stride: int


def grid_stride(linear: Map, axis: int, blocks_in: int, blocks_out: int) -> int | None:
    """S along an axis (0 rows, 1 columns), or None where the map is no convolution between these two layouts."""
    if isinstance(linear, Dense):
        return None
    if isinstance(linear, ConvTranspose):
        over, under = blocks_out, linear.stride[axis] * blocks_in
    else:
        over, under = linear.stride[axis] * blocks_out, linear.upsample[axis] * blocks_in
    return over // under if over % under == 0 else None


def convolution(blocks: list[Block], inputs: int, groups: int = 1) -> tuple[Array, tuple[Window, Window]] | None:
    """Kernel (O, I / groups, kH, kW) of all the blocks side by side and its windows, or None where there is none.

    inputs: I, channels of the frame before; groups: other than 1 only for one block, whose map has them.
    """
    windows, taps = [], []
    for axis in (0, 1):
        found = [_taps(block, axis) for block in blocks]
        strides = {grid_stride(b.map, axis, b.source.blocks[axis], b.target.blocks[axis]) for b in blocks}
        sizes = {(b.source.grid[axis], b.target.grid[axis]) for b in blocks}
        if None in strides or len(strides) != 1 or len(sizes) != 1:
            return None
        steps = [tap[2] for tap_list in found for tap in tap_list if tap_list]
        windows.append(_window(min(steps, default=0), max(steps, default=0), *sizes.pop(), strides.pop() or 1))
        taps.append(found)
    area = int(np.prod(blocks[0].target.grid)), int(np.prod(blocks[0].source.grid))
    outputs = max(block.target.start // area[0] + block.target.channels for block in blocks)
    shape = outputs, inputs // groups, windows[0].size, windows[1].size
    if len(blocks) == 1:
        kernel = _phases(blocks[0], taps[0][0], taps[1][0], (windows[0], windows[1]), groups)
        if kernel.shape == shape:
            return kernel, (windows[0], windows[1])
    kernel = np.zeros(shape)
    for block, rows, columns in zip(blocks, taps[0], taps[1], strict=True):
        part = _phases(block, rows, columns, (windows[0], windows[1]), groups)
        out, inp = block.target.start // area[0], block.source.start // area[1]
        kernel[out : out + len(part), inp : inp + part.shape[1]] += part
    return kernel, (windows[0], windows[1])


def matrix(linear: Map, source: Layout, target: Layout) -> Array:
    """(outputs, inputs) of any map, both in the module's own order."""
    if isinstance(linear, Dense):
        return linear.weight
    pixels = torch.eye(source.size, dtype=torch.float64).reshape(source.size, *as_image(source.shape))
    return apply(linear, pixels).reshape(source.size, target.size).numpy().T


def unrolled(
    whole: Array, channels: tuple[int, int], grid_in: tuple[int, int], grid_out: tuple[int, int]
) -> tuple[Array, tuple[Window, Window]]:
    """A matrix between two frames (outputs, inputs) as a convolution: kernel (O, I, kH, kW) and its windows.

    Its stride is the input grid, its kernel grid_in grid_out: each pair of pixels has a weight of its own.
    channels: (outputs, inputs).
    """
    kernel = whole.reshape(channels[0], *grid_out, channels[1], *grid_in)[:, ::-1, ::-1]
    kernel = kernel.transpose(0, 3, 1, 4, 2, 5).reshape(*channels, grid_out[0] * grid_in[0], grid_out[1] * grid_in[1])
    rows, columns = (Window((b - 1) * a, a * b, a) for a, b in zip(grid_in, grid_out, strict=True))
    return np.ascontiguousarray(kernel), (rows, columns)


def by_outputs(linear: Conv | ConvTranspose, groups: int) -> Array:
    """Weights as (O, I / groups, kH, kW), where groups is the map's own or 1: then with zeros between its groups."""
    weight, own = linear.weight, linear.groups
    if isinstance(linear, ConvTranspose):
        weight = outputs_first(weight, own)
    if groups == own:
        return weight
    outputs, inputs = len(weight) // own, weight.shape[1]
    full = np.zeros((len(weight), inputs * own, *weight.shape[2:]))
    for g in range(own):
        rows = slice(g * outputs, (g + 1) * outputs)
        full[rows, g * inputs : (g + 1) * inputs] = weight[rows]
    return full


def _taps(block: Block, axis: int) -> list[tuple[int, int, int, int]]:
    """(i, j, d, k) along an axis: which phase of the output takes which of the input, how far away, by which weight."""
    linear, r_in, r_out = block.map, block.source.blocks[axis], block.target.blocks[axis]
    stride = grid_stride(linear, axis, r_in, r_out)
    if stride is None or isinstance(linear, Dense):
        return []
    s, dilation = linear.stride[axis], linear.dilation[axis]
    taps = []
    for i in range(r_out):
        for k in range(linear.weight.shape[2 + axis]):
            if isinstance(linear, ConvTranspose):
                x, left = divmod(i + linear.padding[axis] - dilation * k, s)
                if left:
                    continue
            else:
                x = (s * i - linear.padding[2 * axis] + dilation * k) // linear.upsample[axis]
            d, j = divmod(x, r_in)
            taps.append((i, j, d, k))
    size_in, size_out = block.source.grid[axis], block.target.grid[axis]
    return [tap for tap in taps if -stride * (size_out - 1) <= tap[2] < size_in]


def _window(low: int, high: int, size_in: int, size_out: int, stride: int) -> Window:
    """The smallest symmetric padding and kernel that look from step `low` to `high` and give `size_out` outputs."""
    padding = max(0, -low, high + 1 - size_in + stride * (size_out - 1))
    return Window(padding, max(high + padding + 1, size_in + 2 * padding - stride * size_out + 1), stride)


def _phases(
    block: Block,
    rows: list[tuple[int, int, int, int]],
    columns: list[tuple[int, int, int, int]],
    windows: tuple[Window, Window],
    groups: int,
) -> Array:
    """One block's kernel (O r r, I r r / groups, kH, kW)."""
    assert not isinstance(block.map, Dense)
    weight = by_outputs(block.map, groups)
    outputs, inputs = weight.shape[:2]
    sizes = windows[0].size, windows[1].size
    kernel = np.zeros((outputs, *block.target.blocks, inputs, *block.source.blocks, *sizes))
    for i, j, d, k in rows:
        for ii, jj, dd, kk in columns:
            kernel[:, i, ii, :, j, jj, d + windows[0].padding, dd + windows[1].padding] += weight[:, :, k, kk]
    return kernel.reshape(outputs * int(np.prod(block.target.blocks)), -1, *sizes)
