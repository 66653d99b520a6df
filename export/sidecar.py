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
        "layout": _LAYOUT,
        "layers": [_layer(layer) for layer in chip.layers],
        "host": {
            "encoder": [] if chip.encoder is None else [layer.name for layer in chip.encoder.layers],
            "readout": None if chip.readout is None else chip.readout.name,
            "sources": list(chip.sources),
            "afterwards": list(chip.host),
        },
    }


def restored(layers: list[ChipLayer], sidecar: dict[str, Any]) -> list[ChipLayer]:
    """Layers as a netx file holds them, with what the sidecar says of them. Raises ValueError where the two differ."""
    notes = sidecar["layers"]
    if len(notes) != len(layers):
        raise ValueError(
            f"the sidecar describes {len(notes)} layers, the file has {len(layers)}; take the pair it came with"
        )
    result = []
    for layer, note in zip(layers, notes, strict=True):
        if tuple(note["chip_shape"]) != layer.shape:
            raise ValueError(
                f"{note['name']}: the sidecar says shape {note['chip_shape']}, the file {list(layer.shape)}"
            )
        layout = Layout(tuple(note["shape"]), tuple(note["blocks"]), note["start"])
        result.append(
            replace(
                layer,
                name=note["name"],
                layout=layout,
                scale=_number(note["scale"]),
                gain=_number(note["gain"]),
                output=note["output"],
                host_bias=None if note["host_bias"] is None else np.array(note["host_bias"]),
            )
        )
    return result


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
