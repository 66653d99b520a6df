"""Layers as they are found, and the Network that is made of them in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from export.folding import CannotFold
from export.network import INPUT, Array, Conv, ConvTranspose, Dense, Layer, Map, Network, Neuron, Shape, Synapses
from export.signals import Copy, Note, Signal, Term

_LARGEST_DENSE_COPY = 4096  # neurons: a copy between flat layers is a diagonal matrix


@dataclass(eq=False)
class Found:
    """A layer of neurons, or the input: its own signal, and what feeds it.

    shape: (C, H, W) or (F,); fixed: a convolution makes or reads it so; natural: the shape before one read it; calls:
    steps seen; gather: the neuron behind each entry that the module shows; seen: the module's own spikes; membrane:
    what stands for its membrane.
    """

    name: str
    signal: Signal
    shape: Shape
    fixed: bool
    feeds: Signal | None = None
    neuron: Neuron | None = None
    calls: int = 0
    gather: Tensor | None = None
    seen: list[Tensor] = field(default_factory=list)
    natural: Shape = ()
    membrane: Signal | None = None

    def __post_init__(self) -> None:
        self.natural = self.shape

    @property
    def grid(self) -> tuple[int, int] | None:
        return (self.shape[1], self.shape[2]) if self.fixed else None

    def laid_out(self, size: tuple[int, int]) -> None:
        """A convolution reads this layer as maps of that height and width."""
        self.shape, self.fixed = (self.signal.size // (size[0] * size[1]), *size), True


def plain(name: str, source: int, size: int, shape: Shape) -> Signal:
    """The spikes of a layer as they are."""
    return Signal(name, (Term(source, Copy(np.ones(size)), shape, False),), np.zeros(size))


def shape_of(features: Sequence[int]) -> Shape:
    """A tensor's features as a layer's shape."""
    if len(features) == 3:
        return tuple(features)
    if len(features) == 2:
        return features[0], 1, features[1]
    return (int(np.prod(features)),)


def network(
    found: Sequence[Found], source: Found, last: Signal, output: Shape, host: Sequence[Note], module: str
) -> Network:
    """The layers that `last` depends on, in the order in which they were found."""
    layers, names = [*found], _distinct([layer.name for layer in found])
    needed = _needed(found, last)
    order = [i for i in range(len(found)) if i in needed]
    place = {INPUT: INPUT, **{old: new for new, old in enumerate(order)}}
    _unread(layers, order, source, last)
    _copied(layers, order)
    shapes = {INPUT: source.shape, **{i: layers[i].shape for i in order}}
    built = [_layer(names[i], layers[i], place, shapes) for i in order]
    if last.real:
        shape = _real_shape(last, output)
        feeds = Found(last.name, last, shape, True, last)
        name = _distinct([*(layer.name for layer in built), last.name or module])[-1]
        built.append(_layer(name, feeds, place, shapes))
    return Network(source.shape, tuple(built), output, tuple(note.words for note in host))


def _unread(layers: Sequence[Found], order: Sequence[int], source: Found, last: Signal) -> None:
    """Give layers that no convolution reads in the end the shape that their neurons saw."""
    terms = [term for feeds in (*(layers[i].feeds for i in order), last) for term in feeds.terms]
    read = {term.source for term in terms if isinstance(term.map, (Conv, ConvTranspose)) and term.weighted}
    for index in {INPUT, *order} - read:
        layer = source if index == INPUT else layers[index]
        made = layer.feeds.terms if layer.feeds else ()
        if not any(isinstance(term.map, (Conv, ConvTranspose)) for term in made):
            layer.shape = layer.natural


def _copied(layers: Sequence[Found], order: Sequence[int]) -> None:
    """Lay out a flat layer whose spikes go one to one to neurons that a convolution reads as these are."""
    for index in reversed(order):
        layer = layers[index]
        for term in layer.feeds.terms if layer.feeds else ():
            if isinstance(term.map, Copy) and term.source != INPUT and not layers[term.source].fixed:
                layers[term.source].shape = layer.shape


def _needed(found: Sequence[Found], last: Signal) -> set[int]:
    needed: set[int] = set()
    ahead = [last]
    while ahead:
        for term in ahead.pop().terms:
            if term.source != INPUT and term.source not in needed:
                needed.add(term.source)
                ahead.append(found[term.source].feeds)
    return needed


def _layer(name: str, layer: Found, place: dict[int, int], shapes: dict[int, Shape]) -> Layer:
    """shapes: of the layers before it."""
    feeds = layer.feeds
    synapses = []
    for term in feeds.terms:
        linear = term.map if not isinstance(term.map, Copy) else _copy(term.map, layer.shape, shapes[term.source])
        synapses.append(Synapses(place[term.source], linear))
    return Layer(name, layer.shape, tuple(synapses), _bias(feeds.bias, layer.shape), _neuron(layer))


def _neuron(layer: Found) -> Neuron | None:
    if layer.neuron is None:
        return None
    for value in (layer.neuron.leak, layer.neuron.gain, layer.neuron.threshold):
        if np.ndim(value) and len(value) != layer.shape[0]:
            raise ValueError(
                f"expected one neuron constant a channel ({layer.shape[0]}) in {layer.name}, got {len(value)}"
            )
    return layer.neuron


def _copy(copy: Copy, shape: Shape, source: Shape) -> Map:
    """Copies of spikes: a 1x1 convolution of each channel, or a diagonal matrix."""
    if len(shape) == 3 and source == shape:
        by_channel = copy.scale.reshape(shape[0], -1)
        if (by_channel == by_channel[:, :1]).all():
            return Conv(by_channel[:, :1, None, None].copy(), groups=shape[0])
    if copy.scale.size > _LARGEST_DENSE_COPY:
        raise CannotFold("a factor for each of so many spikes", "scale whole channels")
    return Dense(np.diag(copy.scale))


def _bias(bias: Array, shape: Shape) -> Array | None:
    if not bias.any():
        return None
    by_channel = bias.reshape(shape[0], -1)
    return by_channel[:, 0].copy() if (by_channel == by_channel[:, :1]).all() else bias.reshape(shape)


def _real_shape(signal: Signal, output: Shape) -> Shape:
    shapes = [term.shape for term in signal.terms if not isinstance(term.map, (Copy, Dense))]
    return shapes[0] if shapes else shape_of(output)


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that came before."""
    out: list[str] = []
    for name in names:
        number, fresh = 1, name
        while fresh in out:
            number += 1
            fresh = f"{name}#{number}"
        out.append(fresh)
    return out
