"""Noise that is uniform, and leaves what was there."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools import Events
from event_tools.augment import uniform_noise

QUIET = Events([100, 199], [5, 5], [5, 5], [1, 1], (10, 20))


def test_noise_adds_so_many_events_uniform_in_time_place_and_polarity() -> None:
    noisy = uniform_noise(QUIET, 40_000, seed=0)
    assert len(noisy) == 40_002
    for values, size in ((noisy.t - 100, 100), (noisy.x, 10), (noisy.y, 20), (noisy.p, 2)):
        counts = np.bincount(values, minlength=size)
        assert len(counts) == size
        assert abs(counts - 40_000 / size).max() < 5 * (40_000 / size) ** 0.5


def test_the_recordings_own_events_stay_and_come_first_of_equal_times() -> None:
    noisy = uniform_noise(QUIET, 1000, seed=0)
    assert (noisy.t[0], noisy.x[0], noisy.y[0], noisy.p[0]) == (100, 5, 5, 1)
    assert ((noisy.t == 199) & (noisy.x == 5) & (noisy.y == 5) & (noisy.p == 1)).any()


def test_nothing_is_added_to_nothing() -> None:
    assert uniform_noise(Events.empty((3, 3)), 10, seed=0) == Events.empty((3, 3))
    assert uniform_noise(QUIET, 0, seed=0) == QUIET


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="count from 0 up, got -1"):
        uniform_noise(QUIET, -1, seed=0)
