"""The guide's own configuration trains, and a prior fits it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from neurogen.config import load_config
from neurogen.training import train_run
from tests.data import ROOT
from tests.neurogen.training.runs import make_recordings
from train import find_config

GUIDE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
SHORT = ["train.steps=2", "train.batch_size=8", "train.threads=1", "train.tune_allocator=false"]


def test_the_guides_configuration_trains_on_ones_own_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    path = tmp_path / "my.yaml"
    path.write_text(text, encoding="utf-8")
    smaller = ["data.resolution=32", "model.spiking.widths=[8, 16]", f"data.path={make_recordings(tmp_path / 'mine')}"]
    first = train_run(load_config(path, [*smaller, *SHORT]), tmp_path / "first")
    given = [f"first_stage={first}", "model.classes=3", "model.dim=32", "model.layers=1"]
    prior = train_run(load_config(find_config("prior/nmnist-small"), [*given, *SHORT]), tmp_path / "prior")
    assert (prior / "model" / "weights.safetensors").is_file()


def test_the_guides_configuration_gives_the_codes_that_its_prior_takes() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    values = yaml.safe_load(text)
    prior = load_config(find_config("prior/nmnist-small"))
    sites = values["data"]["resolution"] >> len(values["model"]["spiking"]["widths"])
    assert (prior.model.codes, prior.model.height, prior.model.width) == (values["codebook"]["size"], sites, sites)
