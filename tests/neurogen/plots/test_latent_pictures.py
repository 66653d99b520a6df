"""Pictures of a model of one network at work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neurogen.neurons import LIF
from neurogen.plots import Items, items_of, plot_model, raster_figure, stream_figure
from neurogen.plots.activity import watched_neurons
from neurogen.plots.latent_models import latent_model_figures
from tests.neurogen.metrics.test_network_operations import fsvae, images, model_of
from tests.neurogen.models.awake import STEPS, generator, generator_config

LAYERS = ["time_cells_encoder", "membranes_encoder", "time_cells_decoder", "membranes_decoder"]


def test_an_autoencoder_has_its_latents_its_stream_its_layers_and_paths(tmp_path: Path) -> None:
    paths = plot_model(fsvae(), tmp_path, Items(images(), np.arange(3), real=True))
    assert [path.stem for path in paths] == ["latents", "stream", *LAYERS, "rates", "interpolation"]
    for path in paths:
        with Image.open(path) as picture:
            assert min(picture.size) > 100 and len(picture.convert("L").getcolors(256) or range(257)) > 2


def test_a_generator_is_shown_on_its_own_samples_and_needs_no_data(tmp_path: Path) -> None:
    model = model_of(generator_config("sgad"), generator("sgad")[0])
    found = items_of(model)
    assert not found.real
    assert torch.equal(found.values, model.decode(found.latents))
    made = [path.stem for path in plot_model(model, tmp_path, found)]
    assert {"latents", "stream", "membranes_first", "rates"} <= set(made)
    assert "interpolation" not in made


def test_samples_of_a_model_without_labels_have_no_names_and_no_map_of_classes() -> None:
    made = latent_model_figures(fsvae(), Items(images(3).repeat(4, 1, 1, 1), np.arange(12) % 3, real=False))
    assert {label.get_text() for label in made["latents"].axes[0].get_xticklabels()} == {""}
    assert made["code_map"] is None


def test_spikes_stand_at_their_step_and_the_latent_that_fires_most_above() -> None:
    latents = np.zeros((2, 3, 4))  # items, steps, latents
    latents[0, 1, 2] = latents[1, :, 2] = latents[1, 0, 3] = 1
    raster = raster_figure(latents, [np.zeros((4, 4), np.uint8)] * 2, ["a", "b"]).axes[0]
    marks = sorted(map(tuple, raster.collections[0].get_offsets().tolist()))
    assert marks == [(1, 0), (3, 0), (3, 1), (4, 0), (5, 0)]
    assert "2 of 4 never" in raster.get_ylabel()


def test_numbers_are_colours_the_most_varied_above() -> None:
    latents = np.array([[0.0, 1.0], [0.5, -3.0]])
    raster = raster_figure(latents, [np.zeros((4, 4), np.uint8)] * 2, ["a", "b"]).axes[0]
    assert raster.images[0].get_array().tolist() == [[1.0, -3.0], [0.0, 0.5]]


def test_the_last_column_of_a_stream_is_the_samples() -> None:
    model = fsvae()
    axes = stream_figure(model, seed=3).axes
    last = [axes[row * STEPS + STEPS - 1].images[0].get_array() for row in range(5)]
    assert np.array_equal(np.stack(last), model.sample(5, seed=3).images[:, 0])
    assert [axis.get_title() for axis in axes[:STEPS]] == [f"step {t}" for t in range(1, STEPS + 1)]


@pytest.mark.parametrize("reset", [0.0, None])
def test_a_layer_that_is_run_step_by_step_has_the_activity_of_all_steps(reset: float | None) -> None:
    x = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(0)) + 0.5
    at_once, in_turn = (torch.nn.Sequential(LIF(tau=2.0, decay_input=False, v_reset=reset)) for _ in range(2))
    with torch.no_grad(), watched_neurons(at_once) as one, watched_neurons(in_turn) as other:
        at_once(x)
        for step in x:
            in_turn(step[None])
    assert torch.equal(one["0"].spikes, other["0"].spikes)
    assert torch.equal(one["0"].membranes()[0], other["0"].membranes()[0])
    assert 0 < one["0"].rate < 1
