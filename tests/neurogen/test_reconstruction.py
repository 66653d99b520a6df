"""Test items through a first stage."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from event_tools import Events, write
from neurogen.data import DataError
from neurogen.model import Model
from neurogen.reconstruction import reconstruct_test_items
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.tiny import event_model


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for i in range(6):
        place = tmp_path / "data" / ("Train" if i < 3 else "Test") / "abc"[i % 3]
        place.mkdir(parents=True)
        n = 200
        t = np.sort(rng.integers(0, 4000, n))
        events = Events(t, rng.integers(0, 34, n), rng.integers(0, 34, n), rng.integers(0, 2, n), (34, 34))
        write(place / f"{i:05d}.bin", events)
    return tmp_path / "data"


def model_of(name: str) -> Model:
    model = event_model()
    config = model.config.model_copy(update={"data": model.config.data.model_copy(update={"name": name})})
    scaling = dataclasses.replace(model.stored.scaling, sensor_size=(34, 34))
    info = dataclasses.replace(model.stored.data_info, sensor_size=(34, 34))
    return TwoStageModel(dataclasses.replace(model.stored, config=config, scaling=scaling, data_info=info))


def test_figures_pictures_and_recordings_come_out(recordings: Path, tmp_path: Path) -> None:
    figures = reconstruct_test_items(model_of("nmnist"), tmp_path / "out", 3, recordings)
    assert figures["items"] == 3
    assert figures["mse"] > 0
    assert (tmp_path / "out" / "reconstructions.png").is_file()
    assert len(list((tmp_path / "out" / "Test").rglob("*.bin"))) == 3


def test_missing_data_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found nothing"):
        reconstruct_test_items(model_of("nmnist"), tmp_path / "out", 3, tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()
