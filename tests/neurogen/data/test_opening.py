"""Splits, hold-outs, limits, and scales that are measured on training items alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from event_tools import Events, write
from neurogen.config import DataConfig
from neurogen.data import DataError, describe_data, open_data
from tests.neurogen.data.sets import recordings, zipped

LAYOUT = {"Train/0": 12, "Train/7": 18, "Test/0": 3, "Test/7": 2}


def config(path: Path, **more: object) -> DataConfig:
    return DataConfig(**{"name": "nmnist", "path": str(path)} | more)  # type: ignore[arg-type]


def crowded(folder: Path, place: str, events: int) -> None:
    """A recording whose events all lie in one cell."""
    (folder / place).mkdir(parents=True, exist_ok=True)
    t, same = np.arange(events), np.full(events, 5)
    write(folder / place / "9.bin", Events(t, same, same, same > 0, (34, 34)))


def test_held_out_items_and_training_items_are_the_whole(tmp_path: Path) -> None:
    folder = recordings(tmp_path, LAYOUT)
    train, held = (open_data(config(folder, validation=7), 2, split) for split in ("train", "validation"))
    assert (len(train), len(held)) == (23, 7)
    assert sorted([*train.index, *held.index]) == list(range(30))


def test_a_limit_keeps_so_many_of_each_split(tmp_path: Path) -> None:
    folder = recordings(tmp_path, LAYOUT)
    sizes = [len(open_data(config(folder, validation=7, limit=5), 2, split)) for split in ("train", "validation")]
    assert sizes == [5, 5]
    first = open_data(config(folder, validation=7, limit=5), 2, "train").index
    assert set(first) <= set(open_data(config(folder, validation=7), 2, "train").index)


def test_a_tenth_is_for_testing_where_there_is_no_test_split(tmp_path: Path) -> None:
    folder = recordings(tmp_path, {"0": 12, "7": 18})
    train, test = (open_data(config(folder), 2, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (27, 3) and not set(train.index) & set(test.index)


def test_the_scale_is_measured_on_training_items_alone(tmp_path: Path) -> None:
    folder = recordings(tmp_path, LAYOUT)
    crowded(folder, "Test/0", 500)
    assert open_data(config(folder), 1, "test").scaling.scale == open_data(config(folder), 1, "train").scaling.scale < 9
    held = open_data(config(folder, validation=29), 1, "validation")
    train = open_data(config(folder, validation=29), 1, "train")
    cells = train.counts[train.counts > 0]
    assert held.scaling == train.scaling
    assert train.scaling.scale == np.sort(cells)[int(np.ceil(0.99 * len(cells))) - 1]


def test_class_peaks_are_measured_on_training_items_alone(tmp_path: Path) -> None:
    folder = recordings(tmp_path, {"Train/0": 3, "Train/7": 4, "Test/0": 1})
    crowded(folder, "Test/7", 500)
    train = open_data(config(folder, scaling="recording"), 1, "train")
    flat = train.counts[..., 1:33, 1:33].reshape(7, -1).astype(int)
    peaks = flat.max(1) - flat.min(1)
    assert train.scaling.peaks == (np.median(peaks[:3]), np.median(peaks[3:]))
    assert open_data(config(folder, scaling="recording"), 1, "test").scaling == train.scaling


def test_a_given_scale_is_kept(tmp_path: Path) -> None:
    assert open_data(config(recordings(tmp_path, LAYOUT), scale=3.5), 2, "train").scaling.scale == 3.5


def test_a_models_own_scaling_wins_over_a_measured_one(tmp_path: Path) -> None:
    folder = recordings(tmp_path, LAYOUT)
    own = open_data(config(folder, scale=2.0), 2, "train").scaling
    assert open_data(config(folder), 2, "test", scaling=own).scaling == own


def test_recordings_of_another_sensor_than_the_models_are_refused(tmp_path: Path) -> None:
    own = open_data(config(recordings(tmp_path / "a", LAYOUT)), 2, "train").scaling
    other = recordings(tmp_path / "b", LAYOUT, ".aedat4", (40, 40))
    with pytest.raises(DataError, match=r"expected recordings of \(34, 34\) pixels as in training, got \(40, 40\)"):
        open_data(config(other, name="recordings"), 2, "test", scaling=own)


def test_labels_mean_the_same_in_each_split(tmp_path: Path) -> None:
    folder = recordings(tmp_path, {"Train/0": 2, "Train/3": 2, "Train/7": 2, "Test/7": 2})
    test = open_data(config(folder), 2, "test")
    assert test.classes == ("0", "3", "7") and test.labels.tolist() == [2, 2]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "two archives"])
def test_a_label_that_training_does_not_know_is_refused(tmp_path: Path, packed: bool) -> None:
    source = recordings(tmp_path / "set", {"Train/0": 2, "Test/0": 1, "Test/cat": 1})
    if packed:
        for split in ("Train", "Test"):
            zipped(source, tmp_path / "packed" / f"{split}.zip", split)
        source = tmp_path / "packed"
    with pytest.raises(DataError, match="expected the labels of the training recordings, the test has cat too"):
        open_data(config(source), 2, "train")


def test_an_archive_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "readme.txt").write_text("nothing here")
    archive = zipped(tmp_path / "set", tmp_path / "set.zip")
    with pytest.raises(DataError, match=r"set.zip: expected recordings as <label>/<file> .* found none"):
        open_data(config(archive), 2, "train")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(DataError, match=r"set.zip: expected a folder or .zip of recordings"):
        open_data(config(tmp_path / "set.zip"), 2, "train")


def test_a_damaged_train_archive_is_refused_by_its_name(tmp_path: Path) -> None:
    source = recordings(tmp_path / "set", LAYOUT)
    zipped(source, tmp_path / "packed" / "Test.zip", "Test")
    (tmp_path / "packed" / "Train.zip").write_bytes(b"half a download")
    with pytest.raises(DataError, match=r"Train.zip: expected a folder or .zip of recordings"):
        open_data(config(tmp_path / "packed"), 2, "train")


def test_too_few_items_for_a_test_split_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected 10 items or more .* got 9; add some"):
        open_data(config(recordings(tmp_path, {"0": 9})), 2, "train")


def test_holding_out_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected data.validation below 30, the training items, got 30; lower it"):
        open_data(config(recordings(tmp_path, LAYOUT), validation=30), 2, "train")


def test_a_validation_split_that_was_not_asked_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected data.validation above 0 .* got 0"):
        open_data(config(recordings(tmp_path, LAYOUT)), 2, "validation")


def test_a_crop_beyond_the_sensor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected data.resolution up to 34 .* set data.fit=resize"):
        open_data(config(recordings(tmp_path, LAYOUT), resolution=64), 2, "train")


def test_the_description_holds_what_sampling_needs(tmp_path: Path) -> None:
    data = open_data(config(recordings(tmp_path, LAYOUT)), 4, "train")
    info = describe_data(data)
    assert info.classes == ("0", "7") and info.label_counts == (12, 18) and info.sensor_size == (34, 34)
    assert info.edges == tuple(np.median(data.edges, 0).round())
    assert info.event_counts == (200.0, 200.0) and info.profile is not None
