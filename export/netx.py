"""A chip's layers as a netx file, the HDF5 that lava-dl 0.6.0 loads, and a JSON sidecar with what it cannot say.

Group `layer`, children "0", "1", ...: `input` (only a shape, where a conv comes first), `conv`, `dense`, `flatten`
between them, and `convT` in an extended file, all in datasets as lava-dl's slayer writes them. Integers stand as they
are meant: no weight beyond 8 bits, no delay, no exponent, no array where a number is read, nothing that netx drops.
"""

from __future__ import annotations

import io
import json
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from export.chip import Chip, ChipLayer, as_image
from export.sidecar import described
from export.together import write_together

_GZIP_FROM = 4096  # entries


def write_netx(chip: Chip, path: str | PathLike[str]) -> None:
    """Writes `path` and its sidecar `path`.json, both or neither; existing ones are replaced. Equal chips, equal bytes.

    In lava: netx.hdf5.Network(path, reset_interval=T, reset_offset=1), with input_message_bits as in the sidecar.
    """
    net = Path(path)
    write_together({net: partial(_write_layers, chip), sidecar_path(net): partial(_write_sidecar, chip)})


def sidecar_path(path: Path) -> Path:
    """Where a netx file's sidecar lies."""
    return path.with_name(path.name + ".json")


def _write_sidecar(chip: Chip, path: Path) -> None:
    path.write_text(json.dumps(described(chip), indent=1) + "\n", encoding="utf-8")


def _write_layers(chip: Chip, path: Path) -> None:
    """In memory first: on a full disk h5py says the same about each of its objects."""
    whole = io.BytesIO()
    with h5py.File(whole, "w", track_order=False) as file:
        group = file.create_group("layer")
        number = 0
        shape = chip.frame_shape
        for layer in chip.layers:
            if layer.kind != "dense" and number == 0:
                number = _add(group, number, "input", shape=np.array(as_image(shape)))
            if layer.kind == "dense" and len(shape) == 3:
                number = _add(group, number, "flatten", shape=np.array([int(np.prod(shape))]))
            number = _add(group, number, layer.kind, **_synapses(layer, shape), **_neurons(layer))
            shape = layer.shape
    path.write_bytes(whole.getbuffer())


def _add(group: h5py.Group, number: int, kind: str, **datasets: Any) -> int:
    """One layer; returns the next one's number."""
    layer = group.create_group(str(number))
    layer.create_dataset("type", data=np.array([kind.encode("ascii")], "S10"))
    for name, value in datasets.items():
        packed = {"compression": "gzip"} if np.size(value) >= _GZIP_FROM else {}
        layer.create_dataset(name.replace("__", "/"), data=value, **packed)
    return number + 1


def _synapses(layer: ChipLayer, before: tuple[int, ...]) -> dict[str, Any]:
    datasets: dict[str, Any] = {"shape": np.array(layer.shape), "weight": layer.weight.astype(np.int32)}
    if layer.kind == "dense":
        datasets |= {"inFeatures": int(np.prod(before)), "outFeatures": layer.neurons}
    else:
        datasets |= {
            "inChannels": before[0],
            "outChannels": layer.shape[0],
            "kernelSize": np.array(layer.weight.shape[2:]),
            "stride": np.array(layer.stride),
            "padding": np.array(layer.padding),
            "dilation": np.array(layer.dilation),
            "groups": layer.groups,
        }
    if layer.kind == "convT":
        datasets["outputPadding"] = np.array(layer.output_padding)
    if layer.bias is not None:
        by_neuron = layer.bias.ndim == 3
        datasets["bias"] = layer.bias.transpose(2, 1, 0) if by_neuron else layer.bias  # netx reads (W, H, C)
    return datasets


def _neurons(layer: ChipLayer) -> dict[str, Any]:
    if layer.output == "sigma":
        return {"neuron__type": "SDNN", "neuron__sigma_output": 1}
    return {
        "neuron__type": "CUBA",
        "neuron__iDecay": layer.i_decay,
        "neuron__vDecay": layer.v_decay,
        "neuron__vThMant": layer.v_threshold,
        "neuron__refDelay": 1,
        "neuron__gradedSpike": False,
    }
