"""CIFAR10-DVS as training data: SpikingJelly's split, the convention of its files, sums over squares of pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from event_tools import Events, write
from neurogen.config import ConfigError, DataConfig, parse_config
from neurogen.data import DataError, open_data

CLASSES = ("airplane", "cat")


def original(folder: Path, items: int) -> Path:
    """Recording n of a class has 10 n + 10 events, ON and of one column by SpikingJelly's convention."""
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for n in range(items):
            t = np.arange(10 * n + 10)
            events = Events(t, t * 0 + 3, t % 128, t * 0 + 1, (128, 128))
            write(folder / label / f"cifar10_{label}_{n}.aedat", events, convention="spikingjelly")
    return folder


def config(path: Path, **more: object) -> DataConfig:
    usual = {"name": "dvs_cifar10", "path": str(path), "fit": "sum", "convention": "spikingjelly", "scale": 1.0}
    return DataConfig(**usual | more)  # type: ignore[arg-type]


def test_the_split_is_the_first_nine_tenths_of_each_class_by_name(tmp_path: Path) -> None:
    path = original(tmp_path, 12)
    train, held, test = (open_data(config(path, validation=4), 2, split) for split in ("train", "validation", "test"))
    # Sorted as text 9 is the last of 12, and ceil(10.8) = 11 of a class are for training: both 9s are for testing.
    assert test.event_counts.tolist() == [100, 100]
    assert (len(train), len(held)) == (18, 4)
    assert sorted([*train.index, *held.index, *test.index]) == list(range(24))
    assert test.classes == CLASSES


def test_frames_are_sums_that_hold_every_event(tmp_path: Path) -> None:
    data = open_data(config(original(tmp_path, 10)), 2, "train")
    x = data.batch(np.arange(len(data)))
    assert x.shape == (18, 2, 2, 32, 32)
    assert x.sum((1, 2, 3, 4)).tolist() == data.event_counts.tolist()
    assert x[:, :, 1, :, 0].sum() == x.sum()  # all ON, column 3 of 128 is column 0 of 32
    assert data.crop_note is None


def test_another_convention_is_another_picture_also_from_the_cache(tmp_path: Path) -> None:
    path = original(tmp_path, 10)
    first, turned = (
        open_data(config(path, convention=name), 2, "test").batch(np.arange(2)) for name in ("spikingjelly", "jaer")
    )
    assert np.array_equal(first.numpy(), turned.transpose(-1, -2).numpy())
    assert not np.array_equal(first.numpy(), turned.numpy())


def test_too_few_recordings_of_a_class_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected 10 recordings or more of a class"):
        open_data(config(original(tmp_path, 4)), 2, "test")


def test_data_that_are_not_there_say_how_they_would_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"airplane/cifar10_airplane_0\.aedat"):
        open_data(DataConfig(name="dvs_cifar10"), 2, "train")
    original(tmp_path / "DVS-CIFAR10", 10)
    assert len(open_data(DataConfig(name="dvs_cifar10"), 2, "train")) == 18


def test_images_are_not_summed() -> None:
    values = {"system": "tts_vqvae", "data": {"name": "mnist", "channels": 1, "fit": "sum"}}
    values["model"] = {"coding": "direct", "readout": "mean"}
    with pytest.raises(ConfigError, match=r"data\.fit=sum adds up event counts; take crop, resize, adm"):
        parse_config(values)
