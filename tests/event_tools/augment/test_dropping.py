"""How much is dropped, and where it may lie."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from event_tools import Events
from event_tools.augment import drop_area, drop_events, drop_random_pixels, drop_time, event_drop


def everywhere(side: int = 10, start_us: int = 0) -> Events:
    """One event a microsecond, pixel after pixel."""
    n = side * side
    return Events(start_us + np.arange(n), np.arange(n) % side, np.arange(n) // side, np.arange(n) % 2, (side, side))


@pytest.mark.parametrize(("share", "left"), [(0, 100), (0.25, 75), (0.999, 0), (1, 0)])
def test_the_share_of_dropped_events_is_exact(share: float, left: int) -> None:
    assert len(drop_events(everywhere(), share, seed=0)) == left
    assert len(drop_events(Events.empty((1, 1)), share, seed=0)) == 0


def test_every_event_is_dropped_as_often() -> None:
    kept = np.zeros(100)
    for seed in range(400):
        kept[drop_events(everywhere(), 0.5, seed).t] += 1
    assert abs(kept - 200).max() < 5 * 10  # standard deviations of 400 tosses


def test_the_dropped_interval_has_its_length_and_may_lie_anywhere() -> None:
    events = everywhere(start_us=10**15)
    starts = set()
    for seed in range(300):
        gone = np.setdiff1d(events.t, drop_time(events, 0.9, seed).t) - 10**15
        assert len(gone) == 90 and gone[-1] - gone[0] == 89
        starts.add(int(gone[0]))
    assert starts == set(range(11))
    assert drop_time(events, 0, 0) == events
    assert len(drop_time(events, 1, 0)) == len(drop_time(Events.empty((1, 1)), 0.5, 0)) == 0


def test_the_dropped_box_has_its_sides_and_may_lie_anywhere() -> None:
    events = everywhere()
    corners = set()
    for seed in range(300):
        kept = drop_area(events, 0.8, seed)
        gone = np.setdiff1d(events.t, kept.t)
        x, y = gone % 10, gone // 10
        assert len(gone) == 64 and np.ptp(x) == np.ptp(y) == 7
        corners.add((int(x.min()), int(y.min())))
    assert corners == {(x, y) for x in range(3) for y in range(3)}
    assert drop_area(events, 0, 0) == events
    assert len(drop_area(events, 1, 0)) == 0


def test_a_dropped_pixel_is_silent_and_the_share_is_about_right() -> None:
    twice = Events(np.arange(20_000), np.arange(20_000) % 100, np.arange(20_000) // 100 % 100, [1] * 20_000, (100, 100))
    kept = drop_random_pixels(twice, 0.3, seed=0)
    counts = np.bincount(kept.y.astype(int) * 100 + kept.x, minlength=10_000)
    assert set(counts.tolist()) == {0, 2}
    assert abs((counts == 0).mean() - 0.3) < 0.02


def test_event_drop_takes_each_of_its_four_ways() -> None:
    events = everywhere(40)
    ways = {"none": 0, "time": 0, "area": 0, "events": 0}
    for seed in range(400):
        gone = np.setdiff1d(events.t, event_drop(events, seed).t)
        x, y = gone % 40, gone // 40
        if len(gone) == 0:
            ways["none"] += 1
        elif np.ptp(gone) == len(gone) - 1:
            ways["time"] += 1
        elif len(gone) == (np.ptp(x) + 1) * (np.ptp(y) + 1):
            ways["area"] += 1
        else:
            ways["events"] += 1
            assert len(gone) % 160 == 0 and 160 <= len(gone) <= 1440
    assert min(ways.values()) > 60  # of 100 expected, 4.6 standard deviations


@pytest.mark.parametrize("drop", [drop_events, drop_time, drop_area, drop_random_pixels])
@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_from_0_to_1(drop: Callable[..., Events], share: float) -> None:
    with pytest.raises(ValueError, match="share from 0 to 1"):
        drop(everywhere(), share, seed=0)
