"""The largest sums that the weights onto one neuron can make: every spike that helps is there, no other one is.

A kernel's taps reach a neuron only where a pixel lies under them; of a layer written out in full no neuron has more
than a share of its kernel.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from export.chip import as_image, outputs_first
from export.network import Array, Shape


class _Connected(Protocol):
    """What `lowering.Link` and `chip.ChipLayer` have in common."""

    @property
    def kind(self) -> str: ...
    @property
    def shape(self) -> Shape: ...
    @property
    def stride(self) -> tuple[int, int]: ...
    @property
    def padding(self) -> tuple[int, int]: ...
    @property
    def dilation(self) -> tuple[int, int]: ...
    @property
    def groups(self) -> int: ...


def largest_sums(layer: _Connected, weight: NDArray[np.generic], before: Shape) -> tuple[Array, Array]:
    """(O,), (O,): of each output channel's neurons, the largest sum of positive weights and of negative ones (>= 0).

    weight: as the layer has it, in floats or integers; before: shape of the frame that the layer takes.
    """
    values = weight.astype(np.float64)
    if layer.kind == "dense":
        return values.clip(min=0).sum(1), -values.clip(max=0).sum(1)
    if layer.kind == "convT":
        values = outputs_first(values, layer.groups)
    rows, columns = (_reached(layer, values.shape[2 + axis], as_image(before), axis) for axis in (0, 1))
    up, down = (rows @ part.sum(1) @ columns.T for part in (values.clip(min=0), -values.clip(max=0)))  # (O, H, W)
    return up.max((1, 2)), down.max((1, 2))


def _reached(layer: _Connected, taps: int, before: Shape, axis: int) -> Array:
    """(outputs, taps) 1 where a tap takes a pixel of the frame before, along one axis."""
    output, tap = np.arange(layer.shape[1 + axis])[:, None], np.arange(taps) * layer.dilation[axis]
    if layer.kind == "convT":
        pixel, between = np.divmod(output + layer.padding[axis] - tap, layer.stride[axis])
    else:
        pixel = layer.stride[axis] * output - layer.padding[axis] + tap
        between = np.zeros_like(pixel)
    return ((between == 0) & (pixel >= 0) & (pixel < before[1 + axis])).astype(np.float64)
