"""What one process and two do alike: small trainings in float64, recorded; run as a script, one of several processes.

python -m tests.neurogen.training.together FOLDER        with torchrun's environment: records FOLDER/<name>-<rank>.pt
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from neurogen.blocks.shared_norm import share_statistics
from neurogen.blocks.step_norm import StepNorm
from neurogen.blocks.threshold_norm import ThresholdNorm
from neurogen.codebook.make import make_codebook
from neurogen.config import CodebookConfig, Config, NeuronConfig, dump_config, load_config, parse_config
from neurogen.data import ImageData, RecordingData
from neurogen.model import CHUNK
from neurogen.processes import all_parts, all_rows, chosen_rows, own_parts, rank, shared_mean, summed, world
from neurogen.sampling import write_samples
from neurogen.training import train_run
from neurogen.training.distributed import any_process, leader_says, processes
from neurogen.training.prior import PriorSystem
from neurogen.training.stage1 import StageOneSystem
from tests.neurogen.tiny import event_model
from tests.neurogen.training.runs import prior_run_config, stage1_config
from train.grid import on_grid

CLOSE = 1e-10  # in float64
GATED = {
    "kind": "gated",
    "steps": 2,
    "readout": "step",
    "output": "linear",
    "gated": {"width": 32, "multipliers": [1, 1], "blocks": 1, "attention": [4], "latent": 8},
}


def variant(config: Config, **sections: Any) -> Config:
    """The configuration with some settings of some sections replaced."""
    values = yaml.safe_load(dump_config(config))
    for name, change in sections.items():
        values[name] = values[name] | change if isinstance(change, dict) else change
    return parse_config(values)


def trainings(recordings: Path, first_stage: Path) -> dict[str, Config]:
    """Name -> configuration of what both record."""
    spiking = stage1_config(recordings, steps=6, log_every=2, validate_every=3)
    data = {"flip": True, "validation": 7}
    gated = variant(
        spiking,
        data=data | {"resolution": 8},
        model=GATED,
        codebook={"learning": "gradient"},
        losses={"reconstruction": "l1", "normalise": True},
        train={"steps": 3, "lr": 1e-4, "average": 0.9},  # Adam makes of what rounds a gradient of 0 steps of its own
    )
    judged = {"adversarial": True, "adversarial_start": 4, "discriminator_layers": 1, "discriminator_width": 8}
    prior = variant(prior_run_config(first_stage, steps=3, validate_every=2), model={"dropout": 0.0})
    in_parts = {"train": {"accumulate": 2}}
    return {
        "spiking": variant(spiking, data=data, losses={"normalise": True, **judged}),
        "gated": gated,
        "gated-in-parts": variant(gated, **in_parts),
        "means": variant(gated, codebook={"learning": "ema"}),
        "means-in-parts": variant(gated, codebook={"learning": "ema"}, **in_parts),
        "spikes": variant(spiking, codebook={"kind": "spike"}),
        "on-grid": variant(spiking, quantise=True, neurons={"threshold": 0.2}),
        "prior": prior,
        "prior-in-parts": variant(prior, **in_parts),
    }


@contextmanager
def float64() -> Iterator[None]:
    """Networks are made, and items come, in float64 while the block runs."""
    kinds: list[Any] = [ImageData, RecordingData]
    batches, before = [kind.batch for kind in kinds], torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        for kind, batch in zip(kinds, batches, strict=True):
            kind.batch = lambda self, *given, batch=batch: batch(self, *given).double()
        yield
    finally:
        torch.set_default_dtype(before)
        for kind, batch in zip(kinds, batches, strict=True):
            kind.batch = batch


def record(config: Config, out: Path) -> dict[str, Any]:
    """Train in float64 into `out`; weights and buffers after every step, and the items that this process took."""
    seen: dict[str, Any] = {"weights": [], "buffers": [], "items": []}
    kind: Any = StageOneSystem if config.system == "tts_vqvae" else PriorSystem
    step = kind.step

    def recorded(self: Any, index: Tensor, number: int, log: bool) -> dict[str, float]:
        figures = step(self, index, number, log)
        modules = nn.ModuleList(self.modules.values())
        seen["weights"].append(nn.utils.parameters_to_vector(modules.parameters()).detach().clone())
        buffers = [buffer.detach().flatten().double() for buffer in modules.buffers()]
        seen["buffers"].append(torch.cat([torch.zeros(0), *buffers]))
        seen["items"].append(index)
        return figures

    kind.step = recorded
    try:
        with float64():
            train_run(config, out, on_grid=on_grid)
    finally:
        kind.step = step
    return seen


def run_two(module: str, arguments: Sequence[str], **environment: str) -> list[subprocess.CompletedProcess[str]]:
    """Two processes of one thread, started as torchrun would, and how they ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *arguments]
    started = [
        subprocess.Popen(
            command,
            env=shared | {"RANK": i, "LOCAL_RANK": i} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in "01"
    ]
    ended = []
    try:
        for process in started:
            said, talk = process.communicate(timeout=300)
            ended.append(subprocess.CompletedProcess(command, process.returncode, said, talk))
    finally:
        for process in started:
            process.kill()
    return ended


def draw_samples(out: Path) -> None:
    """Samples of an untrained model, more than a chunk; the first process writes."""
    model = event_model()
    samples = model.sample(CHUNK + 8, seed=3, together=True)
    if rank() == 0:
        write_samples(samples, model, out, ("bin", "npz"), seed=3)


def shared_norm(threshold: bool = False) -> dict[str, Tensor]:
    """A batch norm's outputs, gradients and running statistics over this process's share of 6 images."""
    torch.manual_seed(0)
    x, weights = torch.randn(2, 6, 3, 4, 5, dtype=torch.float64)
    x = 3 * x + 40
    norm = ThresholdNorm(3, 0.4).double() if threshold else nn.BatchNorm2d(3).double()
    nn.init.uniform_(norm.weight)
    if world() > 1:
        share_statistics(norm)
    share = len(x) // world()
    own = slice(rank() * share, (rank() + 1) * share)
    given = x[own].clone().requires_grad_()
    made = norm(given, 2, torch.arange(3.0).double()) if threshold else norm(given)
    (made * weights[own]).sum().backward()
    assert given.grad is not None and norm.weight.grad is not None and norm.bias.grad is not None
    return {
        "output": all_rows(made.detach()),
        "of input": all_rows(given.grad),
        "of weight": summed(norm.weight.grad),
        "of bias": summed(norm.bias.grad),
        "mean": norm.running_mean,
        "variance": norm.running_var,
        "evaluated": all_rows(norm.eval()(x[own]).detach()),
    }


def shared_step_norm() -> dict[str, Tensor]:
    """The same of batch norm per step, over two steps of 6 images, then over 6 vectors shown at three steps."""
    torch.manual_seed(0)
    norm = StepNorm(3).double()
    if world() > 1:
        share_statistics(norm)
    seen = {}
    for name, shape in (("steps", (2, 6, 3, 4, 5)), ("constant", (6, 3))):
        x, weights = (
            part.chunk(world(), -4 if len(shape) == 5 else 0)[rank()] for part in torch.randn(2, *shape).double()
        )
        x.requires_grad_()
        norm.zero_grad()
        made = norm(x) if name == "steps" else norm.forward_constant(x, 3)
        (made * weights).sum().backward()
        assert x.grad is not None and norm.weight.grad is not None
        for what, value in (("output", made.detach()), ("of input", x.grad)):
            seen[f"{name}: {what}"] = all_rows(value.transpose(0, -4) if len(shape) == 5 else value)
        seen[f"{name}: of weight"] = summed(norm.weight.grad.clone())
        seen[f"{name}: mean"], seen[f"{name}: variance"] = norm.running_mean.clone(), norm.running_var.clone()
        seen[f"{name}: count"] = norm.num_batches_tracked.double()
    return seen


def tables() -> dict[str, Tensor]:
    """Tables of each kind that started from, learnt from and revived by this process's share of random latents."""
    made = {}
    for kind in ("temporal", "repeated", "per_step"):
        rule = {"learning": "ema", "start": 2, "revive_every": 2, "revive_below": 0.9, "decay": 0.5}
        codebook = make_codebook(CodebookConfig(kind=kind, size=8, width=3, **rule), 2, NeuronConfig()).double()
        codebook.set_run_length(10, seed=1)
        for step in range(6):
            z = torch.randn(2, 6, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
            codebook.learn(z.chunk(world(), 1)[rank()])
        made[kind] = codebook.table
    return made


def exchanges() -> dict[str, Any]:
    """What every exchange gives to this one of two processes."""
    rows = torch.arange(12.0).view(6, 2)[3 * rank() : 3 * rank() + 3]
    x = torch.tensor([1.0, 4.0])[rank()].requires_grad_()
    shared_mean(x).square().backward()  # (5 / 2)^2 in both
    parts = [torch.full((i + 1,), i, dtype=torch.int16) for i in own_parts(3)]
    return {
        "flags": any_process(rank() == 1, False),
        "rows": chosen_rows(rows, torch.tensor([5, 0, 3, 3])),
        "rows in blocks": chosen_rows(rows[:2], torch.tensor([0, 1, 2, 3]), blocks=2),
        "gradient": x.grad,
        "parts": torch.cat(all_parts(parts, 3)),
        "leader": leader_says(lambda: rank() == 0),
    }


def both(folder: Path, name: str) -> list[dict[str, Any]]:
    """What two processes recorded under that name."""
    return [torch.load(folder / f"{name}-{i}.pt", weights_only=True) for i in range(2)]


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its place."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main(folder: Path) -> None:
    """Record everything as one of several processes."""
    torch.set_num_threads(1)
    with processes(torch.device("cpu")):
        norms = {"norm": shared_norm(), "tdBN": shared_norm(threshold=True), "step norm": shared_step_norm()}
        torch.save({**norms, "tables": tables(), **exchanges()}, folder / f"exchanges-{rank()}.pt")
        draw_samples(folder / "samples")
        for path in sorted(folder.glob("*.yaml")):
            seen = record(load_config(path), folder / path.stem)
            torch.save(seen, folder / f"{path.stem}-{rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
