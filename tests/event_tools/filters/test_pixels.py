"""Hot pixels by hand and by definition; pixels that are silenced."""

from __future__ import annotations

import math

import numpy as np
import pytest

from event_tools import Events
from event_tools.datasets import open_recordings
from event_tools.filters import drop_hot_pixels, drop_pixels, find_hot_pixels, merge
from tests.data import data_path


def of_counts(counts: list[list[int]], last_us: int = 1_000_000) -> Events:
    """A recording with so many events at each pixel, the first at 0 and the last at last_us."""
    table = np.array(counts)
    y, x = (np.repeat(places.ravel(), table.ravel()) for places in np.indices(table.shape))
    t = np.linspace(0, last_us, len(x)).astype(np.int64)
    return Events(t, x, y, t % 2, (table.shape[1], table.shape[0]))


def test_a_pixel_above_the_rate_is_hot() -> None:
    events = of_counts([[4, 5, 6], [0, 60, 1]])
    assert find_hot_pixels(events, rate_hz=5).tolist() == [[1, 1], [2, 0]]


def test_the_rate_is_of_the_time_between_first_and_last_event() -> None:
    late = of_counts([[4, 5, 6]], 500_000)
    shifted = Events(late.t + 10**15, late.x, late.y, late.p, late.sensor_size)
    assert find_hot_pixels(shifted, rate_hz=11).tolist() == [[2, 0]]


def test_simultaneous_events_have_no_rate() -> None:
    assert len(find_hot_pixels(Events([7, 7], [0, 0], [0, 0], [1, 1], (1, 1)), rate_hz=1)) == 0
    assert len(find_hot_pixels(Events.empty((3, 2)), rate_hz=1)) == 0


def test_sigma_follows_its_definition() -> None:
    rng = np.random.default_rng(0)
    table = rng.poisson(3, (6, 7))
    table[2, 3], table[0, 0] = 60, 30
    expected = []
    for y in range(6):
        for x in range(7):
            around = [
                int(table[b, a])
                for b in range(max(y - 1, 0), min(y + 2, 6))
                for a in range(max(x - 1, 0), min(x + 2, 7))
                if (a, b) != (x, y)
            ]
            mean = sum(around) / len(around)
            variance = sum((count - mean) ** 2 for count in around) / len(around)
            if table[y, x] - mean > 2 * math.sqrt(max(variance, mean, 1)):
                expected.append((x, y))
    found = find_hot_pixels(of_counts(table.tolist()), sigma=2)
    assert sorted(map(tuple, found.tolist())) == sorted(expected)
    assert found[:2].tolist() == [[3, 2], [0, 0]] and len(expected) > 2


def test_a_lone_event_among_silent_pixels_is_not_hot() -> None:
    assert len(find_hot_pixels(of_counts([[0, 0, 0], [0, 1, 0], [0, 0, 0]]), sigma=1)) == 0
    assert len(find_hot_pixels(of_counts([[3]]), sigma=1)) == 1


def test_without_its_hot_pixels_a_recording_has_the_others() -> None:
    events = of_counts([[1, 2, 1], [1, 50, 2]])
    kept = drop_hot_pixels(events, sigma=5)
    assert kept == events[(events.x != 1) | (events.y != 1)]
    assert len(kept) == 7


def test_given_pixels_fall_silent() -> None:
    events = Events([1, 2, 3, 4], [0, 1, 2, 0], [0, 0, 1, 1], [1, 1, 1, 1], (3, 2))
    assert drop_pixels(events, [(0, 0), (2, 1)]).t.tolist() == [2, 4]
    assert drop_pixels(events, []) == events


@pytest.mark.parametrize("pixels", [[(3, 0)], [(0, -1)], [(0.5, 0)], [1, 2]], ids=str)
def test_wrong_pixels_are_refused(pixels: list) -> None:
    with pytest.raises(ValueError, match="expected pixels"):
        drop_pixels(Events.empty((3, 2)), pixels)


@pytest.mark.parametrize(
    "limits", [{}, {"sigma": 1, "rate_hz": 1}, {"sigma": 0}, {"rate_hz": math.nan}, {"sigma": "many"}], ids=str
)
def test_wrong_limits_are_refused(limits: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        find_hot_pixels(Events.empty((3, 2)), **limits)


def test_the_hot_pixels_of_nmnist_are_found_over_many_recordings() -> None:
    """Its documented ones, (18, 30), (7, 15) and (9, 15), in the counts of all test recordings together."""
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")
    found = set(map(tuple, find_hot_pixels(merge(list(recordings)), sigma=4).tolist()))
    assert {(18, 30)} <= found
    assert len(found) < 34 * 34 // 50
