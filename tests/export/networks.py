"""Networks for tests: random layers whose numbers mean nothing, but whose shapes are the ones that people train."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F

from export.lowering import Link
from export.network import INPUT, Conv, ConvTranspose, Dense, Layer, Map, Network, Neuron, Shape, Synapses
from export.running import apply, currents, fire


def neuron(leak: float = 0.5, gain: float | None = None, threshold: float = 1.0, strict: bool = False) -> Neuron:
    return Neuron(leak, leak if gain is None and leak else gain or 1.0, threshold, strict)


def chain(input_shape: Shape, *maps: Map | tuple[Map, Shape] | Layer, neurons: Neuron | None = None) -> Network:
    """Layers one after another, named "0", "1", ...; a Dense with the shape that follows it, or (F,)."""
    layers: list[Layer] = []
    for index, given in enumerate(maps):
        if isinstance(given, Layer):
            layers.append(given)
            continue
        linear, shape = given if isinstance(given, tuple) else (given, None)
        before = layers[-1].shape if layers else input_shape
        example = torch.zeros(1, *before, dtype=torch.float64)
        shape = shape or tuple(apply(linear, example).shape[1:])
        layers.append(Layer(str(index), shape, (Synapses(index - 1, linear),), None, neurons or neuron()))
    return Network(input_shape, tuple(layers), layers[-1].shape)


def with_skip(network: Network, target: int, source: int, linear: Map) -> Network:
    """One more map into layer `target`, from layer `source` (or INPUT)."""
    layers = list(network.layers)
    layers[target] = replace(layers[target], synapses=(*layers[target].synapses, Synapses(source, linear)))
    return replace(network, layers=tuple(layers))


def lively(network: Network, rng: np.random.Generator, rate: float = 0.15) -> Network:
    """Biases, one a channel, with which every channel alone passes its threshold at about this share of all steps."""
    given = torch.from_numpy(spikes(rng, network))
    values, shapes = {INPUT: given}, {INPUT: network.input_shape}
    layers = []
    for index, layer in enumerate(network.layers):
        assert layer.neuron is not None
        if layer.name != "pool":
            x = currents(layer, values, shapes).numpy()
            x = np.moveaxis(x, 2, 0).reshape(layer.shape[0], -1)
            at = np.broadcast_to(layer.neuron.threshold / np.asarray(layer.neuron.gain), len(x))
            layer = replace(layer, bias=at - np.quantile(x, 1 - rate, axis=1) + rng.normal(0, 0.01, len(x)))
        values[index], shapes[index] = fire(layer.neuron, currents(layer, values, shapes)), layer.shape
        layers.append(layer)
    return replace(network, layers=tuple(layers))


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random weights of such a size that their sums are about 1."""
    return rng.normal(0, 2.0 / np.sqrt(np.prod(shape[1:])), shape)


def spikes(rng: np.random.Generator, network: Network, steps: int = 6, samples: int = 2) -> np.ndarray:
    return (rng.random((steps, samples, *network.input_shape)) < 0.4).astype(np.float64)


def run_chain(links: list[Link], given: np.ndarray) -> dict[str, np.ndarray]:
    """A chain in float64, each link by torch's own layer; a layer's own values in its own layout."""
    steps, samples = given.shape[:2]
    frames = torch.from_numpy(given).flatten(0, 1)
    results = {}
    for link in links:
        x = run_link(link, frames).reshape(steps, samples, *link.shape)
        out = fire(link.neuron, x)
        own = out.flatten(2)[:, :, torch.from_numpy(link.layout.places())]
        results[link.name] = own.reshape(steps, samples, *link.layout.shape).numpy()
        frames = out.flatten(0, 1)
    return results


def run_link(link: Link, frames: torch.Tensor) -> torch.Tensor:
    weight = torch.from_numpy(np.ascontiguousarray(link.weight, np.float64))
    if link.kind == "dense":
        x = F.linear(frames.flatten(1), weight)
    else:
        frames = frames if frames.ndim == 4 else frames[:, :, None, None]
        if link.kind == "conv":
            x = F.conv2d(frames, weight, None, link.stride, link.padding, link.dilation, link.groups)
        else:
            sizes = link.stride, link.padding, link.output_padding, link.groups, link.dilation
            x = F.conv_transpose2d(frames, weight, None, *sizes)
    assert x.shape[1:] == link.shape
    if link.bias is None:
        return x
    bias = torch.from_numpy(link.bias)
    return x + (bias if bias.shape == link.shape else bias.reshape(-1, *[1] * (len(link.shape) - 1)))


def zoo(rng: np.random.Generator) -> dict[str, Network]:
    """One small network for each way of lowering, and every kind of layer and neuron."""
    w = lambda *shape: weights(rng, *shape)  # noqa: E731
    conv, up = Conv(w(4, 2, 3, 3), padding=(1, 1, 1, 1)), ConvTranspose(w(4, 3, 4, 4), (2, 2), (1, 1))
    same = Conv(w(4, 4, 3, 3), padding=(1, 1, 1, 1))
    deep = chain((2, 8, 8), conv, same, same, same)
    down = Conv(w(4, 2, 3, 3), (2, 2), (1, 1, 1, 1))
    u_net = chain(
        (2, 16, 16), down, Conv(w(6, 4, 3, 3), (2, 2), (1, 1, 1, 1)), ConvTranspose(w(6, 4, 4, 4), (2, 2), (1, 1)), same
    )
    networks = {
        "dense": chain((20,), Dense(w(15, 20)), Dense(w(10, 15))),
        "conv": chain((2, 8, 8), conv, same),
        "strided": chain((2, 9, 11), Conv(w(4, 2, 3, 2), (2, 3), (1, 1, 0, 0)), Conv(w(5, 4, 2, 2), dilation=(2, 1))),
        "grouped": chain((4, 6, 6), Conv(w(8, 2, 3, 3), padding=(1, 1, 1, 1), groups=2), Conv(w(8, 1, 3, 3), groups=8)),
        "flattened": chain((2, 8, 8), down, Dense(w(12, 64)), Dense(w(5, 12))),
        "transposed": chain(
            (4, 4, 4),
            up,
            ConvTranspose(w(3, 2, 3, 3), (2, 2), (1, 1), (1, 1)),
            Conv(w(1, 2, 3, 3), padding=(1, 1, 1, 1)),
        ),
        "transposed groups": chain(
            (4, 4, 4),
            ConvTranspose(w(4, 2, 2, 2), (2, 2), groups=2),
            Conv(w(4, 2, 3, 3), padding=(1, 1, 1, 1), groups=2),
        ),
        "transposed, strided": chain((4, 4, 4), up, Conv(w(4, 3, 4, 4), (2, 2), (1, 1, 1, 1))),
        "odd transposed": chain((4, 3, 3), ConvTranspose(w(4, 3, 3, 3), (2, 2)), Conv(w(2, 3, 3, 3))),
        "from codes": chain((10,), (Dense(w(4 * 16, 10)), (4, 4, 4)), up),
        "two linears": chain((10,), Dense(w(12, 10)), (Dense(w(4 * 16, 12)), (4, 4, 4)), up),
        "linear between": chain((2, 8, 8), down, (Dense(w(4 * 4, 64)), (4, 2, 2)), up),
        "upsampled": chain((2, 4, 4), Conv(w(4, 2, 3, 3), padding=(1, 1, 1, 1), upsample=(2, 2)), same),
        "upsampled twice": chain(
            (2, 3, 3),
            Conv(w(4, 2, 3, 3), padding=(1, 1, 1, 1), upsample=(2, 2)),
            Conv(w(4, 4, 3, 3), padding=(1, 1, 1, 1), upsample=(2, 2)),
        ),
        "asymmetric": chain(
            (2, 8, 8), Conv(w(4, 2, 3, 3), (2, 2), (0, 1, 0, 1)), Conv(w(4, 4, 2, 2), padding=(1, 0, 0, 1))
        ),
        "one row": chain(
            (2, 1, 16),
            Conv(w(4, 2, 1, 3), (1, 2), (0, 0, 1, 1)),
            Conv(w(4, 4, 1, 3), padding=(0, 0, 1, 1), upsample=(1, 2)),
        ),
        "skip": with_skip(deep, 3, 0, Conv(np.ones((4, 1, 1, 1)) * 0.7, groups=4)),
        "skip of the input": with_skip(deep, 2, INPUT, Conv(w(4, 2, 1, 1))),
        "skips across": with_skip(
            with_skip(deep, 3, 0, Conv(w(4, 4, 3, 3), padding=(1, 1, 1, 1))), 2, INPUT, Conv(w(4, 2, 1, 1))
        ),
        "u-net": with_skip(u_net, 3, 0, Conv(w(4, 4, 1, 1))),
        "skip of dense": with_skip(
            chain((12,), Dense(w(10, 12)), Dense(w(8, 10)), Dense(w(10, 8))), 2, 0, Dense(np.eye(10))
        ),
        "skip across valid": with_skip(
            chain(
                (2, 6, 6), Conv(w(3, 2, 3, 3), padding=(1, 1, 1, 1)), Conv(w(3, 3, 3, 3)), ConvTranspose(w(3, 3, 3, 3))
            ),
            2,
            0,
            Conv(w(3, 3, 1, 1)),
        ),
    }
    pool = Layer(
        "pool", (4, 4, 4), (Synapses(0, Conv(np.ones((4, 1, 2, 2)), (2, 2), groups=4)),), None, Neuron(1.0, 1.0, 0.5)
    )
    networks["pooled"] = chain((2, 8, 8), conv, pool, same)
    networks["per channel"] = chain(
        (2, 8, 8),
        conv,
        same,
        neurons=Neuron(np.array([0.5, 0.25, 0.0, 1.0]), np.array([1, 0.25, 1, 1]), np.array([1.0, 0.7, 1.3, 0.4])),
    )
    networks["plif"] = chain((2, 8, 8), conv, same, neurons=neuron(0.37))
    networks["integrate"] = chain((2, 8, 8), conv, same, neurons=neuron(0.0))
    networks["strict"] = chain((2, 8, 8), conv, same, neurons=neuron(0.5, 1.0, strict=True))
    return {name: lively(network, rng) for name, network in networks.items()}
