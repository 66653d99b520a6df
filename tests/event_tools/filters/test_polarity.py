"""Polarities flipped and chosen."""

from __future__ import annotations

import pytest

from event_tools import Events
from event_tools.filters import flip_polarity, keep_polarity

EVENTS = Events([1, 2, 3], [0, 1, 2], [0, 0, 0], [1, 0, 1], (3, 1))


def test_on_becomes_off_and_off_becomes_on() -> None:
    assert flip_polarity(EVENTS) == Events([1, 2, 3], [0, 1, 2], [0, 0, 0], [0, 1, 0], (3, 1))


def test_events_of_one_polarity_are_kept() -> None:
    assert keep_polarity(EVENTS, 1).t.tolist() == [1, 3]
    assert keep_polarity(EVENTS, 0).t.tolist() == [2]


def test_a_polarity_is_0_or_1() -> None:
    with pytest.raises(ValueError, match="polarity from 0 to 1, got -1"):
        keep_polarity(EVENTS, -1)
