"""Layers of a trained network beside recorded neurons, from the command line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from neurogen.training import train_run
from tests.data import ROOT
from tests.neurogen.data.image_sets import mnist
from tests.neurogen.systems import small_config
from train.similarity import main


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mnist(tmp_path_factory.mktemp("images"), 40)


@pytest.fixture(scope="module")
def runs(images: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {name: train_run(small_config(name, images, steps=1), folder / name) for name in ("sae", "swgan")}


@pytest.fixture(scope="module")
def neural(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("neural") / "recorded.npz"
    np.savez(path, stimuli=rng.integers(0, 256, (5, 1, 16, 16)).astype(np.uint8), responses=rng.random((2, 5, 7)))
    return path


def asked(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["similarity", *map(str, arguments)])
    main()


@pytest.mark.parametrize(
    ("name", "layers"),
    [("sae", {"encoder.stages.1.neuron"}), ("swgan", {"stages.0.neuron", "hidden.neuron"})],
)
def test_encoders_and_discriminators_are_compared(
    name: str,
    layers: set[str],
    runs: dict[str, Path],
    neural: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked(monkeypatch, runs[name], neural, "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["stimuli"], found["neurons"]) == (5, 7)
    assert layers <= {layer["layer"] for layer in found["layers"]}
    assert -1 <= found["ceiling"]["lower"] <= found["ceiling"]["upper"] <= 1
    asked(monkeypatch, runs[name], neural)
    said = capsys.readouterr().out
    assert said.startswith("layer ") and "noise ceiling of RSA: " in said


def test_a_generator_without_its_run_is_refused(
    runs: dict[str, Path], neural: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match=r"error: expected the run of a GAN, .*; name a run"):
        asked(monkeypatch, runs["swgan"] / "model", neural)


def test_stimuli_of_another_size_are_refused(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "a.npz", stimuli=np.zeros((5, 1, 8, 8), np.uint8), responses=np.zeros((5, 2)))
    with pytest.raises(SystemExit, match=r"expected stimuli \(1, 16, 16\) for this model, got \(1, 8, 8\)"):
        asked(monkeypatch, runs["sae"], tmp_path / "a.npz")


def test_the_guide_compares_as_it_says(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program of docs/similarity.md, with a trained network of 16x16 pixels in the place of its run."""
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "similarity.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(program.replace("runs/fsvae-mnist", str(runs["sae"])).replace("32, 32", "16, 16"), names)
    assert names["ceiling"] is not None
    assert {each.layer for each in names["found"]} >= {"encoder.stages.1.neuron"}  # type: ignore[attr-defined]
