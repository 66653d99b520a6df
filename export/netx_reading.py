"""A netx file, ours or another's, as the chip's layers: what lava-dl 0.6.0 makes of it, or a sentence why it cannot be.

lava-dl shifts dense weights to fill 8 bits, may clip and cut them, and shifts the sums back (`netx/utils.py`,
`proc/dense`); here too. Weights and biases that are no integers are cut, biases kept in 16 bits, as netx does.
"""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from export.chip import Chip, ChipLayer, Layout
from export.hdf5_check import check_hdf5
from export.network import Shape
from export.netx import sidecar_path
from export.sidecar import restored

_BAD = (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError, ArithmeticError)
_KNOWN = ("input", "flatten", "conv", "convT", "dense")


def read_netx(path: str | PathLike[str]) -> Chip:
    """The layers of a netx file, with its sidecar's names, layout and scales where there is one.

    The host's parts are not in such a file: the chip that comes back takes the spikes that enter its first layer, and
    gives those of its last. Raises ValueError, one sentence, for what is no netx file or holds what is not known here.
    """
    net = Path(path)
    check_hdf5(net)
    try:
        with h5py.File(net, "r") as file:
            input_shape, layers = _layers(file)
    except _BAD as error:
        raise ValueError(f"{net} is no netx file that can be read: {_reason(error)}") from error
    chip = Chip(
        input_shape,
        tuple(layers),
        layers[-1].shape,
        loader="extended" if any(layer.kind == "convT" for layer in layers) else "stock",
    )
    notes = sidecar_path(net)
    if not notes.exists():
        return chip
    try:
        return restored(chip, json.loads(notes.read_text(encoding="utf-8")))
    except _BAD as error:
        raise ValueError(f"{notes} is no sidecar of {net.name}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """In one line; a KeyError's text is only the key."""
    text = " ".join(str(error).split())
    return f"it has no {text}" if isinstance(error, KeyError) else text


def _layers(file: h5py.File) -> tuple[Shape, list[ChipLayer]]:
    """The shape of the first layer's input, and the layers that have neurons."""
    group = file.get("layer")
    if not isinstance(group, h5py.Group) or not len(group):
        raise ValueError("expected layers in a group named layer, there are none")
    layers: list[ChipLayer] = []
    first: Shape | None = None
    shape: Shape | None = None
    for number in range(len(group)):
        entry = group.get(str(number))
        if entry is None:
            raise ValueError(f"it has {len(group)} layers and none is named {number}; number them from 0")
        where, kind = f"layer {number}", _kind(entry)
        if kind not in _KNOWN:
            raise ValueError(f"{where} is of type {kind!r}, which is none of {', '.join(_KNOWN)}")
        if kind in ("input", "flatten"):
            if "neuron" in entry:
                raise ValueError(f"{where} is an {kind} with neurons, which nothing drives; leave them out")
            if kind == "flatten" and shape is None:
                raise ValueError(f"{where} is a flatten and nothing is before it")
            shape = (int(np.prod(shape)),) if kind == "flatten" else tuple(int(v) for v in entry["shape"][()])
        else:
            layer = _dense(entry, where, str(number)) if kind == "dense" else _conv(entry, where, str(number), kind)
            if shape is None and kind == "dense":
                shape = (layer.weight.shape[1],)
            _check_fit(layer, shape, where)
            layers.append(layer)
            first = first or shape
            shape = layer.shape
    if first is None:
        raise ValueError("expected a conv or dense layer, there is none")
    return first, layers


def _check_fit(layer: ChipLayer, before: Shape | None, where: str) -> None:
    """That weights, sizes and the layer before go together."""
    if before is None:
        raise ValueError(f"{where} is a {layer.kind} and no input layer before it says its input's shape")
    weight = layer.weight.shape
    if layer.kind == "dense":
        fits = len(before) == 1 and weight == (layer.shape[0], before[0])
    elif len(before) != 3 or min(*layer.stride, *layer.dilation, layer.groups) < 1 or min(layer.padding) < 0:
        fits = False
    else:
        fits = weight[0 if layer.kind == "convT" else 1] * (1 if layer.kind == "convT" else layer.groups) == before[0]
        fits = fits and layer.shape == _output_shape(layer, before)
    if not fits:
        raise ValueError(
            f"{where}, {layer.kind} of shape {layer.shape} and weights {weight}, does not fit what is before, {before}"
        )
    for values in (layer.i_decay, layer.v_decay, layer.v_threshold):
        if np.size(values) not in (1, layer.shape[0]):
            raise ValueError(f"{where} has {np.size(values)} values for its {layer.shape[0]} channels")
    if layer.bias is not None and layer.bias.shape not in (layer.shape, layer.shape[:1]):
        raise ValueError(f"{where} has a bias of shape {layer.bias.shape}, its neurons are {layer.shape}")


def _output_shape(layer: ChipLayer, before: Shape) -> Shape:
    kernel = layer.weight.shape[2:]
    reach = [layer.dilation[i] * (kernel[i] - 1) + 1 for i in (0, 1)]
    if layer.kind == "convT":
        sizes = [
            (before[1 + i] - 1) * layer.stride[i] - 2 * layer.padding[i] + reach[i] + layer.output_padding[i]
            for i in (0, 1)
        ]
        return (layer.weight.shape[1] * layer.groups, *sizes)
    sizes = [(before[1 + i] + 2 * layer.padding[i] - reach[i]) // layer.stride[i] + 1 for i in (0, 1)]
    return (layer.weight.shape[0], *sizes)


def _kind(entry: h5py.Group) -> str:
    value = np.atleast_1d(entry["type"][()])[0]
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def _dense(entry: h5py.Group, where: str, name: str) -> ChipLayer:
    if "delay" in entry:
        raise ValueError(f"{where} has delays, which are not simulated here; give a file without them")
    shape = (int(np.prod(entry["shape"][()])),)
    weight = _weight(entry).reshape(shape[0], -1)
    weight, shift = dense_weights(weight, where)
    bias = _bias(entry)
    return ChipLayer(
        name, "dense", shape, weight, layout=Layout(shape), shift=shift, bias=bias, **_neurons(entry, where)
    )


def _conv(entry: h5py.Group, where: str, name: str, kind: str) -> ChipLayer:
    shape = tuple(int(v) for v in entry["shape"][()])
    weight = _weight(entry)
    if len(shape) != 3 or weight.ndim != 4:
        raise ValueError(
            f"{where} is a {kind} of shape {shape} with weights {weight.shape}; expected (C, H, W) and 4 axes"
        )
    bias = _bias(entry)
    if bias is not None and bias.ndim == 3:
        bias = bias.transpose(2, 1, 0)
    return ChipLayer(
        name,
        "convT" if kind == "convT" else "conv",
        shape,
        weight.astype(np.int32),
        layout=Layout(shape),
        bias=bias,
        stride=_pair(entry, "stride"),
        padding=_pair(entry, "padding"),
        dilation=_pair(entry, "dilation"),
        output_padding=_pair(entry, "outputPadding") if "outputPadding" in entry else (0, 0),
        groups=int(entry["groups"][()]),
        **_neurons(entry, where),
    )


def _weight(entry: h5py.Group) -> NDArray[np.int64]:
    weight = np.asarray(entry["weight"][()])
    if not np.isfinite(weight).all() or np.abs(weight).max(initial=0) >= 1 << 24:
        raise ValueError("weights are not finite or beyond 24 bits")
    return weight.astype(np.int64)


def _pair(entry: h5py.Group, name: str) -> tuple[int, int]:
    values = np.atleast_1d(entry[name][()])
    return int(values[0]), int(values[-1])


def _bias(entry: h5py.Group) -> NDArray[np.int32] | None:
    if "bias" not in entry:
        return None
    return np.asarray(entry["bias"][()]).astype(np.int64).astype(np.int16).astype(np.int32)


def _neurons(entry: h5py.Group, where: str) -> dict[str, Any]:
    if "neuron" not in entry:
        raise ValueError(f"{where} has no neurons, and without them lava-dl never lets it spike; give them")
    neuron = entry["neuron"]
    kind = np.atleast_1d(neuron["type"][()])[0]
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if kind == "SDNN" and "sigma_output" in neuron:
        return {"v_threshold": 0, "v_decay": 0, "output": "sigma"}
    if kind not in ("CUBA", "LOIHI"):
        raise ValueError(f"{where} has {kind} neurons; CUBA, LOIHI and the sigma read-out are simulated here")
    if "messageBits" in neuron:
        raise ValueError(f"{where} has neuron/messageBits, which lava-dl 0.6.0 cannot load; give the file without it")
    names = {"i_decay": "iDecay", "v_decay": "vDecay", "v_threshold": "vThMant"}
    return {field: _integers(neuron[key][()]) for field, key in names.items()}


def _integers(value: Any) -> int | NDArray[np.int32]:
    array = np.asarray(value).astype(np.int64).reshape(-1)
    return int(array[0]) if array.size == 1 else array.astype(np.int32)


def dense_weights(weight: NDArray[np.int64], where: str) -> tuple[NDArray[np.int32], int]:
    """What lava-dl's dense layer multiplies by, and by how many bits it shifts the sums back."""
    highest, lowest = int(weight.max()), int(weight.min())
    if highest == lowest == 0:
        raise ValueError(f"{where} has weights that are all zero, which lava-dl cannot load; leave the layer out")
    if (highest > 254 and lowest < 0) or (lowest < -256 and highest > 0):
        weight = weight.clip(-256, 254)
        highest, lowest = int(weight.max()), int(weight.min())
    mixed = highest >= 0 > lowest
    if mixed:
        bounds = ([127 / highest] if highest else []) + [-128 / lowest]
        room = min(bounds)
    else:
        room = -256 / lowest if highest < 0 else 255 / highest
    shift = int(np.floor(np.log2(room))) + mixed
    if shift < 0:
        raise ValueError(f"{where} has weights from {lowest} to {highest}, beyond the chip's 8 bits")
    zeros = next((n for n in range(8, 0, -1) if not (weight % (1 << n)).any()), 0)
    stored = _as_stored(weight << shift, 8 - shift - (zeros - mixed))
    if not (stored % (1 << shift)).any():
        return (stored >> shift).astype(np.int32), 0
    return stored.astype(np.int32), shift


def _as_stored(weight: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Clipped to its sign's range and cut to so many bits, as lava-nc's Dense does on its first step."""
    lowest, highest = int(weight.min()), int(weight.max())
    mixed, sign = lowest < 0 < highest, -1 if highest <= 0 and lowest < 0 else 1
    weight = (sign * weight).clip(-256 if mixed else 0, 255)
    cut = 8 - bits + mixed
    return sign * ((weight >> cut) << cut) if cut >= 0 else np.zeros_like(weight)
