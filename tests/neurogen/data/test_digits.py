"""The demo's recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from event_tools import read
from neurogen.config import DataConfig
from neurogen.data import digits, open_data
from tests.data import ROOT

FEW = 24


@pytest.fixture(autouse=True)
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first 24 of scikit-learn's digits, 21 to train on."""
    from sklearn import datasets

    whole = datasets.load_digits()
    few = type(whole)(images=whole.images[:FEW], target=whole.target[:FEW])
    monkeypatch.setattr(datasets, "load_digits", lambda: few)
    monkeypatch.setattr(digits, "TRAINING", 21)


def test_digits_are_recorded_as_n_mnist_lies() -> None:
    folder = digits.digits_folder()
    files = sorted(folder.rglob("*.bin"))
    assert len(files) == FEW and len(list((folder / "Train").rglob("*.bin"))) == 21
    assert sorted(int(file.parent.name) for file in files) == sorted([*range(10), *range(10), *range(4)])
    for file in files:
        events = read(file)
        assert events.sensor_size == (34, 34) and 300 < len(events) < 4000 and 250_000 < events.t[-1] < 320_000


def test_digits_are_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = digits.digits_folder()
    monkeypatch.setattr(digits, "_make", lambda _: pytest.fail("recorded again"))
    assert digits.digits_folder() == first


def test_digits_are_the_same_each_time(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        digits._make(tmp_path / place)
    names = [file.relative_to(tmp_path / "a") for file in (tmp_path / "a").rglob("*.bin")]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_digits_are_read_back_from_their_files_like_any_data() -> None:
    data = open_data(DataConfig(name="digits"), 4, "test")
    assert len(data) == 3 and data.prepared.shape == (3, 4, 2, 34, 34)
    assert data.batch(np.arange(3)).shape == (3, 4, 2, 32, 32)
    assert data.event_counts.tolist() == [len(data.recording(i)) for i in range(3)]


@pytest.mark.parametrize("name", ["digits", "nmnist-small"])
def test_the_small_configurations_crop_to_32(name: str) -> None:
    from neurogen.config import load_config

    data = load_config(ROOT / "train" / "configs" / "tts_vqvae" / f"{name}.yaml").data
    assert (data.fit, data.resolution, data.scaling) == ("crop", 32, "dataset")
