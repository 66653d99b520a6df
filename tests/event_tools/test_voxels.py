"""Voxel grids by hand."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools import Events, voxel_grid


def test_an_event_is_shared_between_the_planes_about_its_time() -> None:
    # Planes lie at 100, 200 and 300 us: 125 is three quarters in the first and one quarter in the second.
    events = Events([100, 125, 250, 300], [0, 1, 1, 0], [0, 0, 0, 1], [1, 1, 0, 0], (2, 2))
    signed = voxel_grid(events, 3)
    assert signed[:, 0, 0, 0].tolist() == [1, 0, 0]
    assert signed[:, 0, 0, 1].tolist() == [0.75, 0.25 - 0.5, -0.5]
    assert signed[:, 0, 1, 0].tolist() == [0, 0, -1]
    split = voxel_grid(events, 3, polarity="split")
    assert np.array_equal(split[:, 1] - split[:, 0], signed[:, 0])
    assert split[:, 0, 0, 1].tolist() == [0, 0.5, 0.5] and split.sum() == 4


def test_events_of_one_time_lie_in_the_first_plane() -> None:
    grid = voxel_grid(Events([7, 7], [0, 1], [0, 0], [1, 0], (2, 1)), 4)
    assert grid[0].tolist() == [[[1, -1]]] and not grid[1:].any()


def test_one_plane_holds_all() -> None:
    assert voxel_grid(Events([0, 5, 9], [0, 0, 0], [0, 0, 0], [1, 0, 1], (1, 1)), 1).tolist() == [[[[1]]]]


def test_a_recording_without_events_gives_an_empty_grid() -> None:
    assert voxel_grid(Events.empty((4, 3)), 5, "split").shape == (5, 2, 3, 4)


def test_the_recording_is_left_as_it_was() -> None:
    events = Events([0, 5], [0, 1], [0, 0], [0, 1], (2, 1))
    voxel_grid(events, 2)
    assert events == Events([0, 5], [0, 1], [0, 0], [0, 1], (2, 1))


def test_events_moved_off_the_sensor_after_their_check_are_refused() -> None:
    events = Events([0, 5], [0, 1], [0, 0], [0, 1], (2, 1))
    events.x[0] = 60_000
    with pytest.raises(ValueError, match="have changed since"):
        voxel_grid(events, 2)


@pytest.mark.parametrize("arguments", [(0,), (2, "merged")], ids=str)
def test_wrong_grids_are_refused(arguments: tuple) -> None:
    with pytest.raises(ValueError, match="expected"):
        voxel_grid(Events.empty((1, 1)), *arguments)
