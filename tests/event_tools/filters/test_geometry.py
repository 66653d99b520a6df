"""Windows, flips and turns, beside numpy's of the frames."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from event_tools import Events, to_frames
from event_tools.filters import center_crop, crop, flip_left_right, flip_up_down, rotate
from tests.event_tools.recordings import recordings

SMALL = Events([1, 2, 3], [0, 1, 3], [0, 2, 2], [1, 0, 1], (4, 3))


def picture(events: Events) -> NDArray[np.integer]:
    """(2, H, W) counts."""
    return to_frames(events, steps=1).counts[0]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (flip_left_right, lambda image: image[:, :, ::-1]),
        (flip_up_down, lambda image: image[:, ::-1]),
        (lambda events: crop(events, 1, 2, 3, 1), lambda image: image[:, 2:3, 1:4]),
        (lambda events: center_crop(events, 2, 2), lambda image: image[:, 0:2, 1:3]),
        *((lambda events, k=k: rotate(events, k), lambda image, k=k: np.rot90(image, k, (1, 2))) for k in range(-2, 6)),
    ],
)
def test_the_picture_of_the_events_changes_as_numpy_changes_it(
    changed: Callable[[Events], Events], expected: Callable[[NDArray[np.integer]], NDArray[np.integer]]
) -> None:
    for events in (
        SMALL,
        Events.empty((4, 3)),
        Events([5] * 12, [0, 1, 2, 3] * 3, np.repeat([0, 1, 2], 4), [1] * 12, (4, 3)),
    ):
        np.testing.assert_array_equal(picture(changed(events)), expected(picture(events)))


@settings(deadline=None)
@given(recordings(side=65536))
def test_flips_undo_themselves_and_four_turns_too(events: Events) -> None:
    assert flip_left_right(flip_left_right(events)) == events
    assert flip_up_down(flip_up_down(events)) == events
    turned = events
    for _ in range(4):
        turned = rotate(turned)
        Events(turned.t, turned.x, turned.y, turned.p, turned.sensor_size)
    assert turned == events


def test_a_crop_moves_the_window_to_the_corner() -> None:
    assert crop(SMALL, left=1, top=2, width=2, height=1) == Events([2], [0], [0], [0], (2, 1))


def test_a_crop_of_the_largest_sensor_keeps_its_last_column() -> None:
    events = Events([1, 2], [0, 65535], [0, 65535], [1, 1], (65536, 65536))
    assert crop(events, 0, 0, 65536, 65536) == events
    assert crop(events, 65535, 65535, 1, 1) == Events([2], [0], [0], [1], (1, 1))


@pytest.mark.parametrize("window", [(3, 0, 2, 2), (-1, 0, 2, 2), (0, 0, 0, 1), (0, 2, 1, 2)], ids=str)
def test_a_crop_beyond_the_sensor_is_refused(window: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="inside 4x3"):
        crop(SMALL, *window)


def test_half_pixels_and_half_turns_are_refused() -> None:
    with pytest.raises(ValueError, match="left as a whole number"):
        crop(SMALL, 0.5, 0, 1, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="quarter_turns as a whole number"):
        rotate(SMALL, 0.5)  # type: ignore[arg-type]


def test_of_two_centres_the_upper_left_one_is_taken() -> None:
    assert center_crop(SMALL, 1, 1).t.tolist() == []
    assert center_crop(Events([1, 2], [1, 2], [0, 1], [1, 1], (4, 2)), 1, 1).t.tolist() == [1]


def test_a_central_window_larger_than_the_sensor_is_refused() -> None:
    with pytest.raises(ValueError, match="width from 1 to 4, got 5"):
        center_crop(SMALL, 5, 1)
