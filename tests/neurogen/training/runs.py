"""Tiny training runs on tiny recordings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import yaml

from event_tools import Events, write
from neurogen.config import PriorConfig, StageOneConfig, parse_config
from tests.neurogen.tiny import event_config, prior_config


def make_recordings(folder: Path, per_class: int = 10) -> Path:
    """Three classes of 34x34 recordings: a blob on the left, in the middle, on the right."""
    rng = np.random.default_rng(0)
    for split, count in (("Train", per_class), ("Test", 4)):
        for label in range(3):
            place = folder / split / str(label)
            place.mkdir(parents=True)
            for i in range(count):
                n = 300
                t = np.sort(rng.integers(0, 20_000, n))
                x = np.clip(rng.normal(10 + 7 * label, 2, n), 0, 33).astype(int)
                y = np.clip(rng.normal(17, 3, n), 0, 33).astype(int)
                write(place / f"{i:05d}.bin", Events(t, x, y, rng.integers(0, 2, n), (34, 34)))
    return folder


def stage1_config(data: Path, **train: object) -> StageOneConfig:
    """The tiny first stage on those recordings."""
    values = yaml.safe_load(yaml.safe_dump(event_config().model_dump(mode="json")))
    values["data"] |= {"name": "nmnist", "path": str(data), "shift": 1, "validation": 4}
    values["codebook"] |= {"start": 2, "revive_every": 3}
    values["train"] |= {"steps": 8, "batch_size": 8, "checkpoint_every": 3, "log_every": 2} | train
    config = parse_config(values)
    assert isinstance(config, StageOneConfig)
    return config


def prior_run_config(first_stage: Path, **train: object) -> PriorConfig:
    """The tiny prior on a finished first stage."""
    values = prior_config().model_dump(mode="json")
    values |= {"first_stage": str(first_stage), "shift": 1}
    values["model"] |= {"dropout": 0.2}
    values["train"] |= {"steps": 6, "batch_size": 8, "checkpoint_every": 2, "log_every": 2, "threads": 1} | train
    config = parse_config(values)
    assert isinstance(config, PriorConfig)
    return config


def weights_digest(run: Path) -> str:
    """sha256 of a finished run's weights."""
    return hashlib.sha256((run / "model" / "weights.safetensors").read_bytes()).hexdigest()
