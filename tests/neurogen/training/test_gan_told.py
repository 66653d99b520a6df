"""What a spiking GAN tells of while it learns, and what ends its run or keeps it from beginning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from neurogen.config import ConfigError, dump_config, parse_config
from neurogen.training import TrainingError
from neurogen.training.engine import one_step
from tests.neurogen.data.image_sets import mnist
from tests.neurogen.training.gans import gan, prepared


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mnist(tmp_path_factory.mktemp("images"), 40)


def test_a_constant_generator_is_told_of(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = prepared(gan(images), tmp_path)
    nn.init.zeros_(system.main.output.layer.weight)
    figures = system.validate()
    assert (figures["pairwise"], figures["collapsed"]) == (0, 1)
    said = capsys.readouterr().err
    assert said.startswith("the generator has collapsed: ") and said.count("\n") == 1


def test_a_healthy_generator_is_not(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    system = prepared(gan(images), tmp_path)
    real = system.run_items.train.batch(np.arange(40))  # noise, as the real items: what a perfect generator makes

    def decode(latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return real[(latents[:, 0].abs() * 1e4).long() % 40]

    monkeypatch.setattr(system.main, "decode", decode)
    system.judge = None  # it knows digits, not noise
    assert system.validate()["pairwise"] == pytest.approx(1, abs=0.1)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("spoilt", ["generator", "discriminator", "items"])
def test_numbers_that_are_none_end_the_run_in_a_sentence(
    spoilt: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = prepared(gan(images), tmp_path)
    if spoilt == "generator":
        nn.init.constant_(system.main.output.layer.bias, float("nan"))
    elif spoilt == "discriminator":
        nn.init.constant_(system.discriminator.last.bias, float("nan"))
    else:
        take = system.run_items.take
        monkeypatch.setattr(system.run_items, "take", lambda index, step: take(index, step) * float("nan"))
    with pytest.raises(TrainingError) as caught:
        one_step(system, 0, False)
    assert ("nan" if spoilt == "discriminator" else "NaN") in str(caught.value)
    assert "lower train.lr" in str(caught.value)


def test_parts_of_a_batch_are_refused(images: Path) -> None:
    values = yaml.safe_load(dump_config(gan(images)))
    values["train"]["accumulate"] = 2
    with pytest.raises(ConfigError, match=r"expected train.accumulate=1 for a GAN"):
        parse_config(values)


def test_other_classes_than_the_datas_are_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"expected model.classes to be 0 or the 10 classes of mnist, got 3"):
        prepared(gan(images, model={"classes": 3}), tmp_path)
