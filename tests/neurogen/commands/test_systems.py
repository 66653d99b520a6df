"""Every system of one network through every command: the same words for all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neurogen.config import dump_config
from tests.neurogen.commands.answers import Command, refused
from tests.neurogen.data.image_sets import mnist
from tests.neurogen.systems import GANS, SMALL, small_config

ENCODING = [name for name in SMALL if name not in GANS]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    return mnist(folder, 40)


@pytest.fixture(scope="module")
def runs(images: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Finished runs by name, each made when it is first asked for."""
    from neurogen.training import train_run

    class Runs(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            out = tmp_path_factory.mktemp("runs") / name
            self[name] = train_run(small_config(name, images), out)
            return out

    return Runs()


def test_training_a_system_leaves_a_model_and_pictures(run: Command, images: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(dump_config(small_config("fsvae", images)))
    out = tmp_path / "run"
    answer = run("train", str(tmp_path / "mine.yaml"), "--out", str(out))
    assert answer.returncode == 0, answer.stderr
    assert (out / "model" / "weights.safetensors").is_file()
    assert {path.name for path in (out / "pictures").glob("*.png")} == {
        "reconstructions_00000004.png",
        "samples_00000004.png",
    }
    assert "a fully spiking VAE" in (out / "model" / "README.md").read_text()


@pytest.mark.parametrize("name", SMALL)
def test_every_system_is_sampled(run: Command, runs: dict[str, Path], tmp_path: Path, name: str) -> None:
    out = tmp_path / "samples"
    answer = run("sample", str(runs[name]), "--count", "5", "--out", str(out))
    assert answer.returncode == 0, answer.stderr
    with np.load(out / "samples.npz") as arrays:
        assert arrays["images"].shape == (5, 1, 16, 16)
        assert 5 in arrays["latents"].shape
    assert len(list((out / "images").rglob("*.png"))) == 5


@pytest.mark.parametrize("name", ["fsvae-rate", "sgad"])
def test_a_system_that_knows_labels_is_asked_by_one(
    run: Command, runs: dict[str, Path], tmp_path: Path, name: str
) -> None:
    out = tmp_path / "samples"
    answer = run("sample", str(runs[name]), "--count", "3", "--label", "7", "--out", str(out))
    assert answer.returncode == 0, answer.stderr
    assert len(list((out / "images" / "7").glob("*.png"))) == 3


def test_a_temperature_is_refused_where_no_codes_are_drawn(run: Command, runs: dict[str, Path], tmp_path: Path) -> None:
    sentence = refused(run("sample", str(runs["fsvae"]), "--out", str(tmp_path / "out"), "--temperature", "0.5"))
    assert "expected no --temperature for fsvae" in sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ENCODING)
def test_every_autoencoder_reconstructs(run: Command, runs: dict[str, Path], tmp_path: Path, name: str) -> None:
    answer = run("reconstruct", str(runs[name]), "--count", "4", "--out", str(tmp_path / "out"), "--json")
    assert answer.returncode == 0, answer.stderr
    assert 0 < json.loads(answer.stdout)["mse"] < 4
    assert (tmp_path / "out" / "reconstructions.png").is_file()


def test_a_generator_refuses_to_reconstruct(run: Command, runs: dict[str, Path], tmp_path: Path) -> None:
    sentence = refused(run("reconstruct", str(runs["sgad"]), "--out", str(tmp_path / "out")))
    assert "expected a model with an encoder, got the generator of sgad, which has none; sample it" in sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", SMALL)
def test_info_counts_the_parts_of_every_system(run: Command, runs: dict[str, Path], name: str) -> None:
    answer = run("info", str(runs[name]), "--json")
    assert answer.returncode == 0, answer.stderr
    parts = json.loads(answer.stdout)["parameters"]
    assert parts.pop("total") == sum(parts.values())


@pytest.mark.parametrize(("name", "metrics"), [("fsvae", "reconstruction,codes,cost"), ("sgad", "cost")])
def test_every_system_is_evaluated(run: Command, runs: dict[str, Path], name: str, metrics: str) -> None:
    answer = run("evaluate", str(runs[name]), "--metrics", metrics, "--count", "16", "--json")
    assert answer.returncode == 0, answer.stderr
    assert set(metrics.split(",")) <= set(json.loads(answer.stdout))


@pytest.mark.parametrize("name", SMALL)
def test_every_system_is_drawn(run: Command, runs: dict[str, Path], tmp_path: Path, name: str) -> None:
    answer = run("plot", str(runs[name]), "--out", str(tmp_path / "pictures"))
    assert answer.returncode == 0, answer.stderr
    drawn = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert "losses.png" in drawn
    assert "rates.png" in drawn or name == "vae"
