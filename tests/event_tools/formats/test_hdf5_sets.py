"""Many labelled recordings in one HDF5 file: ours with h5py alone, SHD's, tonic's caches; labels, names, splits."""

from __future__ import annotations

import copy
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import EventFileError, Events, info, read, write
from event_tools.datasets import Labelled, holds_many, open_recordings, write_set
from event_tools.formats.reader import Reading
from tests.data import data_path
from tests.event_tools.recordings import recordings

ONE = Events([-5, 1000, 1000], [1, 33, 0], [2, 0, 33], [1, 0, 1], (34, 34))
TWO = Events([7], [2], [3], [0], (34, 34))
NONE = Events.empty((34, 34))
ITEMS = [("cat", ONE), ("dog", NONE), ("cat", TWO)]


def test_a_set_comes_back_with_its_labels(tmp_path: Path) -> None:
    assert write_set(tmp_path / "set.h5", ITEMS) == 3
    found = open_recordings(tmp_path / "set.h5")
    assert list(found) == [ONE, NONE, TWO]
    assert (found.classes, found.labels.tolist()) == (("cat", "dog"), [0, 1, 0])
    assert found.names == ("cat/0", "dog/1", "cat/2")
    assert not found.all_nmnist
    assert holds_many(tmp_path / "set.h5") and not holds_many(tmp_path)


def test_h5py_alone_finds_a_recording_as_it_is_described(tmp_path: Path) -> None:
    write_set(tmp_path / "set.h5", ITEMS, provenance={"seed": 3})
    with h5py.File(tmp_path / "set.h5") as file:
        assert file.attrs["event_tools_set"] == 1
        assert (file.attrs["width"], file.attrs["height"], file.attrs["provenance_seed"]) == (34, 34, 3)
        assert file["first"][:].tolist() == [0, 3, 3, 4]
        a, b = file["first"][0:2]
        assert [file[f"events/{name}"][a:b].tolist() for name in "txyp"] == [
            [-5, 1000, 1000], [1, 33, 0], [2, 0, 33], [1, 0, 1],
        ]  # fmt: skip
        assert file["classes"][file["labels"][1]] == b"dog"
        assert file["names"].asstr()[:].tolist() == ["cat/0", "dog/1", "cat/2"]
        assert file["sensor_sizes"][:].tolist() == [[34, 34]] * 3


def test_one_recording_is_read_by_position_or_name_and_none_asks(tmp_path: Path) -> None:
    write_set(tmp_path / "set.h5", ITEMS)
    for member in (2, "2", "cat/2"):
        assert read(tmp_path / "set.h5", member=member) == TWO
    assert info(tmp_path / "set.h5", member=0).version == "set 1"
    with pytest.raises(
        EventFileError,
        match="it holds 3 recordings of 2 classes; choose one by member=0 to 2 or a name such as 'cat/0'",
    ):
        read(tmp_path / "set.h5")
    for member in (3, -1, "cat"):
        with pytest.raises(EventFileError, match=f"none of them {member!r}; choose one by member=0 to 2"):
            read(tmp_path / "set.h5", member=member)


def test_windows_of_a_member(tmp_path: Path) -> None:
    write_set(tmp_path / "set.h5", ITEMS)
    assert read(tmp_path / "set.h5", member=0, start_us=0, stop_us=1001) == ONE[1:]


def test_classes_may_be_given_and_labels_be_numbers(tmp_path: Path) -> None:
    write_set(tmp_path / "set.h5", [(1, ONE), ("a", TWO)], classes=["b", "a"])
    assert open_recordings(tmp_path / "set.h5").classes == ("b", "a")
    assert open_recordings(tmp_path / "set.h5").labels.tolist() == [1, 1]
    write_set(tmp_path / "set.h5", [(10, ONE), (9, TWO)])
    assert open_recordings(tmp_path / "set.h5").classes == ("9", "10")
    for label, reason in ((2, "expected labels 0 to 1, got 2"), ("c", "expected labels of b, a, got 'c'")):
        with pytest.raises(EventFileError, match=reason):
            write_set(tmp_path / "no.h5", [(label, ONE)], classes=["b", "a"])
    assert not (tmp_path / "no.h5").exists()


def test_splits_are_told_by_names(tmp_path: Path) -> None:
    items = [Labelled("7", ONE, "Train/7/1.bin"), Labelled("3", TWO, "Test/3/1.bin"), Labelled("7", NONE, "Test/7/2")]
    write_set(tmp_path / "set.h5", items)
    train, test = (open_recordings(tmp_path / "set.h5", split) for split in ("train", "test"))
    assert (train.names, test.names) == (("Train/7/1.bin",), ("Test/3/1.bin", "Test/7/2"))
    assert train.classes == test.classes == ("3", "7")
    assert (list(test), test.labels.tolist()) == ([TWO, NONE], [0, 1])
    write_set(tmp_path / "plain.h5", ITEMS)
    with pytest.raises(EventFileError, match="expected recordings named Train/<label>/<file>, found none"):
        open_recordings(tmp_path / "plain.h5", "train")


def test_sensors_and_provenance_of_each_recording_are_kept(tmp_path: Path) -> None:
    wide = Events([1], [300], [0], [1], (640, 480))
    items = [Labelled("a", ONE, provenance={"seed": 7, "by": "ö"}), Labelled("a", wide)]
    write_set(tmp_path / "set.h5", items, provenance={"seed": 1, "version": "0.1"})
    assert [events.sensor_size for events in open_recordings(tmp_path / "set.h5")] == [(34, 34), (640, 480)]
    assert info(tmp_path / "set.h5", member=0).provenance == {"seed": 7, "by": "ö", "version": "0.1"}
    assert info(tmp_path / "set.h5", member=1).provenance == {"seed": 1, "version": "0.1"}


def test_a_recording_may_come_in_parts_and_the_bytes_do_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_tools.formats.hdf5_set_writer.CHUNK", 8)
    monkeypatch.setattr("event_tools.formats.hdf5_set_writer.BATCH_CHUNKS", 2)
    n = 100
    events = Events(np.arange(n), np.arange(n) % 34, np.arange(n) % 33, np.arange(n) % 2, (34, 34))
    items = [events[:30], events[30:30], events[30:]]
    write_set(tmp_path / "one.h5", [("a", item) for item in items])
    assert list(open_recordings(tmp_path / "one.h5")) == items
    for step in (1, 9, 64):
        parts = [[item[at : at + step] for at in range(0, max(1, len(item)), step)] for item in items]
        write_set(tmp_path / "two.h5", [Labelled("a", iter(part)) for part in parts])
        assert (tmp_path / "two.h5").read_bytes() == (tmp_path / "one.h5").read_bytes()


def test_what_is_no_set_is_refused(tmp_path: Path) -> None:
    for items, reason in (
        ([], "expected recordings for a set, got none"),
        ([Labelled("a", ONE, "x"), Labelled("a", TWO, "x")], "expected names that differ, .* got 'x' again"),
        ([Labelled("a", [])], "recording 0 has no parts"),
        ([Labelled("a", [ONE, TWO])], "expected parts in order of time, 7 us follows 1000 us"),
        ([Labelled("a", ONE, provenance={"x": []})], "expected provenance x as text"),
    ):
        with pytest.raises(EventFileError, match=reason):
            write_set(tmp_path / "set.h5", items)
    assert list(tmp_path.iterdir()) == []


def test_a_set_whose_tables_disagree_is_refused(tmp_path: Path) -> None:
    for name, values, reason in (
        ("first", [0, 3, 2, 4], "expected 4 places of 4 events in first"),
        ("first", [0, 3, 3, 5], "expected 4 places of 4 events in first"),
        ("first", [0, 3, 4], "expected 4 places of 4 events in first"),
        ("labels", [0, 2, 0], "expected labels of 2 classes, recording 1 has 2"),
        ("labels", [0.0, 1, 0], "expected labels to be whole numbers, got float64"),
    ):
        write_set(tmp_path / "set.h5", ITEMS)
        with h5py.File(tmp_path / "set.h5", "a") as file:
            del file[name]
            file[name] = np.array(values)
        with pytest.raises(EventFileError, match=reason):
            open_recordings(tmp_path / "set.h5")
    write_set(tmp_path / "set.h5", ITEMS)
    with h5py.File(tmp_path / "set.h5", "a") as file:
        file.attrs["event_tools_set"] = 2
    with pytest.raises(EventFileError, match="expected a set of version 1, got 2; update event_tools"):
        open_recordings(tmp_path / "set.h5")


def test_a_file_of_one_recording_is_no_set(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "one.h5", "w") as file:
        for name in "txyp":
            file[f"events/{name}"] = [1]
    with pytest.raises(EventFileError, match="expected a set of many recordings, this file holds one; read it"):
        open_recordings(tmp_path / "one.h5")
    assert not holds_many(tmp_path / "one.h5")


def test_an_open_set_can_be_copied_pickled_and_used_in_a_fork(tmp_path: Path) -> None:
    write_set(tmp_path / "set.h5", ITEMS)
    found = open_recordings(tmp_path / "set.h5")
    assert found[0] == ONE
    assert copy.copy(found)[2] == pickle.loads(pickle.dumps(found))[2] == TWO
    if (child := os.fork()) == 0:
        os._exit(0 if found[2] == TWO else 1)
    assert found[0] == ONE
    assert os.waitpid(child, 0)[1] == 0


def test_threads_may_read_one_set(tmp_path: Path) -> None:
    def numbered(i: int) -> Events:
        return Events(np.arange(30_000) + i, [i] * 30_000, [i] * 30_000, [1] * 30_000, (34, 34))

    write_set(tmp_path / "set.h5", [("one", numbered(i)) for i in range(12)])
    found = open_recordings(tmp_path / "set.h5")
    order = [*range(12)] * 3 + [*range(11, -1, -1)] * 3
    with ThreadPoolExecutor(4) as pool:
        for i, events in zip(order, pool.map(found.events, order), strict=True):
            assert events == numbered(i)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000])
def test_a_recording_whose_provenance_is_damaged_has_none(tmp_path: Path, text: str) -> None:
    write_set(tmp_path / "set.h5", [Labelled("cat", ONE, provenance={"seed": 7})])
    with h5py.File(tmp_path / "set.h5", "r+") as file:
        del file["provenance"]
        file.create_dataset("provenance", data=np.array([text.encode()]))
    assert info(tmp_path / "set.h5", member=0).provenance == {}
    assert open_recordings(tmp_path / "set.h5")[0] == ONE


def test_times_that_would_not_be_read_are_refused(tmp_path: Path) -> None:
    for t in (-1 << 62, 1 << 62):
        far = Events([t], [0], [0], [1], (34, 34))
        with pytest.raises(EventFileError, match=f"within {1 << 62} us of 0, got {t} to {t}; shift them"):
            write_set(tmp_path / "set.h5", [("one", far)])
        with pytest.raises(EventFileError, match=f"within {1 << 62} us of 0, got {t} to {t}; shift them"):
            write(tmp_path / "one.h5", far)


def test_a_damaged_block_is_named_and_others_are_read(tmp_path: Path) -> None:
    n = 40_000
    events = Events(np.arange(n), np.arange(n) % 34, np.arange(n) % 33, np.arange(n) % 2, (34, 34))
    write_set(tmp_path / "set.h5", [("a", events[:16384]), ("a", events[16384:])])
    with h5py.File(tmp_path / "set.h5") as file:
        place = file["events/x"].id.get_chunk_info_by_coord((32768,)).byte_offset
    data = bytearray((tmp_path / "set.h5").read_bytes())
    data[place + 100] ^= 1
    (tmp_path / "set.h5").write_bytes(data)
    found = open_recordings(tmp_path / "set.h5")
    assert found[0] == events[:16384]
    with pytest.raises(EventFileError, match=f"at byte {place}: events/x cannot be decoded from event 32768 on"):
        found[1]
    with pytest.warns(UserWarning, match="kept what precedes it"):
        assert found.events(1, Reading(tolerant=True)) == events[16384:32768]


@settings(deadline=None, max_examples=10)
@given(st.lists(st.tuples(st.sampled_from("abc"), recordings(-(1 << 60), 1 << 60, 65536)), min_size=1, max_size=5))
def test_any_set_comes_back(items: list[tuple[str, Events]]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "set.h5"
        write_set(path, items)
        found = open_recordings(path)
        assert list(found) == [events for _, events in items]
        assert [found.classes[label] for label in found.labels] == [label for label, _ in items]


def spikes(path: Path, keys: bool = True) -> Path:
    """As SHD lies: float16 seconds, units up to 699."""
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (2,), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (2,), h5py.vlen_dtype(np.uint16))
        times[0], times[1] = np.array([0.0, 0.5, 1.25], "f2"), np.array([0.25], "f2")
        units[0], units[1] = np.array([5, 699, 0], "u2"), np.array([1], "u2")
        file["labels"] = np.array([1, 0], "u2")
        if keys:
            file["extra/keys"] = np.array([b"zero", b"eins"])
            file["extra/speaker"] = np.array([4, 4], "u2")
    return path


def test_spikes_of_one_dimension_have_y_0_and_are_all_on(tmp_path: Path) -> None:
    found = open_recordings(spikes(tmp_path / "shd_train.h5"))
    assert (found.classes, found.labels.tolist()) == (("zero", "eins"), [1, 0])
    assert found[0] == Events([0, 500_000, 1_250_000], [5, 699, 0], [0, 0, 0], [1, 1, 1], (700, 1))
    assert read(tmp_path / "shd_train.h5", member=1) == Events([250_000], [1], [0], [1], (700, 1))
    assert len(open_recordings(tmp_path / "shd_train.h5", "train")) == 2
    with pytest.raises(EventFileError, match="expected recordings named Test/<label>/<file>, found none"):
        open_recordings(tmp_path / "shd_train.h5", "test")
    assert open_recordings(spikes(tmp_path / "other.h5", keys=False)).classes == ("0", "1")


def test_texts_of_variable_length_that_nobody_has_are_refused_before_they_are_looked_for(tmp_path: Path) -> None:
    path = spikes(tmp_path / "shd_train.h5")
    with h5py.File(path, "r+") as file:
        del file["extra/keys"]
        file.create_dataset("extra/keys", data=["a"] * 1025, dtype=h5py.string_dtype())
    with pytest.raises(EventFileError, match="expected up to 1024 texts in extra/keys, got 1025"):
        open_recordings(path)


def test_a_folder_of_tonics_cache_is_a_set(tmp_path: Path) -> None:
    kind = [("x", "i8"), ("y", "i8"), ("t", "i8"), ("p", "i8")]
    for i, target in ((0, 7), (10, 2), (2, 7)):
        with h5py.File(tmp_path / f"{i}_0.hdf5", "w") as file:
            file.create_dataset("data/0", data=np.array([(1, 2, i, 1)], kind), compression="lzf")
            file.create_dataset("target/0", data=target)
    found = open_recordings(tmp_path, sensor_size=(34, 34))
    assert (found.names, found.classes) == (("10_0.hdf5", "0_0.hdf5", "2_0.hdf5"), ("2", "7"))
    assert [events.t.tolist() for events in found] == [[10], [0], [2]]
    assert found.labels.tolist() == [0, 1, 1]


def test_real_recordings_keep_their_names_labels_and_events(tmp_path: Path) -> None:
    source = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")
    items = [Labelled(source.classes[source.labels[i]], source[i], source.names[i]) for i in range(0, 100, 5)]
    write_set(tmp_path / "set.h5", items, source.classes)
    found = open_recordings(tmp_path / "set.h5", "test")
    assert (found.names, found.classes) == (source.names[::5], source.classes)
    assert found.labels.tolist() == source.labels[::5].tolist()
    assert all(a == items[i].events for i, a in enumerate(found))
