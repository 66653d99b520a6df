"""What happens by chance happens as often as asked, and whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from event_tools import Events
from event_tools.augment import (
    random_crop,
    random_flip_left_right,
    random_flip_polarity,
    random_flip_up_down,
    random_time_reversal,
    random_time_scale,
)
from event_tools.filters import flip_left_right, flip_polarity, flip_up_down, reverse_time

EVENTS = Events([100, 120, 190], [0, 1, 3], [0, 2, 2], [1, 0, 1], (4, 3))
PAIRS = [
    (random_flip_left_right, flip_left_right),
    (random_flip_up_down, flip_up_down),
    (random_flip_polarity, flip_polarity),
    (random_time_reversal, reverse_time),
]


@pytest.mark.parametrize(("by_chance", "change"), PAIRS)
def test_a_change_by_chance_is_the_change_or_nothing(
    by_chance: Callable[..., Events], change: Callable[[Events], Events]
) -> None:
    results = [by_chance(EVENTS, seed, probability=0.25) for seed in range(200)]
    changed = sum(result == change(EVENTS) for result in results)
    assert changed + sum(result == EVENTS for result in results) == 200
    assert 25 < changed < 75  # 50 expected, four standard deviations
    assert all(by_chance(EVENTS, seed, 0) == EVENTS for seed in range(20))
    assert all(by_chance(EVENTS, seed, 1) == change(EVENTS) for seed in range(20))


def test_changes_with_one_seed_do_not_go_together() -> None:
    happened = np.array([[f(EVENTS, seed) != EVENTS for f, _ in PAIRS] for seed in range(200)])
    assert len(np.unique(happened, axis=0)) == 16


def test_times_are_scaled_from_the_first_event_by_a_factor_within_the_limits() -> None:
    lasts = [int(random_time_scale(EVENTS, 0.5, 2.0, seed).t[-1]) for seed in range(300)]
    assert all(random_time_scale(EVENTS, 0.5, 2.0, seed).t[0] == 100 for seed in range(10))
    assert min(lasts) in range(145, 150) and max(lasts) in range(275, 281)
    assert random_time_scale(EVENTS, 1, 1, 0) == EVENTS
    assert len(random_time_scale(Events.empty((1, 1)), 1, 2, 0)) == 0


def test_a_random_window_may_lie_anywhere_and_at_every_border() -> None:
    full = Events(np.arange(12), np.arange(12) % 4, np.arange(12) // 4, [1] * 12, (4, 3))
    corners = {int(random_crop(full, 2, 2, seed).t[0]) for seed in range(100)}
    assert corners == {0, 1, 2, 4, 5, 6}
    assert random_crop(full, 4, 3, 0) == full
    assert random_crop(full, 2, 2, 0).sensor_size == (2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: random_flip_left_right(EVENTS, 0, 1.5), "probability from 0 to 1"),
        (lambda: random_time_scale(EVENTS, 0, 1, 0), "low above 0"),
        (lambda: random_time_scale(EVENTS, 2, 1, 0), "high from 2 up, got 1"),
        (lambda: random_crop(EVENTS, 5, 1, 0), "width from 1 to 4, got 5"),
    ],
)
def test_wrong_requests_are_refused(change: Callable[[], Events], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        change()
