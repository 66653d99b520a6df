"""The first losses of the models that ship are found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from neurogen import pretrained
from neurogen.config import load_config
from neurogen.training import train_run
from neurogen.training.log import read_metrics
from neurogen.training.precision import computes_bf16
from tests.data import data_path
from tests.neurogen.tiny import image_model
from tests.neurogen.training.runs import make_recordings, prior_run_config, stage1_config
from train import find_config
from train.first_losses import FILE, PRIOR_ITEMS, STAGES, STEPS, _of_few_items, first_losses, losses_of
from train.hardware import cpu_name

DATA = {"mnist-tiny": "mnist", "fashion-tiny": "fashion-mnist", "nmnist-tiny": "n-mnist/n-mnist-1100.zip"}
SHIPPED = [  # one of them always, the others by hand: a stage takes seconds
    pytest.param(name, stage, marks=[] if name == "mnist-tiny" else [pytest.mark.slow])
    for name in pretrained.model_names()
    for stage in STAGES
]


@pytest.mark.parametrize(("name", "stage"), SHIPPED)
def test_a_shipped_model_s_configuration_begins_as_recorded(name: str, stage: str) -> None:
    folder, data = pretrained.HERE / name, data_path(DATA[name])
    config = load_config(find_config(f"{STAGES[stage]}/{name}"))
    if config.train.precision == "bf16" and not computes_bf16():
        pytest.skip("this CPU has no instructions for bf16, in which the configuration trains")
    recorded = json.loads((folder / FILE).read_text(encoding="utf-8"))
    losses = losses_of(folder, stage, data)
    assert len(losses) == STEPS
    if (recorded["cpu"], recorded["torch"]) == (cpu_name(), torch.__version__):
        assert losses == recorded[stage]
    # Another CPU adds up in another order, which may flip a spike; 20 steps do not carry that far.
    assert losses == pytest.approx(recorded[stage], rel=1e-3)


def test_they_are_the_losses_that_training_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    first = stage1_config(make_recordings(tmp_path / "data"), steps=3, log_every=1)
    prior = prior_run_config(tmp_path / "first", steps=3, log_every=1)
    for config, run in ((first, "first"), (prior, "prior")):
        train_run(config, tmp_path / run)
        logged = [row["total"] for row in read_metrics(tmp_path / run / "metrics.csv") if "total" in row]
        (tmp_path / f"room-{run}").mkdir()
        assert first_losses(config, tmp_path / f"room-{run}", 3) == pytest.approx(logged, rel=1e-5)  # 6 digits


def test_the_threads_of_the_caller_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    config = stage1_config(make_recordings(tmp_path / "data", 4), batch_size=4)
    before = torch.get_num_threads()
    config = config.model_copy(update={"train": config.train.model_copy(update={"threads": before + 1})})
    first_losses(config, tmp_path, 1)
    assert torch.get_num_threads() == before


def test_the_prior_s_data_are_few_items_of_the_data_named(tmp_path: Path) -> None:
    from neurogen.model import load

    folder = image_model().save(tmp_path / "mnist-tiny")
    few = load(_of_few_items(folder, tmp_path / "few", Path("somewhere"))).config.data
    assert (few.limit, few.path) == (PRIOR_ITEMS, "somewhere")
