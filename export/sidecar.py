"""What a netx file cannot say, as JSON: which values lie where, what an integer stands for, what the host does."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from export.chip import Chip, ChipLayer, Layout

FORMAT = 1

_LAYOUT = (
    "value x[c, blocks[0] Y + i, blocks[1] X + j] of `shape` is channel (c blocks[0] + i) blocks[1] + j at (Y, X) of "
    "the layer in the file, counted from flat index `start` in the order C, H, W"
)

_VALUES = {
    "spikes": "what the last layer sends at row t, 0 or 1",
    "membrane": "v after step t / (64 scale) gain; above 64 131071 the neuron fires, and v is 0",
    "sigma": "(what the last layer sends at row t - at the row before) / scale + host_bias, from the first step on",
    "host": "computed by the host, in floats, from the spikes of the layers in host.sources",
}


def described(chip: Chip) -> dict[str, Any]:
    """The chip but for its weights, in what JSON knows."""
    return {
        "format": FORMAT,
        "versions": {"lava-dl": "0.6.0", "lava-nc": "0.10.0", "neurogen": _version()},
        "loader": chip.loader,
        "reset_interval": "T",
        "reset_offset": 1,
        "latency": chip.latency,
        "input": {
            "shape": list(chip.frame_shape),
            "message_bits": chip.message_bits,
            "of_module": list(chip.input_shape),
        },
        "output": {"layer": chip.layers[-1].name, "shape": list(chip.output_shape)},
        "readout": {"kind": _kind(chip), "value": _VALUES[_kind(chip)]},
        "layout": _LAYOUT,
        "layers": [_layer(layer) for layer in chip.layers],
        "host": {
            "encoder": [] if chip.encoder is None else [layer.name for layer in chip.encoder.layers],
            "readout": None if chip.readout is None else chip.readout.name,
            "sources": list(chip.sources),
            "afterwards": list(chip.host),
        },
    }


def restored(chip: Chip, notes: dict[str, Any]) -> Chip:
    """A chip as a netx file holds it, with what the sidecar says of it. Raises ValueError where the two differ."""
    about = notes["layers"]
    if len(about) != len(chip.layers):
        raise ValueError(f"it describes {len(about)} layers, the file has {len(chip.layers)}")
    layers = []
    for layer, note in zip(chip.layers, about, strict=True):
        if tuple(note["chip_shape"]) != layer.shape:
            raise ValueError(
                f"{note['name']} has shape {note['chip_shape']} in it, and {list(layer.shape)} in the file"
            )
        layout = Layout(tuple(note["shape"]), tuple(note["blocks"]), note["start"])
        bias = None if note["host_bias"] is None else np.array(note["host_bias"])
        settings = {name: _number(note[name]) for name in ("scale", "gain")}
        layers.append(
            replace(layer, name=note["name"], layout=layout, output=note["output"], host_bias=bias, **settings)
        )
    host = notes["host"]
    return replace(
        chip,
        input_shape=tuple(notes["input"]["shape" if host["encoder"] else "of_module"]),
        layers=tuple(layers),
        output_shape=layers[-1].layout.shape if host["readout"] else tuple(notes["output"]["shape"]),
        message_bits=int(notes["input"]["message_bits"]),
        host=() if host["readout"] else tuple(host["afterwards"]),
    )


def _kind(chip: Chip) -> str:
    return "host" if chip.readout is not None else chip.layers[-1].output


def _layer(layer: ChipLayer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "chip_shape": list(layer.shape),
        "shape": list(layer.layout.shape),
        "blocks": list(layer.layout.blocks),
        "start": layer.layout.start,
        "scale": np.asarray(layer.scale).tolist(),
        "gain": np.asarray(layer.gain).tolist(),
        "output": layer.output,
        "host_bias": None if layer.host_bias is None else layer.host_bias.tolist(),
    }


def _number(value: float | list[float]) -> Any:
    return np.array(value) if isinstance(value, list) else value


def _version() -> str:
    try:
        return version("neurogen")
    except PackageNotFoundError:
        return "0+unknown"
