"""A network in the chip's integers: a straight chain of stock layers, as a netx file holds it.

One step of layer l, all in integers (lava's fixed-point LIF, one-step synaptic delays removed by alignment):

    a = (W s[l - 1]) >> shift                              conv: wrapped to 24 bits
    u = trunc(u (4096 - i_decay) / 4096) + 64 a            wraps at 2^23
    v = trunc(v (4096 - v_decay) / 4096) + u + 64 bias     stops at +-(2^23 - 1)
    s = v > 64 v_threshold                                 where it fires, v becomes 0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from export.network import Array, Layer, Network, Shape

Integers = NDArray[np.int32]
Kind = Literal["conv", "convT", "dense"]
Output = Literal["spikes", "membrane", "sigma"]


@dataclass(frozen=True)
class Layout:
    """Where a layer's own values lie in the frame that the chip holds.

    shape: (C, H, W) or (F,), the module's own; blocks: (rows, columns) of neighbouring pixels kept as channels, so that
    x[c, r Y + i, q X + j] is channel (c r + i) q + j at (Y, X) of the base grid; start: flat index of the first value.
    """

    shape: Shape
    blocks: tuple[int, int] = (1, 1)
    start: int = 0

    @property
    def channels(self) -> int:
        """How many channels of the base grid the values take."""
        return self.shape[0] * self.blocks[0] * self.blocks[1]

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of the base grid."""
        height, width = as_image(self.shape)[1:]
        return height // self.blocks[0], width // self.blocks[1]

    @property
    def size(self) -> int:
        """How many values there are."""
        return int(np.prod(self.shape))

    def places(self) -> NDArray[np.int64]:
        """(size,) flat index in the chip's frame of each value, values in the order C, H, W."""
        (rows, columns), (height, width) = self.blocks, self.grid
        places = np.arange(self.size).reshape(self.shape[0], rows, columns, height, width)
        return places.transpose(0, 3, 1, 4, 2).reshape(-1) + self.start


def as_image(shape: Shape) -> tuple[int, int, int]:
    """(F,) as (F, 1, 1); (C, H, W) as it is."""
    return (shape[0], 1, 1) if len(shape) == 1 else (shape[0], shape[1], shape[2])


def outputs_first(weight: NDArray[Any], groups: int) -> NDArray[Any]:
    """A transposed convolution's weights (I, O / groups, kH, kW) as (O, I / groups, kH, kW)."""
    grouped = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    return grouped.reshape(-1, *grouped.shape[2:])


@dataclass(frozen=True, eq=False)
class ChipLayer:
    """One stock layer with its neurons.

    weight: dense (O, I), conv (O, I / groups, kH, kW), convT (I, O / groups, kH, kW), as torch has them;
    shape: (C, H, W), or (F,) of a dense layer; i_decay, v_decay, v_threshold: one integer, or one a channel (C,);
    bias: one a channel (C,), one a neuron in `shape`, or None; scale: chip units in one unit of the float input x, one
    number or one a channel of the layer as the module has it; gain: the float neuron's, taken into the threshold here;
    layout: where the module's own values lie (other channels only carry earlier spikes on); output: what leaves it;
    host_bias: what the host adds to each step of a sigma read-out, whose neurons have no bias, in the module's units.
    """

    name: str
    kind: Kind
    shape: Shape
    weight: Integers
    v_threshold: int | Integers
    v_decay: int | Integers
    layout: Layout
    i_decay: int | Integers = 4096
    bias: Integers | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    output_padding: tuple[int, int] = (0, 0)
    groups: int = 1
    shift: int = 0
    scale: float | Array = 1.0
    gain: float | Array = 1.0
    output: Output = "spikes"
    host_bias: Array | None = None

    @property
    def neurons(self) -> int:
        """Neurons on the chip, those that only carry spikes on included."""
        return int(np.prod(self.shape))

    @property
    def relays(self) -> int:
        """Neurons that only carry earlier spikes on to a later layer."""
        return self.neurons - self.layout.size


@dataclass(frozen=True, eq=False)
class Chip:
    """Layers in order, and what the host does around them.

    input_shape: one step's input as the module takes it; message_bits: 0 for spikes, else the bits of an integer input;
    encoder: a float network that makes the spikes which enter the chip, where the module's input is real-valued;
    readout: a last real-valued layer that the host computes from spikes, its sources names of layers in `sources`;
    output_shape: of the module's output; host: what the module does after that, in words;
    loader: "stock" for lava-dl's own, "extended" where a layer is a transposed convolution.
    """

    input_shape: Shape
    layers: tuple[ChipLayer, ...]
    output_shape: Shape
    message_bits: int = 0
    encoder: Network | None = None
    readout: Layer | None = None
    sources: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    loader: Literal["stock", "extended"] = "stock"

    @property
    def latency(self) -> int:
        """Steps on the chip before the first frame's output leaves: one a layer."""
        return len(self.layers)

    @property
    def frame_shape(self) -> Shape:
        """The chip's input of a step: the encoder's spikes or the module's input, (C, H, W) before a conv."""
        shape = self.input_shape if self.encoder is None else self.encoder.layers[-1].shape
        if self.layers and self.layers[0].kind == "dense":
            return (int(np.prod(shape)),)
        return as_image(shape)
