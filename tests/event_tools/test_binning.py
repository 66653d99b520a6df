"""Counts of bins by hand, by the published rule, and beside SpikingJelly's own integration."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from event_tools import Events, Frames, to_frames
from event_tools.datasets import open_recordings
from tests.data import data_path


def recording(times: list[int], x: int = 0, y: int = 0, p: int = 1) -> Events:
    n = len(times)
    return Events(np.array(times), np.full(n, x), np.full(n, y), np.full(n, p), (3, 2))


def per_bin(frames: Frames) -> list[int]:
    return frames.counts.sum((1, 2, 3)).tolist()


def test_time_rule_puts_the_remainder_and_the_last_event_into_the_last_bin() -> None:
    # dt = (23 - 2) // 4 = 5: edges 2, 7, 12, 17 and the closed 23
    frames = to_frames(recording([2, 6, 7, 16, 17, 22, 23]), steps=4)
    assert frames.edges.tolist() == [2, 7, 12, 17, 23]
    assert per_bin(frames) == [2, 1, 1, 3]


def test_published_rule_loses_the_tail_and_the_last_event() -> None:
    frames = to_frames(recording([2, 6, 7, 16, 17, 22, 23]), steps=4, by="published")
    assert frames.edges.tolist() == [2, 7, 12, 17, 22]
    assert per_bin(frames) == [2, 1, 1, 1]


def test_counts_lie_at_polarity_row_and_column() -> None:
    frames = to_frames(Events([0, 1, 1], [2, 0, 0], [1, 0, 0], [0, 1, 1], (3, 2)), steps=1)
    expected = np.zeros((1, 2, 2, 3), int)
    expected[0, 0, 1, 2], expected[0, 1, 0, 0] = 1, 2
    assert np.array_equal(frames.counts, expected)


def test_given_edges_win_over_steps() -> None:
    frames = to_frames(recording([5, 9, 10]), steps=7, by="published", edges=[0, 9, 10])
    assert frames.edges.tolist() == [0, 9, 10]
    assert per_bin(frames) == [1, 2]


def test_a_last_bin_without_width_holds_its_closed_edge() -> None:
    assert per_bin(to_frames(recording([5, 10, 10]), edges=[0, 10, 10])) == [1, 2]


def test_events_outside_given_edges_are_refused() -> None:
    with pytest.raises(ValueError, match="2 lie outside"):
        to_frames(recording([4, 5, 9, 10]), edges=[5, 9])


def test_more_steps_than_microseconds_lose_nothing() -> None:
    assert per_bin(to_frames(recording([3, 4, 5]), steps=8)) == [0] * 7 + [3]


def test_more_steps_than_microseconds_lose_everything_by_the_published_rule() -> None:
    assert per_bin(to_frames(recording([3, 4, 5]), steps=8, by="published")) == [0] * 8


def test_a_recording_without_events_gives_empty_frames() -> None:
    frames = to_frames(Events.empty((3, 2)), steps=4)
    assert frames.counts.shape == (4, 2, 2, 3) and per_bin(frames) == [0] * 4


@pytest.mark.parametrize(
    "arguments", [{}, {"steps": 0}, {"steps": 2, "by": "number"}, {"edges": [3]}, {"edges": [3, 1]}], ids=str
)
def test_wrong_requests_are_refused_in_a_sentence(arguments: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        to_frames(recording([1, 2]), **arguments)


def test_time_rule_equals_spikingjelly_on_real_recordings() -> None:
    integrate = spikingjelly_utils().integrate_events_by_fixed_frames_number
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")
    for i in range(0, 100, 20):
        events = recordings[i]
        columns = {name: getattr(events, name) for name in "txyp"}
        assert np.array_equal(to_frames(events, steps=10).counts, integrate(columns, "time", 10, 34, 34))


def spikingjelly_utils() -> ModuleType:
    """SpikingJelly's own file alone: its package imports torchaudio, which need not match the torch that is here."""
    package = pytest.importorskip("spikingjelly")
    path = Path(package.__file__).parent / "datasets" / "utils.py"
    spec = spec_from_file_location("spikingjelly.datasets.utils", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
