"""Models that ship, by their names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurogen import pretrained
from tests.neurogen.commands.answers import Command, refused
from tests.neurogen.tiny import image_model


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model of images that ships as mnist-tiny; nothing lies where we stand."""
    folder = image_model().save(tmp_path / "shelf" / "mnist-tiny")
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(pretrained, "HERE", tmp_path / "shelf")
    monkeypatch.chdir(tmp_path / "here")
    return folder


def test_a_model_that_ships_is_listed_described_and_sampled_by_name(run: Command, shipped: Path) -> None:
    (listed,) = json.loads(run("models", "--json").stdout)
    assert (listed["name"], listed["licence"]) == ("mnist-tiny", "CC BY-SA 3.0 (LeCun, Cortes, Burges)")
    assert "mnist-tiny" in run("models").stdout
    assert json.loads(run("info", "mnist-tiny", "--json").stdout)["parameters"]["prior"] > 0
    arguments = ("--count", "2", "--to", "gif,html,aedat4,png", "--device", "cpu", "--out", "out")
    assert run("sample", "mnist-tiny", *arguments).returncode == 0
    assert {path.name for path in Path("out").iterdir()} == {
        "README.md",
        "aedat4",
        "images",
        "index.csv",
        "samples.gif",
        "samples.html",
        "samples.png",
    }


def test_a_name_that_does_not_ship_is_one_sentence(run: Command, shipped: Path) -> None:
    for arguments in (("sample",), ("reconstruct",), ("export",)):
        sentence = refused(run(*arguments, "mnist-tinny", "--out", "out"))
        assert "did you mean mnist-tiny? These ship: mnist-tiny" in sentence
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("a byte", "altered or cut short"),
        ("no weights", "expected weights.safetensors beside"),
        ("no settings", "found no config.yaml with weights.safetensors"),
        ("edited settings", "as it ships, it was edited"),
    ],
)
def test_an_altered_model_that_ships_is_one_sentence(run: Command, shipped: Path, damage: str, sentence: str) -> None:
    weights, settings = shipped / "weights.safetensors", shipped / "config.yaml"
    if damage == "a byte":
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)
    elif damage == "edited settings":
        settings.write_text(f"{settings.read_text()}settings_sha256: '0'\n")
    else:
        (weights if damage == "no weights" else settings).unlink()
    assert sentence in refused(run("sample", "mnist-tiny", "--out", "out"))
