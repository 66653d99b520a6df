"""Sweeps and the ablation: what they write, what they keep, what they refuse."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from neurogen.config import dump_config
from neurogen.metrics.autoencoder_distance import AutoencoderFeatures
from tests.neurogen.metrics.small_data import mnist_like
from tests.neurogen.systems import small_config
from train import ablation, points, sweep
from train.points import points_of

FIGURES = ["mse", "fad", "fad_reconstructed", "rate", "rate_gap"]
Command = Callable[..., str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/, config.yaml of two steps, extractor.pth of width 4."""
    folder = tmp_path_factory.mktemp("points")
    mnist_like(folder / "data", 60, 20)
    (folder / "config.yaml").write_text(dump_config(small_config("fsvae", folder / "data", steps=2)))
    torch.manual_seed(0)
    torch.save(AutoencoderFeatures(1, 4).state_dict(), folder / "extractor.pth")
    return folder


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call a script's main; what it prints, or its sentence where it ends with 2."""

    def call(script: object, *arguments: str | Path) -> str:
        given = [place / "config.yaml", "--count", "16", "--extractor", place / "extractor.pth", *arguments]
        monkeypatch.setattr(sys, "argv", ["script", *map(str, given)])
        try:
            script.main()  # type: ignore[attr-defined]
        except SystemExit as end:
            assert end.code == 2
            return capsys.readouterr().err
        return capsys.readouterr().out

    return call


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_sweep_has_a_row_for_each_combination_and_is_not_made_twice(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("--over", "model.steps=2,3", "--over", "model.candidates=2", "--out", tmp_path / "out")
    run(sweep, *asked)
    rows = rows_of(tmp_path / "out" / "sweep.csv")
    assert list(rows[0]) == ["model.steps", "model.candidates", *FIGURES, "run"]
    assert [(row["model.steps"], row["run"]) for row in rows] == [
        ("2", "steps-2-candidates-2"),
        ("3", "steps-3-candidates-2"),
    ]
    assert all(float(row[name]) >= 0 for row in rows for name in FIGURES)
    with Image.open(tmp_path / "out" / "sweep.png") as picture:
        assert min(picture.size) > 200
    monkeypatch.setattr(points, "evaluate", pytest.fail)
    run(sweep, *asked)
    assert rows_of(tmp_path / "out" / "sweep.csv") == rows


def test_the_ablation_is_a_table_of_the_three_distances(run: Command, tmp_path: Path) -> None:
    said = run(ablation, "train.steps=1", "--out", tmp_path / "out")
    assert said.strip() == str(tmp_path / "out" / "ablation.md")
    rows = rows_of(tmp_path / "out" / "ablation.csv")
    assert [row["losses.distance"] for row in rows] == ["kld", "mmd", "psp_mmd"]
    assert list(rows[0]) == ["losses.distance", *FIGURES, "published_celeba_fid", "run"]
    lines = (tmp_path / "out" / "ablation.md").read_text().splitlines()
    assert len(lines) == 5 and all(line.count("|") == 9 for line in lines)
    assert lines[2].startswith("| kld | ") and "| 114.3 |" in lines[2]


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ("model.stepz=2,3", "model.stepz"),
        ("model.steps=2,many", "model.steps"),
        ("model.steps", "expected --over section.key=value,value of different values, got model.steps;"),
        ("model.steps=2,2", "expected --over section.key=value,value of different values, got model.steps=2,2;"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence_before_anything_is_trained(
    run: Command, tmp_path: Path, over: str, said: str
) -> None:
    sentence = run(sweep, "--over", over, "--out", tmp_path / "out")
    assert said in sentence and sentence.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_unknown_configuration_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean fsvae/fashion-small"):
        points_of("fsvae/fashion-smal", [], ["model.steps=2,4"])


def test_lists_are_values_of_their_own() -> None:
    made = points_of("fsvae/fashion-small", [], ["model.hidden=[16,32],[8]", "model.steps=2,4"])
    assert [(point.config.model.hidden, point.config.model.steps) for point in made] == [
        ((16, 32), 2),
        ((16, 32), 4),
        ((8,), 2),
        ((8,), 4),
    ]
    assert len({point.name for point in made}) == 4


def test_a_sweep_draws_a_line_for_each_value_of_the_second_setting() -> None:
    rows = [
        {"model.steps": t, "model.candidates": k, "mse": float(t) * int(k), "run": ""}
        for t in ("8", "2")
        for k in ("5", "20")
    ]
    axis = sweep.sweep_figure(rows, ["model.steps", "model.candidates"]).axes[0]
    assert [line.get_label() for line in axis.lines] == ["candidates 5", "candidates 20"]
    assert axis.lines[0].get_xydata().tolist() == [[2, 10], [8, 40]]
    assert axis.lines[1].get_xydata().tolist() == [[2, 40], [8, 160]]
