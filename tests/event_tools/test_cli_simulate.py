"""`event-tools simulate`: the layout of the imitated set; recordings that only their picture and seed change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import info, read
from event_tools.presets import PRESETS

SQUARES = np.full((5, 32, 32), 40, np.uint8)
for _i in range(5):
    SQUARES[_i, 8 + _i : 20, 6:18] = 220
LABELS = np.array([3, 3, 0, 3, 0])
LAYOUT = ["airplane/cifar10_airplane_0", "airplane/cifar10_airplane_1", *(f"cat/cifar10_cat_{n}" for n in range(3))]


@pytest.fixture
def images(tmp_path: Path) -> str:
    np.savez(tmp_path / "squares.npz", images=SQUARES, labels=LABELS)
    return str(tmp_path / "squares.npz")


def made(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if not path.name.startswith("."))


def test_dvs_cifar10_lies_as_published_and_reads_back_equal(run: Any, images: str, tmp_path: Path) -> None:
    result = run("simulate", images, tmp_path / "out", "--workers", "1", "--json")
    assert result.status == 0, result.err
    assert made(tmp_path / "out") == [f"{name}.aedat" for name in LAYOUT]
    wanted = PRESETS["dvs_cifar10"].recording(SQUARES[3] / 255, 3)
    path = tmp_path / "out" / "cat" / "cifar10_cat_2.aedat"  # picture 3 is the third of class 3
    assert read(path, convention="spikingjelly") == wanted
    assert info(path).format == "aedat2"
    assert json.loads(result.out)["made"] == 5


def test_a_count_takes_classes_in_turn_and_a_larger_one_adds_to_it(run: Any, images: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    few = ("--preset", "nmnist", "--workers", "1", "--json")
    assert run("simulate", images, out, "--count", "2", *few).status == 0
    assert made(out) == ["Train/0/00002.bin", "Train/3/00000.bin"]
    before = (out / "Train/3/00000.bin").read_bytes()
    answer = json.loads(run("simulate", images, out, "--count", "4", *few).out)
    assert (answer["made"], answer["kept"]) == (2, 2)
    assert made(out) == ["Train/0/00002.bin", "Train/0/00004.bin", "Train/3/00000.bin", "Train/3/00001.bin"]
    assert (out / "Train/3/00000.bin").read_bytes() == before


def test_another_seed_is_another_job(run: Any, images: str, tmp_path: Path) -> None:
    common = ("simulate", images, tmp_path / "out", "--preset", "nmnist", "--count", "1", "--workers", "1")
    assert run(*common).status == 0
    refused = run(*common, "--seed", "1")
    assert refused.status == 2
    assert "seed was 0, now it is 1" in refused.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--preset", "cifar"), "expected --preset to be one of nmnist, dvs_cifar10, got 'cifar'"),
        (("--convention", "up"), "expected --convention to be one of jaer"),
        (("--overwrite",), "expected a new folder"),
        (("--preset", "nmnist", "--convention", "jaer"), "--convention is of AEDAT 2.0, --preset nmnist writes .bin"),
    ],
)
def test_what_cannot_be_is_one_sentence(run: Any, images: str, tmp_path: Path, options: tuple, sentence: str) -> None:
    result = run("simulate", images, tmp_path / "out", *options)
    assert result.status == 2
    assert sentence in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_labels_without_a_name_are_refused(run: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=SQUARES, labels=LABELS + 8)
    result = run("simulate", tmp_path / "a.npz", tmp_path / "out")
    assert result.status == 2
    assert "expected labels up to 9 for --preset dvs_cifar10, got 11" in result.err
