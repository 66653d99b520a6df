"""A network as a straight chain of stock layers: conv and dense, each fed by the one before; no number changes.

Weights are moved, repeated or joined by zeros, never changed: what a chain computes is what its network computes, spike
for spike, in floats as in integers. How: `polyphase.py` (resolutions), `relays.py` (skips). Where only Dense follows,
Dense stays dense; everything before is a convolution on (C, H, W), since no stock layer leads from dense to conv.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from export.chip import Kind, Layout, as_image
from export.network import INPUT, Array, Conv, ConvTranspose, Dense, Layer, Network, Neuron, Shape
from export.polyphase import Block, Window, convolution, matrix, unrolled
from export.refusal import Fault, Refusal
from export.relays import RELAY, carried, identity

Loader = Literal["stock", "extended"]

LARGEST_UNROLLED = 1 << 23  # weights of one layer written out in full


@dataclass(frozen=True, eq=False)
class Link:
    """One layer of the chain, in floats; fields as in `chip.ChipLayer`.

    channels: (O,) of which channel of the network's layer each one of the chain is a part, -1 where it carries spikes
    on; neuron: one number, or one a channel of the chain.
    """

    name: str
    kind: Kind
    shape: Shape
    weight: Array
    bias: Array | None
    neuron: Neuron | None
    layout: Layout
    channels: NDArray[np.int64]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    output_padding: tuple[int, int] = (0, 0)
    groups: int = 1


@dataclass(frozen=True)
class _Frame:
    """What leaves a link: its shape, and where the spikes of which of the network's layers lie in it."""

    shape: Shape
    held: dict[int, Layout]

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))


def lower(network: Network, loader: Loader = "stock") -> list[Link]:
    """The chain, one link a layer. loader="extended" keeps transposed convolutions as they are.

    Raises Refusal, with all layers at once, for what fits no stock layer and is too large to be written out in full.
    """
    carries = carried(network)
    dense_from = _dense_from(network)
    flat = dense_from == 0
    frame = _Frame(
        (int(np.prod(network.input_shape)),) if flat else as_image(network.input_shape),
        {INPUT: Layout(network.input_shape)},
    )
    links: list[Link] = []
    faults: list[Fault] = []
    for index, layer in enumerate(network.layers):
        try:
            if index >= dense_from:
                link, frame = _dense(network, index, carries[index], frame)
            elif _is_stock(layer, carries[index], frame, loader):
                link, frame = _as_it_is(index, layer)
            else:
                link, frame = _on_the_grid(network, index, carries[index], frame)
            links.append(link)
        except Refusal as refusal:
            faults += refusal.faults
            if carries[index]:
                break  # where the carried spikes would lie is not known, so neither is what follows
            frame = _Frame(as_image(layer.shape), {index: Layout(layer.shape)})
    if faults:
        raise Refusal(faults)
    return links


def _dense_from(network: Network) -> int:
    """From which layer on there is nothing but Dense."""
    for index in range(len(network.layers), 0, -1):
        if not all(isinstance(synapses.map, Dense) for synapses in network.layers[index - 1].synapses):
            return index
    return 0


def _is_stock(layer: Layer, carries: list[int], frame: _Frame, loader: Loader) -> bool:
    """Whether a stock layer computes it as it stands."""
    first = layer.synapses[0]
    if carries or len(layer.synapses) > 1 or frame.held[first.source].shape != frame.shape:
        return False
    if frame.held[first.source].blocks != (1, 1):
        return False
    if isinstance(first.map, ConvTranspose):
        return loader == "extended"
    if not isinstance(first.map, Conv) or first.map.upsample != (1, 1):
        return False
    top, bottom, left, right = first.map.padding
    return top == bottom >= 0 and left == right >= 0


def _as_it_is(index: int, layer: Layer) -> tuple[Link, _Frame]:
    linear = layer.synapses[0].map
    assert not isinstance(linear, Dense)
    transposed = isinstance(linear, ConvTranspose)
    layout = Layout(layer.shape)
    link = Link(
        layer.name,
        "convT" if transposed else "conv",
        layer.shape,
        linear.weight,
        _bias(layer, layout, layer.shape),
        layer.neuron,
        layout,
        np.arange(layer.shape[0]),
        linear.stride,
        linear.padding if transposed else (linear.padding[0], linear.padding[2]),
        linear.dilation,
        linear.output_padding if transposed else (0, 0),
        linear.groups,
    )
    return link, _Frame(layer.shape, {index: layout})


def _dense(network: Network, index: int, carries: list[int], frame: _Frame) -> tuple[Link, _Frame]:
    """Rows of its own first, then one for each spike carried on."""
    layer = network.layers[index]
    held = _side_by_side(index, layer.shape, carries, frame, lambda shape: (1, 1))
    size = sum(layout.size for layout in held.values())
    weight = _whole(_blocks(layer, index, carries, frame, held), size, frame.size)
    link = _link(layer, "dense", (size,), weight, held[index])
    return link, _Frame((size,), held)


def _on_the_grid(network: Network, index: int, carries: list[int], frame: _Frame) -> tuple[Link, _Frame]:
    """One convolution on a base grid: between phases of pixels where there is one, else written out in full."""
    layer = network.layers[index]
    for grid in _grids(layer.shape):
        if not all(_fits(frame.held[source].shape, grid) for source in carries):
            continue
        held = _side_by_side(index, layer.shape, carries, frame, lambda shape, g=grid: _blocks_of(shape, g))
        blocks = _blocks(layer, index, carries, frame, held)
        groups = _groups(blocks, frame)
        found = convolution(blocks, frame.shape[0], groups)
        if found is not None:
            return _finish(layer, index, held, grid, found, groups)
    grid = next(g for g in _grids(layer.shape) if all(_fits(frame.held[s].shape, g) for s in carries))
    held = _side_by_side(index, layer.shape, carries, frame, lambda shape: _blocks_of(shape, grid))
    size = sum(layout.size for layout in held.values())
    own = sum(synapses.map.weight.size for synapses in layer.synapses)
    if size * frame.size > max(LARGEST_UNROLLED, 2 * own):  # a Linear is written out already
        raise Refusal([_too_large(layer, size * frame.size)])
    whole = _whole(_blocks(layer, index, carries, frame, held), size, frame.size)
    channels = sum(layout.channels for layout in held.values()), frame.shape[0]
    return _finish(layer, index, held, grid, unrolled(whole, channels, frame.shape[1:], grid), 1)


def _grids(shape: Shape) -> list[tuple[int, int]]:
    """(rows, columns) that divide a layer's, the finest first."""
    height, width = as_image(shape)[1:]
    rows, columns = ([n for n in range(size, 0, -1) if size % n == 0] for size in (height, width))
    return sorted(((r, c) for r in rows for c in columns), key=lambda grid: -grid[0] * grid[1])


def _fits(shape: Shape, grid: tuple[int, int]) -> bool:
    height, width = as_image(shape)[1:]
    return height % grid[0] == 0 and width % grid[1] == 0


def _blocks_of(shape: Shape, grid: tuple[int, int]) -> tuple[int, int]:
    height, width = as_image(shape)[1:]
    return height // grid[0], width // grid[1]


def _side_by_side(
    index: int, shape: Shape, carries: list[int], frame: _Frame, blocks: Callable[[Shape], tuple[int, int]]
) -> dict[int, Layout]:
    """A layer's own values first, then those that it carries on, in the order in which they were made."""
    held, start = {}, 0
    for source, own in [(index, shape), *((source, frame.held[source].shape) for source in carries)]:
        held[source] = Layout(own, blocks(own), start)
        start += held[source].size
    return held


def _blocks(layer: Layer, index: int, carries: list[int], frame: _Frame, held: dict[int, Layout]) -> list[Block]:
    """The layer's maps onto its own values, and a copy of each value that it carries on."""
    own = [Block(synapses.map, frame.held[synapses.source], held[index]) for synapses in layer.synapses]
    return own + [Block(identity(held[s].shape[0]), frame.held[s], held[s]) for s in carries]


def _groups(blocks: list[Block], frame: _Frame) -> int:
    """A map's own groups, where it is alone and takes all of the frame."""
    linear = blocks[0].map
    alone = len(blocks) == 1 and frame.shape[0] == blocks[0].source.channels
    return linear.groups if alone and not isinstance(linear, Dense) else 1


def _whole(blocks: list[Block], outputs: int, inputs: int) -> Array:
    """(outputs, inputs) of all the blocks, in the order of the two frames."""
    whole = np.zeros((outputs, inputs))
    for block in blocks:
        whole[np.ix_(block.target.places(), block.source.places())] += matrix(block.map, block.source, block.target)
    return whole


def _finish(
    layer: Layer,
    index: int,
    held: dict[int, Layout],
    grid: tuple[int, int],
    found: tuple[Array, tuple[Window, Window]],
    groups: int,
) -> tuple[Link, _Frame]:
    """A link from a kernel and its windows, and the frame that it leaves."""
    kernel, (rows, columns) = found
    shape = (len(kernel), *grid)
    link = _link(layer, "conv", shape, kernel, held[index])
    link = replace(link, stride=(rows.stride, columns.stride), padding=(rows.padding, columns.padding), groups=groups)
    return link, _Frame(shape, held)


def _link(layer: Layer, kind: Kind, shape: Shape, weight: Array, layout: Layout) -> Link:
    """Weights as they are; bias, neurons and channels as they lie in the frame."""
    each = layout.size // layer.shape[0] if kind == "dense" else layout.channels // layer.shape[0]
    channels = np.full(shape[0], -1)
    channels[: each * layer.shape[0]] = np.repeat(np.arange(layer.shape[0]), each)
    return Link(
        layer.name, kind, shape, weight, _bias(layer, layout, shape), _neuron(layer, channels), layout, channels
    )


def _bias(layer: Layer, layout: Layout, shape: Shape) -> Array | None:
    """One a channel of the frame where all its neurons have the same, else one a neuron."""
    if layer.bias is None:
        return None
    own = layer.bias if layer.bias.shape == layer.shape else layer.bias.reshape(-1, *[1] * (len(layer.shape) - 1))
    whole = np.zeros(int(np.prod(shape)))
    whole[layout.places()] = np.broadcast_to(own, layer.shape).reshape(-1)
    rows = whole.reshape(shape[0], -1)
    return rows[:, 0].copy() if (rows == rows[:, :1]).all() else whole.reshape(shape)


def _neuron(layer: Layer, channels: NDArray[np.int64]) -> Neuron | None:
    """The layer's neurons, and relays where the chain's channels are not its own."""
    if layer.neuron is None:
        return None
    values = []
    for name in ("leak", "gain", "threshold"):
        value = np.asarray(getattr(layer.neuron, name), np.float64)
        if value.ndim == 0 and (channels >= 0).all():
            values.append(float(value))
            continue
        of_each = np.broadcast_to(value, layer.shape[:1])[channels]
        values.append(np.where(channels >= 0, of_each, getattr(RELAY, name)))
    return Neuron(values[0], values[1], values[2], layer.neuron.strict)


def _too_large(layer: Layer, weights: int) -> Fault:
    """Why a layer cannot be lowered, and the way out."""
    transposed = any(isinstance(synapses.map, ConvTranspose) for synapses in layer.synapses)
    fits = "a transposed convolution whose kernel - 2 padding + output_padding equals its stride"
    way_out = f'use {fits}, or loader="extended"' if transposed else "use sizes that its strides divide"
    why = f"written out in full it has {weights:,} weights, more than {LARGEST_UNROLLED:,}"
    return Fault(layer.name, "a map that no stock convolution on a coarser grid computes", why, way_out)
