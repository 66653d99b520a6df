"""Denoising by hand, beside the published rule's definition, and its speed path; crops."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools import Events
from event_tools.filters import crop, denoise


def recording(*events: tuple[int, int, int]) -> Events:
    """(t, x, y) on a 4x4 sensor, all ON."""
    t, x, y = np.array(events).reshape(-1, 3).T
    return Events(t, x, y, np.ones(len(t), int), (4, 4))


def by_definition(events: Events, window: int, published: bool) -> list[bool]:
    """The rule, event by event, over all earlier ones."""
    width, height = events.sensor_size
    kept = []
    for i in range(len(events)):
        x, y, now = int(events.x[i]), int(events.y[i]), int(events.t[i])
        neighbours = {(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)}
        inside = [(a, b) for a, b in neighbours if 0 <= a < width and 0 <= b < height]
        keep = False
        for a, b in inside:
            earlier = [int(events.t[j]) for j in range(i) if (int(events.x[j]), int(events.y[j])) == (a, b)]
            ends = earlier[-1] + window if earlier else (window if published else None)
            keep |= ends is not None and ends > now
        kept.append(keep)
    return kept


@pytest.mark.parametrize("mode", ["published", "corrected"])
def test_denoise_follows_its_definition(mode: str) -> None:
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, 400, 300))
    events = Events(t, rng.integers(0, 6, 300), rng.integers(0, 5, 300), rng.integers(0, 2, 300), (6, 5))
    kept = denoise(events, window_us=20, mode=mode)
    assert kept == events[np.array(by_definition(events, 20, mode == "published"))]


def test_an_event_is_kept_for_a_neighbour_within_the_window() -> None:
    events = recording((20_000, 1, 1), (29_999, 2, 1))
    assert denoise(events).t.tolist() == [29_999]


def test_a_neighbour_as_old_as_the_window_does_not_count() -> None:
    assert len(denoise(recording((20_000, 1, 1), (30_000, 2, 1)))) == 0


def test_the_own_pixel_and_diagonals_do_not_count() -> None:
    assert len(denoise(recording((20_000, 1, 1), (20_001, 1, 1), (20_002, 2, 2)))) == 0


def test_published_lets_everything_through_in_the_first_window() -> None:
    events = recording((0, 0, 0), (9_999, 3, 3), (10_000, 0, 3))
    assert denoise(events, mode="published").t.tolist() == [0, 9_999]
    assert len(denoise(events, mode="corrected")) == 0


def test_published_needs_a_neighbour_within_the_sensor() -> None:
    assert len(denoise(Events([0], [0], [0], [1], (1, 1)), mode="published")) == 0


@pytest.mark.parametrize("arguments", [{"mode": "median"}, {"window_us": 0}], ids=str)
def test_wrong_requests_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        denoise(recording((0, 0, 0)), **arguments)


def test_a_crop_moves_the_window_to_the_corner() -> None:
    events = crop(recording((1, 0, 0), (2, 1, 2), (3, 3, 2)), left=1, top=2, width=2, height=2)
    assert events == Events([2], [0], [0], [1], (2, 2))


def test_a_crop_beyond_the_sensor_is_refused() -> None:
    with pytest.raises(ValueError, match="inside 4x4"):
        crop(recording((1, 0, 0)), left=3, top=0, width=2, height=2)
