"""Merged recordings are sorted and stable, whole or in parts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import Events
from event_tools.filters import merge, merge_parts
from event_tools.parts import joined

SIZE = (4, 1)


def of(times: list[int], x: int = 0) -> Events:
    """Events at these times, all at column x."""
    return Events(times, [x] * len(times), [0] * len(times), [1] * len(times), SIZE) if times else Events.empty(SIZE)


def rows(events: Events) -> list[tuple[int, int]]:
    return list(zip(events.t.tolist(), events.x.tolist(), strict=True))


def test_events_come_in_order_and_equal_times_in_the_order_of_the_recordings() -> None:
    merged = merge([of([1, 5, 9], 0), of([5, 5], 1), of([0, 9], 2)])
    assert rows(merged) == [(0, 2), (1, 0), (5, 0), (5, 1), (5, 1), (9, 0), (9, 2)]


def test_one_recording_is_itself_and_empty_ones_add_nothing() -> None:
    assert merge([of([3, 4])]) == of([3, 4])
    assert merge([of([]), of([3], 2), of([])]) == of([3], 2)


@settings(deadline=None)
@given(st.lists(st.lists(st.lists(st.integers(0, 12), max_size=5), max_size=4), min_size=1, max_size=4))
def test_parts_merge_to_the_same_events(times: list[list[list[int]]]) -> None:
    streams, whole = [], []
    for x, parts in enumerate(times):
        flat = sorted(t for part in parts for t in part)
        whole.append(of(flat, x))
        ends = [sum(len(part) for part in parts[:i]) for i in range(len(parts) + 1)]
        streams.append([of(flat[a:b], x) for a, b in pairwise(ends)] or [Events.empty(SIZE)])
    merged = list(merge_parts(streams))
    assert joined(merged) == merge(whole)


def test_simultaneous_events_in_many_parts_are_given_as_they_come() -> None:
    """A stream of equal times must not be gathered whole before anything is given."""
    pieces = [of([7, 7], 1)] * 3
    merged = merge_parts([[of([7], 0)], iter(pieces)])
    assert rows(next(merged)) == [(7, 0)]
    assert rows(next(merged)) == [(7, 1), (7, 1)]


def test_different_sensors_are_refused() -> None:
    with pytest.raises(ValueError, match="one sensor, got 4x1 and 2x2"):
        merge([of([1]), Events.empty((2, 2))])
    with pytest.raises(ValueError, match="one sensor, got 4x1 and 2x2"):
        list(merge_parts([[of([1])], [Events.empty((2, 2))]]))


def test_no_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="got none"):
        merge([])
    with pytest.raises(ValueError, match="got none"):
        merge_parts([])
