"""How systems of one network learn: resumed bitwise, started from another, stopped by what is not a number."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from neurogen.config import Config
from neurogen.model import load
from neurogen.training import TrainingError, train_run
from neurogen.training.autoencoder import AutoencoderSystem
from neurogen.training.log import read_metrics
from tests.neurogen.data.image_sets import mnist
from tests.neurogen.systems import small_config
from tests.neurogen.training.runs import weights_digest


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mnist(tmp_path_factory.mktemp("images"), 40)


def stop_after(steps: int, config: Config, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until so many steps are done, then as SIGTERM would."""
    from neurogen.training import engine

    calls = []

    def stop(received: bool, late: bool) -> tuple[bool, bool]:
        calls.append(0)
        return len(calls) == steps, late

    with monkeypatch.context() as patch:
        patch.setattr(engine, "any_process", stop)
        with pytest.raises(SystemExit):
            train_run(config, out)


@pytest.mark.parametrize("name", ["fsvae", "fsvae-rate", "vae", "sae"])
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config = small_config(name, images, average=0.9)
    whole = train_run(config, tmp_path / "whole")
    stop_after(3, config, tmp_path / "cut", monkeypatch)
    assert not (tmp_path / "cut" / "model").exists()
    train_run(config, tmp_path / "cut", resume=True)
    assert weights_digest(tmp_path / "cut") == weights_digest(whole)


def test_columns_have_losses_validation_and_rates(images: Path, tmp_path: Path) -> None:
    out = train_run(small_config("fsvae", images, validate_every=2), tmp_path / "run")
    rows = read_metrics(out / "metrics.csv")
    assert {"total", "reconstruction", "distance", "rate/encoder.last.neuron"} <= set(rows[0])
    assert rows[0]["total"] == pytest.approx(rows[0]["reconstruction"] + rows[0]["distance"], abs=1e-6)
    assert [row["step"] for row in rows if "val_mse" in row] == [2, 4]


def test_the_validation_error_is_that_of_the_model_that_is_left(images: Path, tmp_path: Path) -> None:
    config = small_config("vae", images)
    out = train_run(config, tmp_path / "run")
    left = load(out)
    from neurogen.data import open_data

    x = open_data(config.data, 1, "test").batch(range(40))
    mean = (left.decode(left.encode(x)) - x).square().mean()
    found = [row["val_mse"] for row in read_metrics(out / "metrics.csv") if "val_mse" in row][-1]
    assert float(mean) == pytest.approx(found, rel=0.05)  # of other draws of the latents


def test_a_density_is_fitted_once_training_is_done(images: Path, tmp_path: Path) -> None:
    config = small_config("sae", images)
    system = AutoencoderSystem(config, torch.device("cpu"), tmp_path / "run")
    assert not system.main.generates
    assert load(train_run(config, tmp_path / "run")).generates


def test_training_starts_from_a_trained_network(images: Path, tmp_path: Path) -> None:
    first = train_run(small_config("vae", images), tmp_path / "first")
    again = small_config("vae", images, init_from=str(first))
    system = AutoencoderSystem(again, torch.device("cpu"), tmp_path / "again")
    there = load(first).stored.network.state_dict()
    assert all(torch.equal(there[name], tensor) for name, tensor in system.main.state_dict().items())


def test_starting_from_another_network_is_refused(images: Path, tmp_path: Path) -> None:
    first = train_run(small_config("vae", images), tmp_path / "first")
    with pytest.raises(TrainingError, match=r"expected train\.init_from=.* to be this network, it is another"):
        train_run(small_config("fsvae", images, init_from=str(first)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_stops_the_run(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neurogen.models.vae import VAE

    nothing = torch.tensor(float("nan"), requires_grad=True)
    monkeypatch.setattr(VAE, "training_losses", lambda *_: dict.fromkeys(VAE.losses, nothing))
    with pytest.raises(TrainingError, match=r"the loss became nan at step 1; lower train\.lr"):
        train_run(small_config("vae", images), tmp_path / "run")


def test_a_batch_in_parts_learns_from_the_same_items(images: Path, tmp_path: Path) -> None:
    parts = train_run(small_config("vae", images, accumulate=2), tmp_path / "parts")
    rows = read_metrics(parts / "metrics.csv")
    whole = read_metrics(train_run(small_config("vae", images), tmp_path / "whole") / "metrics.csv")
    assert rows[0]["reconstruction"] == pytest.approx(whole[0]["reconstruction"], rel=0.1)
    assert rows[0]["reconstruction"] != whole[0]["reconstruction"]  # batch norm is of each part
