"""Saving, loading and refusing model folders."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml

import neurogen
from neurogen.config import DataConfig
from neurogen.model_card import DATA_LICENCES
from neurogen.model_folder import ModelFolderError, load_model
from neurogen.neurons import LIF
from tests.neurogen.tiny import event_model, image_model


def test_a_saved_model_samples_the_same(tmp_path: Path) -> None:
    model = event_model()
    model.save(tmp_path / "model")
    again = neurogen.load(tmp_path / "model")
    assert np.array_equal(again.sample(4, seed=3).counts, model.sample(4, seed=3).counts)
    assert again.classes == model.classes


@pytest.mark.parametrize(("trained_on", "loaded"), [("cupy", "auto"), ("torch", "auto"), ("braincog", "braincog")])
def test_a_model_goes_where_the_backend_that_trained_it_is_not(tmp_path: Path, trained_on: str, loaded: str) -> None:
    folder = event_model().save(tmp_path / "model")
    description = yaml.safe_load((folder / "config.yaml").read_text())
    for part in ("first_stage", "prior"):
        description[part]["neurons"]["backend"] = trained_on
    (folder / "config.yaml").write_text(yaml.safe_dump(description))
    stored = load_model(folder)
    assert stored.prior_config is not None
    assert stored.config.neurons.backend == stored.prior_config.neurons.backend == loaded
    nodes = [node for part in (stored.network, stored.prior) for node in part.modules() if isinstance(node, LIF)]
    assert {node.backend for node in nodes} == {loaded}


def test_images_survive_the_folder(tmp_path: Path) -> None:
    model = image_model()
    model.save(tmp_path / "model")
    assert np.array_equal(neurogen.load(tmp_path / "model").sample(4).images, model.sample(4).images)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    event_model().save(tmp_path / "a")
    event_model().save(tmp_path / "b")
    for name in ("weights.safetensors", "config.yaml", "README.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    folder = event_model().save(tmp_path / "model")
    weights = bytearray((folder / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(weights)
    with pytest.raises(ModelFolderError, match="sha256"):
        neurogen.load(folder)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    folder = event_model().save(tmp_path / "model")
    description = yaml.safe_load((folder / "config.yaml").read_text())
    description["first_stage"]["codebook"]["size"] = 16
    (folder / "config.yaml").write_text(yaml.safe_dump(description))
    with pytest.raises(ModelFolderError, match="weights are of another network"):
        neurogen.load(folder)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="found nothing"):
        neurogen.load(tmp_path / "nowhere")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"found no config\.yaml"):
        neurogen.load(tmp_path)


def test_a_description_cut_short_is_refused(tmp_path: Path) -> None:
    folder = event_model().save(tmp_path / "model")
    (folder / "config.yaml").write_text("format: 1\n")
    with pytest.raises(ModelFolderError, match="cannot read it"):
        neurogen.load(folder)


def test_the_card_names_the_licence_of_the_data(tmp_path: Path) -> None:
    folder = event_model().save(tmp_path / "model")
    assert "CC BY 4.0" in (folder / "README.md").read_text()


def test_every_known_data_set_has_a_licence_for_its_model_card() -> None:
    names = set(get_args(DataConfig.model_fields["name"].annotation))
    assert set(DATA_LICENCES) == names - {"images", "recordings"}
