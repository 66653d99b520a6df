"""The training loop: plain torch, bitwise resumable, stopped cleanly by SIGTERM.

All that a step does is a function of the state before it and of (seed, step): data order, augmentation and dropout are
keyed by the step, so a checkpoint holds weights, optimisers and averages and no random state. Under torchrun each
process learns from its share of the batch (`distributed`).
"""

from __future__ import annotations

import signal
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from neurogen.blocks.shared_norm import share_statistics
from neurogen.config import Config, GANConfig, PriorConfig, StageOneConfig
from neurogen.model_folder import mismatch
from neurogen.neurons import tune_allocator
from neurogen.processes import averaged
from neurogen.progress import bar
from neurogen.training.averaging import WeightAverage
from neurogen.training.checkpoint import load_newest, save_checkpoint
from neurogen.training.descent import Descent
from neurogen.training.device import choose_device, repeatable
from neurogen.training.distributed import (
    any_process,
    check_equal,
    leader_says,
    processes,
    rank,
    share_state,
    world,
)
from neurogen.training.errors import TrainingError
from neurogen.training.log import MetricsLog, check_tensorboard, read_metrics
from neurogen.training.order import batch_items, check_batch, step_seed
from neurogen.training.precision import check_precision
from neurogen.training.run_folder import open_run

DROPOUT_STREAM = 1  # of step_seed; data order is 0, augmentation 2


# A network and items that it takes -> its weights are on a chip's grid; what comes back makes a plain copy of it.
OnGrid = Callable[[nn.Module, Tensor], Callable[[nn.Module], nn.Module]]


class System(Protocol):
    """What the loop needs of a system: its parts, one step, and what to do on the way."""

    config: Any
    items: int
    columns: tuple[str, ...]
    main: nn.Module
    modules: dict[str, nn.Module]
    descents: dict[str, Descent]

    def step(self, index: Tensor, step: int, log: bool) -> dict[str, float]:
        """Learn from this process's share of a batch; returns its figures (all of `columns` it has where `log`).

        "total" must be finite.
        """

    def validate(self) -> dict[str, float]:
        """Held-out figures; all processes take part and all get them."""

    def pictures(self, folder: Path, step: int) -> None:
        """Pictures and pages of where the model stands; all processes may take part, the first one writes."""

    def finish(self, folder: Path, figures: dict[str, float]) -> None:
        """Write the model folder."""


def train_run(config: Config, out: Path, resume: bool = False, on_grid: OnGrid | None = None) -> Path:
    """Train a configuration into the run folder `out` and return it.

    resume goes on from the newest checkpoint, bit for bit; on a finished run it does nothing. on_grid: what
    quantise=true does to the network before its first step (`train.grid.on_grid`). Raises TrainingError, DataError or
    ModelFolderError (one sentence each); SIGTERM and SIGINT save and exit.
    """
    if config.train.tune_allocator:
        tune_allocator()
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    if config.train.tensorboard:
        check_tensorboard()
    with processes(choose_device(config.device)) as device, repeatable():
        if leader_says(lambda: open_run(out, config, resume)):
            _say(f"{out} is finished; sample it, or raise train.steps to go on")
            return out
        torch.manual_seed(config.seed)
        try:
            check_precision(config.train.precision, device)
            system = system_of(config)(config, device, out)
            if world() > 1:  # before a grid, which gives batch norms a class of their own
                for module in system.modules.values():
                    share_statistics(module)
            if isinstance(config, StageOneConfig) and config.quantise:
                if on_grid is None:
                    raise TrainingError("expected on_grid for quantise=true, got none; give train.grid.on_grid")
                system.put_on_grid(on_grid)
            check_batch(config.train.batch_size, system.items, world(), config.train.accumulate)
            _loop(system, out, device, resume)
        except BaseException:
            if rank() == 0:
                _forget_unstarted(out)
            raise
    return out


def system_of(config: Config) -> Any:
    """The class whose instances learn as a configuration says: made of (config, device, run)."""
    if isinstance(config, StageOneConfig):
        from neurogen.training.stage1 import StageOneSystem

        return StageOneSystem
    if isinstance(config, PriorConfig):
        from neurogen.training.prior import PriorSystem

        return PriorSystem
    if isinstance(config, GANConfig):
        from neurogen.training.gan import GANSystem

        return GANSystem
    from neurogen.training.autoencoder import AutoencoderSystem

    return AutoencoderSystem


def _loop(system: System, out: Path, device: torch.device, resume: bool) -> None:
    train, leads = system.config.train, rank() == 0
    average = WeightAverage(system.main, train.average)
    descent = next(one for one in system.descents.values() if one.module is system.main)
    start = _restore(system, average, out, device) if resume else 0
    check_equal(start, "the newest checkpoint", f"put {out} on a disk that all machines share")
    share_state(tensor for module in system.modules.values() for tensor in module.state_dict().values())
    log = MetricsLog(out, system.columns, start, train.tensorboard) if leads else None
    saved_at = time.monotonic()
    with _signals() as received, bar(f"training {out.name}", train.steps if leads else None, start) as progress:
        for step in range(start, train.steps):
            done, last = step + 1, step + 1 == train.steps
            logging, validating = last or _due(train.log_every, done), _due(train.validate_every, done) and not last
            figures = one_step(system, step, logging)
            if logging or validating:
                figures = _of_all(figures)
            if descent.moved:
                average.update()
            if validating:
                with average.applied():
                    figures |= system.validate()
            if log is not None and (logging or validating):
                log.write(done, figures)
            if _due(train.picture_every, done) and not last:
                with average.applied():
                    system.pictures(out / "pictures", done)
            progress(done)
            stop, late = any_process(bool(received), time.monotonic() - saved_at > train.checkpoint_seconds)
            if late or stop or last or _due(train.checkpoint_every, done):
                _check_finite(system, done)
                if world() > 1:
                    check_equal(_digest(system), f"the weights after step {done}", "start a new run on equal machines")
                if leads:
                    save_checkpoint(out, done, _state(system, average), train.keep)
                saved_at = time.monotonic()
            if stop and not last:
                _say(f"stopped after {done} steps; go on with --resume")
                raise SystemExit(128 + (received or [signal.SIGTERM])[0])
    with average.applied():
        figures = system.validate()
        if log is not None:
            log.write(train.steps, figures)
        system.pictures(out / "pictures", train.steps)
        if leads:
            system.finish(out / "model", figures)


def one_step(system: System, step: int, logging: bool) -> dict[str, float]:
    """Step `step` (from 0) on this process's share of the batch; returns its figures."""
    train, seed = system.config.train, system.config.seed
    for descent in system.descents.values():
        descent.set_rate(step)
    torch.manual_seed(step_seed(seed, DROPOUT_STREAM, step, rank()))
    return system.step(batch_items(seed, step, system.items, train.batch_size, rank(), world()), step, logging)


def _of_all(figures: dict[str, float]) -> dict[str, float]:
    """Figures of the whole batch from those of the processes' shares."""
    if world() == 1 or not figures:
        return figures
    means = averaged(torch.tensor(list(figures.values()), dtype=torch.float64))
    return dict(zip(figures, means.tolist(), strict=True))


def _due(every: int, done: int) -> bool:
    return every > 0 and done % every == 0


def _check_finite(system: System, done: int) -> None:
    """Raises TrainingError rather than let weights that are not numbers replace the checkpoints that are."""
    for module in system.modules.values():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise TrainingError(
                    f"expected finite weights, {name} is not after step {done}; lower train.lr or clip with train.clip"
                )


def _digest(system: System) -> int:
    """A checksum of all weights and buffers."""
    digest = 0
    for module in system.modules.values():
        for tensor in module.state_dict().values():
            digest = zlib.crc32(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy(), digest)
    return digest


def _say(sentence: str) -> None:
    if rank() == 0:
        sys.stderr.write(f"{sentence}\n")


def _state(system: System, average: WeightAverage) -> dict[str, Any]:
    return {
        "modules": {name: module.state_dict() for name, module in system.modules.items()},
        "descents": {name: descent.state_dict() for name, descent in system.descents.items()},
        "average": average.state,
        "processes": world(),
    }


def _restore(system: System, average: WeightAverage, out: Path, device: torch.device) -> int:
    """Load the newest checkpoint; returns the steps done, 0 where there is none."""
    state = load_newest(out)
    if state is None:
        return 0
    try:
        for name, module in system.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, descent in system.descents.items():
            descent.load_state_dict(state["descents"][name])
        average.state = {name: tensor.to(device) for name, tensor in state["average"].items()}
    except (KeyError, RuntimeError, ValueError) as error:
        raise TrainingError(
            f"expected checkpoints of this network in {out}, they are of another ({mismatch(error)}); start a new run"
        ) from error
    began = int(state.get("processes", 1))
    if began != world():
        raise TrainingError(
            f"expected the {began} processes that {out} began with, got {world()}: float32 rounds "
            f"otherwise among others; start as many, or begin anew with train.init_from"
        )
    if state["step"] > system.config.train.steps:
        raise TrainingError(
            f"expected train.steps of at least the {state['step']} done in {out}, got {system.config.train.steps}; "
            f"leave it, or start a new run"
        )
    return int(state["step"])


def _forget_unstarted(out: Path) -> None:
    """Remove a run that failed before it began, so that the mended command can be given again."""
    if not (out / "checkpoints").exists() and not read_metrics(out / "metrics.csv"):
        for path in (out / "config.yaml", out / "metrics.csv", *out.glob("codes-*.npz")):
            path.unlink(missing_ok=True)
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
