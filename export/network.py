"""What a chip can run, as plain dataclasses: layers of spiking neurons, each fed by linear maps from earlier layers.

With its membrane measured from its reset value, every neuron that is exported is

    x[t] = sum of maps(spikes of earlier layers at t) + bias
    w[t] = (1 - leak) w[t - 1] + gain x[t]       before the first step w is 0
    s[t] = w[t] >= threshold, or > if strict     where it fires, w[t] becomes 0

    IF: leak 0, gain 1      LIF: leak 1 / tau      PLIF: leak sigmoid(w)      gain = leak with decay_input, else 1

Legend: C channels, H W height and width, O outputs, I inputs, F features. Weights are float64, in torch's layout.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]  # (C, H, W), or (F,); a Conv1d's is (C, 1, L)
Array = NDArray[np.float64]
INPUT = -1


@dataclass(frozen=True, eq=False)
class Neuron:
    """leak, gain, threshold: one number, or one a channel (C,). threshold above 0; inf never fires (membrane read-out).

    strict: fires above the threshold only, as in snnTorch and BrainCog, not at it.
    """

    leak: float | Array
    gain: float | Array
    threshold: float | Array
    strict: bool = False


@dataclass(frozen=True, eq=False)
class Conv:
    """weight: (O, I / groups, kH, kW), cross-correlation; padding: (top, bottom, left, right) zeros.

    upsample: (rows, columns), each pixel repeated so often before the convolution.
    """

    weight: Array
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    upsample: tuple[int, int] = (1, 1)


@dataclass(frozen=True, eq=False)
class ConvTranspose:
    """weight: (I, O / groups, kH, kW), as torch's ConvTranspose2d."""

    weight: Array
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    output_padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True, eq=False)
class Dense:
    """weight: (O, I); inputs and outputs of more than one dimension are flattened in the order C, H, W."""

    weight: Array


Map = Conv | ConvTranspose | Dense


@dataclass(frozen=True, eq=False)
class Synapses:
    """One linear map from the spikes of layer `source` (an index, or INPUT)."""

    source: int
    map: Map


@dataclass(frozen=True, eq=False)
class Layer:
    """Neurons of one shape and the synapses onto them.

    name: dotted name in the module that was read, of its neurons where it has some, no two alike; synapses: several may
    come from one source; bias: one a channel, or one a neuron in `shape`; neuron None: a real-valued layer, which only
    the last may be: its output is x[t] itself.
    """

    name: str
    shape: Shape
    synapses: tuple[Synapses, ...]
    bias: Array | None
    neuron: Neuron | None


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in the order in which they run.

    input_shape: of one step's input without the batch; output_shape: of the last layer's output as the module gives it
    (the same numbers in the order C, H, W); host: what the module still does with it, in words, outside the network.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    output_shape: Shape
    host: tuple[str, ...] = field(default=())
