"""The map of background events: what it measures, what it adds, how it travels with a model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import neurogen
from neurogen.background import PRIOR, Background, fit_background, quiet
from neurogen.config import parse_config
from neurogen.model import Model
from neurogen.model_folder import ModelFolderError, load_model
from neurogen.training import train_run
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.tiny import event_model
from tests.neurogen.training.runs import make_recordings, prior_run_config, stage1_config


def sparse() -> Model:
    """The tiny model with most of its counts below a half."""
    stored = event_model().stored
    return TwoStageModel(dataclasses.replace(stored, scaling=dataclasses.replace(stored.scaling, scale=0.5)))


def noisy(model: Model, rate: float = 0.02) -> Model:
    """The model, asked to put back `rate` events a quiet cell; one pixel has ten times as many ON."""
    pixels = np.ones((2, 18, 18), np.float32)
    pixels[1, 2, 3] = 10
    recording = model.config.recording.model_copy(update={"background": True})
    stage1 = model.config.model_copy(update={"recording": recording})
    background = Background(np.full((4, 2), rate, np.float32), pixels)
    return TwoStageModel(dataclasses.replace(model.stored, config=stage1, background=background))


def test_a_cell_is_quiet_where_it_and_its_eight_neighbours_hold_nothing() -> None:
    counts = np.zeros((2, 5, 6), int)
    counts[0, 1, 2], counts[1, 4, 5] = 3, 1
    expected = np.ones((2, 5, 6), bool)
    expected[0, 0:3, 1:4], expected[1, 3:5, 4:6] = False, False
    assert np.array_equal(quiet(counts), expected)


def test_the_map_is_the_mean_of_real_events_in_cells_that_are_quiet_in_what_was_made() -> None:
    real, made = np.zeros((5, 1, 2, 6, 6), int), np.zeros((5, 1, 2, 6, 6), int)
    real[:, 0, 1, 4, 4] = 2  # a hot pixel
    real[:4, 0, 1, 0, 1], made[:4, 0, 1, 0, 0] = 7, 1  # beside what the model makes: no background
    real[4, 0, 1, 0, 1] = 3
    background = fit_background([(real[:2], made[:2]), (real[2:], made[2:])])
    cells = 5 * 36 - 4 * 4.0  # ON cells; four around each event made at the corner are not quiet
    plain = (5 * 2 + 3) / cells
    hot, beside, silent = (10 + PRIOR) / (5 * plain + PRIOR), (3 + PRIOR) / (plain + PRIOR), PRIOR / (5 * plain + PRIOR)
    corner = PRIOR / (plain + PRIOR)
    scale = 13 / (5 * hot + beside + 3 * corner + 5 * 31 * silent)
    rates = background.rates
    assert rates[0, 1, 4, 4] == pytest.approx(hot * scale, rel=1e-5)
    assert rates[0, 1, 0, 1] == pytest.approx(beside * scale, rel=1e-5)
    assert rates[0, 1, 0, 0] == pytest.approx(corner * scale, rel=1e-5)
    assert rates[0, 1, 3, 3] == pytest.approx(silent * scale, rel=1e-5)
    assert not rates[0, 0].any()
    assert (quiet(made) * rates).sum() == pytest.approx(13, rel=1e-5)


def test_events_are_added_to_quiet_cells_alone_at_their_rate() -> None:
    pixels = np.ones((2, 30, 30), np.float32)
    pixels[0, 20, 20] = 50
    background = Background(np.array([[0.01, 0.1]], np.float32), pixels)
    counts = np.zeros((1, 2, 30, 30), np.int32)
    counts[0, :, 5:9, 5:9] = 4
    added = np.stack([background.added_to(counts, seed) - counts for seed in range(400)])
    assert added.min() == 0
    assert not added[..., 4:10, 4:10].any()
    off, on = added[:, 0, 0], added[:, 0, 1]
    assert on.sum() / (400 * 864) == pytest.approx(0.1, rel=0.03)  # 864 quiet cells: 34,560 events expected, 0.5 %
    assert off[:, 20, 20].mean() == pytest.approx(0.5, abs=0.14)  # four standard deviations
    assert (off.sum() - off[:, 20, 20].sum()) / (400 * 863) == pytest.approx(0.01, rel=0.08)


def test_counts_of_another_sensor_are_refused() -> None:
    background = Background(np.ones((4, 2), np.float32), np.ones((2, 18, 18), np.float32))
    with pytest.raises(ValueError, match=r"shape \(4, 2, 18, 18\) as the background has, got \(4, 2, 34, 34\)"):
        background.added_to(np.zeros((4, 2, 34, 34), int), 0)


def test_the_noise_of_a_sample_does_not_depend_on_how_many_are_asked_for() -> None:
    model = noisy(sparse())
    few, many = model.sample(3, seed=5), model.sample(40, seed=5)
    assert np.array_equal(few.counts, many.counts[:3])
    plain = sparse().sample(40, seed=5)
    added = many.counts - plain.counts
    assert added.sum() > 0 and added.min() == 0
    assert not np.array_equal(added[0], added[1])


def test_a_map_changes_nothing_unless_it_is_asked_for() -> None:
    model = sparse()
    asked = noisy(model).stored
    unasked = TwoStageModel(dataclasses.replace(asked, config=model.stored.config))
    assert np.array_equal(unasked.sample(4).counts, model.sample(4).counts)


def test_the_map_travels_in_the_model_folder(tmp_path: Path) -> None:
    model = noisy(sparse())
    again = neurogen.load(model.save(tmp_path / "model"))
    assert np.array_equal(again.sample(4).counts, model.sample(4).counts)
    assert not np.array_equal(again.sample(4).counts, sparse().sample(4).counts)


def test_a_folder_that_lacks_the_map_it_asks_for_is_refused(tmp_path: Path) -> None:
    stored = dataclasses.replace(noisy(sparse()).stored, background=None)
    with pytest.raises(ModelFolderError, match=r"expected background\.bins and background\.pixels among the weights"):
        neurogen.load(TwoStageModel(stored).save(tmp_path / "model"))


def test_training_measures_the_map_and_the_prior_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    values = stage1_config(make_recordings(tmp_path / "data"), steps=2).model_dump(mode="json")
    values["recording"] |= {"background": True}
    run = train_run(parse_config(values), tmp_path / "run")
    model = neurogen.load(run)
    background = model.stored.background
    assert background.rates.shape == (4, 2, 34, 34)
    assert "- background: " in (run / "model" / "README.md").read_text(encoding="utf-8")
    bare = TwoStageModel(dataclasses.replace(model.stored, background=None))
    data = neurogen.data.open_data(model.config.data, 4, "train", model.stored.scaling)
    codes = model.encode(data.batch(torch.arange(len(data))))
    made = bare.finish(model.decode(codes), codes, data.labels).counts
    missed = (np.asarray(data.counts) * quiet(made)).sum()
    assert (background.rates * quiet(made)).sum() == pytest.approx(missed, rel=1e-4)
    prior = load_model(train_run(prior_run_config(run, steps=2), tmp_path / "prior"))
    assert np.array_equal(prior.background.pixels, background.pixels)
