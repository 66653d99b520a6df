"""Sets of recordings: a folder and a .zip are the same set; labels, splits, sizes; what cannot be a set."""

from __future__ import annotations

import copy
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from event_tools import EventFileError, Events, read, write
from event_tools.datasets import open_recordings
from event_tools.formats.reader import Reading
from tests.data import data_path

NAMES = ("Train/0/2.bin", "Train/0/10.bin", "Train/7/1.bin", "Test/7/3.bin", "Test/0/4.bin")


def recording(seed: int, size: tuple[int, int] = (34, 34)) -> Events:
    rng = np.random.default_rng(seed)
    n = 20 + seed
    return Events(np.arange(n), rng.integers(0, 30, n), rng.integers(0, 30, n), rng.integers(0, 2, n), size)


def folder(path: Path, names: tuple[str, ...] = NAMES) -> Path:
    """A file of each name, recording(i) in the i-th."""
    for i, name in enumerate(names):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        write(path / name, recording(i))
    return path


def zipped(path: Path, source: Path, below: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, below + file.relative_to(source).as_posix())
    return path


def test_a_folder_and_a_zip_of_it_are_the_same_set(tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    archive = zipped(tmp_path / "set.zip", source, below="N-MNIST/")
    for split in ("train", "test", None):
        one, two = open_recordings(source, split), open_recordings(archive, split)
        assert [f"N-MNIST/{name}" for name in one.names] == list(two.names)
        assert (one.classes, one.labels.tolist()) == (two.classes, two.labels.tolist())
        assert list(one) == list(two)
        assert list(one.raw_bytes()) == list(two.raw_bytes())


def test_recordings_are_sorted_by_label_then_number(tmp_path: Path) -> None:
    recordings = open_recordings(folder(tmp_path / "set"), "train")
    assert recordings.names == ("Train/0/2.bin", "Train/0/10.bin", "Train/7/1.bin")
    assert recordings.labels.tolist() == [0, 0, 1]
    assert list(recordings) == [recording(0), recording(1), recording(2)]


def test_classes_are_those_of_the_whole_set_in_order_of_number(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("Train/10/1.bin", "Train/9/1.bin", "Test/cat/1.bin"))
    assert open_recordings(source, "test").classes == ("9", "10", "cat")
    assert open_recordings(source, "test").labels.tolist() == [2]


def test_without_splits_labels_are_the_folders_right_above(tmp_path: Path) -> None:
    recordings = open_recordings(folder(tmp_path / "set", ("b/1.bin", "a/2.bin")))
    assert (recordings.classes, recordings.labels.tolist()) == (("a", "b"), [0, 1])
    assert list(recordings) == [recording(1), recording(0)]


def test_a_split_may_be_an_archive_of_its_own(tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    (tmp_path / "zips").mkdir()
    for split in ("Train", "Test"):
        zipped(tmp_path / "zips" / f"{split}.zip", source / split, below=f"{split}/")
    for split in ("train", "test"):
        assert list(open_recordings(tmp_path / "zips", split)) == list(open_recordings(source, split))


def test_hidden_files_tables_and_loose_files_are_no_recordings(tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    for name in ("index.csv", "loose.bin", "Train/0/.2.bin.99.partial", "Train/.trash/1.bin", "Train/0/notes.txt"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(b"")
    assert len(open_recordings(source)) == len(NAMES)


def test_the_sets_size_serves_files_that_are_silent_and_only_those(tmp_path: Path) -> None:
    source = tmp_path / "set"
    (source / "0").mkdir(parents=True)
    write(source / "0" / "1.bin", recording(1))
    write(source / "0" / "2.aedat4", recording(2, (64, 48)))
    recordings = open_recordings(source, sensor_size=(128, 128))
    assert [events.sensor_size for events in recordings] == [(128, 128), (64, 48)]
    assert [recordings.events(i, Reading(sensor_size=(200, 100))).sensor_size for i in range(2)] == [
        (200, 100),
        (200, 100),
    ]
    assert [events.sensor_size for events in open_recordings(source)] == [(34, 34), (64, 48)]


def test_formats_of_one_set_may_differ(tmp_path: Path) -> None:
    recordings = open_recordings(folder(tmp_path / "set", ("a/1.bin", "a/2.h5", "a/3.aedat4")))
    assert list(recordings) == [recording(0), recording(1), recording(2)]
    assert not recordings.all_nmnist
    assert open_recordings(folder(tmp_path / "bin", ("a/1.bin", "a/2.bin"))).all_nmnist


def test_a_set_of_hdf5_is_read_from_a_zip(tmp_path: Path) -> None:
    source = folder(tmp_path / "set", ("a/1.h5", "b/2.h5"))
    assert list(open_recordings(zipped(tmp_path / "set.zip", source))) == [recording(0), recording(1)]


@pytest.mark.parametrize("split", [None, "train"])
def test_a_zip_or_folder_without_recordings_says_what_was_expected(tmp_path: Path, split: str | None) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "readme.txt").write_text("nothing here")
    for path in (tmp_path / "set", zipped(tmp_path / "set.zip", tmp_path / "set")):
        wanted = "Train/<label>/<file>" if split else "<label>/<file>"
        with pytest.raises(EventFileError, match=f"expected recordings as {wanted} .*found none"):
            open_recordings(path, split)


def test_what_is_neither_folder_nor_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match=r"of recordings, or a \.tar or HDF5 set, found nothing"):
        open_recordings(tmp_path / "absent.zip")
    (tmp_path / "false.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(EventFileError, match=r"expected a folder or \.zip of recordings.*, File is not a zip file"):
        open_recordings(tmp_path / "false.zip")
    with pytest.raises(ValueError, match="split to be train, test or None, got 'Train'"):
        open_recordings(tmp_path, "Train")


def test_a_cut_zip_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "set.zip", folder(tmp_path / "set"))
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(EventFileError, match=r"expected a folder or \.zip of recordings.*, "):
        open_recordings(archive)


def test_an_altered_member_is_named_and_the_others_still_read(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "set.zip", folder(tmp_path / "set"))
    with zipfile.ZipFile(archive) as opened:
        place = opened.getinfo("Train/7/1.bin").header_offset + 30 + len("Train/7/1.bin") + 20
    data = bytearray(archive.read_bytes())
    data[place] ^= 0x40
    archive.write_bytes(data)
    recordings = open_recordings(archive, "train")
    assert recordings[0] == recording(0)
    with pytest.raises(EventFileError, match=r"set\.zip/Train/7/1\.bin: it cannot be unpacked, "):
        recordings[2]
    with pytest.raises(EventFileError, match="it cannot be unpacked"):
        list(recordings.raw_bytes())


def test_a_cut_recording_inside_a_zip_is_named_with_its_byte(tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    cut = source / "Train/0/2.bin"
    cut.write_bytes(cut.read_bytes()[:-2])
    for path in (source, zipped(tmp_path / "set.zip", source)):
        with pytest.raises(EventFileError, match=r"Train/0/2\.bin at byte 95: expected records of 5 bytes"):
            open_recordings(path, "train")[0]


def test_a_member_that_declares_too_much_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_tools.archives.MAX_FILE", 100)
    recordings = open_recordings(zipped(tmp_path / "set.zip", folder(tmp_path / "set")), "test")
    with pytest.raises(EventFileError, match="it declares 120 bytes, more than 100 are refused"):
        recordings[0]


def test_a_recording_that_vanished_is_said_in_a_sentence(tmp_path: Path) -> None:
    source = folder(tmp_path / "set")
    recordings = open_recordings(source, "train")
    (source / "Train/0/2.bin").unlink()
    with pytest.raises(EventFileError, match="expected a recording, found no such file"):
        recordings[0]
    with pytest.raises(EventFileError, match="expected a recording, found no such file"):
        next(recordings.raw_bytes())


def test_an_open_archive_can_be_copied_and_is_opened_anew_in_a_fork(tmp_path: Path) -> None:
    recordings = open_recordings(zipped(tmp_path / "set.zip", folder(tmp_path / "set")), "train")
    assert recordings[0] == recording(0)
    assert copy.copy(recordings)[2] == recording(2)
    shared = recordings.files.opened()  # two processes that read from one position would mix up their bytes
    if (child := os.fork()) == 0:
        os._exit(0 if recordings[2] == recording(2) and recordings.files.opened() is not shared else 1)
    assert recordings[1] == recording(1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_real_archive_has_its_labels() -> None:
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "train")
    assert recordings.classes == tuple("0123456789")
    assert np.bincount(recordings.labels).tolist() == [97, 116, 99, 93, 105, 92, 94, 117, 87, 100]
    assert len(open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")) == 100


def test_the_real_archive_equals_its_files_unpacked(tmp_path: Path) -> None:
    source = data_path("n-mnist/n-mnist-1100.zip")
    recordings = open_recordings(source, "test")
    with zipfile.ZipFile(source) as archive:
        for i in (0, 50, 99):
            assert read(archive.extract(recordings.names[i], tmp_path)) == recordings[i]
