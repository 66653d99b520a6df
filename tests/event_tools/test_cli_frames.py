"""`event-tools frames` and `unframe`: there and back, for a file and for a set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from event_tools import Events, info, read, to_frames, write
from event_tools.datasets import open_recordings
from event_tools.frame_files import read_frames
from tests.event_tools.test_datasets import folder, recording


def test_frames_of_a_file_and_back_are_the_same_frames(run: Any, one: Path) -> None:
    npz, back = one.with_suffix(".npz"), one.with_suffix(".aedat4")
    answer = json.loads(run("frames", one, npz, "--steps", 4, "--json").out)
    assert (answer["events"], answer["frames"]) == (29, 4)
    found = read_frames(npz)
    expected = to_frames(recording(9), 4)
    assert np.array_equal(found.counts, expected.counts) and found.edges is not None
    assert json.loads(run("unframe", npz, back, "--seed", 7, "--json").out)["events"] == 29
    assert to_frames(read(back), edges=found.edges) == expected
    told = info(back).provenance
    assert told["seed"] == 7
    assert told["edges"] == ",".join(map(str, found.edges.tolist()))
    assert str(told["history.1"]).startswith("frames one.bin by=time steps=4 (")
    assert str(told["history.2"]).startswith("unframe one.npz placement=uniform seed=7 (")


@pytest.mark.parametrize(
    ("options", "edges"),
    [
        (("--duration-us", 10), [0, 10, 20, 30]),
        (("--edges", "0,5,28"), [0, 5, 28]),
        (("--steps", 2, "--by", "count"), [0, 14, 28]),
        (("--steps", 2, "--start-us", 10, "--stop-us", 21), [10, 15, 20]),
    ],
)
def test_frames_are_cut_as_asked(run: Any, one: Path, options: tuple[Any, ...], edges: list[int]) -> None:
    assert run("frames", one, one.with_suffix(".npz"), *options).status == 0
    found = read_frames(one.with_suffix(".npz"))
    assert found.edges is not None and found.edges.tolist() == edges


def test_frames_of_a_set_keep_its_shape_and_each_file_has_a_seed_of_its_own(run: Any, tmp_path: Path) -> None:
    source, counts, out = folder(tmp_path / "set"), tmp_path / "counts", tmp_path / "out"
    run("frames", source, counts, "--steps", 2, "--workers", 1, "--to", "npy")
    assert sorted(path.relative_to(counts).as_posix() for path in counts.rglob("*.npy")) == sorted(
        name.replace(".bin", ".npy") for name in open_recordings(source).names
    )
    assert "give --bin-us" in run("unframe", counts, out, "--to", "h5", "--workers", 1).err
    arguments = ("--to", "h5", "--bin-us", 20, "--start-us", 5, "--seed", 3, "--workers", 1)
    assert run("unframe", counts, tmp_path / "again", *arguments).status == 0
    made = sorted((tmp_path / "again").rglob("*.h5"))
    assert [info(path).provenance["seed"] for path in made] == [3, 4, 6, 5, 7]  # Train/0/10 after Train/0/2
    frames = to_frames(read(made[0]), edges=[5, 25, 45])
    assert np.array_equal(frames.counts, np.load(counts / "Test/0/4.npy"))


def test_unframe_can_follow_the_rate_of_real_recordings(run: Any, tmp_path: Path) -> None:
    source, npz = folder(tmp_path / "set"), tmp_path / "one.npz"
    run("frames", source / "Train/0/2.bin", npz, "--edges", "0,3000")
    late = Events(np.arange(2000, 3000), np.zeros(1000, int), np.zeros(1000, int), np.zeros(1000, int), (34, 34))
    (tmp_path / "real/a").mkdir(parents=True)
    write(tmp_path / "real/a/1.bin", late)
    arguments = ("--placement", "profile", "--profile", tmp_path / "real", "--unique", "--refractory-us", 5)
    assert run("unframe", npz, tmp_path / "one.h5", *arguments).status == 0
    t = read(tmp_path / "one.h5").t
    assert (len(t), len(np.unique(t))) == (20, 20) and t.min() >= 2000
