"""Slices leave times alone; what moves them says so, and stays within 64 bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import Events
from event_tools.filters import Memory, rebase, reverse_time, scale_time, shift_time, time_slice
from tests.event_tools.recordings import recordings

LEAST, MOST = -(1 << 63), (1 << 63) - 1


def at(*times: int) -> Events:
    """Events at these times, each at an x of its own, OFF and ON in turn."""
    n = len(times)
    return Events(np.array(times, np.int64), np.arange(n), np.zeros(n, int), np.arange(n) % 2, (max(n, 1), 1))


def test_a_slice_is_half_open_and_leaves_times_as_they_are() -> None:
    events = at(10, 20, 20, 30)
    assert time_slice(events, 20, 30) == events[1:3]
    assert time_slice(events, 20).t.tolist() == [20, 20, 30]
    assert time_slice(events, stop_us=20).t.tolist() == [10]
    assert time_slice(events) == events
    assert len(time_slice(events, 20, 20)) == 0


def test_a_slice_may_be_wider_than_64_bits() -> None:
    events = at(LEAST, 0, MOST)
    assert time_slice(events, -(1 << 80), 1 << 80) == events
    assert len(time_slice(events, 1 << 80)) == len(time_slice(events, None, -(1 << 80))) == 0


def test_a_slice_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="start_us up to stop_us, got 5 and 4"):
        time_slice(at(1), 5, 4)


@settings(deadline=None)
@given(recordings(), st.integers(-(1 << 41), 1 << 41))
def test_a_shift_moves_every_time_alike(events: Events, offset: int) -> None:
    moved = shift_time(events, offset)
    assert moved.t.tolist() == [t + offset for t in events.t.tolist()]
    assert shift_time(moved, -offset) == events


def test_a_shift_from_end_to_end_is_possible_and_none_beyond() -> None:
    assert shift_time(at(LEAST, LEAST + 5), (1 << 64) - 6).t.tolist() == [MOST - 5, MOST]
    with pytest.raises(ValueError, match="fit 64 bits"):
        shift_time(at(LEAST, LEAST + 5), (1 << 64) - 5)
    with pytest.raises(ValueError, match="fit 64 bits"):
        shift_time(at(LEAST), -1)


def test_rebased_events_begin_where_they_are_told() -> None:
    assert rebase(at(1_000_005, 1_000_009)).t.tolist() == [0, 4]
    assert rebase(at(-7, 0), start_us=100).t.tolist() == [100, 107]
    assert len(rebase(at())) == 0


def test_parts_are_rebased_by_the_first_event_of_all() -> None:
    memory = Memory()
    assert [rebase(part, 0, memory).t.tolist() for part in (at(), at(5, 6), at(), at(9))] == [[], [0, 1], [], [4]]


def test_scaling_rounds_distances_from_the_origin() -> None:
    assert scale_time(at(0, 1, 3, 10), 1.5).t.tolist() == [0, 2, 4, 15]
    assert scale_time(at(1000, 1001, 1003, 1010), 0.5, origin_us=1000).t.tolist() == [1000, 1000, 1002, 1005]
    assert scale_time(at(-4, 4), 2.0).t.tolist() == [-8, 8]


@settings(deadline=None)
@given(recordings(first_us=-(1 << 40)), st.floats(0.001, 1000))
def test_scaled_times_stay_sorted_and_right(events: Events, factor: float) -> None:
    scaled = scale_time(events, factor)
    assert Events(scaled.t, scaled.x, scaled.y, scaled.p, scaled.sensor_size) == scaled
    assert scaled.t.tolist() == [round(t * factor) for t in events.t.tolist()]


@pytest.mark.parametrize(
    ("times", "factor", "message"),
    [
        ((1,), 0.0, "factor above 0"),
        ((1,), float("inf"), "factor above 0"),
        (((1 << 53) + 1,), 1.0, "give an origin near"),
        ((1 << 53,), 4096.0, "smaller factor"),
    ],
)
def test_scalings_that_cannot_be_right_are_refused(times: tuple[int, ...], factor: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scale_time(at(*times), factor)


def test_reversal_mirrors_times_between_first_and_last_and_swaps_polarities() -> None:
    backwards = reverse_time(at(10, 11, 15))
    assert backwards.t.tolist() == [10, 14, 15]
    assert backwards.x.tolist() == [2, 1, 0]
    assert backwards.p.tolist() == [1, 0, 1]
    assert reverse_time(at(10, 11, 15), flip_polarities=False).p.tolist() == [0, 1, 0]
    assert len(reverse_time(at())) == 0


def test_reversal_undoes_itself_even_from_end_to_end_of_64_bits() -> None:
    events = at(LEAST, -3, 8, MOST)
    assert reverse_time(events).t.tolist() == [LEAST, -9, 2, MOST]
    assert reverse_time(reverse_time(events)) == events
