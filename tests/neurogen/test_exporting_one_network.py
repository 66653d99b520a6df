"""`neurogen export` of models of one network: files and a report of test items or samples, or a refusal and nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import export
from neurogen.data.scaling import Scaling
from neurogen.exporting import ExportOptions, export_model, summary
from neurogen.latent_model import LatentModel
from neurogen.model_folder import DataInfo, StoredModel
from tests.neurogen.chip_spikes import check_layers
from tests.neurogen.metrics.small_data import mnist_like
from tests.neurogen.models import awake
from tests.neurogen.training.runs import make_recordings

IMAGES = DataInfo(("a", "b", "c"), (10, 30, 60))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mnist_like(tmp_path_factory.mktemp("images"), 12, 12)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))


def generator(system: str, **how: object) -> LatentModel:
    network, *_ = awake.generator(system, **how)  # type: ignore[arg-type]
    config = awake.generator_config(system, **how)  # type: ignore[arg-type]
    return LatentModel(StoredModel(config, network, None, IMAGES, None, None, {}, ""))


def test_an_fsvae_of_recordings_leaves_with_real_test_items(tmp_path: Path) -> None:
    config = awake.fsvae_config(
        "event", name="nmnist", path=str(make_recordings(tmp_path / "data")), fit="resize", scaling="dataset"
    )
    scaling = Scaling(kind="dataset", scale=2.0, fit="resize", resolution=8, sensor_size=(34, 34))
    info = DataInfo(("a", "b", "c"), (10, 30, 60), (34, 34), (0, 1000, 2000, 3000, 4000), None, (50.0, 60.0, 70.0))
    model = LatentModel(StoredModel(config, awake.autoencoder(config), scaling, info, None, None, {}, ""))
    figures = export_model(model, tmp_path / "out")
    assert figures["samples"] == 12
    assert figures["steps"] == awake.STEPS
    assert figures["values"]["float"]["model"] < 1e-8
    assert set(figures["values"]["simulated"]) == {"data", "model"}
    assert figures["agreement"]["spikes"] > 0
    assert "picked by chance" in figures["host"][-1]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "nmnist: the decoder of a fully spiking VAE on Loihi 2" in page
    assert "on the host: the latent is drawn" in page
    with np.load(tmp_path / "out" / "samples.npz") as stored:
        check_layers(export.read_netx(tmp_path / "out" / "decoder.net"), stored)


@pytest.mark.parametrize(("system", "readout"), [("sgan", "host"), ("swgan", "membrane"), ("sgad", "host")])
def test_a_generator_leaves_with_its_own_samples(system: str, readout: str, tmp_path: Path) -> None:
    options = ExportOptions(("netx",), readout=readout)  # type: ignore[arg-type]
    figures = export_model(generator(system), tmp_path / "out", options=options)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "decoder.net",
        "decoder.net.json",
        "samples.npz",
        "report.json",
        "report.html",
    }
    assert figures["values"]["float"]["model"] < 1e-8
    assert set(figures["values"]["simulated"]) == {"model"}  # no data to err from
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert re.findall(r"<figcaption>([^<]+)</figcaption>", page) == ["samples", "float", "quantised", "simulated"]
    assert "mnist: the generator of a spiking" in page
    shown = summary(json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8")), tmp_path)
    assert shown["squared error from the model, simulated"] == figures["values"]["simulated"]["model"]


def test_a_generator_by_label_shows_the_labels_it_drew(tmp_path: Path) -> None:
    figures = export_model(generator("sgad", classes=3), tmp_path / "out", options=ExportOptions(("netx",)))
    assert figures["values"]["float"]["model"] < 1e-8


def test_an_sae_of_a_chip_s_neurons_leaves_whole(images: Path, tmp_path: Path) -> None:
    config = awake.sae_config("lif", path=str(images), fit="resize")
    model = LatentModel(StoredModel(config, awake.autoencoder(config), None, IMAGES, None, None, {}, ""))
    figures = export_model(model, tmp_path / "out", options=ExportOptions(part="whole", readout="membrane"))
    assert figures["values"]["float"]["model"] < 1e-8
    assert [layer["output"] for layer in figures["layers"]] == ["spikes"] * 5 + ["membrane"]


def test_an_sae_as_published_is_refused_and_nothing_is_written(images: Path, tmp_path: Path) -> None:
    config = awake.sae_config("delayed", path=str(images), fit="resize")
    model = LatentModel(StoredModel(config, awake.autoencoder(config), None, IMAGES, None, None, {}, ""))
    with pytest.raises(export.Refusal, match=r"decoder\.first\.neuron: DelayedReset"):
        export_model(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_generator_s_missing_encoder_is_one_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^expected --part decoder for the generator of a GAN, got encoder"):
        export_model(generator("swgan"), tmp_path / "out", options=ExportOptions(part="encoder"))
    assert not (tmp_path / "out").exists()


def test_the_latents_compared_are_the_first_samples_of_seed_0() -> None:
    from neurogen.compared import samples

    model = generator("sgad")
    compared = samples(model, 5)
    assert torch.equal(compared.given, torch.from_numpy(model.sample(5).latents))
    assert np.array_equal(model.finish(compared.trained, None, compared.labels).images, model.sample(5).images)
