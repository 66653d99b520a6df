"""Seconds of a training step and of sampling, each alone on the machine: `codebooks.py --time`, for finished runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

import neurogen
from neurogen.config import StageOneConfig, load_config
from neurogen.training.device import choose_device
from neurogen.training.engine import System
from neurogen.training.order import batch_items
from neurogen.training.prior import PriorSystem
from neurogen.training.stage1 import StageOneSystem

WARM, TIMED, SAMPLES = 5, 30, 200


def time_all(folder: Path, firsts: Iterable[tuple[str, str]], device_name: str) -> None:
    """Write FOLDER/times.json; firsts: (variant, name of its first stage)."""
    device, found = choose_device(device_name), {}
    for key, first in firsts:
        runs = {"first_stage_step": folder / f"first-{first}", "prior_step": folder / f"prior-{key}"}
        if all((run / "model" / "config.yaml").is_file() for run in runs.values()):
            found[key] = {what: step_seconds(run, device) for what, run in runs.items()}
            model = neurogen.load(runs["prior_step"], str(device))
            model.sample(1)
            found[key]["samples"] = seconds(lambda model=model: model.sample(SAMPLES), device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    (folder / "times.json").write_text(json.dumps({"device": where, "samples": SAMPLES, "seconds": found}, indent=1))


def step_seconds(run: Path, device: torch.device) -> float:
    """One training step of a run's configuration, from fresh weights."""
    config = load_config(run / "config.yaml")
    if isinstance(config, StageOneConfig):  # as after the steps without quantisation
        config = config.model_copy(update={"codebook": config.codebook.model_copy(update={"start": 0})})
        system: System = StageOneSystem(config, device, run)
    else:
        system = PriorSystem(config, device, run)

    def steps(begin: int, end: int) -> None:
        for step in range(begin, end):
            system.step(batch_items(config.seed, step, system.items, config.train.batch_size), step, False)

    steps(0, WARM)
    return seconds(lambda: steps(WARM, WARM + TIMED), device) / TIMED


def seconds(work: Callable[[], object], device: torch.device) -> float:
    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    wait()
    start = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - start
