"""Static images from idx files and folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neurogen.config import DataConfig
from neurogen.data import DataError, open_data
from neurogen.data.crops import fit_image
from tests.data import data_path
from tests.neurogen.data.sets import idx, picture


def mnist_like(folder: Path, n: int = 30, suffix: str = "", size: int = 28) -> Path:
    rng = np.random.default_rng(0)
    for name, items in (("train", n), ("t10k", 5)):
        pixels = rng.integers(0, 256, (items, size, size)).astype(np.uint8)
        pixels[0, 0, :2] = 0, 255
        idx(folder / f"{name}-images-idx3-ubyte{suffix}", pixels)
        idx(folder / f"{name}-labels-idx1-ubyte{suffix}", (np.arange(items) % 10).astype(np.uint8))
    return folder


def config(folder: Path, **more: object) -> DataConfig:
    settings = {"name": "mnist", "path": str(folder), "resolution": 28, "channels": 1, "fit": "none"} | more
    return DataConfig(**settings)  # type: ignore[arg-type]


def photos(folder: Path, per_class: int = 12, sizes: tuple[int, ...] = (16, 20, 33)) -> Path:
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        for n in range(per_class):
            size = sizes[n % len(sizes)]
            picture(folder / label / f"{n}.png", rng.integers(0, 256, (size, size + n % 3, 3)).astype(np.uint8))
    return folder


def photo_config(folder: Path, **more: object) -> DataConfig:
    return config(folder, **{"name": "images", "resolution": 16, "channels": 3, "fit": "crop"} | more)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_become_images_from_minus_one_to_one(tmp_path: Path, suffix: str) -> None:
    data = open_data(config(mnist_like(tmp_path, suffix=suffix)), 2, "train")
    assert len(data) == 30 and data.classes == tuple("0123456789") and data.kind == "images"
    x = data.batch(np.array([0, 3]))
    assert x.shape == (2, 1, 28, 28) and x.dtype == torch.float32
    assert x[0, 0, 0, :2].tolist() == [-1, 1]
    assert data.labels[:3].tolist() == [0, 1, 2] and data.labels.dtype == np.int64


def test_torchvisions_layout_is_found_below_the_environments_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist_like(tmp_path / "MNIST" / "raw")
    monkeypatch.setenv("NEUROGEN_DATA", str(tmp_path))
    assert len(open_data(config(tmp_path, path=None), 2, "test")) == 5


def test_real_fashion_mnist_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROGEN_DATA", str(data_path("fashion-mnist").parent))
    data = open_data(config(Path(), name="fashion", path=None), 2, "test")
    assert len(data) == 10_000 and np.bincount(data.labels).tolist() == [1000] * 10
    assert data.classes[data.labels[0]] == "boot"  # the official first test picture is an ankle boot


def test_data_that_are_nowhere_are_refused_with_where_to_put_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROGEN_DATA", raising=False)
    with pytest.raises(
        DataError, match=r"expected mnist in .*data/mnist, found none; put it there or set data\.download"
    ):
        open_data(config(Path(), path=None), 2, "train")


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected data at data.path=.*nowhere, found nothing"):
        open_data(config(tmp_path / "nowhere"), 2, "train")


def test_missing_labels_are_refused(tmp_path: Path) -> None:
    (mnist_like(tmp_path) / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(
        DataError, match=r"expected train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz, found neither"
    ):
        open_data(config(tmp_path), 2, "train")


def test_fewer_labels_than_images_are_refused(tmp_path: Path) -> None:
    idx(mnist_like(tmp_path) / "train-labels-idx1-ubyte", np.zeros(7, np.uint8))
    with pytest.raises(DataError, match="expected as many labels as images, got 7 and 30"):
        open_data(config(tmp_path), 2, "train")


def test_labels_of_another_set_are_refused(tmp_path: Path) -> None:
    idx(mnist_like(tmp_path) / "train-labels-idx1-ubyte", np.arange(30, dtype=np.uint8))
    with pytest.raises(DataError, match=r"expected labels 0 to 9 for data\.name=mnist, got up to 29"):
        open_data(config(tmp_path), 2, "train")


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x03", b"\0\0\x08\x03" + b"\0\0\0\x09" * 3 + b"12", b"<html>"])
def test_a_damaged_idx_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (mnist_like(tmp_path) / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match="train-images-idx3-ubyte: expected"):
        open_data(config(tmp_path), 2, "train")


def test_a_cut_gzip_file_is_refused_by_name(tmp_path: Path) -> None:
    path = mnist_like(tmp_path, suffix=".gz") / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz: expected an idx file"):
        open_data(config(tmp_path), 2, "train")


def test_another_size_is_refused_without_a_fit_and_resized_with_one(tmp_path: Path) -> None:
    mnist_like(tmp_path)
    with pytest.raises(DataError, match=r"expected images of 32x32 for data.fit=none, got 28x28; set data.fit=resize"):
        open_data(config(tmp_path, resolution=32), 2, "train")
    assert open_data(config(tmp_path, resolution=32, fit="resize"), 2, "train").batch(np.arange(3)).shape[-2:] == (
        32,
        32,
    )


def test_colour_is_refused_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected data.channels=1 for data.name=mnist, got 3"):
        open_data(config(mnist_like(tmp_path), channels=3), 2, "train")


def test_validation_items_are_held_out_the_same_way_for_every_seed(tmp_path: Path) -> None:
    folder = mnist_like(tmp_path)
    whole = open_data(config(folder), 2, "train").pixels
    train, held = (open_data(config(folder, validation=8), 2, split).pixels for split in ("train", "validation"))
    assert (len(train), len(held)) == (22, 8)
    both = {row.tobytes() for row in train} | {row.tobytes() for row in held}
    assert both == {row.tobytes() for row in whole}


def test_a_limit_keeps_some_of_each_split(tmp_path: Path) -> None:
    folder = mnist_like(tmp_path)
    sizes = {
        split: len(open_data(config(folder, validation=8, limit=6), 2, split))
        for split in ("train", "validation", "test")
    }
    assert sizes == {"train": 6, "validation": 6, "test": 5}


def test_holding_out_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected data.validation below 30, the training items, got 30"):
        open_data(config(mnist_like(tmp_path), validation=30), 2, "train")


def test_pictures_of_mixed_sizes_are_cropped_to_one(tmp_path: Path) -> None:
    data = open_data(photo_config(photos(tmp_path)), 2, "train")
    assert data.classes == ("cat", "dog")
    assert data.batch(np.arange(5)).shape == (5, 3, 16, 16)


def test_pictures_are_decoded_once_into_a_mapped_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos(tmp_path)
    first = open_data(photo_config(folder, limit=4), 2, "train").batch(np.arange(4))
    monkeypatch.setattr("neurogen.data.decoding._decode", lambda *_: pytest.fail("decoded again"))
    assert torch.equal(open_data(photo_config(folder, limit=4), 2, "train").batch(np.arange(4)), first)


def test_a_tenth_is_for_testing_where_there_is_no_test_folder(tmp_path: Path) -> None:
    folder = photos(tmp_path, per_class=15)
    assert [len(open_data(photo_config(folder), 2, split)) for split in ("train", "test")] == [27, 3]


def test_test_pictures_take_the_training_labels(tmp_path: Path) -> None:
    photos(tmp_path / "train", sizes=(16,))
    picture(tmp_path / "test" / "dog" / "a.png", np.zeros((16, 16, 3), np.uint8))
    data = open_data(photo_config(tmp_path), 2, "test")
    assert data.classes == ("cat", "dog") and data.labels.tolist() == [1]


def test_a_label_that_training_does_not_know_is_refused(tmp_path: Path) -> None:
    photos(tmp_path / "train", sizes=(16,))
    picture(tmp_path / "test" / "bird" / "a.png", np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(DataError, match="expected the labels of the training pictures, got bird too"):
        open_data(photo_config(tmp_path), 2, "test")


def test_a_picture_without_a_class_folder_is_refused(tmp_path: Path) -> None:
    picture(photos(tmp_path) / "loose.png", np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(DataError, match=r"loose.png: expected pictures in one folder per class"):
        open_data(photo_config(tmp_path), 2, "train")


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected pictures .* in one folder per class, found none"):
        open_data(photo_config(tmp_path), 2, "train")


def test_mixed_sizes_are_refused_without_a_fit(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected 16x16 pixels for data.fit=none, got 2[01]x20; set data.fit=adm"):
        open_data(photo_config(photos(tmp_path), fit="none"), 2, "train")


def test_a_file_that_is_no_picture_is_refused_by_name(tmp_path: Path) -> None:
    (photos(tmp_path) / "cat" / "0.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"cat/0.png: expected a picture"):
        open_data(photo_config(tmp_path), 2, "train")


def test_a_cut_picture_is_refused_by_name(tmp_path: Path) -> None:
    file = photos(tmp_path) / "cat" / "0.png"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"cat/0.png: expected a picture"):
        open_data(photo_config(tmp_path), 2, "train")


def test_numbered_classes_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for label in ("2", "10", "1"):
        for n in range(10):
            picture(tmp_path / label / f"{n}.png", np.zeros((16, 16), np.uint8))
    assert open_data(photo_config(tmp_path, channels=1), 2, "train").classes == ("1", "2", "10")


def test_fitting_takes_the_middle_of_the_longer_side() -> None:
    image = np.zeros((16, 48), np.uint8)
    image[:, 16:32] = 200
    assert (fit_image(image, 16) == 200).all()


def test_fitting_halves_by_box_while_twice_as_large() -> None:
    image = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4) * 10, np.ones((4, 4), np.uint8))
    assert (fit_image(image, 4) == np.arange(16).reshape(4, 4) * 10).all()


def test_batches_are_augmented_only_with_a_generator(tmp_path: Path) -> None:
    data = open_data(config(mnist_like(tmp_path), shift=3, flip=True), 2, "train")
    index = torch.arange(20)
    assert torch.equal(data.batch(index), data.batch(index))
    moved = data.batch(index, torch.Generator().manual_seed(0))
    assert not torch.equal(moved, data.batch(index))
    assert torch.equal(moved, data.batch(index, torch.Generator().manual_seed(0)))
