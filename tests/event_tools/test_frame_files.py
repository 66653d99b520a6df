"""Files of frames: ours, SpikingJelly's, numpy's; and what is none."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from event_tools import EventFileError, Frames
from event_tools.frame_files import read_frames, write_frames

COUNTS = np.arange(3 * 2 * 4 * 5, dtype=np.int32).reshape(3, 2, 4, 5)
FRAMES = Frames(COUNTS, np.array([-5, 0, 7, 1 << 40]))


def test_frames_edges_and_provenance_come_back(tmp_path: Path) -> None:
    told = {"seed": 5, "share": 0.5, "anchor": True, "source": "one.bin"}
    write_frames(tmp_path / "one.npz", FRAMES, told)
    found = read_frames(tmp_path / "one.npz")
    assert Frames(found.counts, found.edges) == FRAMES
    assert found.counts.dtype == np.int32 and found.provenance == told


def test_numpy_and_spikingjelly_find_what_they_look_for(tmp_path: Path) -> None:
    write_frames(tmp_path / "one.npz", FRAMES, {})
    with np.load(tmp_path / "one.npz") as loaded:
        assert np.array_equal(loaded["frames"], COUNTS)
        assert (loaded["edges"].tolist(), int(loaded["width"]), int(loaded["height"])) == ([-5, 0, 7, 1 << 40], 5, 4)
    write_frames(tmp_path / "one.npy", FRAMES, {})
    assert np.array_equal(np.load(tmp_path / "one.npy"), COUNTS)


def test_spikingjellys_floats_are_read_as_counts_without_edges(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "one.npz", frames=COUNTS.astype(np.float64))
    np.save(tmp_path / "one.npy", COUNTS.astype(np.uint8))
    for name in ("one.npz", "one.npy"):
        found = read_frames(tmp_path / name)
        assert np.array_equal(found.counts, COUNTS)
        assert (found.edges, found.provenance) == (None, {})


def test_equal_frames_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_frames(tmp_path / f"{name}.npz", FRAMES, {"seed": 1})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 2, 4)), r"expected frames \(T, 2, H, W\), got \(3, 2, 4\)"),
        (np.zeros((3, 3, 4, 4)), r"expected frames \(T, 2, H, W\)"),
        (np.zeros((3, 2, 0, 4)), r"expected frames \(T, 2, H, W\)"),
        (np.full((1, 2, 1, 1), 0.5), "expected counts, whole numbers"),
        (np.full((1, 2, 1, 1), np.nan), "expected counts, whole numbers"),
        (np.full((1, 2, 1, 1), -1), "expected counts, whole numbers"),
        (np.full((1, 2, 1, 1), 1 << 31), "expected counts, whole numbers"),
        (np.full((1, 2, 1, 1), "a"), "expected counts, got <U1"),
    ],
)
def test_what_are_no_counts_is_refused(tmp_path: Path, array: np.ndarray, reason: str) -> None:
    np.save(tmp_path / "one.npy", array)
    np.savez(tmp_path / "one.npz", frames=array)
    for name in ("one.npy", "one.npz"):
        with pytest.raises(EventFileError, match=reason):
            read_frames(tmp_path / name)


def test_other_files_and_false_sizes_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "events.npz", t=np.zeros(3), x=np.zeros(3))
    np.savez(tmp_path / "edges.npz", frames=COUNTS, edges=np.zeros(4))
    (tmp_path / "text.npz").write_bytes(b"no archive at all")
    np.save(tmp_path / "cut.npy", COUNTS)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-4])
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    for name, reason in (
        ("events.npz", "expected an array named frames, got t, x; frames come from event-tools frames"),
        ("edges.npz", r"expected edges as whole microseconds, got float64 \(4,\)"),
        ("text.npz", "expected the head of a numpy array"),
        ("cut.npy", r"its array \(3, 2, 4, 5\) needs 480 bytes, 476 follow"),
        ("objects.npy", "objects, which are never unpickled"),
        ("absent.npy", "found no such file"),
    ):
        with pytest.raises(EventFileError, match=reason):
            read_frames(tmp_path / name)


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EventFileError, match=r"expected frames to go into \.npz or \.npy, got '\.h5'"):
        write_frames(tmp_path / "one.h5", FRAMES, {})
    assert list(tmp_path.iterdir()) == []
