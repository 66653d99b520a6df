"""The scripts that train classifiers and extractors, on a few images: the folder works and is the seed's alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from neurogen.metrics import fitting
from neurogen.metrics.classifier import FORMS, Judge, load_classifier
from neurogen.metrics.extractor import load_extractor
from neurogen.metrics.fitting import new_classifier
from tests.neurogen.data.image_sets import idx
from tests.neurogen.metrics.bright_bars import bars
from tests.neurogen.training.runs import make_recordings
from train import classifier, extractor


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MNIST's files with bars instead of digits."""
    for name, n, seed in (("train", 700, 0), ("t10k", 100, 1)):
        images, labels = bars(n, seed)
        idx(tmp_path / f"{name}-images-idx3-ubyte", images[:, 0])
        idx(tmp_path / f"{name}-labels-idx1-ubyte", labels.astype(np.uint8))
    monkeypatch.setattr(classifier, "HELD_OUT", {"mnist": 100, "nmnist": 6})
    monkeypatch.setattr(extractor, "HELD_OUT", {"mnist": 100})
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, script: object, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["script", *map(str, arguments)])
    script.main()


def test_a_classifier_of_images_is_written_with_its_card(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "STEPS_OF", {"mnist": 25})
    monkeypatch.setattr(fitting, "BATCH", 32)
    for out in ("one", "two"):
        run(monkeypatch, classifier, "mnist", "--data", digits, "--out", tmp_path / out)
    weights = [(tmp_path / out / "weights.safetensors").read_bytes() for out in ("one", "two")]
    assert weights[0] == weights[1]
    assert load_classifier(tmp_path / "one").measured["test_accuracy"] > 0.3  # by chance 0.1
    card = (tmp_path / "one" / "README.md").read_text()
    assert "- data: MNIST, 600 training items, 100 of the training part held out for validation, 100 test items" in card
    assert "- data licence: CC BY-SA 3.0" in card


def test_features_get_a_mean_square_of_1_and_logits_stay() -> None:
    judge, (images, _) = Judge("mnist", new_classifier(FORMS["mnist"], 0).eval(), {}), bars(50, 0)
    before = judge(images)
    after = classifier.of_unit_features(judge, images)(images)
    assert np.square(after.features).mean() == pytest.approx(1, rel=1e-5)
    assert np.square(before.features).mean() < 0.5
    np.testing.assert_allclose(after.logits, before.logits, atol=1e-5)


def test_a_classifier_of_recordings_is_written(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "STEPS_OF", {"nmnist": 2})
    data = make_recordings(tmp_path / "recordings")
    run(monkeypatch, classifier, "nmnist", "--data", data, "--out", tmp_path / "out")
    assert load_classifier(tmp_path / "out").dataset == "nmnist"


def test_an_extractor_is_written_with_its_card(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractor, "EPOCHS", 1)
    run(monkeypatch, extractor, "mnist", "--data", digits, "--out", tmp_path / "out")
    load_extractor(tmp_path / "out")
    assert "squared error of held-out images" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("script", [classifier, extractor])
def test_data_that_are_not_there_are_one_sentence_and_status_2(
    script: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(monkeypatch, script, "mnist", "--data", tmp_path, "--out", tmp_path / "out")
    assert stopped.value.code == 2
    assert "expected train-images-idx3-ubyte" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
