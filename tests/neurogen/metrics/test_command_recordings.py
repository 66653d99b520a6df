"""`neurogen evaluate` on recordings: a folder of them, and a model that makes them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from neurogen.data import Scaling
from neurogen.metrics import memorisation
from neurogen.model import Model
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.data.sets import recordings
from tests.neurogen.metrics.conftest import Answer
from tests.neurogen.tiny import event_model
from tests.neurogen.training.runs import make_recordings

Command = Callable[..., Answer]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 training and 12 test recordings of three classes."""
    return make_recordings(tmp_path_factory.mktemp("real") / "set")


@pytest.fixture(autouse=True)
def _few_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorisation, "FEWEST", 5)


def model_of(real: Path) -> Model:
    """An untrained model of these recordings."""
    stored = event_model().stored
    data = stored.config.data.model_copy(update={"name": "nmnist", "path": str(real)})
    info = dataclasses.replace(stored.data_info, sensor_size=(34, 34), edges=(0, 5000, 10000, 15000, 20000))
    scaling = Scaling(kind="dataset", scale=2.0, fit="crop", resolution=16, sensor_size=(34, 34))
    stage1 = stored.config.model_copy(update={"data": data})
    return TwoStageModel(dataclasses.replace(stored, config=stage1, data_info=info, scaling=scaling))


def test_copies_of_the_training_recordings_are_real_and_copied(evaluate: Command, real: Path, tmp_path: Path) -> None:
    shutil.copytree(real / "Train", tmp_path / "copies")
    command = (tmp_path / "copies", "--dataset", "nmnist", "--data", real, "--json")
    code, said, told = evaluate(*command, "--metrics", "neighbours,realism")
    assert code == 0, told
    figures = json.loads(said)
    assert (figures["kind"], figures["count"]) == ("recordings", 30)
    assert figures["neighbours"]["copied"] == 1
    assert figures["neighbours"]["samples_median"] == 0 < figures["neighbours"]["held_out_least"]
    assert figures["realism"]["count_w1"] == figures["realism"]["count_w1_floor"] == 0  # all have 300 events


def test_a_model_of_recordings_is_measured_in_counts_and_drawn(evaluate: Command, real: Path, tmp_path: Path) -> None:
    folder, out = model_of(real).save(tmp_path / "model"), tmp_path / "out"
    metrics = ("--metrics", "neighbours,reconstruction,codes")
    code, said, told = evaluate(folder, "--count", "12", *metrics, "--json", "--out", out)
    assert code == 0, told
    figures = json.loads(said)
    assert figures["reconstruction"]["mse_counts_real"] > 0
    assert 0 < figures["reconstruction"]["events_lost_by_crop"] < 1
    assert figures["codes"]["codes_per_item"] == 16
    assert (figures["neighbours"]["samples"], figures["neighbours"]["held_out"]) == (12, 12)
    assert (out / "neighbours.png").stat().st_size > 0


def test_metrics_of_images_and_other_sensors_are_refused(evaluate: Command, real: Path, tmp_path: Path) -> None:
    made = recordings(tmp_path / "made", {"0": 3}, ".aedat4", (20, 20))
    command = (made, "--dataset", "nmnist", "--data", real)
    assert "expected images for the metric fad" in evaluate(*command, "--metrics", "fad")[2]
    code, out, said = evaluate(*command, "--metrics", "neighbours")
    assert (code, out) == (2, "") and "expected recordings of a 34x34 sensor as the real ones, got 20x20" in said
