"""A float network in the chip's integers: weights in 8 bits, biases in 13, thresholds in 17, leaks in 1/4096.

One scale a layer, or one a channel (`per_channel`); rules are in `scales.py`. What the chip cannot take stays on the
host: a last real-valued layer, and, for real-valued input, the first layer, whose spikes then enter the chip.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from export.chip import Chip, ChipLayer, as_image
from export.extremes import largest_sums
from export.fitting import fits
from export.limits import LOIHI2, Limits
from export.lowering import Link, Loader, lower
from export.network import INPUT, Layer, Network, Shape
from export.refusal import Refusal
from export.rounding import Readout, faults_of, quantised

_INTEGER_INPUT = 255  # counts beyond this are encoded on the host


def quantise(
    network: Network,
    inputs: ArrayLike | None = None,
    per_channel: bool = False,
    *,
    readout: Readout = "host",
    loader: Loader = "stock",
    limits: Limits = LOIHI2,
) -> Chip:
    """The network's layers in integers, each with the scale that stands for 1.

    inputs: samples (T, N, ...) of the module's input; without them it is spikes. Spikes enter the chip as they are,
    integers up to 255 as graded messages if their sums stay below 2^17, anything else through the first layer on the
    host. readout: where a last real-valued layer is computed: on the "host", as a "membrane" that never fires below
    saturation, or as the running sum of a "sigma" neuron, whose bias the host adds.
    loader: "extended" keeps transposed convolutions, which stock lava-dl does not load.

    Raises Refusal for layers whose weights are or become all zero, or whose sums could reach 2^17.
    """
    for name, value, known in (("readout", readout, get_args(Readout)), ("loader", loader, get_args(Loader))):
        if value not in known:
            raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
    body, last, sources = _without_readout(network, readout)
    encoder, message_bits, largest = None, 0, 1
    if inputs is not None:
        encoder, message_bits, largest = _entrance(body, np.asarray(inputs), per_channel, loader, limits)
    if encoder is not None:
        body = _after_first(body)
    if not body.layers:
        raise ValueError(
            "the network has no layer left for the chip: its only spiking layer takes real values, which the host "
            "computes; export a network with one more layer, or give it spikes"
        )
    layers = _layers(body, per_channel, readout, loader, limits, largest)
    return Chip(
        network.input_shape,
        layers,
        network.output_shape,
        message_bits,
        encoder,
        last,
        sources,
        network.host,
        "extended" if any(layer.kind == "convT" for layer in layers) else "stock",
    )


def _layers(
    network: Network, per_channel: bool, readout: Readout, loader: Loader, limits: Limits, largest: int
) -> tuple[ChipLayer, ...]:
    """Every layer in integers, or all that is wrong with them at once."""
    layers, faults = [], []
    for link in lower(network, loader):
        before = layers[-1].shape if layers else _first_frame(network, link)
        layer = quantised(link, before, per_channel, readout, limits)
        faults += faults_of(link, layer, before, limits, largest if not layers else 1)
        layers.append(layer)
    if faults:
        raise Refusal(faults)
    return tuple(layers)


def _first_frame(network: Network, first: Link) -> Shape:
    """The shape in which the chip takes the network's input."""
    return (int(np.prod(network.input_shape)),) if first.kind == "dense" else as_image(network.input_shape)


def _without_readout(network: Network, readout: Readout) -> tuple[Network, Layer | None, tuple[str, ...]]:
    """The spiking layers, and what the host computes after them, from the spikes of which of them."""
    last = network.layers[-1]
    if not _is_silent(last) or readout != "host":
        if readout == "sigma" and _is_silent(last) and last.neuron:
            raise ValueError(
                f'{last.name}: a sigma read-out adds up and leaks nothing, this layer does; use "membrane"'
            )
        return network, None, ()
    if len(network.layers) == 1:
        raise ValueError(f"{last.name}: the network has no spiking layer, so there is nothing for a chip to compute")
    sources = [synapses.source for synapses in last.synapses]
    if INPUT in sources:
        raise ValueError(f"{last.name}: the host's read-out takes spikes of layers, this one takes the input as well")
    order = sorted(set(sources))
    moved = tuple(replace(s, source=order.index(s.source)) for s in last.synapses)
    names = tuple(network.layers[source].name for source in order)
    return replace(network, layers=network.layers[:-1]), replace(last, synapses=moved), names


def _is_silent(layer: Layer) -> bool:
    return layer.neuron is None or bool(np.isinf(layer.neuron.threshold).any())


def _entrance(
    network: Network, inputs: NDArray[np.generic], per_channel: bool, loader: Loader, limits: Limits
) -> tuple[Network | None, int, int]:
    """How such an input enters: (the host's first layer, message bits, the largest value)."""
    if not fits(inputs.shape, network.input_shape):
        expected = ", ".join(map(str, ("T", "N", *network.input_shape)))
        raise ValueError(f"inputs: expected samples of shape ({expected}), got {tuple(inputs.shape)}")
    if not np.isfinite(inputs).all():
        raise ValueError("inputs hold numbers that are not finite; give the values that the module was trained with")
    if np.isin(inputs, (0, 1)).all():
        return None, 0, 1
    takes_input = [i for i, layer in enumerate(network.layers) if any(s.source == INPUT for s in layer.synapses)]
    if takes_input != [0]:
        name = network.layers[takes_input[-1]].name
        raise ValueError(f"{name}: real-valued input may reach only the first layer, it reaches this one as well")
    largest = int(np.ceil(np.abs(inputs).max()))
    if np.array_equal(inputs, np.rint(inputs)) and largest <= min(_INTEGER_INPUT, (1 << limits.message_bits) - 1):
        link = lower(replace(network, layers=network.layers[:1]), loader)[0]
        before = _first_frame(network, link)
        first = quantised(link, before, per_channel, "membrane", limits)
        bits = largest.bit_length()
        if sum(largest_sums(first, first.weight, before)).max() * ((1 << bits) - 1) < limits.sum:  # of either sign
            return None, bits, (1 << bits) - 1
    return replace(network, layers=network.layers[:1], output_shape=network.layers[0].shape, host=()), 0, 1


def _after_first(network: Network) -> Network:
    """The network without its first layer, whose spikes become its input."""
    layers = tuple(
        replace(layer, synapses=tuple(replace(s, source=s.source - 1) for s in layer.synapses))
        for layer in network.layers[1:]
    )
    return replace(network, input_shape=network.layers[0].shape, layers=layers)
