"""Small spiking GANs of images, for tests of their training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from neurogen.config import GANConfig, parse_config
from neurogen.training.gan import GANSystem
from tests.neurogen.systems import GENERATOR

SPECTRAL = {"norm": "spectral", "widths": [4], "hidden": 8}


def gan(path: Path, system: str = "sgad", judge: dict[str, Any] | None = None, **sections: Any) -> GANConfig:
    """16x16 images of noise in three steps; sections replace settings."""
    values: dict[str, Any] = {
        "system": system,
        "seed": 0,
        "device": "cpu",
        "data": {"name": "mnist", "path": str(path), "resolution": 16, "channels": 1, "fit": "resize"},
        "model": GENERATOR | {"scoring_width": 8, "discriminator": {"widths": [4], "hidden": 8} | (judge or {})},
        "train": {"steps": 4, "batch_size": 8, "lr": 1e-3, "checkpoint_every": 2, "log_every": 1, "threads": 1},
    }
    for name, change in sections.items():
        values[name] = values.get(name, {}) | change
    values["train"] |= {"tune_allocator": False}
    config = parse_config(values)
    assert isinstance(config, GANConfig)
    return config


def prepared(config: GANConfig, tmp_path: Path) -> GANSystem:
    torch.manual_seed(0)
    return GANSystem(config, torch.device("cpu"), tmp_path)
