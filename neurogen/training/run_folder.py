"""A run's folder: whether it may be started, resumed, or is finished already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from event_tools.atomic import replacing
from neurogen.config import Config, PriorConfig, StageOneConfig, dump_config, load_config, plain_settings
from neurogen.plain_yaml import parse_yaml
from neurogen.training.errors import TrainingError

WRITTEN = ("checkpoints", "pictures", "model")  # what training fills
FREE = {
    "steps",
    "log_every",
    "validate_every",
    "picture_every",
    "checkpoint_every",
    "checkpoint_seconds",
    "keep",
    "threads",
    "tensorboard",
    "tune_allocator",
}


def open_run(run: Path, config: Config, resume: bool) -> bool:
    """Make or check the folder; returns whether the run is finished already. Raises TrainingError."""
    saved = run / "config.yaml"
    if run.exists() and not resume and (not run.is_dir() or any(run.iterdir())):
        raise TrainingError(
            f"expected --out to be a new run, {run} exists; add --resume to go on with it or take another name"
        )
    if resume and not saved.is_file() and run.is_dir() and any(_foreign(entry.name) for entry in run.iterdir()):
        raise TrainingError(f"expected {run} to be a run to go on with, it has no config.yaml; take another name")
    if saved.is_file():
        before = load_config(saved)
        difference = _first_difference(plain_settings(before), plain_settings(config))
        if difference is not None:
            key, old, new = difference
            raise TrainingError(
                f"expected {run} to go on as it began, {key} was {old} and is now {new}; start a new run instead"
            )
        if config.train.steps <= _finished_steps(run, config):
            return True
    for folder in (run, *(run / name for name in WRITTEN)):
        for left in folder.glob(".*.partial"):  # by a process that was killed while it wrote
            if left.is_file():  # a folder is being filled by `sample` or `reconstruct`, which is not our business
                left.unlink(missing_ok=True)
    run.mkdir(parents=True, exist_ok=True)
    with replacing(saved) as temporary:
        temporary.write_text(dump_config(config), encoding="utf-8")
    return False


def _foreign(name: str) -> bool:
    """Whether a run that ended before its config.yaml was written could not have left an entry of this name."""
    return name != "tensorboard" and not name.startswith(".")


def _finished_steps(run: Path, config: Config) -> int:
    """Steps of the model in the run's model folder, -1 where there is none."""
    described = run / "model" / "config.yaml"
    if not described.is_file():
        return -1
    part = {StageOneConfig: "first_stage", PriorConfig: "prior"}.get(type(config), "network")
    try:
        return int(parse_yaml(described.read_text(encoding="utf-8"))[part]["train"]["steps"])
    except (KeyError, TypeError, ValueError, yaml.YAMLError):
        return -1  # cut short or altered: finishing writes it anew


def _first_difference(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> tuple[str, Any, Any] | None:
    for key in dict.fromkeys((*before, *now)):
        name, old, new = f"{prefix}{key}", before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            if (inner := _first_difference(old, new, f"{name}.")) is not None:
                return inner
        elif old != new and name != "device" and not (prefix == "train." and key in FREE):
            return name, old, new
    return None
