"""The training loop: plain torch, bitwise resumable, stopped cleanly by SIGTERM.

All that a step does is a function of the state before it and of (seed, step): data order, augmentation and dropout are
keyed by the step, so a checkpoint holds weights, optimisers and averages and no random state.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from neurogen.config import Config, StageOneConfig
from neurogen.neurons import tune_allocator
from neurogen.progress import bar
from neurogen.training.averaging import WeightAverage
from neurogen.training.checkpoint import load_newest, save_checkpoint
from neurogen.training.device import choose_device
from neurogen.training.errors import TrainingError
from neurogen.training.log import MetricsLog
from neurogen.training.optimisers import learning_rate
from neurogen.training.order import batch_items, step_seed
from neurogen.training.run_folder import open_run

DROPOUT_STREAM = 1  # of step_seed; data order is 0, augmentation 2


class System(Protocol):
    """What the loop needs of a system: its parts, one step, and what to do on the way."""

    config: Any
    items: int
    columns: tuple[str, ...]
    main: nn.Module
    modules: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]

    def step(self, index: Tensor, step: int, log: bool) -> dict[str, float]:
        """Learn from one batch; returns figures (all of `columns` it has where `log`). "total" must be finite."""

    def validate(self) -> dict[str, float]:
        """Held-out figures."""

    def pictures(self, folder: Path, step: int) -> None:
        """Pictures and pages of where the model stands."""

    def finish(self, folder: Path, figures: dict[str, float]) -> None:
        """Write the model folder."""


def train_run(config: Config, out: Path, resume: bool = False) -> Path:
    """Train a configuration into the run folder `out` and return it.

    resume goes on from the newest checkpoint, bit for bit; on a finished run it does nothing. Raises TrainingError,
    DataError or ModelFolderError (one sentence each); SIGTERM and SIGINT save and exit.
    """
    if config.train.tune_allocator:
        tune_allocator()
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    device = choose_device(config.device)
    system_type = _system_type(config)
    if open_run(out, config, resume):
        sys.stderr.write(f"{out} is finished; sample it, or raise train.steps to go on\n")
        return out
    torch.manual_seed(config.seed)
    try:
        system = system_type(config, device, out)
        batch_items(config.seed, 0, system.items, config.train.batch_size)
    except BaseException:
        _forget_unstarted(out)
        raise
    _loop(system, out, device, resume)
    return out


def _system_type(config: Config) -> Any:
    if isinstance(config, StageOneConfig):
        from neurogen.training.stage1 import StageOneSystem

        return StageOneSystem
    from neurogen.training.prior import PriorSystem

    return PriorSystem


def _loop(system: System, out: Path, device: torch.device, resume: bool) -> None:
    train, seed = system.config.train, system.config.seed
    average = WeightAverage(system.main, train.average)
    start = _restore(system, average, out, device) if resume else 0
    log = MetricsLog(out, system.columns, start, train.tensorboard)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    saved_at, saved_step = time.monotonic(), start
    with _signals() as stop, bar(f"training {out.name}", train.steps) as progress:
        progress(start)
        for step in range(start, train.steps):
            done, last = step + 1, step + 1 == train.steps
            for optimiser in system.optimisers.values():
                for group in optimiser.param_groups:
                    group["lr"] = learning_rate(train, step)
            torch.manual_seed(step_seed(seed, DROPOUT_STREAM, step, rank))
            index = batch_items(seed, step, system.items, train.batch_size, rank, world)
            logging = done % train.log_every == 0 or last
            figures = system.step(index, step, logging)
            average.update()
            if train.validate_every and done % train.validate_every == 0 and not last:
                with average.applied():
                    figures |= system.validate()
            if logging or len(figures) > 1:
                log.write(done, figures)
            if train.picture_every and done % train.picture_every == 0 and not last:
                with average.applied():
                    system.pictures(out / "pictures", done)
            progress(done)
            due = done % train.checkpoint_every == 0 or time.monotonic() - saved_at > train.checkpoint_seconds
            if due or stop or last:
                save_checkpoint(out, done, _state(system, average), train.keep)
                saved_at, saved_step = time.monotonic(), done
            if stop and not last:
                sys.stderr.write(f"stopped after {saved_step} steps; go on with --resume\n")
                raise SystemExit(128 + stop[0])
    with average.applied():
        figures = system.validate()
        log.write(train.steps, figures)
        system.pictures(out / "pictures", train.steps)
        system.finish(out / "model", figures)


def _state(system: System, average: WeightAverage) -> dict[str, Any]:
    return {
        "modules": {name: module.state_dict() for name, module in system.modules.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in system.optimisers.items()},
        "average": average.state,
    }


def _restore(system: System, average: WeightAverage, out: Path, device: torch.device) -> int:
    """Load the newest checkpoint; returns the steps done, 0 where there is none."""
    state = load_newest(out, device)
    if state is None:
        return 0
    try:
        for name, module in system.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimiser in system.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        average.state = state["average"]
    except (KeyError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise TrainingError(f"expected checkpoints of this network in {out}, they are of another: {reason}") from error
    return int(state["step"])


def _forget_unstarted(out: Path) -> None:
    """Remove a run that failed before it began, so that the mended command can be given again."""
    saved = out / "config.yaml"
    if not (out / "checkpoints").exists() and not (out / "metrics.csv").exists() and saved.is_file():
        saved.unlink()
        if not any(out.iterdir()):
            out.rmdir()


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGTERM and SIGINT instead of dying of them; outside the main thread nothing is collected."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    previous = {}
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            previous[number] = signal.signal(number, note)
    except ValueError:
        previous = {}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
