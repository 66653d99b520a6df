"""Pictures to simulate recordings of: every kind of file gives the same grey ones; what is none is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from event_tools import EventFileError
from event_tools.pictures import open_pictures
from event_tools.presets import CIFAR10
from tests.data import data_path

COLOURS = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
LABELS = np.array([9, 0, 3])


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **{"images": COLOURS, "labels": LABELS} | arrays)
    return path


def test_grey_is_the_weighted_sum_of_red_green_and_blue(tmp_path: Path) -> None:
    one = np.zeros((1, 32, 32, 3), np.uint8)
    one[0, 0, :3] = np.diag([255, 255, 255])
    grey = open_pictures(npz(tmp_path / "a.npz", images=one, labels=LABELS[:1])).grey(0)
    np.testing.assert_allclose(grey[0, :4], [0.299, 0.587, 0.114, 0.0])


def test_cifar_10s_binary_files_hold_a_label_and_three_planes(tmp_path: Path) -> None:
    for n, part in ((1, slice(0, 2)), (2, slice(2, 3))):
        rows = np.concatenate((LABELS[part, None], COLOURS[part].transpose(0, 3, 1, 2).reshape(-1, 3072)), 1)
        (tmp_path / f"data_batch_{n}.bin").write_bytes(rows.astype(np.uint8).tobytes())
    found, wanted = open_pictures(tmp_path), open_pictures(npz(tmp_path / "a.npz"))
    assert (found.classes, found.labels.tolist(), wanted.classes) == (CIFAR10, [9, 0, 3], ())
    for i in range(3):
        assert np.array_equal(found.grey(i), wanted.grey(i))


def test_idx_files_are_grey_already(tmp_path: Path) -> None:
    pixels = COLOURS[..., 0]
    head = bytes((0, 0, 8, 3)) + b"".join(n.to_bytes(4, "big") for n in pixels.shape)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + pixels.tobytes()))
    labels = bytes((0, 0, 8, 1, 0, 0, 0, 3)) + LABELS.astype(np.uint8).tobytes()
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    found = open_pictures(tmp_path)
    assert found.labels.tolist() == LABELS.tolist()
    assert np.array_equal(found.grey(1), pixels[1] / 255)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + pixels.tobytes()[:-1]))
    with pytest.raises(EventFileError, match="expected an idx file"):
        open_pictures(tmp_path)


def test_a_folder_is_sorted_by_class_and_number(tmp_path: Path) -> None:
    from PIL import Image

    for n, name in enumerate(("cat/10.png", "cat/2.png", "ape/1.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(COLOURS[n]).save(tmp_path / name)
    found, wanted = open_pictures(tmp_path), open_pictures(npz(tmp_path / "a.npz"))
    assert (found.classes, found.labels.tolist()) == (("ape", "cat"), [0, 1, 1])
    for own, other in enumerate((2, 1, 0)):
        assert np.array_equal(found.grey(own), wanted.grey(other))


def test_real_cifar_10_sheets_hold_the_training_images_in_their_official_order(tmp_path: Path) -> None:
    for name in ("cifar10_batch_0.png", "cifar10_batch_50.png", "cifar10_labels.js"):  # 50 has test images
        (tmp_path / name).symlink_to(data_path(f"cifar-10/{name}"))
    found = open_pictures(tmp_path)
    # data_batch_1 begins with a frog, two trucks, a deer and an automobile; its first byte of red is 59.
    assert len(found) == 1000
    assert [found.classes[k] for k in found.labels[:5]] == ["frog", "truck", "truck", "deer", "automobile"]
    assert found.pixels[0, 0, 0].tolist() == [59, 62, 63]
    (tmp_path / "cifar10_labels.js").unlink()
    (tmp_path / "cifar10_labels.js").write_text("var labels = []")
    with pytest.raises(EventFileError, match="as many labels"):
        open_pictures(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"images": COLOURS / 255}, "uint8"),
        ({"labels": LABELS[:2]}, "a whole number a picture"),
        ({"classes": np.array(["cat"])}, "expected labels 0 to 0"),
        ({"labels": LABELS - 1}, "expected labels 0 or more, got -1"),
        ({"images": COLOURS[:0], "labels": LABELS[:0]}, "expected pictures, got none"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict, match: str) -> None:
    with pytest.raises(EventFileError, match=match):
        open_pictures(npz(tmp_path / "a.npz", **arrays))


def test_what_holds_no_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a.npz").write_text("x")
    (tmp_path / "b.bin").write_bytes(bytes(3072))
    for place in (tmp_path, tmp_path / "a.txt", tmp_path / "a.npz", tmp_path / "b.bin", tmp_path / "none.npz"):
        with pytest.raises(EventFileError, match="expected"):
            open_pictures(place)
