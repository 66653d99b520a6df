"""The fast path from bytes to counts equals reading and binning each recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from event_tools import Events, to_frames, write
from event_tools.bulk import nmnist_counts
from event_tools.datasets import open_recordings
from event_tools.filters import denoise as denoised
from tests.data import data_path


def packed(*events: tuple[int, int, int, int]) -> bytes:
    """(t, x, y, p) in N-MNIST's five bytes."""
    return b"".join(bytes((x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255)) for t, x, y, p in events)


@pytest.mark.parametrize("by", ["time", "published"])
@pytest.mark.parametrize("denoise", ["off", "published", "corrected"])
def test_bulk_counts_equal_reading_and_binning_each_recording(by: str, denoise: str) -> None:
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")
    buffers = [data for i, data in enumerate(recordings.raw_bytes()) if i % 10 == 0]
    counts, edges = nmnist_counts(buffers, steps=10, by=by, denoise=denoise)
    for k, i in enumerate(range(0, 100, 10)):
        events = recordings[i] if denoise == "off" else denoised(recordings[i], mode=denoise)
        frames = to_frames(events, steps=10, by=by)
        assert np.array_equal(frames.counts, counts[k]) and np.array_equal(frames.edges, edges[k])


def test_bulk_counts_do_not_depend_on_threads() -> None:
    buffers = [packed((i, 1, 2, 1), (100 + i, 3, 4, 0)) for i in range(20)]
    one, two = nmnist_counts(buffers, 4, threads=1), nmnist_counts(buffers, 4, threads=3)
    assert np.array_equal(one[0], two[0]) and np.array_equal(one[1], two[1])


def test_bulk_counts_take_overflow_marks_as_time_alone(tmp_path: Path) -> None:
    counts, edges = nmnist_counts([packed((10, 0, 0, 1), (0, 0, 240, 0), (10, 5, 6, 0))], steps=2)
    assert edges.tolist() == [[10, 10 + 4096, 10 + 8192]] and counts.sum() == 2


def test_an_empty_recording_has_no_counts() -> None:
    counts, edges = nmnist_counts([b"", packed((7, 0, 0, 1))], steps=3)
    assert not counts[0].any() and edges.tolist() == [[0] * 4, [7] * 4] and counts[1, 2, 1, 0, 0] == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packed((1, 0, 0, 1))[:-1], "the last one has 4"),
        (packed((1, 34, 0, 1)), "outside 34x34"),
        (packed((5, 0, 0, 1), (4, 0, 0, 1)), "event 1 at byte 5"),
        (packed((5, 0, 0, 1)) * 65536, "up to 65535"),
    ],
    ids=["cut", "outside", "backwards", "too many"],
)
def test_damaged_recordings_are_named_by_their_position(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f"recording 1: .*{reason}"):
        nmnist_counts([packed((1, 0, 0, 1)), data], steps=2)


@pytest.mark.parametrize("arguments", [{"by": "number"}, {"denoise": "on"}], ids=str)
def test_wrong_requests_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        nmnist_counts([b""], steps=2, **arguments)


def test_bulk_counts_read_what_our_writer_writes(tmp_path: Path) -> None:
    events = Events([3, 3, 90_000], [0, 33, 7], [33, 0, 8], [1, 0, 1], (34, 34))
    write(tmp_path / "one.bin", events)
    counts, _ = nmnist_counts([(tmp_path / "one.bin").read_bytes()], steps=4)
    assert np.array_equal(counts[0], to_frames(events, 4).counts)
