"""CIFAR10-DVS where people have it: unpacked, packed by class, in SpikingJelly's and tonic's folders; its split."""

from __future__ import annotations

import copy
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from event_tools import EventFileError, Events, read, write
from event_tools.datasets import open_recordings
from event_tools.dvs_cifar10 import open_dvs_cifar10, training_part
from tests.data import data_path

CLASSES = ("airplane", "cat")


def recording(seed: int) -> Events:
    rng = np.random.default_rng(seed)
    return Events(np.arange(30), *rng.integers(0, 128, (2, 30)), rng.integers(0, 2, 30), (128, 128))


def original(folder: Path, suffix: str = ".aedat", items: int = 12) -> Path:
    """`items` recordings a class, upright by SpikingJelly's convention; number n of class k is recording(100 k + n)."""
    for k, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for n in range(items):
            options = {"convention": "spikingjelly"} if suffix == ".aedat" else {}
            write(folder / label / f"cifar10_{label}_{n}{suffix}", recording(100 * k + n), **options)
    return folder


def packed(folder: Path, source: Path) -> Path:
    """One .zip a class, with the class's folder in it, as figshare has them."""
    folder.mkdir(parents=True)
    for label in CLASSES:
        with zipfile.ZipFile(folder / f"{label}.zip", "w") as archive:
            for file in (source / label).iterdir():
                archive.write(file, f"{label}/{file.name}")
    return folder


def test_every_layout_is_the_same_set(tmp_path: Path) -> None:
    plain = original(tmp_path / "plain")
    original(tmp_path / "sj" / "extract")
    packed(tmp_path / "packed", plain)
    packed(tmp_path / "sj2" / "download", plain)
    original(tmp_path / "tonic" / "CIFAR10DVS", ".aedat4")
    wanted = [recording(100 * k + n) for k in range(2) for n in (0, 1, 10, 11, *range(2, 10))]
    for name in ("plain", "sj", "packed", "sj2", "tonic"):
        found = open_dvs_cifar10(tmp_path / name)
        assert (found.classes, found.labels.tolist()) == (CLASSES, [0] * 12 + [1] * 12)
        assert list(found) == wanted, name


def test_a_packed_set_is_read_in_other_processes_and_threads(tmp_path: Path) -> None:
    found = open_dvs_cifar10(packed(tmp_path / "packed", original(tmp_path / "plain", items=2)))
    assert found[1] == recording(1)
    for other in (pickle.loads(pickle.dumps(found)), copy.copy(found)):
        assert list(other) == list(found)
        assert other.files.archives["cat.zip"] is not found.files.archives["cat.zip"]


def test_a_convention_turns_the_picture(tmp_path: Path) -> None:
    plain = original(tmp_path, items=1)
    one, same = open_dvs_cifar10(plain)[0], open_dvs_cifar10(plain, convention="jaer")[0]
    # SpikingJelly's x = 127 - yf, y = 127 - xf; jAER's x = 127 - xf, y = 127 - yf: transposed.
    assert (one.x.tolist(), one.y.tolist(), one.p.tolist()) == (same.y.tolist(), same.x.tolist(), same.p.tolist())
    assert next(iter(open_recordings(plain, convention="spikingjelly"))) == one
    assert open_recordings(plain)[0] == same
    with pytest.raises(ValueError, match="expected convention"):
        open_recordings(plain, convention="upright")


def test_a_real_aedat_2_file_is_read_by_the_convention(tmp_path: Path) -> None:
    source = data_path("mnist-dvs/mnist_0_scale04_0001.aedat")
    (tmp_path / "airplane").mkdir()
    (tmp_path / "airplane" / "cifar10_airplane_0.aedat").write_bytes(source.read_bytes())
    assert open_dvs_cifar10(tmp_path)[0] == read(source, convention="spikingjelly")


def test_the_split_is_by_class_and_by_name_as_text() -> None:
    # torchvision's folders sort names as text. Of 1,000 the last hundred: all that begin with 9 but these eleven.
    names = sorted(str(n) for n in range(1000))
    early = {"9", "90", *(str(n) for n in range(900, 909))}
    wanted = {name for name in names if name.startswith("9")} - early
    test = {name for name, first in zip(names, training_part(np.zeros(1000, int)), strict=True) if not first}
    assert test == wanted and len(test) == 100


def test_the_training_part_is_rounded_up_and_follows_the_order_of_the_set() -> None:
    labels = np.array([0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    # three of label 0: ceil(2.7) = 3 train; eleven of label 1: ceil(9.9) = 10, its last one is for testing
    assert training_part(labels).tolist() == [True] * 13 + [False]


def test_splits_are_apart_and_keep_the_classes(tmp_path: Path) -> None:
    plain = original(tmp_path)
    train, test = open_dvs_cifar10(plain, "train"), open_dvs_cifar10(plain, "test")
    assert [name.split("_")[-1] for name in test.names] == ["9.aedat"] * 2  # ceil(10.8) = 11 of 12 train
    assert len(train) == 22 and not set(train.names) & set(test.names)
    assert (test.classes, test.labels.tolist()) == (CLASSES, [0, 1])
    assert test[1] == recording(109)
    with pytest.raises(ValueError, match="expected split"):
        open_dvs_cifar10(plain, "validation")


def test_a_damaged_archive_and_a_folder_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match="expected recordings"):
        open_dvs_cifar10(tmp_path)
    (tmp_path / "cat.zip").write_bytes(b"no zip")
    with pytest.raises(EventFileError, match=r"cat\.zip"):
        open_dvs_cifar10(tmp_path)
