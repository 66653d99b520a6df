"""The classifier's sections of `neurogen evaluate`, on squares that the shipped classifiers have never seen."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from neurogen.metrics import cas
from neurogen.metrics.classifier import load_classifier
from tests.neurogen.metrics.conftest import Answer
from tests.neurogen.metrics.small_data import mnist_like, picture_folder, squares
from tests.neurogen.training.runs import make_recordings

Command = Callable[..., Answer]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    mnist_like(folder / "data", train=150, test=80)
    picture_folder(folder / "pictures", 130)
    return folder


def figures_of(evaluate: Command, metrics: str, what: Path, dataset: str, data: Path) -> dict[str, float]:
    code, said, told = evaluate(what, "--dataset", dataset, "--data", data, "--metrics", metrics, "--json")
    assert code == 0, told
    return json.loads(said)[metrics]


def test_accuracy_is_that_of_the_shipped_classifier_on_the_folders_labels(evaluate: Command, place: Path) -> None:
    found = figures_of(evaluate, "classifier", place / "pictures", "mnist", place / "data")
    images, labels = squares(130, 3)
    wanted = (load_classifier("mnist")(images).predicted == labels).mean()
    assert found["accuracy"] == pytest.approx(wanted)
    assert found["distance_samples"] == 130
    assert found["classifier_frechet_floor"] > 0


def test_a_classifier_that_learnt_from_samples_is_tested_on_real_items(
    evaluate: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cas.classification_accuracy_score, "__kwdefaults__", {"samples": 5000, "seed": 0, "steps": 8})
    found = figures_of(evaluate, "cas", place / "pictures", "mnist", place / "data")
    assert found["cas_samples"] == 130
    assert found["cas_ratio"] == pytest.approx(found["cas"] / found["cas_of_real"])


def test_recordings_without_a_shipped_classifier_are_judged_by_one_that_learns_now(
    evaluate: Command, tmp_path: Path
) -> None:
    data = make_recordings(tmp_path / "data")
    shutil.copytree(data / "Test", tmp_path / "copies")
    found = figures_of(evaluate, "classifier", tmp_path / "copies", "recordings", data)
    assert found["accuracy"] == found["accuracy_of_real_test"] > 0.9
