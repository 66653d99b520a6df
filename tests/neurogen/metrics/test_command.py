"""`neurogen evaluate` as a person meets it: figures as text and JSON, pictures, and one sentence for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neurogen.data import open_data
from neurogen.metrics.autoencoder_distance import AutoencoderFeatures
from tests.neurogen.metrics.conftest import Answer
from tests.neurogen.metrics.small_data import mnist_like, picture_folder
from tests.neurogen.tiny import image_model

Command = Callable[..., Answer]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/, pictures/ (40, labelled), loose/ (40), extractor.pth of width 4, model/."""
    folder = tmp_path_factory.mktemp("evaluate")
    mnist_like(folder / "data")
    picture_folder(folder / "pictures", 40)
    picture_folder(folder / "loose", 40, labelled=False)
    torch.manual_seed(0)
    torch.save(AutoencoderFeatures(1, 4).state_dict(), folder / "extractor.pth")
    image_model().save(folder / "model")
    return folder


def of_pictures(place: Path, name: str = "pictures") -> list[str | Path]:
    extractor = place / "extractor.pth"
    return [place / name, "--dataset", "mnist", "--data", place / "data", "--extractor", extractor]


def refused(answer: Answer) -> str:
    """The one sentence of a refused command."""
    code, out, err = answer
    assert (code, out) == (2, ""), err
    assert err.startswith("neurogen: ") and err.count("\n") == 1, err
    return err


def test_a_folder_of_pictures_is_measured_and_drawn_beside_its_neighbours(
    evaluate: Command, place: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, said, _ = evaluate(*of_pictures(place), "--metrics", "fad,neighbours", "--json", "--out", out)
    assert code == 0
    figures = json.loads(said)
    assert figures == json.loads((out / "evaluation.json").read_text())
    heading = {key: figures[key] for key in ("kind", "data_set", "protocol", "reference", "seed", "count")}
    assert heading == {
        "kind": "images",
        "data_set": "mnist",
        "protocol": "standard",
        "reference": "test",
        "seed": 0,
        "count": 40,
    }
    fad = figures["fad"]
    assert fad["floor_least"] < fad["floor"] < fad["floor_most"]
    assert (fad["resize"], fad["count"], fad["reference"]) == ("32x32, PIL bilinear", 40, "test")
    assert figures["neighbours"]["train"] == 300
    grid = np.asarray(Image.open(out / "neighbours.png"))
    assert grid.shape == (7 * 29 * 2, 12 * 29 * 2)  # 40 pairs, six a row


def test_the_same_seed_gives_the_same_figures_and_text_says_what_json_says(evaluate: Command, place: Path) -> None:
    command = (*of_pictures(place), "--metrics", "fad", "--count", "30")
    code, text, _ = evaluate(*command)
    figures = json.loads(evaluate(*command, "--json")[1])
    assert code == 0
    assert text == evaluate(*command)[1]
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line]
    assert ["generated", f"{figures['fad']['generated']:.4g}"] in lines
    assert ["count", "30"] in lines


def test_what_cannot_be_measured_is_said_and_the_rest_goes_on(evaluate: Command, place: Path) -> None:
    figures = json.loads(evaluate(*of_pictures(place), "--json")[1])
    assert {"fad", "neighbours"} <= set(figures)
    missing = figures["not_measured"]
    assert "expected 5,120 images or more for paper mode, got 40" in missing["fad-paper"]
    assert {"fid", "classifier", "cas"} <= set(missing)
    assert "codes" not in figures and "codes" not in missing  # there is no model that could have any


def test_a_models_reconstructions_are_measured_on_all_test_items(evaluate: Command, place: Path) -> None:
    model = image_model()
    config = model.config.data.model_copy(update={"path": str(place / "data")})
    x = open_data(config, 2, "test").batch(np.arange(120))
    wanted = float(((model.reconstruct(x) - x) ** 2).mean())
    command = (place / "model", "--data", place / "data", "--metrics", "reconstruction,codes", "--json")
    figures = json.loads(evaluate(*command)[1])
    assert figures["reconstruction"]["mse"] == pytest.approx(wanted, rel=1e-5)
    assert figures["reconstruction"]["items"] == 120
    assert figures["count"] is None  # nothing was generated
    codes = figures["codes"]
    assert codes["used_codes"] + codes["dead_codes"] == 32
    assert codes["bits_per_item_test"] == pytest.approx(16 * codes["bits_per_code_test"])


def test_reconstructions_have_an_autoencoder_distance_beside_that_of_samples(evaluate: Command, place: Path) -> None:
    extractor = ("--extractor", place / "extractor.pth")
    command = (place / "model", "--data", place / "data", *extractor, "--metrics", "fad", "--count", "33", "--json")
    fad = json.loads(evaluate(*command)[1])["fad"]
    assert {"generated", "reconstructed_test", "reconstructed_train", "floor"} <= set(fad)
    assert fad["floor"] < fad["reconstructed_test"]  # the model is untrained


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metrics", "fadd"], "unknown metric fadd; did you mean fad?"),
        (["--metrics", "zzz"], "unknown metric zzz; there are fad, fad-paper"),
        (["--metrics", "codes"], "expected a model for the metric codes"),
        (["--metrics", "fad", "--count", "41"], "expected --count up to 40, the images that there are, got 41"),
        (["--metrics", "fad", "--count", "7"], "expected 8 images or more for 4 features, got 7; raise --count"),
        (["--protocol", "other"], "expected --protocol to be standard, fsvae, tts, got other"),
        (["--extractor", "nowhere.pth", "--metrics", "fad"], "nowhere.pth: expected the published extractor's weights"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(
    evaluate: Command, place: Path, arguments: list[str], said: str
) -> None:
    assert said in refused(evaluate(*of_pictures(place), *arguments))


def test_a_labelled_metric_without_labels_is_refused(evaluate: Command, place: Path) -> None:
    said = refused(evaluate(*of_pictures(place, "loose"), "--metrics", "cas"))
    assert "expected labels" in said and "its pictures lie in no class folders" in said


def test_an_output_folder_in_use_is_refused_before_anything_is_measured(evaluate: Command, place: Path) -> None:
    assert "is in use" in refused(evaluate(*of_pictures(place), "--out", place))


def test_nothing_is_left_of_an_evaluation_that_fails(evaluate: Command, place: Path, tmp_path: Path) -> None:
    refused(evaluate(*of_pictures(place), "--metrics", "fad-paper", "--out", tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
