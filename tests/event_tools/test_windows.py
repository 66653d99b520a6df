"""Windows as tonic cuts them, by hand; beside tonic itself in test_tonic.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from event_tools import Events, tonic_frames


def recording(times: list[int]) -> Events:
    n = len(times)
    return Events(np.array(times), [1] * n, [0] * n, [1] * n, (2, 3))


def per_window(times: list[int], **rule: Any) -> list[int]:
    counts = tonic_frames(recording(times), **rule)
    assert counts.shape[1:] == (2, 3, 2) and counts[:, 1, 0, 1].sum() == counts.sum()
    return counts.sum((1, 2, 3)).tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"time_window": 10}, [2, 1]),  # from 5: [5, 15), [15, 25); 25 and 29 lie behind the last whole one
        ({"time_window": 10, "include_incomplete": True}, [2, 1, 2]),
        ({"time_window": 8, "include_incomplete": True}, [2, 1, 1]),  # three windows end at 29, which is lost
        ({"time_window": 10, "overlap": 5}, [2, 2, 1]),  # [5, 15), [10, 20), [15, 25)
        ({"time_window": 10, "start_time": 0, "end_time": 40}, [1, 2, 2, 0]),
        ({"time_window": 100}, [5]),
        ({"event_count": 2}, [2, 2]),
        ({"event_count": 2, "include_incomplete": True}, [2, 2, 1]),
        ({"event_count": 3, "overlap": 2}, [3, 3, 3]),
        ({"event_count": 9}, [5]),
        ({"n_time_bins": 2}, [2, 2]),  # (29 - 5) // 2: [5, 17), [17, 29)
        ({"n_time_bins": 5}, [1, 1, 0, 1, 1]),  # (29 - 5) // 5 = 4: [5, 9) [9, 13) [13, 17) [17, 21) [21, 25)
        ({"n_event_bins": 2}, [2, 2]),
        ({"n_event_bins": 2, "overlap": 0.5}, [3, 3]),  # 3 events each, int(3 * 0.5) = 1 apart
    ],
    ids=str,
)
def test_windows_hold_what_they_hold_in_tonic(rule: dict, expected: list[int]) -> None:
    times = [5, 12, 19, 25, 29] if rule.get("n_time_bins") != 5 else [5, 12, 19, 24, 29]
    assert per_window(times, **rule) == expected


def test_what_tonic_is_known_to_lose_is_lost() -> None:
    rng = np.random.default_rng(0)
    times = [0, *sorted(rng.integers(0, 1003, 998).tolist()), 1003]
    inside = sum(t < 1003 // 16 * 16 for t in times)
    assert sum(per_window(times, n_time_bins=16)) == inside < 1000
    assert sum(per_window(list(range(103)), n_event_bins=10)) == 100
    assert sum(per_window(list(range(105)), time_window=10)) == 100
    assert sum(per_window([0, 5, 10], time_window=5, include_incomplete=True)) == 2
    assert per_window([7, 7, 7], n_time_bins=4) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("rule", "windows"), [({"time_window": 5}, 1), ({"event_count": 5}, 1), ({"n_time_bins": 4}, 4)], ids=str
)
def test_a_recording_without_events_gives_empty_windows(rule: dict, windows: int) -> None:
    counts = tonic_frames(Events.empty((2, 3)), **rule)
    assert counts.shape == (windows, 2, 3, 2) and not counts.any()


def test_counts_beyond_sixteen_bits_do_not_wrap() -> None:
    assert per_window([0] * 40_000 + [1], event_count=50_000) == [40_001]


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"time_window": 5, "event_count": 5},
        {"time_window": 0},
        {"n_event_bins": -1},
        {"time_window": 5, "overlap": 5},
        {"event_count": 5, "overlap": 6},
        {"n_time_bins": 5, "overlap": 1.0},
    ],
    ids=str,
)
def test_wrong_windows_are_refused_in_a_sentence(rule: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        tonic_frames(recording([1, 2, 3]), **rule)
