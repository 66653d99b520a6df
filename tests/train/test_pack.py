"""A run becomes a model that ships: small, sealed, with a card that says everything."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import train.pack as packing
from neurogen.config import load_config, parse_config
from neurogen.model import load
from neurogen.model_folder import ModelFolderError
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.tiny import image_model
from train import find_config
from train.card import portable, without_paths
from train.pack import PackError, pack

NAME = "mnist-small"  # configurations of that name are what the tiny model is said to differ from


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as a run on somebody's machine leaves it."""
    stored = image_model().stored
    data = stored.config.data.model_copy(update={"path": "/home/somebody/mnist"})
    start = stored.prior_config.train.model_copy(update={"init_from": "/home/somebody/runs/before/model"})
    prior = stored.prior_config.model_copy(update={"first_stage": "/home/somebody/runs/first", "train": start})
    there = replace(stored, config=stored.config.model_copy(update={"data": data}), prior_config=prior)
    return TwoStageModel(there).save(tmp_path_factory.mktemp("run") / "model")


@pytest.fixture(scope="module")
def packed(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(run, NAME, tmp_path_factory.mktemp("packed"), {"wall time": "2 h, 40 min"})


def test_it_samples_as_the_run_does(run: Path, packed: Path) -> None:
    assert np.array_equal(load(packed).sample(3, seed=1).images, load(run).sample(3, seed=1).images)


def test_no_path_of_the_machine_is_left(packed: Path) -> None:
    for path in (packed / "README.md", packed / "config.yaml"):
        assert "/home" not in path.read_text(), path.name


def test_the_card_has_its_facts_and_all_settings(packed: Path) -> None:
    text = (packed / "README.md").read_text()
    for line in ("- wall time: 2 h, 40 min", "- data licence: CC BY-SA 3.0", "- hardware: ", ", torch "):
        assert line in text
    settings = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    description = yaml.safe_load((packed / "config.yaml").read_text())
    assert settings == {key: description[key] for key in ("first_stage", "prior")}


def test_the_card_s_commands_give_the_very_settings(packed: Path) -> None:
    block = (packed / "README.md").read_text().split("## Made by\n\n```\n")[1].split("\n```")[0].splitlines()
    assert len(block) == 2
    description = yaml.safe_load((packed / "config.yaml").read_text())
    for line, stage in zip(block, ("first_stage", "prior"), strict=True):
        command, verb, name, *overrides, _, out = shlex.split(line)
        assert (command, verb, name.split("/")[1]) == ("neurogen", "train", NAME)
        assert out.startswith(f"runs/{NAME}")
        config = load_config(find_config(name), overrides)
        assert portable(config) == parse_config(description[stage])


def test_a_large_prior_is_kept_in_float16_and_the_first_stage_is_not(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "CARDS", packing.LARGEST)
    folder = pack(run, NAME, tmp_path, {})
    types = {name.split(".")[0]: tensor.dtype for name, tensor in load_file(folder / "weights.safetensors").items()}
    assert types["prior"] == torch.float16
    for (name, ours), theirs in zip(
        load(folder).stored.network.state_dict().items(),
        load(run).stored.network.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(ours, theirs), name
    exact, kept = (load(path).stored.prior.state_dict() for path in (run, folder))
    for name, tensor in kept.items():
        assert tensor.dtype == exact[name].dtype
        assert torch.equal(tensor, exact[name].half().to(tensor.dtype)), name
    assert "- weights: first stage float32, prior float16" in (folder / "README.md").read_text()


def test_what_is_too_large_does_not_ship_and_leaves_what_was_there(
    run: Path, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (packed / "config.yaml").read_bytes()
    monkeypatch.setattr(packing, "LARGEST", 10_000)
    with pytest.raises(PackError, match=r"expected mnist-small below 0 MB, got 0\.\d+"):
        pack(run, NAME, packed.parent, {"other": "card"})
    assert (packed / "config.yaml").read_bytes() == before
    assert [path.name for path in packed.parent.iterdir()] == [NAME]


def test_figures_are_kept_whole_and_shown_without_paths(run: Path, packed: Path, tmp_path: Path) -> None:
    figures = {
        "what": "/home/somebody/packed/mnist-small",
        "protocol": "standard",
        "seed": 3,
        "model_sha256": load(packed).stored.sha256,
        "fad-paper": {"generated": 2.123456789, "extractor": "weights at /home/somebody/ae.pth"},
    }
    folder = pack(run, NAME, tmp_path, {}, ["event-tools simulate"], [figures], {"fad-paper.generated": "distance"})
    (kept,) = json.loads((folder / "figures.json").read_text())
    assert kept["fad-paper"] == {"generated": 2.123456789, "extractor": "weights at ae.pth"}
    text = (folder / "README.md").read_text()
    assert "- figures: distance 2.123\n" in text
    assert "| generated | 2.1235 |" in text
    assert f"neurogen evaluate {NAME} --protocol standard --seed 3 --json" in text
    assert "```\nevent-tools simulate\nneurogen train tts_vqvae/mnist-small" in text
    assert "/home" not in text


def test_figures_of_other_weights_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="these are of abcabc"):
        pack(run, NAME, tmp_path, {}, figures=[{"model_sha256": "abcabc"}])
    assert list(tmp_path.iterdir()) == []


def test_a_main_figure_that_nobody_measured_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"expected the figure fad\.generated"):
        pack(run, NAME, tmp_path, {}, short={"fad.generated": "distance"})


def test_a_first_stage_alone_does_not_ship(tmp_path: Path) -> None:
    model = TwoStageModel(replace(image_model().stored, prior=None, prior_config=None))
    with pytest.raises(PackError, match="is a first stage alone"):
        pack(model.save(tmp_path / "run"), NAME, tmp_path, {})


def test_losses_stay_with_the_weights_that_they_were_recorded_for(run: Path, tmp_path: Path) -> None:
    folder = pack(run, NAME, tmp_path, {})
    (folder / "losses.json").write_text("{}")
    assert (pack(run, NAME, tmp_path, {"a": "line"}) / "losses.json").is_file()
    other = image_model()
    with torch.no_grad():
        next(other.stored.prior.parameters()).add_(1)
    assert not (pack(other.save(tmp_path / "other"), NAME, tmp_path, {}) / "losses.json").exists()


def test_edited_settings_of_what_ships_are_refused(packed: Path, tmp_path: Path) -> None:
    text = (packed / "config.yaml").read_text()
    assert text.count("tau: 2.0") == 2
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "weights.safetensors").write_bytes((packed / "weights.safetensors").read_bytes())
    (copy / "config.yaml").write_text(text.replace("tau: 2.0", "tau: 4.0", 1))
    with pytest.raises(ModelFolderError, match="as it ships, it was edited"):
        load(copy)
    (copy / "config.yaml").write_text(f"# only a note\n{text}")
    load(copy)


def test_what_a_user_saves_of_it_may_be_edited(packed: Path, tmp_path: Path) -> None:
    own = load(packed).save(tmp_path / "own")
    assert "settings_sha256" not in (own / "config.yaml").read_text()
    assert np.array_equal(load(own).sample(2).images, load(packed).sample(2).images)


def test_only_absolute_paths_are_cut() -> None:
    said = {"a": "32x32, PIL bilinear", "b": ["at /x/y/z.pth", "n/m and/or"], "c": 1.5, "d": "runs/mine"}
    assert without_paths(said) == {**said, "b": ["at z.pth", "n/m and/or"]}


def test_an_address_on_the_web_is_no_path() -> None:
    said = "expected it from https://example.org/weights/of-all.pth at /home/me/cache/of-all.pth"
    assert without_paths(said) == "expected it from https://example.org/weights/of-all.pth at of-all.pth"
