"""CIFAR-10's binary version."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurogen.data import DataError, cifar, open_data
from tests.data import data_path
from tests.neurogen.data.image_sets import cifar10, set_config


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cifar, "IMAGES", 4)
    cifar10(tmp_path / "cifar-10-batches-bin", 4)
    return tmp_path


def test_five_files_are_for_training_and_one_for_testing(small: Path) -> None:
    train, test = (open_data(set_config("cifar10", small, fit="none"), 2, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (20, 4)
    assert train.pixels[:, 0, 0, 0].tolist() == [10 * f + n for f in range(5) for n in range(4)]
    assert test.labels.tolist() == [0, 1, 2, 3] and test.classes[3] == "cat"
    assert test.batch(np.array([2])).shape == (1, 3, 32, 32)


def test_the_folder_is_found_below_the_environments(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_DATA", str(small))
    assert len(open_data(set_config("cifar10", None, fit="none"), 2, "test")) == 4


def test_real_records_are_planes_of_red_green_and_blue(tmp_path: Path) -> None:
    images = [np.asarray(Image.open(data_path(f"cifar-10/cifar10_batch_{n}.png"))) for n in range(10)]
    rgb = np.concatenate(images).reshape(10_000, 32, 32, 3)
    text = data_path("cifar-10/cifar10_labels.js").read_text().split("=")[1].strip().rstrip(";")
    labels = np.array(json.loads(text)[:10_000], np.uint8)
    records = np.concatenate([labels[:, None], rgb.transpose(0, 3, 1, 2).reshape(10_000, -1)], 1)
    assert hashlib.md5(records.tobytes()).hexdigest() == "5dd7e06a14cb22eb9f671a540d1b7c25"  # of the official file
    for name in ("data_batch_1", "test_batch"):
        (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
    data = open_data(set_config("cifar10", tmp_path, fit="none"), 2, "test")
    assert np.array_equal(data.pixels[123], rgb[123].transpose(2, 0, 1)) and np.array_equal(data.labels, labels)


def test_a_cut_batch_is_refused_by_name(small: Path) -> None:
    file = small / "cifar-10-batches-bin" / "data_batch_3.bin"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"data_batch_3.bin: expected 12292 bytes, got 12291"):
        open_data(set_config("cifar10", small), 2, "train")


def test_a_missing_batch_is_refused_by_name(small: Path) -> None:
    (small / "cifar-10-batches-bin" / "data_batch_5.bin").unlink()
    with pytest.raises(DataError, match=r"expected data_batch_5.bin of CIFAR-10's binary version, found none"):
        open_data(set_config("cifar10", small), 2, "train")


def test_labels_of_another_set_are_refused(small: Path) -> None:
    file = small / "cifar-10-batches-bin" / "test_batch.bin"
    file.write_bytes(b"\x0a" + file.read_bytes()[1:])
    with pytest.raises(DataError, match=r"test_batch.bin: expected labels 0 to 9, got up to 10"):
        open_data(set_config("cifar10", small), 2, "test")


def test_the_pickled_version_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(DataError, match=r"this is the Python version, which is pickled"):
        open_data(set_config("cifar10", tmp_path), 2, "train")


def test_grey_is_refused(small: Path) -> None:
    with pytest.raises(DataError, match=r"expected data.channels=3 for data.name=cifar10, got 1"):
        open_data(set_config("cifar10", small, channels=1), 2, "train")


def test_colour_images_are_resized(small: Path) -> None:
    data = open_data(set_config("cifar10", small, resolution=64, fit="adm"), 2, "test")
    assert data.pixels.shape == (4, 3, 64, 64) and (data.pixels[1] == 51).all()
