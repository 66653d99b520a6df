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
from export.network import Shape
from export.netx import sidecar_path
from export.sidecar import restored

_KNOWN = ("input", "flatten", "conv", "convT", "dense")


def read_netx(path: str | PathLike[str]) -> Chip:
    """The layers of a netx file, with its sidecar's names, layout and scales where there is one.

    The host's parts are not in such a file: the chip that comes back takes the spikes that enter its first layer, and
    gives those of its last. Raises ValueError, one sentence, for what is no netx file or holds what is not known here.
    """
    net = Path(path)
    try:
        with h5py.File(net, "r") as file:
            input_shape, layers = _layers(file)
    except ValueError:
        raise
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        if not net.exists():
            raise FileNotFoundError(f"{net} does not exist; give a netx file") from error
        reason = " ".join(str(error).split())
        raise ValueError(f"{net} is not a netx file that can be read: {reason}") from error
    notes: dict[str, Any] = {}
    if sidecar_path(net).exists():
        notes = _sidecar(sidecar_path(net))
        layers = restored(layers, notes)
    whole = tuple(notes["output"]["shape"]) if notes and not notes["host"]["readout"] else None
    return Chip(
        tuple(notes["input"]["shape"]) if notes else input_shape,
        tuple(layers),
        layers[-1].layout.shape if whole is None else whole,
        notes["input"]["message_bits"] if notes else 0,
        loader="extended" if any(layer.kind == "convT" for layer in layers) else "stock",
    )


def _sidecar(path: Path) -> dict[str, Any]:
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        notes["layers"], notes["input"]["message_bits"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the sidecar of a netx file; write it again, or take it away") from error
    return notes


def _layers(file: h5py.File) -> tuple[Shape, list[ChipLayer]]:
    group = file.get("layer")
    if not isinstance(group, h5py.Group) or not len(group):
        raise ValueError(f"{file.filename} has no layers in a group named layer, as a netx file has")
    layers: list[ChipLayer] = []
    first: Shape | None = None
    shape: Shape | None = None
    for number in range(len(group)):
        entry = group.get(str(number))
        if entry is None:
            raise ValueError(f"{file.filename} has {len(group)} layers and none is named {number}; number them from 0")
        where, kind = f"{file.filename}, layer {number}", _kind(entry)
        if kind not in _KNOWN:
            raise ValueError(f"{where} is of type {kind!r}, which is none of {', '.join(_KNOWN)}")
        if kind in ("input", "flatten"):
            if "neuron" in entry:
                raise ValueError(f"{where} is an input with neurons, which nothing drives; give the file without them")
            size = tuple(int(v) for v in np.atleast_1d(entry["shape"][()]))
            shape = size if kind == "input" else (int(np.prod(shape or size)),)
        else:
            if kind == "dense":
                layer = _dense(entry, where, str(number))
                shape = shape or (layer.weight.shape[1],)
            else:
                layer = _conv(entry, where, str(number), kind)
            if shape is None:
                raise ValueError(f"{where} is a {kind} and no input layer before it says its input's shape")
            layers.append(layer)
        first = first or shape
        if layers and kind not in ("input", "flatten"):
            shape = layers[-1].shape
    if not layers or first is None:
        raise ValueError(f"{file.filename} has no conv or dense layer")
    return first, layers


def _kind(entry: h5py.Group) -> str:
    value = np.atleast_1d(entry["type"][()])[0]
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def _dense(entry: h5py.Group, where: str, name: str) -> ChipLayer:
    if "delay" in entry:
        raise ValueError(f"{where} has delays, which are not simulated here; give a file without them")
    shape = (int(np.prod(entry["shape"][()])),)
    weight = np.asarray(entry["weight"][()]).astype(np.int64).reshape(shape[0], -1)
    weight, shift = dense_weights(weight, where)
    bias = _bias(entry)
    return ChipLayer(
        name, "dense", shape, weight, layout=Layout(shape), shift=shift, bias=bias, **_neurons(entry, where)
    )


def _conv(entry: h5py.Group, where: str, name: str, kind: str) -> ChipLayer:
    shape = tuple(int(v) for v in entry["shape"][()])
    weight = np.asarray(entry["weight"][()]).astype(np.int64)
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
