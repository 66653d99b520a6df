"""The two in-memory forms take what is right, convert what loses nothing, and refuse the rest in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from event_tools import Events, Frames


def events(t: list[int]) -> Events:
    n = len(t)
    return Events(np.array(t, np.int64), np.zeros(n, np.uint16), np.zeros(n, np.uint16), np.ones(n, np.uint8), (4, 3))


def test_columns_are_converted_where_no_value_changes() -> None:
    one = Events([5, 6], np.array([1, 2], np.int8), np.array([0, 2], np.uint64), np.array([True, False]), [4, 3])
    assert [getattr(one, name).dtype for name in "txyp"] == [np.int64, np.uint16, np.uint16, np.uint8]
    assert one.p.tolist() == [1, 0]
    assert one.sensor_size == (4, 3)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (([1, 2], [0], [0], [1]), "columns of equal length, got t 2, x 1, y 1, p 1"),
        (([1], [4], [0], [1]), "within 4x3, got x up to 4 and y up to 0"),
        (([1], [0], [3], [1]), "within 4x3, got x up to 0 and y up to 3"),
        (([1], [0], [0], [2]), "polarities 0 and 1, got 2"),
        (([1], [-1], [0], [1]), "x to fit uint16, got -1 to -1"),
        (([1], [0], [70000], [1]), "y to fit uint16, got 70000 to 70000"),
        (([1.5], [0], [0], [1]), "whole numbers for t, got float64"),
        (([[1]], [0], [0], [1]), "t to have one dimension, got 2"),
        (([7, 6], [0, 0], [0, 0], [1, 1]), "do not decrease, event 1 at 6 us follows 7 us"),
    ],
)
def test_wrong_columns_are_refused(columns: tuple[list[int], ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Events(*columns, (4, 3))


@pytest.mark.parametrize("size", [(0, 3), (4, 65537), (4,), (4.5, 3), None, 4])
def test_a_sensor_is_two_whole_sides_of_1_to_65536_pixels(size: object) -> None:
    with pytest.raises(ValueError, match=r"expected (a sensor of 1 to 65536|sensor_size as \(width, height\))"):
        Events([], [], [], [], size)  # type: ignore[arg-type]


def test_times_above_64_bits_are_refused_rather_than_wrapped() -> None:
    with pytest.raises(ValueError, match="t to fit int64"):
        Events(np.array([1 << 63], np.uint64), [0], [0], [1], (4, 3))


def test_ties_and_duplicates_are_allowed() -> None:
    assert len(events([3, 3, 3])) == 3


def test_duration_runs_from_the_first_event_to_the_last() -> None:
    assert events([10, 15, 40]).duration_us == 30
    assert events([10]).duration_us == 0
    assert Events.empty((4, 3)).duration_us == 0


def test_a_slice_or_a_mask_is_a_recording_of_the_same_sensor() -> None:
    whole = events([1, 2, 3])
    assert whole[1:] == events([2, 3])
    assert whole[np.array([True, False, True])] == events([1, 3])


def test_recordings_differ_by_one_value_or_by_the_sensor() -> None:
    assert events([1, 2]) != events([1, 3])
    assert Events.empty((4, 3)) != Events.empty((3, 4))
    assert Events.empty((4, 3)) != 0


def counts(steps: int = 2) -> NDArray[np.int64]:
    return np.zeros((steps, 2, 3, 4), np.int64)


def test_frames_know_their_steps_and_sensor() -> None:
    frames = Frames(counts(), [0, 5, 5])
    assert (frames.steps, frames.sensor_size) == (2, (4, 3))
    assert frames == Frames(counts().astype(np.uint8), [0, 5, 5])
    assert frames != Frames(counts(), [0, 5, 6])


@pytest.mark.parametrize(
    ("values", "edges", "sentence"),
    [
        (counts().astype(float), [0, 1, 2], r"integer counts \(T, 2, H, W\), got float64"),
        (np.zeros((2, 3, 3, 4), int), [0, 1, 2], r"integer counts \(T, 2, H, W\), got int64 \(2, 3, 3, 4\)"),
        (counts(), [0, 1], "3 edges for 2 bins, got 2"),
        (counts(), [0, 2, 1], "edges that do not decrease"),
        (counts() - 1, [0, 1, 2], "counts from 0 up, got -1"),
    ],
)
def test_wrong_frames_are_refused(values: NDArray[np.int64], edges: list[int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Frames(values, edges)


@pytest.mark.parametrize("index", [0, [0, 1], None])
def test_a_single_event_or_a_list_of_them_is_asked_for_otherwise(index: object) -> None:
    with pytest.raises(TypeError, match=r"expected a slice or a mask of events, got .*; single values are in t, x, y"):
        Events.empty((3, 2))[index]
