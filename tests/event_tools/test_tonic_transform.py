"""Transforms take tonic's arrays as they are."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools import Events, ToFrames, TonicFrames, to_frames, tonic_frames
from event_tools.interop import TONIC


def array(*events: tuple[int, int, int, bool]) -> np.ndarray:
    """(x, y, t, p) as tonic has them."""
    return np.array(list(events), TONIC)


RECORDING = array((0, 0, 0, True), (1, 2, 4, False), (1, 1, 9, True))
EVENTS = Events([0, 4, 9], [0, 1, 1], [0, 2, 1], [1, 0, 1], (2, 3))


@pytest.mark.parametrize("sensor_size", [(2, 3, 2), (2, 3)], ids=str)
def test_frames_of_a_structured_array_are_those_of_the_recording(sensor_size: tuple[int, ...]) -> None:
    before = RECORDING.copy()
    for rule in ({"steps": 2}, {"steps": 2, "by": "count"}, {"edges": (0, 4, 9)}):
        assert np.array_equal(ToFrames(sensor_size, **rule)(RECORDING), to_frames(EVENTS, **rule).counts)
    for rule in ({"time_window": 4, "overlap": 1}, {"event_count": 2, "include_incomplete": True}):
        assert np.array_equal(TonicFrames(sensor_size, **rule)(RECORDING), tonic_frames(EVENTS, **rule))
    assert np.array_equal(RECORDING, before)


def test_a_sensor_of_one_polarity_has_one_channel() -> None:
    on = RECORDING[RECORDING["p"]]
    assert ToFrames((2, 3, 1), 1)(on).tolist() == [[[[1, 0], [0, 1], [0, 0]]]]
    with pytest.raises(ValueError, match="one polarity"):
        ToFrames((2, 3, 1), 1)(RECORDING)


def test_an_array_without_rows_gives_frames_without_rows() -> None:
    sound = np.array([(3, 0, 1), (4, 699, 1)], [("t", np.int64), ("x", np.int64), ("p", np.int64)])
    frames = TonicFrames((700, 1, 1), time_window=2)(sound)
    assert frames.shape == (1, 1, 700) and np.flatnonzero(frames).tolist() == [0, 699]


def test_equal_arguments_make_equal_transforms() -> None:
    assert ToFrames((2, 3), 4) == ToFrames((2, 3), 4) != ToFrames((2, 3), 5)
    assert "time_window=4" in repr(TonicFrames((2, 3), time_window=4))
