"""What ships is found by its name, whole, small and with a card."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import numpy as np
import pytest
import torch

import neurogen
from neurogen import pretrained
from neurogen.model_folder import ModelFolderError, load_model
from tests.data import ROOT
from tests.neurogen.tiny import event_model, image_model

NAMES = pretrained.names()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place with a tiny model called mnist-tiny and a classifier, in the stead of what ships; elsewhere we stand."""
    place, here = tmp_path / "shelf", tmp_path / "here"
    image_model().save(place / "mnist-tiny")
    (place / "mnist-classifier").mkdir()
    (place / "mnist-classifier" / "README.md").write_text(
        "# mnist-classifier\n\nIt reads digits.\n\n- figures: accuracy 99 %\n- data licence: none\n"
    )
    (place / "__pycache__").mkdir()
    here.mkdir()
    monkeypatch.setattr(pretrained, "HERE", place)
    monkeypatch.chdir(here)
    yield place


def test_a_name_loads_the_model_that_ships(shelf: Path) -> None:
    assert np.array_equal(neurogen.load("mnist-tiny").sample(2).images, image_model().sample(2).images)


def test_a_folder_of_that_name_goes_first(shelf: Path) -> None:
    event_model().save("mnist-tiny")
    assert neurogen.load("mnist-tiny").makes_recordings
    assert pretrained.find("mnist-tiny") is None


def test_a_path_is_never_a_name(shelf: Path) -> None:
    for path in ("./mnist-tiny", "mnist-tiny/", "../here/mnist-tiny"):
        assert pretrained.find(path) is None
        with pytest.raises(ModelFolderError, match="found nothing"):
            load_model(path)


def test_a_folder_without_a_model_that_hides_one_is_said(shelf: Path) -> None:
    Path("mnist-tiny").mkdir()
    with pytest.raises(ModelFolderError, match="rename it to mean the mnist-tiny that ships"):
        load_model("mnist-tiny")


def test_an_unknown_name_is_answered_with_the_nearest_and_the_list(shelf: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"got mnist-tinny; did you mean mnist-tiny\? These ship: mnist-tiny"):
        neurogen.load("mnist-tinny")


def test_a_classifier_is_no_model_that_samples(shelf: Path) -> None:
    assert pretrained.find("mnist-classifier") == shelf / "mnist-classifier"
    with pytest.raises(ModelFolderError, match="expected a run, a model folder or the name of a model that samples"):
        neurogen.load("mnist-classifier")


def test_the_list_reads_the_cards(shelf: Path) -> None:
    classifier, model = pretrained.listing()
    size = sum(path.stat().st_size for path in (shelf / "mnist-tiny").iterdir())
    assert classifier == pretrained.Shipped(
        "mnist-classifier", "It reads digits.", classifier.size, "accuracy 99 %", "none"
    )
    assert (model.name, model.size) == ("mnist-tiny", size)
    assert model.what.startswith("A spiking generative model")
    assert model.licence.startswith("CC BY-SA 3.0")


@pytest.mark.parametrize("missing", ["weights.safetensors", "config.yaml"])
def test_a_file_that_is_missing_is_named(shelf: Path, missing: str) -> None:
    (shelf / "mnist-tiny" / missing).unlink()
    with pytest.raises(ModelFolderError, match=re.escape(missing)):
        neurogen.load("mnist-tiny")


def test_float16_weights_become_float32(shelf: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = shelf / "mnist-tiny" / "weights.safetensors"
    tensors = load_file(weights)
    save_file({name: t.half() if name.startswith("prior.") else t for name, t in tensors.items()}, weights)
    _seal(shelf / "mnist-tiny")
    prior = load_model("mnist-tiny").prior
    assert prior is not None
    assert {p.dtype for p in prior.parameters()} == {torch.float32}
    name, parameter = next(iter(prior.named_parameters()))
    assert torch.equal(parameter, tensors[f"prior.{name}"].half().float())


def _seal(folder: Path) -> None:
    """Make config.yaml agree with the weights."""
    import hashlib

    import yaml

    description = yaml.safe_load((folder / "config.yaml").read_text())
    description["sha256"] = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    (folder / "config.yaml").write_text(yaml.safe_dump(description))


@pytest.mark.parametrize("name", NAMES)
def test_what_ships_is_small_and_has_a_whole_card(name: str) -> None:
    folder = pretrained.HERE / name
    (entry,) = (one for one in pretrained.listing() if one.name == name)
    assert entry.size < 5_000_000
    assert entry.what and entry.figures and entry.licence
    for path in folder.iterdir():
        if path.suffix in (".md", ".yaml", ".json"):
            assert not re.search(r"(?<![\w.])/(?:work|home|root|tmp)/", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("name", pretrained.model_names())
def test_a_model_that_ships_has_figures_of_its_weights_and_its_first_losses(name: str) -> None:
    folder = pretrained.HERE / name
    stored = load_model(folder)
    figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    assert figures and all(one["model_sha256"] == stored.sha256 for one in figures)
    assert (folder / "losses.json").is_file()
    assert "settings_sha256" in (folder / "config.yaml").read_text(encoding="utf-8")


def test_all_that_ships_is_packaged_and_no_ignore_rule_hides_it() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    pattern = config["options.package_data"]["neurogen.pretrained"]
    packaged = set(pretrained.HERE.glob(pattern))
    files = [path for name in NAMES for path in (pretrained.HERE / name).rglob("*") if path.is_file()]
    assert [path for path in files if path not in packaged] == []
    if not (ROOT / ".git").exists() or not files:
        pytest.skip("no checkout")
    hidden = subprocess.run(
        ["git", "check-ignore", "--no-index", *map(str, files)], cwd=ROOT, capture_output=True, text=True
    )
    assert hidden.stdout == ""
