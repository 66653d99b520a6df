"""Pictures of a model at work."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neurogen.data import DataError
from neurogen.model_folder import ModelFolderError
from neurogen.plots import Items, items_of, plot_model
from neurogen.plots.command import plot_all
from neurogen.plots.models import watched_work
from neurogen.rates import firing_rates
from neurogen.sampling import OutputError
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.test_plots import run
from tests.neurogen.tiny import awake, event_model, image_model

MADE = ["latents", "time_cells_encoder", "membranes_encoder", "time_cells_decoder", "membranes_decoder", "rates"]


def items(count: int = 4) -> Items:
    x = torch.rand(count, 4, 2, 16, 16, generator=torch.Generator().manual_seed(0)) * 6
    return Items(x, np.arange(count) % 3, real=True)


def test_a_model_of_recordings_has_all_pictures(tmp_path: Path) -> None:
    paths = plot_model(awake(event_model()), tmp_path / "new", items())
    assert [path.stem for path in paths] == MADE
    for path in paths:
        with Image.open(path) as picture:
            assert min(picture.size) > 150 and len(picture.convert("L").getcolors(256) or range(257)) > 2


def test_layers_at_work_fire_as_they_do_unwatched_and_make_the_same_codes() -> None:
    model = awake(event_model())
    activity, codes = watched_work(model, items())
    assert torch.equal(codes, model.encode(items().values))
    own = {name: each.rate for name, each in activity.items() if not name.startswith("prior.")}
    assert own == pytest.approx(firing_rates(model.stored.network, items().values), rel=1e-6)
    assert sum(name.startswith("prior.") for name in activity) == 4


def test_a_model_that_has_lost_its_data_is_shown_on_its_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    model = image_model()
    monkeypatch.setattr("neurogen.plots.items.open_data", lost)
    found = items_of(model)
    assert not found.real
    assert found.values.shape[1:] == (1, 16, 16)
    with pytest.raises(DataError, match="no such data"):
        items_of(model, Path("elsewhere"))
    with pytest.raises(DataError, match="no such data"):
        items_of(TwoStageModel(dataclasses.replace(model.stored, prior=None, prior_config=None)))


def lost(*_: object, **__: object) -> None:
    raise DataError("no such data")


def test_an_unfinished_run_has_its_curves_alone(tmp_path: Path) -> None:
    paths = list(plot_all(str(run(tmp_path, ("total",))), None, None, pytest.fail))
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == ["pictures/losses.png"]


def test_a_model_folder_is_left_as_it_is_and_drawn_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurogen.plots.items.open_data", lost)
    folder = image_model().save(tmp_path / "model")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(OutputError, match="expected --out FOLDER for the pictures"):
        list(plot_all(str(folder), None, None, pytest.fail))
    said: list[str] = []
    assert len(list(plot_all(str(folder), tmp_path / "pictures", None, said.append))) >= 4
    assert "on its own samples" in said[0]
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_run_whose_data_is_gone_still_has_its_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurogen.plots.items.open_data", lost)
    model = image_model()
    TwoStageModel(dataclasses.replace(model.stored, prior=None, prior_config=None)).save(
        run(tmp_path, ("total",)) / "model"
    )
    said: list[str] = []
    assert [path.name for path in plot_all(str(tmp_path), None, None, said.append)] == ["losses.png"]
    assert said == ["no pictures of its spikes: no such data"]


def test_what_is_no_run_and_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError):
        list(plot_all(str(tmp_path), None, None, pytest.fail))
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OutputError, match="expected --out to be a folder"):
        list(plot_all(str(tmp_path), file, None, pytest.fail))
