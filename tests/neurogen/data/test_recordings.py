"""Recordings as counts: equal to a plain rewrite, from folders and archives alike, kept small and mapped."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from event_tools import Events, to_frames, write
from neurogen.config import DataConfig
from neurogen.data import DataError, open_data
from neurogen.data import recordings as recordings_module
from tests.data import data_path
from tests.neurogen.data.sets import recording, recordings, zipped

LAYOUT = {"Train/0": 4, "Train/7": 6, "Test/0": 2, "Test/7": 2}


def config(path: Path, **more: object) -> DataConfig:
    return DataConfig(**{"name": "nmnist", "path": str(path)} | more)  # type: ignore[arg-type]


def some_real(folder: Path, names: int = 12) -> Path:
    """Every so many of the real recordings, unpacked."""
    with zipfile.ZipFile(data_path("n-mnist/n-mnist-1100.zip")) as archive:
        binaries = [name for name in archive.namelist() if name.endswith(".bin")]
        for name in binaries[:: len(binaries) // names]:
            archive.extract(name, folder)
    return folder


def plain_counts(data: bytes, steps: int, published_bins: bool, denoise: str) -> tuple[np.ndarray, list[int]]:
    """The published loader's chain in plain Python, event by event: five bytes, a memory of last times, bins.

    Its denoise keeps one value per pixel, the time until which the pixel supports its neighbours; the memory begins
    with the window itself (published), so that early events pass, or with nothing (corrected).
    """
    memory = [[10_000 if denoise == "published" else -1] * 34 for _ in range(34)]
    kept = []
    for i in range(0, len(data), 5):
        x, y, p = data[i], data[i + 1], data[i + 2] >> 7
        t = (data[i + 2] & 127) * 65536 + data[i + 3] * 256 + data[i + 4]
        memory[x][y] = t + 10_000
        if (
            denoise == "off"
            or (x > 0 and memory[x - 1][y] > t)
            or (x < 33 and memory[x + 1][y] > t)
            or (y > 0 and memory[x][y - 1] > t)
            or (y < 33 and memory[x][y + 1] > t)
        ):
            kept.append((t, x, y, p))
    first, last = kept[0][0], kept[-1][0]
    width = (last - first) // steps
    edges = [first + i * width for i in range(steps + 1)]
    if not published_bins:
        edges[-1] = last
    counts = np.zeros((steps, 2, 34, 34), int)
    for t, x, y, p in kept:
        step = (t - first) // width
        if step >= steps and published_bins:
            continue  # the remainder and the last event are lost
        counts[min(step, steps - 1), p, y, x] += 1
    return counts, edges


@pytest.mark.parametrize("binning", ["time", "published"])
@pytest.mark.parametrize("denoise", ["off", "published", "corrected"])
def test_prepared_counts_are_those_of_a_plain_rewrite(tmp_path: Path, binning: str, denoise: str) -> None:
    folder = some_real(tmp_path)
    data = open_data(config(folder, binning=binning, denoise=denoise), 4, "train")
    for i, name in enumerate(data.source.names[:4]):
        counts, edges = plain_counts((folder / name).read_bytes(), 4, binning == "published", denoise)
        np.testing.assert_array_equal(data.counts[i], counts)
        assert data.edges[i].tolist() == edges


def test_published_denoise_lets_more_through_than_the_corrected_one(tmp_path: Path) -> None:
    folder = some_real(tmp_path)
    totals = [
        open_data(config(folder, denoise=d), 4, "train").event_counts.sum() for d in ("off", "published", "corrected")
    ]
    assert totals[0] > totals[1] > totals[2]
    assert 0.05 < 1 - totals[1] / totals[0] < 0.18  # 8.1 % over the whole set, 5 to 18 % of single recordings


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_folder_and_a_zip_give_the_same_data(tmp_path: Path, split: str) -> None:
    folder = recordings(tmp_path / "set", LAYOUT)
    archive = zipped(folder, tmp_path / "set.zip")
    one, two = (open_data(config(path), 4, split) for path in (folder, archive))
    np.testing.assert_array_equal(one.counts, two.counts)
    np.testing.assert_array_equal(one.edges, two.edges)
    assert one.labels.tolist() == two.labels.tolist() and one.classes == two.classes == ("0", "7")
    assert [one.recording(i) for i in range(len(one))] == [two.recording(i) for i in range(len(two))]


def test_train_and_test_may_still_be_packed_as_published(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "set", LAYOUT)
    for split in ("Train", "Test"):
        zipped(folder, tmp_path / "packed" / f"{split}.zip", split)
    for split, items in (("train", 10), ("test", 4)):
        packed = open_data(config(tmp_path / "packed"), 4, split)
        assert len(packed) == items
        np.testing.assert_array_equal(packed.counts, open_data(config(folder), 4, split).counts)


def test_counts_are_kept_as_bytes_in_a_mapped_file_at_the_sensors_size(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "set", LAYOUT)
    data = open_data(config(folder, fit="resize", resolution=64), 4, "train")
    assert isinstance(data.prepared, np.memmap) and data.prepared.dtype == np.uint8
    assert data.prepared.shape == (10, 4, 2, 34, 34)
    assert data.batch(np.arange(3)).shape == (3, 4, 2, 64, 64)


def test_other_sizes_share_what_was_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = recordings(tmp_path / "set", LAYOUT)
    open_data(config(folder), 4, "train")
    monkeypatch.setattr("neurogen.data.recordings._prepare", lambda *_: pytest.fail("prepared again"))
    open_data(config(folder, fit="resize", resolution=64, validation=3, scaling="recording"), 4, "train")


def test_a_changed_recording_is_prepared_anew(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "set", LAYOUT)
    before = open_data(config(folder), 4, "train").event_counts
    write(folder / "Train" / "0" / "00000.bin", recording(99, events=77))
    after = open_data(config(folder), 4, "train").event_counts
    assert after[0] == 77 and before[0] == 200 and np.array_equal(before[1:], after[1:])


def test_other_formats_are_read_one_by_one(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "set", {"Train/a": 3, "Train/b": 3, "Test/a": 1}, ".aedat4", (40, 36))
    data = open_data(config(folder, name="recordings", denoise="corrected"), 3, "train")
    assert data.sensor_size == (40, 36) and data.classes == ("a", "b")
    from event_tools.filters import denoise

    for i in range(len(data)):
        frames = to_frames(denoise(data.recording(i)), 3)
        np.testing.assert_array_equal(data.counts[i], frames.counts)
        np.testing.assert_array_equal(data.edges[i], frames.edges)


def test_counts_above_a_byte_take_two(tmp_path: Path) -> None:
    folder = recordings(tmp_path / "set", {"Train/0": 2, "Test/0": 1})
    t = np.arange(1000)
    write(folder / "Train/0/00000.bin", Events(t, t * 0 + 3, t * 0 + 4, t * 0, (34, 34)))
    data = open_data(config(folder), 2, "train")
    assert data.prepared.dtype == np.uint16 and data.counts[0, :, 0, 4, 3].tolist() == [499, 501]


def test_the_crop_says_how_many_events_it_loses(tmp_path: Path) -> None:
    folder = tmp_path / "Train" / "0"
    folder.mkdir(parents=True)
    x = np.array([0, 33, 1, 32, 5, 6, 7, 8])
    for n in range(10):
        write(folder / f"{n}.bin", Events(np.arange(8), x, np.full(8, 9), np.ones(8, int), (34, 34)))
    data = open_data(config(tmp_path), 2, "train")  # nine items: the tenth is for testing
    assert data.lost_share == pytest.approx(2 / 8)
    assert data.crop_note == "the central 32x32 of 34x34 pixels loses 18 of 72 counted events (25.00%)"
    assert open_data(config(tmp_path, fit="resize"), 2, "train").crop_note is None


def test_the_crop_of_real_recordings_loses_the_known_share() -> None:
    data = open_data(config(data_path("n-mnist/n-mnist-1100.zip")), 4, "test")
    assert data.lost_share == pytest.approx(0.0023, abs=0.0001)  # 0.23 % of the 100 test recordings


def test_cropped_items_are_placed_back_on_the_sensor(tmp_path: Path) -> None:
    data = open_data(config(recordings(tmp_path, LAYOUT), scale=4.0), 4, "train")
    back = np.rint(data.scaling.undo(data.batch(np.arange(10)).numpy()))
    inner = data.counts[..., 1:33, 1:33]
    assert back.shape == (10, 4, 2, 34, 34) and back.sum() == inner.sum()
    np.testing.assert_array_equal(back[..., 1:33, 1:33], inner)


def test_batches_are_shifted_only_with_a_generator(tmp_path: Path) -> None:
    data = open_data(config(recordings(tmp_path, LAYOUT), shift=3), 4, "train")
    index = torch.arange(10)
    assert torch.equal(data.batch(index), data.batch(index))
    moved = data.batch(index, torch.Generator().manual_seed(0))
    assert not torch.equal(moved, data.batch(index)) and moved.shape == (10, 4, 2, 32, 32)


def test_an_item_keeps_its_label_and_its_recording_under_a_split(tmp_path: Path) -> None:
    folder = recordings(tmp_path, LAYOUT)
    held = open_data(config(folder, validation=4), 4, "validation")
    for i in range(4):
        assert f"Train/{held.classes[held.labels[i]]}/" in held.source.names[held.index[i]]
        np.testing.assert_array_equal(held.counts[i], to_frames(held.recording(i), 4).counts)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x01\x02\x80\x00", "expected records of 5 bytes, the last one has 4"),
        (b"\x22\x02\x80\x00\x01", "event 0 at byte 0 lies outside 34x34"),
        (b"\x01\x01\x00\x00\x09\x01\x01\x00\x00\x08", "event 1 at byte 5 lies outside 34x34 or before its predecessor"),
    ],
    ids=["cut", "outside", "backwards"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_damaged_recording_is_refused_by_name_and_nothing_is_kept(
    tmp_path: Path, cache: Path, content: bytes, reason: str, packed: bool
) -> None:
    source = recordings(tmp_path / "set", LAYOUT)
    (source / "Train" / "7" / "00003.bin").write_bytes(content)
    if packed:
        source = zipped(source, tmp_path / "set.zip")
    with pytest.raises(DataError, match=rf"Train/7/00003.bin: {reason}.*; take a fresh copy of it or remove it"):
        open_data(config(source), 4, "train")
    assert list((cache / "recordings").iterdir()) == []


def test_ones_own_files_of_a_larger_sensor_are_told_how_to_say_so(tmp_path: Path) -> None:
    source = recordings(tmp_path / "set", {"0": 12}, size=(64, 48))
    with pytest.raises(DataError, match="or give another sensor's size by event-tools convert --to aedat4 --sensor"):
        open_data(config(source, name="recordings"), 4, "train")


def test_an_interruption_leaves_nothing(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    folder = recordings(tmp_path, LAYOUT)
    with monkeypatch.context() as patch:
        patch.setattr("neurogen.data.recordings.nmnist_counts", interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_data(config(folder), 4, "train")
    assert list((cache / "recordings").iterdir()) == []
    assert len(open_data(config(folder), 4, "train")) == 10


def test_a_recording_that_is_removed_on_the_way_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, prepare = recordings(tmp_path, LAYOUT), recordings_module._prepare

    def removing(*arguments: Any) -> None:
        shutil.rmtree(folder / "Train" / "7")
        prepare(*arguments)

    monkeypatch.setattr(recordings_module, "_prepare", removing)
    with pytest.raises(DataError, match=r"Train/7/00000.bin: .*no such file"):
        open_data(config(folder), 4, "train")


def test_a_mixture_of_sensors_is_refused(tmp_path: Path) -> None:
    recordings(tmp_path, {"Train/a": 2}, ".aedat4", (34, 34))
    recordings(tmp_path, {"Train/b": 2, "Test/b": 1}, ".aedat4", (40, 40))
    with pytest.raises(DataError, match=r"Train/b/00000.aedat4: expected a sensor of 34x34 .* got 40x40"):
        open_data(config(tmp_path, name="recordings"), 4, "train")


def test_a_count_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    recordings(tmp_path, {"Train/a": 1, "Test/a": 1}, ".aedat4")
    n = 70_000
    zero = np.zeros(n, int)
    write(tmp_path / "Train/a/1.aedat4", Events(zero, zero, zero, zero, (34, 34)))
    with pytest.raises(DataError, match=r"1.aedat4: expected counts up to 65535, a pixel has 70000 .*model.steps"):
        open_data(config(tmp_path, name="recordings"), 2, "train")
