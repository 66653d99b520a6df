"""CelebA and CelebA-HQ."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from neurogen.data import DataError, open_data
from tests.neurogen.data.image_sets import celeba, packed, pixels, set_config
from tests.neurogen.data.sets import picture


@pytest.mark.parametrize("place", [".", "celeba"])
def test_the_official_partition_says_what_is_for_training(tmp_path: Path, place: str) -> None:
    celeba(tmp_path / place, "0120")
    train, test = (open_data(set_config("celeba", tmp_path), 2, split) for split in ("train", "test"))
    assert [round(float(x)) for x in train.pixels.mean((1, 2, 3))] == [1, 4]
    assert [round(float(x)) for x in test.pixels.mean((1, 2, 3))] == [3]
    assert train.classes == ("face",) and train.labels.tolist() == [0, 0]


def test_an_archive_of_pictures_is_read_in_place(tmp_path: Path) -> None:
    folder = celeba(tmp_path)
    unpacked = open_data(set_config("celeba", folder), 2, "train").pixels.copy()
    packed(folder / "img_align_celeba", folder / "img_align_celeba.zip")
    shutil.rmtree(folder / "img_align_celeba")
    assert np.array_equal(open_data(set_config("celeba", folder), 2, "train").pixels, unpacked)


def test_both_crops_are_at_hand(tmp_path: Path) -> None:
    folder = celeba(tmp_path)
    face = np.zeros((218, 178, 3), np.uint8)
    face[35:183, 15:163] = 255
    picture(folder / "img_align_celeba" / "000013.jpg", face)
    seen = {fit: open_data(set_config("celeba", folder, fit=fit), 2, "test").pixels for fit in ("adm", "fsvae148")}
    assert seen["fsvae148"].min() > 240 and seen["adm"].min() < 20  # the codec blurs a little


def test_a_missing_partition_is_refused(tmp_path: Path) -> None:
    (celeba(tmp_path) / "list_eval_partition.txt").unlink()
    with pytest.raises(DataError, match=r"expected list_eval_partition.txt, which says what is for training, found"):
        open_data(set_config("celeba", tmp_path), 2, "train")


@pytest.mark.parametrize("line", ["000001.jpg", "000001.jpg 3", "000001.jpg 0", "000099.jpg 0 1", "<html>"])
def test_a_damaged_partition_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    file = celeba(tmp_path) / "list_eval_partition.txt"
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(DataError, match=rf"list_eval_partition.txt: expected .* line 14 has '{line}'"):
        open_data(set_config("celeba", tmp_path), 2, "train")


def test_more_or_fewer_pictures_than_lines_are_refused(tmp_path: Path) -> None:
    (celeba(tmp_path) / "img_align_celeba" / "000002.jpg").unlink()
    with pytest.raises(
        DataError, match=r"expected the 13 pictures that list_eval_partition.txt lists, got 12 pictures"
    ):
        open_data(set_config("celeba", tmp_path), 2, "train")
    picture(tmp_path / "img_align_celeba" / "other.jpg", np.zeros((218, 178, 3), np.uint8))
    with pytest.raises(DataError, match=r"lists, got no 000002.jpg"):
        open_data(set_config("celeba", tmp_path), 2, "train")


def test_missing_pictures_are_refused(tmp_path: Path) -> None:
    shutil.rmtree(celeba(tmp_path) / "img_align_celeba")
    with pytest.raises(DataError, match=r"expected img_align_celeba or img_align_celeba.zip, found neither"):
        open_data(set_config("celeba", tmp_path), 2, "train")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    shutil.rmtree(celeba(tmp_path) / "img_align_celeba")
    (tmp_path / "img_align_celeba.zip").write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(DataError, match=r"img_align_celeba.zip: expected a folder or .zip of pictures, File is not a"):
        open_data(set_config("celeba", tmp_path), 2, "train")


def test_celeba_hq_has_a_tenth_for_testing_and_leaves_masks_alone(tmp_path: Path) -> None:
    for n in range(30):
        picture(tmp_path / "CelebA-HQ-img" / f"{n}.jpg", np.full((64, 64, 3), n, np.uint8))
    picture(tmp_path / "CelebAMask-HQ-mask-anno" / "0" / "00000_hair.png", pixels(0, 64, 64))
    config = set_config("celeba_hq", tmp_path)
    train, test = (open_data(config, 2, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (27, 3)
    levels = np.round(np.concatenate([train.pixels, test.pixels]).mean((1, 2, 3))).astype(int).tolist()
    assert sorted(levels) == list(range(30)) and levels[:27] == sorted(levels[:27])  # 2 before 10


def test_an_archive_and_its_folder_have_the_same_split(tmp_path: Path) -> None:
    for n in range(20):
        picture(tmp_path / "data256x256" / f"{n:05d}.jpg", np.full((40, 40, 3), n, np.uint8))
    archive = packed(tmp_path / "data256x256", tmp_path / "faces.zip")
    one, other = (open_data(set_config("celeba_hq", path), 2, "test") for path in (tmp_path / "data256x256", archive))
    assert np.array_equal(one.pixels, other.pixels) and len(one) == 2


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected the pictures of CelebA-HQ in a folder or .zip, found none"):
        open_data(set_config("celeba_hq", tmp_path), 2, "train")
