"""Tiny configurations of every system of one network, by name, on the images that `image_sets.mnist` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurogen.config import Config, parse_config

SMALL: dict[str, dict[str, Any]] = {
    "fsvae": {"model": {"steps": 3, "widths": [4, 8], "channels": 6, "candidates": 3, "hidden": [8]}},
    "fsvae-rate": {
        "system": "fsvae",
        "model": {"steps": 3, "widths": [4, 8], "channels": 6, "latent": "rate", "prior": "mixture", "classes": 10},
    },
    "vae": {"model": {"widths": [4, 8], "channels": 6}},
    "sae": {"model": {"widths": [4, 8], "channels": 6}},
    "sgan": {"model": {"discriminator": {"kind": "linear", "norm": "none", "hidden": 8}}},
    "swgan": {"model": {"discriminator": {"widths": [4], "hidden": 8}}},
    "sgad": {"model": {"classes": 10, "scoring_width": 8, "discriminator": {"widths": [4], "hidden": 8}}},
}
GANS = ("sgan", "swgan", "sgad")
GENERATOR = {"steps": 3, "latent": 4, "hidden": 8, "start": 4, "widths": [8, 4]}


def small_config(name: str, data: Path, **train: object) -> Config:
    """The configuration of that name: 16x16 images, a few steps of eight items, a checkpoint after every second."""
    values: dict[str, Any] = {
        "system": name,
        "seed": 0,
        "device": "cpu",
        "data": {"name": "mnist", "path": str(data), "resolution": 16, "channels": 1, "fit": "resize"},
        **SMALL[name],
        "train": {
            "steps": 4,
            "batch_size": 8,
            "checkpoint_every": 2,
            "log_every": 1,
            "threads": 1,
            "tune_allocator": False,
            **train,
        },
    }
    if name in GANS:
        values["model"] = GENERATOR | values["model"]
    return parse_config(values)
