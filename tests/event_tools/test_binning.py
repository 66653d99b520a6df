"""Counts of bins by hand, one event at a time, and beside SpikingJelly's rules."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import Events, Frames, to_frames
from event_tools.datasets import open_recordings
from tests.data import data_path
from tests.event_tools.recordings import recordings


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


def test_count_rule_gives_equal_numbers_of_events_and_the_rest_to_the_last_bin() -> None:
    # 7 // 3 = 2: bins start at events 0, 2 and 4, whose times are their edges
    frames = to_frames(recording([2, 6, 7, 7, 7, 22, 23]), steps=3, by="count")
    assert frames.edges.tolist() == [2, 7, 7, 23]
    assert per_bin(frames) == [2, 2, 3]


def test_fewer_events_than_steps_lie_in_the_last_bin_by_count() -> None:
    frames = to_frames(recording([4, 5]), steps=3, by="count")
    assert frames.edges.tolist() == [4, 4, 4, 5] and per_bin(frames) == [0, 0, 2]


def test_bins_by_duration_are_as_many_as_hold_all_events_and_all_half_open() -> None:
    frames = to_frames(recording([5, 14, 15, 25]), 10, by="duration")
    assert frames.edges.tolist() == [5, 15, 25, 35]
    assert per_bin(frames) == [2, 1, 1]


def test_a_recording_that_goes_on_keeps_the_bins_by_duration_that_it_had() -> None:
    whole, part = (to_frames(recording(times), 10, by="duration") for times in ([0, 20, 31], [0, 20]))
    assert np.array_equal(whole.counts[: part.steps], part.counts) and part.steps == 3


def test_a_recording_without_events_has_no_bins_by_duration() -> None:
    frames = to_frames(Events.empty((3, 2)), 10, by="duration")
    assert frames.counts.shape == (0, 2, 2, 3) and frames.edges.tolist() == [0]


@pytest.mark.parametrize("by", ["time", "count", "published"])
def test_a_recording_without_events_gives_empty_frames_by_every_rule(by: str) -> None:
    frames = to_frames(Events.empty((3, 2)), steps=4, by=by)
    assert per_bin(frames) == [0] * 4 and frames.edges.tolist() == [0] * 5


def test_counts_beyond_eight_and_sixteen_bits_neither_wrap_nor_saturate() -> None:
    n = 70_000
    p = np.arange(n) % 2
    p[-256:] = 1
    frames = to_frames(Events(np.zeros(n, int), np.full(n, 2), np.full(n, 1), p, (3, 2)), steps=1)
    assert frames.counts.dtype == np.int32
    assert frames.counts[0, :, 1, 2].tolist() == [35_000 - 128, 35_000 + 128] and frames.counts.sum() == n


def test_a_bin_of_more_events_than_a_count_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_tools.binning.MOST", 2)
    with pytest.raises(ValueError, match="up to 2 events in a bin, got 3"):
        to_frames(recording([1, 1, 2]), steps=1)


def test_counts_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    n = 3000
    columns = rng.integers(0, 20, n), rng.integers(0, 9, n), rng.integers(0, 2, n)
    events = Events(np.sort(rng.integers(0, 500, n) ** 2), *columns, (20, 9))
    for steps in (1, 3, 50):
        one = to_frames(events, steps)
        monkeypatch.setattr("event_tools.binning.THREADED", 1)
        for threads in (2, 3, 7):
            monkeypatch.setattr("event_tools.binning.THREADS", threads)
            assert to_frames(events, steps) == one
        monkeypatch.undo()
        assert np.array_equal(one.counts, slowly(events, one.edges))


def test_frames_are_counted_into_a_given_array_whatever_it_held() -> None:
    out = np.full((2, 2, 2, 3), 9, np.int32)
    frames = to_frames(recording([1, 2, 9]), steps=2, out=out)
    assert frames.counts is out and per_bin(frames) == [2, 1]


@pytest.mark.parametrize(
    "out",
    [np.zeros((3, 2, 2, 3), np.int32), np.zeros((2, 2, 2, 3), np.int64), np.zeros((3, 2, 2, 2), np.int32).T],
    ids=["another shape", "another type", "not contiguous"],
)
def test_an_array_that_cannot_hold_the_frames_is_refused(out: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected out"):
        to_frames(recording([1, 2, 9]), steps=2, out=out)


def test_columns_that_lie_apart_in_memory_are_counted_alike() -> None:
    events = recording([1, 2, 3, 4, 5, 6])
    assert per_bin(to_frames(events[::2], edges=[1, 4, 9])) == [2, 1]


def test_events_moved_off_the_sensor_after_their_check_are_refused_not_written_elsewhere() -> None:
    events = recording([1, 2, 3])
    events.y[1] = 60_000
    with pytest.raises(ValueError, match="have changed since"):
        to_frames(events, steps=2)


@settings(deadline=None, max_examples=60)
@given(recordings(first_us=-(1 << 40), side=40), st.integers(1, 9), st.sampled_from(["time", "count", "duration"]))
def test_no_rule_loses_an_event(events: Events, steps: int, by: str) -> None:
    frames = to_frames(events, steps * (events.duration_us // 20 + 1) if by == "duration" else steps, by)
    assert frames.counts.sum() == len(events)
    if by != "count":  # whose bins may share a microsecond
        assert np.array_equal(frames.counts, slowly(events, frames.edges))


def slowly(events: Events, edges: np.ndarray) -> np.ndarray:
    """Counts one event at a time."""
    width, height = events.sensor_size
    counts = np.zeros((len(edges) - 1, 2, height, width), int)
    for t, x, y, p in zip(*(getattr(events, name).tolist() for name in "txyp"), strict=True):
        inside = [i for i in range(len(counts)) if edges[i] <= t < edges[i + 1]] or [len(counts) - 1]
        counts[inside[0], p, y, x] += 1
    return counts


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"steps": 0},
        {"steps": 2.0},
        {"steps": 2, "by": "number"},
        {"steps": 0, "by": "duration"},
        {"edges": [3]},
        {"edges": [3, 1]},
        {"edges": [0.5, 3.0]},
    ],
    ids=str,
)
def test_wrong_requests_are_refused_in_a_sentence(arguments: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        to_frames(recording([1, 2]), **arguments)


def by_spikingjelly(events: Events, split_by: str, steps: int) -> np.ndarray:
    """Its rule for a fixed number of frames, from its documentation: event indices or times cut into T parts."""
    n, t = len(events), events.t
    if split_by == "number":
        left = [n // steps * i for i in range(steps)]
        right = [*left[1:], n]
    else:
        length = (int(t[-1]) - int(t[0])) // steps
        inside = [np.flatnonzero((t >= t[0] + length * i) & (t < t[0] + length * (i + 1))) for i in range(steps)]
        left = [one[0] for one in inside]  # an empty bin is an IndexError, as it is there
        right = [one[-1] + 1 for one in inside[:-1]] + [n]
    width, height = events.sensor_size
    frames = np.zeros((steps, 2, height, width))
    for i in range(steps):
        part = slice(left[i], right[i])
        np.add.at(frames, (i, events.p[part].astype(int), events.y[part], events.x[part]), 1)
    return frames


@pytest.mark.parametrize(("by", "split_by"), [("time", "time"), ("count", "number")])
def test_rules_equal_spikingjellys_on_real_recordings(by: str, split_by: str) -> None:
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")
    for i in range(0, 100, 10):
        for steps in (4, 10, 16):
            frames = to_frames(recordings[i], steps, by)
            assert np.array_equal(frames.counts, by_spikingjelly(recordings[i], split_by, steps))


@pytest.mark.interop
@pytest.mark.parametrize(("by", "split_by"), [("time", "time"), ("count", "number")])
def test_rules_equal_spikingjellys_own_code(by: str, split_by: str) -> None:
    integrate = spikingjelly_utils().integrate_events_by_fixed_frames_number
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")
    for i in range(0, 100, 20):
        events = recordings[i]
        columns = {name: getattr(events, name) for name in "txyp"}
        assert np.array_equal(to_frames(events, 10, by).counts, integrate(columns, split_by, 10, 34, 34))


def spikingjelly_utils() -> ModuleType:
    """SpikingJelly's own file alone: its package imports torchaudio, which need not match the torch that is here."""
    package = pytest.importorskip("spikingjelly")
    path = Path(package.__file__).parent / "datasets" / "utils.py"
    spec = spec_from_file_location("spikingjelly.datasets.utils", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
