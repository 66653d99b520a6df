"""Samples on disk."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from event_tools import Events, info, read
from event_tools.counts import sum_blocks
from event_tools.presets import PRESETS
from event_tools.simulator import simulate
from neurogen.filming import filmed
from neurogen.sampling import OutputError, write_samples
from neurogen.two_stage_model import TwoStageModel
from tests.neurogen.tiny import event_model, image_model


def test_recordings_lie_by_label_and_read_back(tmp_path: Path) -> None:
    model = event_model()
    samples = model.sample(4, labels=[0, 1, 2, 1])
    out = write_samples(samples, model, tmp_path / "out", ("bin", "aedat4", "hdf5", "npz"))
    wanted = samples.recordings()
    for n, label in enumerate("abcb"):
        assert read(out / "aedat4" / label / f"{n:05d}.aedat4") == wanted[n]
        assert read(out / "hdf5" / label / f"{n:05d}.h5") == wanted[n]
        assert read(out / "Train" / label / f"{n:05d}.bin", sensor_size=(18, 18)) == wanted[n]
    assert sorted(path.suffix for path in (out / "Train").rglob("*.*")) == [".bin"] * 4


def test_aedat_2_files_follow_the_convention_of_the_training_recordings(tmp_path: Path) -> None:
    model = event_model()
    data = model.config.data.model_copy(update={"name": "dvs_cifar10", "convention": "spikingjelly"})
    stored = replace(model.stored, config=model.config.model_copy(update={"data": data}))
    samples = model.sample(2, labels=[1, 0])
    wide = replace(samples, counts=np.pad(samples.counts, [(0, 0)] * 3 + [(0, 110)] * 2))
    out = write_samples(wide, TwoStageModel(stored), tmp_path / "out", ("aedat",))
    for n, label in enumerate("ba"):
        path = out / "aedat" / label / f"cifar10_{label}_{n}.aedat"
        assert read(path, convention="spikingjelly") == wide.recordings()[n]
        assert len(read(path)) > 0


def test_summed_frames_are_shared_out_without_losing_an_event() -> None:
    model = event_model()
    summed = replace(model.stored.scaling, fit="sum", sensor_size=(64, 64))
    wide = TwoStageModel(replace(model.stored, scaling=summed))
    coarse, made = model.sample(3, seed=5).counts, wide.sample(3, seed=5)
    fine = made.counts
    assert fine.shape == (3, 4, 2, 64, 64)
    assert np.array_equal(sum_blocks(fine, 4), coarse[..., 1:17, 1:17])  # the crop's own counts
    assert [len(events) for events in made.recordings()] == fine.sum((1, 2, 3, 4)).tolist()


def test_the_index_lists_every_file_with_its_checksum(tmp_path: Path) -> None:
    model = event_model()
    out = write_samples(model.sample(3), model, tmp_path / "out", ("bin", "hdf5"))
    with open(out / "index.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "seed", "events", "duration_us", "sha256"]
    assert len(rows) == 6
    for row in rows:
        events = read(out / row["path"], sensor_size=(18, 18))
        assert (int(row["events"]), int(row["duration_us"])) == (len(events), events.duration_us)
        assert Path(row["path"]).parent.name == row["label"]
        assert hashlib.sha256((out / row["path"]).read_bytes()).hexdigest() == row["sha256"]


def test_arrays_hold_counts_edges_and_labels(tmp_path: Path) -> None:
    model = event_model()
    samples = model.sample(3)
    out = write_samples(samples, model, tmp_path / "out", ("npz",))
    with np.load(out / "samples.npz") as arrays:
        assert np.array_equal(arrays["counts"], samples.counts)
        assert np.array_equal(arrays["edges"], samples.edges)
        assert np.array_equal(arrays["labels"], samples.labels)


def test_provenance_travels_in_the_files(tmp_path: Path) -> None:
    model = event_model()
    options = {"temperature": 0.9, "top_k": None}
    out = write_samples(model.sample(1, labels=0), model, tmp_path / "out", ("aedat4", "hdf5"), 9, options)
    for path in (out / "aedat4/a/00000.aedat4", out / "hdf5/a/00000.h5"):
        told = info(path).provenance
        assert (str(told["seed"]), told["temperature"], "top_k" in told) == ("9", "0.9", False)


def test_images_are_written_as_png_and_npz(tmp_path: Path) -> None:
    model = image_model()
    samples = model.sample(3, labels=[0, 0, 1])
    out = write_samples(samples, model, tmp_path / "out")
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*.png")) == [
        "images/a/00000.png",
        "images/a/00001.png",
        "images/b/00002.png",
        "samples.png",
    ]
    with np.load(out / "samples.npz") as arrays:
        assert np.array_equal(arrays["images"], samples.images)


def test_views_and_unfolded_frames_are_written(tmp_path: Path) -> None:
    model = event_model()
    out = write_samples(model.sample(2), model, tmp_path / "out", ("gif", "html", "png"), unfold=True)
    assert {p.name for p in out.iterdir()} == {
        "samples.gif",
        "samples.html",
        "samples.png",
        "unfolded.png",
        "index.csv",
    }


def test_unfolding_lays_the_frames_of_a_recording_side_by_side(tmp_path: Path) -> None:
    from PIL import Image

    model = event_model()
    out = write_samples(model.sample(3), model, tmp_path / "out", ("npz",), unfold=True)
    with Image.open(out / "unfolded.png") as picture:
        assert picture.size == (4 * 19 * 2, 3 * 19 * 2)  # four 18-pixel frames and their gaps, twice as large


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    model = event_model()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="is in use"):
        write_samples(model.sample(1), model, tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_nothing_is_left_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import neurogen.sampling as sampling

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr(sampling, "write", full)
    model = event_model()
    with pytest.raises(OSError, match="No space"):
        write_samples(model.sample(1), model, tmp_path / "out", ("bin",))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused() -> None:
    model = event_model()
    with pytest.raises(OutputError, match="got 'mp4'"):
        write_samples(model.sample(1), model, "unused", ("mp4",))


def as_nmnist(grey: NDArray[np.float64], seed: int, **sizes: tuple[int, int]) -> Events:
    """What the preset does: its camera and path before the negative, whose ground goes on around it."""
    preset = PRESETS["nmnist"]
    return simulate(1 - grey, seed=seed, camera=preset.camera, motion=preset.motion, surround="continued", **sizes)


def test_images_asked_for_as_recordings_are_filmed(tmp_path: Path) -> None:
    model = image_model()
    samples = model.sample(3, labels=[0, 0, 1], seed=4)
    out = write_samples(samples, model, tmp_path / "out", ("gif", "html", "aedat4", "png"))
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()) == [
        "README.md",
        "aedat4/a/00000.aedat4",
        "aedat4/a/00001.aedat4",
        "aedat4/b/00002.aedat4",
        "images/a/00000.png",
        "images/a/00001.png",
        "images/b/00002.png",
        "index.csv",
        "samples.gif",
        "samples.html",
        "samples.png",
    ]
    for n, label in enumerate("aab"):  # 16 pixels on a sensor of 19, as 28 are on 34
        grey = samples.images[n, 0] / 255
        wanted = as_nmnist(grey, int(samples.seeds[n]), sensor_size=(19, 19), shown_size=(16, 16))
        assert read(out / "aedat4" / label / f"{n:05d}.aedat4") == wanted
    assert "preset nmnist" in (out / "README.md").read_text()
    assert "preset nmnist" in info(out / "aedat4/b/00002.aedat4").provenance["recorded"]


def test_a_film_does_not_depend_on_how_many_are_asked_for() -> None:
    model = image_model()
    few, many = model.sample(2, seed=7), model.sample(4, seed=7)
    assert filmed(few.images, few.seeds) == filmed(many.images, many.seeds)[:2]
    again = model.sample(2, seed=8)
    assert filmed(few.images, again.seeds) != filmed(few.images, few.seeds)


def test_colours_are_filmed_by_their_brightness() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (1, 3, 28, 28), dtype=np.uint8)
    red, green, blue = colour[0] / 255
    (events,) = filmed(colour, [3])
    assert events == as_nmnist(0.299 * red + 0.587 * green + 0.114 * blue, seed=3, sensor_size=(34, 34))


def test_recordings_of_a_model_of_recordings_have_no_note_of_a_camera(tmp_path: Path) -> None:
    model = event_model()
    out = write_samples(model.sample(1, labels=0), model, tmp_path / "out", ("aedat4",))
    assert "recorded" not in info(out / "aedat4/a/00000.aedat4").provenance
    assert not (out / "README.md").exists()
