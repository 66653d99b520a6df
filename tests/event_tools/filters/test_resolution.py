"""Down-sampling that conserves counts, pooling by hand and by definition, decimation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import Events, to_frames
from event_tools.filters import Memory, decimate, downsample, integrate
from tests.event_tools.recordings import recordings


def train(polarities: str, size: tuple[int, int] = (2, 2)) -> Events:
    """One event a microsecond at pixel after pixel; + is ON."""
    n = len(polarities)
    pixel = np.arange(n) % (size[0] * size[1])
    return Events(np.arange(n), pixel % size[0], pixel // size[0], [int(sign == "+") for sign in polarities], size)


@settings(deadline=None)
@given(recordings(side=30), st.integers(1, 40))
def test_every_event_lands_in_the_pixel_that_covers_it(events: Events, factor: int) -> None:
    width, height = events.sensor_size
    coarse = downsample(events, factor)
    fine_counts = to_frames(events, steps=1).counts[0]
    padded = np.pad(fine_counts, ((0, 0), (0, -height % factor), (0, -width % factor)))
    blocks = padded.reshape(2, padded.shape[1] // factor, factor, padded.shape[2] // factor, factor)
    np.testing.assert_array_equal(to_frames(coarse, steps=1).counts[0], blocks.sum((2, 4)))
    np.testing.assert_array_equal(coarse.t, events.t)
    np.testing.assert_array_equal(coarse.p, events.p)


def test_the_largest_sensor_becomes_one_pixel() -> None:
    events = Events([1], [65535], [65535], [1], (65536, 65536))
    assert downsample(events, 65536) == downsample(events, 1 << 40) == Events([1], [0], [0], [1], (1, 1))
    assert downsample(events, 65535).sensor_size == (2, 2)


def test_a_block_fires_once_its_mean_has_moved_by_one_contrast_step() -> None:
    assert integrate(train("++++++++"), 2).t.tolist() == [3, 7]
    down = integrate(train("----"), 2)
    assert (down.t.tolist(), down.p.tolist(), down.sensor_size) == ([3], [0], (1, 1))


def test_on_and_off_cancel_before_the_threshold() -> None:
    assert integrate(train("+-+-+-+-"), 2, threshold=2).t.tolist() == []
    assert integrate(train("++-+--+---"), 2, threshold=2).t.tolist() == [1, 5, 9]


def test_decimation_keeps_one_event_in_n_of_each_pixel() -> None:
    events = Events(np.arange(7), [0, 1, 0, 0, 1, 0, 0], [0] * 7, [1] * 7, (2, 1))
    assert decimate(events, 2).t.tolist() == [2, 4, 5]
    assert decimate(events, 1) == events


@pytest.mark.parametrize("count", [1, 3, 10])
def test_pixels_go_on_counting_from_part_to_part(count: int) -> None:
    rng = np.random.default_rng(0)
    t = np.arange(500)
    events = Events(t, rng.integers(0, 5, 500), rng.integers(0, 4, 500), rng.integers(0, 4, 500) > 0, (5, 4))
    for step in (
        lambda part, memory: decimate(part, count, memory),
        lambda part, memory: integrate(part, 2, count, memory),
    ):
        memory = Memory()
        parts = [step(events[i : i + 70], memory).t for i in range(0, 500, 70)]
        whole = step(events, Memory()).t
        assert np.concatenate(parts).tolist() == whole.tolist() and len(whole)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda events: downsample(events, 0), "factor from 1 up"),
        (lambda events: downsample(events, 1.5), "factor as a whole number"),
        (lambda events: integrate(events, 2, 0), "threshold from 1 up"),
        (lambda events: decimate(events, 0), "keep_every from 1 up"),
    ],
)
def test_wrong_requests_are_refused(changed: Callable[[Events], Events], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed(train("+"))
