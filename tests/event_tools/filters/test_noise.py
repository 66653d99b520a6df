"""Filters that look back in time: by hand, and beside their definitions written out event by event."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from event_tools import Events
from event_tools.filters import Memory, denoise, refractory


def recording(*events: tuple[int, int, int]) -> Events:
    """(t, x, y) on a 4x4 sensor, all ON."""
    t, x, y = np.array(events).reshape(-1, 3).T
    return Events(t, x, y, np.ones(len(t), int), (4, 4))


FAR = 1 << 62
ENDS = [-(1 << 63), (1 << 63) - 1]


def random_recording(n: int = 300, last_us: int = 400) -> Events:
    """On a 6x5 sensor."""
    rng = np.random.default_rng(0)
    t = np.sort(rng.integers(0, last_us, n))
    return Events(t, rng.integers(0, 6, n), rng.integers(0, 5, n), rng.integers(0, 2, n), (6, 5))


def in_parts(events: Events, filtered: Callable[[Events, Memory], Events]) -> list[int]:
    """Times of what a filter keeps that is given three parts, one of them empty."""
    memory = Memory()
    cuts = [0, 100, 100, 170, len(events)]
    parts = [filtered(events[low:high], memory) for low, high in pairwise(cuts)]
    return np.concatenate([part.t for part in parts]).tolist()


def by_definition(events: Events, window: int, published: bool, diagonals: bool = False) -> list[bool]:
    """The rule, event by event, over all earlier ones."""
    width, height = events.sensor_size
    kept = []
    for i in range(len(events)):
        x, y, now = int(events.x[i]), int(events.y[i]), int(events.t[i])
        neighbours = {(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)}
        if diagonals:
            neighbours |= {(x - 1, y - 1), (x + 1, y + 1), (x - 1, y + 1), (x + 1, y - 1)}
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
    events = random_recording()
    kept = denoise(events, window_us=20, mode=mode)
    assert kept == events[np.array(by_definition(events, 20, mode == "published"))]


def test_eight_neighbours_follow_their_definition() -> None:
    events = random_recording()
    kept = denoise(events, window_us=9, neighbours=8)
    assert kept == events[np.array(by_definition(events, 9, False, diagonals=True))]
    assert len(kept) > len(denoise(events, window_us=9))


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


def test_denoise_of_parts_keeps_what_denoise_of_the_whole_keeps() -> None:
    events = random_recording()
    for mode in ("published", "corrected"):
        whole = denoise(events, 20, mode)
        assert in_parts(events, lambda part, memory, mode=mode: denoise(part, 20, mode, 4, memory)) == whole.t.tolist()


def test_denoise_knows_times_at_the_ends_of_64_bits() -> None:
    events = Events([ENDS[0], ENDS[0] + 1, ENDS[1] - 1, ENDS[1] - 1], [0, 1, 2, 1], [0, 0, 0, 0], [1] * 4, (4, 1))
    assert denoise(events, window_us=10).t.tolist() == [ENDS[0] + 1, ENDS[1] - 1]


def test_a_window_wider_than_64_bits_counts_every_earlier_event() -> None:
    assert denoise(recording((0, 0, 0), (FAR, 1, 0), (FAR, 3, 3)), window_us=1 << 70).t.tolist() == [FAR]


def test_a_memory_of_another_sensor_is_refused() -> None:
    memory = Memory()
    denoise(recording((0, 0, 0)), memory=memory)
    with pytest.raises(ValueError, match="new Memory"):
        denoise(random_recording(), memory=memory)


@pytest.mark.parametrize("after", ["every", "kept"])
def test_refractory_follows_its_definition(after: str) -> None:
    events = random_recording()
    last: dict[tuple[int, int], int] = {}
    expected = []
    for t, x, y in zip(events.t.tolist(), events.x.tolist(), events.y.tolist(), strict=True):
        keep = (x, y) not in last or t - last[x, y] >= 30
        if keep or after == "every":
            last[x, y] = t
        expected.append(keep)
    kept = refractory(events, 30, after)
    assert kept == events[np.array(expected)]
    parts = in_parts(events, lambda part, memory: refractory(part, 30, after, memory))
    assert parts == kept.t.tolist()


def test_a_train_faster_than_the_period_leaves_one_event_or_every_second() -> None:
    train = recording(*((t, 1, 1) for t in (0, 900, 1800, 2700, 3600, 4600)))
    assert refractory(train, 1000).t.tolist() == [0, 4600]
    assert refractory(train, 1000, after="kept").t.tolist() == [0, 1800, 3600, 4600]


def test_both_polarities_share_the_refractory_time() -> None:
    events = Events([5, 6, 7], [0, 0, 1], [0, 0, 0], [0, 1, 1], (2, 1))
    assert refractory(events, 10).t.tolist() == [5, 7]


def test_a_first_event_stays_whatever_its_time() -> None:
    assert refractory(recording((-FAR, 0, 0), (0, 1, 0), (FAR, 0, 0)), 10).t.tolist() == [-FAR, 0, FAR]
    ends = Events([*ENDS], [0, 0], [0, 0], [1, 1], (1, 1))
    assert refractory(ends, 1 << 70).t.tolist() == [ENDS[0], ENDS[1]]


@pytest.mark.parametrize(
    "arguments", [{"mode": "median"}, {"window_us": 0}, {"window_us": 0.5}, {"neighbours": 5}], ids=str
)
def test_wrong_requests_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        denoise(recording((0, 0, 0)), **arguments)


def test_eight_neighbours_are_not_the_published_rule() -> None:
    with pytest.raises(ValueError, match="8 with mode='corrected'"):
        denoise(recording((0, 0, 0)), mode="published", neighbours=8)


@pytest.mark.parametrize("arguments", [{"period_us": 0}, {"period_us": 5, "after": "all"}], ids=str)
def test_wrong_refractory_periods_are_refused(arguments: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        refractory(recording((0, 0, 0)), **arguments)
