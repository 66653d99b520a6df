"""Training on an NVIDIA GPU: it learns as the CPU does, in three precisions, resumes to the same bits, and samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from neurogen.config import Config, dump_config, load_config, parse_config
from neurogen.demo import run_demo
from neurogen.model import load
from neurogen.training import train_run
from neurogen.training.log import read_metrics
from neurogen.training.prior import PriorSystem
from neurogen.training.stage1 import StageOneSystem
from tests.neurogen.training.runs import prior_run_config, stage1_config, weights_digest
from tests.neurogen.training.test_engine import _interrupt
from train import find_config

pytestmark = pytest.mark.gpu
PRECISIONS = ("float32", "bf16", "fp16")


def configured(recordings: Path, first: Path, kind: str, device: str = "cuda", **train: object) -> Config:
    """Four steps of a tiny spiking or gated first stage with all its losses, or of a tiny prior."""
    settings: dict[str, object] = {"steps": 4, "log_every": 1, **train}
    if kind == "prior":
        values = prior_run_config(first, **settings).model_dump(mode="json")
    else:
        values = stage1_config(recordings, **settings).model_dump(mode="json")
    if kind == "gated":
        gated = {"width": 32, "multipliers": [1, 1], "blocks": 1, "attention": [8], "latent": 32}
        values["model"] |= {"kind": "gated", "gated": gated, "readout": "step", "output": "linear"}
        values["codebook"] |= {"learning": "gradient"}
        values["losses"] |= {"reconstruction": "l1", "adversarial": True, "adversarial_start": 1}
        values["losses"] |= {"discriminator_layers": 1, "discriminator_width": 8}
    return parse_config({**values, "device": device})


def losses(run: Path) -> list[float]:
    """Of each step; of a first stage without what the discriminator adds, which turns on single spikes."""
    return [row.get("nll", row["total"]) for row in read_metrics(run / "metrics.csv") if "total" in row]


@pytest.mark.parametrize("kind", ["spiking", "gated", "prior"])
def test_a_gpu_learns_as_the_cpu_does(
    recordings: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # the CPU has float32
    on_cpu, on_gpu = (
        losses(train_run(configured(recordings, finished, kind, device), tmp_path / device))
        for device in ("cpu", "cuda")
    )
    # The first loss has equal weights (a prior drops out other units on another device); then rounding moves spikes.
    assert on_gpu == pytest.approx(on_cpu, rel=0.1)
    if kind != "prior":
        assert on_gpu[0] == pytest.approx(on_cpu[0], rel=5e-3)


@pytest.mark.parametrize("kind", ["spiking", "gated", "prior"])
@pytest.mark.parametrize("precision", PRECISIONS[1:])
def test_16_bits_learn_as_float32_does(
    recordings: Path, finished: Path, tmp_path: Path, kind: str, precision: str
) -> None:
    wide, short = (
        losses(train_run(configured(recordings, finished, kind, precision=one), tmp_path / one))
        for one in ("float32", precision)
    )
    assert short == pytest.approx(wide, rel=0.1)
    assert short != wide


@pytest.mark.parametrize("kind", ["spiking", "gated", "prior"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(
    recordings: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, precision: str
) -> None:
    config = configured(recordings, finished, kind, precision=precision, average=0.9)
    whole = train_run(config, tmp_path / "whole")
    _interrupt(monkeypatch, PriorSystem if kind == "prior" else StageOneSystem, 2)
    with pytest.raises(SystemExit):
        train_run(config, tmp_path / "cut")
    monkeypatch.undo()
    train_run(config, tmp_path / "cut", resume=True)
    assert weights_digest(tmp_path / "cut") == weights_digest(whole)


def test_quantised_training_and_options_of_the_loop_run_on_a_gpu(recordings: Path, tmp_path: Path) -> None:
    from train.grid import on_grid

    config = configured(recordings, recordings, "spiking", picture_every=2, validate_every=2, clip=1.0, accumulate=2)
    config = config.model_copy(update={"quantise": True})
    assert np.isfinite(losses(train_run(config, tmp_path / "run", on_grid=on_grid))).all()


def test_samples_on_a_gpu_have_the_codes_of_the_cpu(recordings: Path, finished: Path, tmp_path: Path) -> None:
    run = train_run(configured(recordings, finished, "prior", steps=2), tmp_path / "prior")
    on_cpu, on_gpu = (load(run, device).sample(40, seed=3) for device in ("cpu", "cuda"))
    same = (on_cpu.codes == on_gpu.codes).all((1, 2))
    assert same.mean() > 0.9  # a draw next to a border may round to the other side, and then all that follow it differ
    assert len(np.unique(on_gpu.codes)) > 4
    assert np.abs(on_cpu.counts[same] - on_gpu.counts[same]).mean() < 0.01
    again = load(run, "cuda").sample(10, seed=3)
    assert (again.codes == on_gpu.codes[:10]).all()
    assert (again.counts == on_gpu.counts[:10]).all()


@pytest.mark.slow
def test_the_demo_runs_on_a_gpu(tmp_path: Path) -> None:
    def shortened(name: str) -> Path:
        config = load_config(find_config(name))
        values = yaml.safe_load(dump_config(config))
        values["train"] |= {"steps": 20, "warmup": 2, "validate_every": 0}
        values["device"] = "cuda"
        path = tmp_path / f"{name.replace('/', '-')}.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    figures = run_demo(tmp_path / "demo", shortened)
    assert (tmp_path / "demo" / "report.html").is_file()
    assert figures["recognised"].endswith("of 40")


def test_a_step_asks_the_gpu_for_nothing_between_logged_ones(
    recordings: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(recordings, finished, "gated", log_every=1000, steps=3)
    step = StageOneSystem.step

    def watched(self: StageOneSystem, index: torch.Tensor, number: int, log: bool) -> dict[str, float]:
        torch.cuda.set_sync_debug_mode("error" if number == 1 else "default")
        try:
            return step(self, index, number, log)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(StageOneSystem, "step", watched)
    train_run(config, tmp_path / "run")
