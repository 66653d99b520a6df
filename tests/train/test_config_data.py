"""Every configuration of images takes its data set as it lies: tiny stand-ins in the real layouts, one batch each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neurogen.config import RECORDINGS, StageOneConfig, load_config
from neurogen.data import cifar, open_data
from neurogen.description import build_on_meta
from neurogen.training import train_run
from tests.neurogen.data.image_sets import celeba, cifar10, mnist, rooms
from tests.neurogen.data.sets import picture
from train import config_names, find_config

FIRST_STAGES = [name for name in config_names() if name.startswith("tts_vqvae")]
IMAGES = [name for name in FIRST_STAGES if load_config(find_config(name)).data.name not in RECORDINGS]


def stand_in(name: str, folder: Path) -> Path:
    """A few items of a data set in the layout of the real one."""
    if name == "celeba":
        return celeba(folder)
    if name in ("mnist", "fashion"):
        return mnist(folder)
    if name == "cifar10":
        return cifar10(folder / "cifar-10-batches-bin", 4).parent
    if name == "celeba_hq":
        for n in range(12):
            picture(folder / "CelebA-HQ-img" / f"{n}.jpg", np.full((300, 300, 3), 20 * n, np.uint8))
        return folder
    return rooms(folder, 12)


def opened(name: str, folder: Path, *overrides: str) -> StageOneConfig:
    config = load_config(find_config(name), [f"data.path={folder}", "data.validation=2", *overrides])
    assert isinstance(config, StageOneConfig)
    return config


@pytest.mark.parametrize("name", IMAGES)
def test_a_batch_of_its_data_fits_the_network(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cifar, "IMAGES", 4)
    config = opened(name, tmp_path / "data")
    stand_in(config.data.name, tmp_path / "data")
    train, held = (open_data(config.data, config.model.steps, split) for split in ("train", "validation"))
    x = train.batch(torch.tensor([0, 1]), torch.Generator().manual_seed(0))
    assert x.shape == (2, config.data.channels, config.data.resolution, config.data.resolution)
    assert x.dtype == torch.float32 and x.min() >= -1 and x.max() <= 1
    assert len(held) == 2
    network = build_on_meta(config)
    with torch.device("meta"), torch.no_grad():
        latents = network.latents(x.to("meta"))
    form = network.code_form
    assert tuple(latents.shape[-2:]) == (form.height, form.width)


@pytest.mark.parametrize("name", ["tts_vqvae/cifar10-small", "tts_vqvae/celeba-small"])
def test_a_small_configuration_learns_two_steps_of_its_data(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cifar, "IMAGES", 4)
    overrides = ["device=cpu", "train.steps=2", "train.batch_size=4", "codebook.start=0"]
    config = opened(name, tmp_path / "data", *overrides)
    stand_in(config.data.name, tmp_path / "data")
    run = train_run(config, tmp_path / "run")
    assert (run / "model" / "weights.safetensors").is_file() and list((run / "pictures").iterdir())
