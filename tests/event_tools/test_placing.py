"""Counts to events: exactly the counts, whatever the edges, placement and refractory time."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_tools import Events, Frames, to_events, to_frames
from event_tools.anchoring import separate
from event_tools.counts import to_budget
from event_tools.datasets import open_recordings
from event_tools.placing import crowded_cells
from event_tools.profile import RateCurve
from tests.data import data_path

HUMP = RateCurve(np.array([0.0, 1.0, 5.0, 1.0, 0.0]), bin_us=2)
WAYS = [
    {},
    {"placement": "linear"},
    {"placement": "profile", "profile": HUMP},
    {"refractory_us": 3},
    {"placement": "profile", "profile": HUMP, "refractory_us": 3},
    {"placement": "linear", "refractory_us": 10**6},
    {"polarity": "runs", "refractory_us": 3},
]


def random_frames(seed: int) -> Frames:
    """Sparse counts over edges that may repeat, wide or narrow, negative or far from 0."""
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(1, 7))
    widths = rng.choice([0, 1, 2, 7, 1000], steps)
    edges = np.concatenate(([0], np.cumsum(widths))) + rng.choice([-500, 0, 10**15])
    counts = rng.poisson(rng.choice([0.05, 1.0, 20.0]), (steps, 2, 3, 4))
    counts[:-1][widths[:-1] == 0] = 0
    return Frames(counts, edges)


@st.composite
def any_frames(draw: st.DrawFn) -> Frames:
    """Frames as odd as they may be: bins of one microsecond or of years, repeated edges, times near 62 bits."""
    steps = draw(st.integers(1, 5))
    widths = draw(st.lists(st.sampled_from([0, 1, 2, 1000, 10**9, 1 << 58]), min_size=steps, max_size=steps))
    start = draw(st.sampled_from([0, -(1 << 61), 1_700_000_000_000_000, 7]))
    counts = np.array(draw(st.lists(st.integers(0, 5), min_size=8 * steps, max_size=8 * steps)))
    counts = counts.reshape(steps, 2, 2, 2)
    counts[:-1][np.array(widths[:-1], int) == 0] = 0
    return Frames(counts, np.cumsum([start, *widths]))


def smallest_interval(events: Events) -> int:
    """Least time between two events of one pixel."""
    gaps = []
    for place in np.unique(events.y.astype(int) * events.sensor_size[0] + events.x):
        gaps.append(np.diff(events.t[events.y.astype(int) * events.sensor_size[0] + events.x == place]))
    return int(np.concatenate(gaps).min())


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way)) or "uniform")
def test_binning_the_events_gives_the_counts_back_for_any_frames(way: dict) -> None:
    for seed in range(60):
        frames = random_frames(seed)
        assert to_frames(to_events(frames, seed=seed, **way), edges=frames.edges) == frames


@settings(deadline=None, max_examples=60)
@given(any_frames(), st.sampled_from(WAYS))
def test_binning_the_events_gives_the_counts_back_for_the_oddest_frames(frames: Frames, way: dict) -> None:
    assert to_frames(to_events(frames, **way), edges=frames.edges) == frames


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 60), max_size=12), st.integers(1, 6), st.sampled_from(WAYS))
def test_an_anchor_keeps_the_frames_of_any_recording_or_is_refused_for_an_empty_end(
    times: list[int], steps: int, way: dict
) -> None:
    n = len(times)
    frames = to_frames(Events(sorted(times), [0] * n, [0] * n, [1] * n, (1, 1)), steps)
    if frames.counts[0].any() and frames.counts[-1].any():
        assert to_frames(to_events(frames, anchor=True, **way), steps=steps) == frames
    else:
        with pytest.raises(ValueError, match="first and the last bin"):
            to_events(frames, anchor=True, **way)


@pytest.mark.parametrize("steps", [1, 4, 10])
def test_anchored_events_give_the_same_frames_without_being_told_the_edges(steps: int) -> None:
    for i, events in enumerate(open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")):
        if i % 20 == 0:
            frames = to_frames(events, steps)
            assert to_frames(to_events(frames, seed=i, anchor=True, refractory_us=1700), steps=steps) == frames


@pytest.mark.parametrize("empty", [0, -1])
def test_an_anchor_needs_events_in_the_first_and_the_last_bin(empty: int) -> None:
    counts = np.ones((4, 2, 2, 2), int)
    counts[empty] = 0
    with pytest.raises(ValueError, match="first and the last bin"):
        to_events(Frames(counts, np.arange(5) * 10), anchor=True)


def test_an_anchor_needs_the_edges_that_binning_would_find() -> None:
    with pytest.raises(ValueError, match="edges of"):
        to_events(Frames(np.ones((2, 2, 2, 2), int), np.array([0, 3, 10])), anchor=True)


def test_counts_in_a_bin_without_width_are_refused() -> None:
    counts = np.zeros((3, 2, 2, 2), int)
    counts[1, 0, 0, 0] = 5
    with pytest.raises(ValueError, match="bin 1 at 10 us holds 5"):
        to_events(Frames(counts, np.array([0, 10, 10, 20])))


def test_a_last_bin_without_width_uses_its_closed_edge() -> None:
    counts = np.zeros((2, 2, 2, 2), int)
    counts[1, 1, 0, 1] = 3
    events = to_events(Frames(counts, np.array([0, 10, 10])), refractory_us=5)
    assert events.t.tolist() == [10, 10, 10] and events.x.tolist() == [1, 1, 1]


def test_frames_without_events_give_an_empty_recording() -> None:
    assert to_events(Frames(np.zeros((2, 2, 5, 7), int), np.array([0, 1, 2]))) == Events.empty((7, 5))


def test_events_are_sorted_by_time_row_column_and_polarity() -> None:
    events = to_events(Frames(np.full((2, 2, 3, 4), 3), np.array([0, 5, 11])))
    keys = list(zip(events.t, events.y, events.x, events.p, strict=True))
    assert keys == sorted(keys)


def test_a_bin_counts_from_its_first_microsecond_to_before_the_next() -> None:
    events = to_events(Frames(np.full((1, 2, 1, 1), 2000), np.array([5, 9])))
    assert sorted(set(events.t.tolist())) == [5, 6, 7, 8]


def test_the_refractory_time_holds_within_and_across_bins() -> None:
    counts = np.random.default_rng(0).integers(0, 6, (6, 2, 4, 4))
    frames = Frames(counts, np.arange(7) * 20_000)
    for way in ({}, {"placement": "linear"}, {"placement": "profile", "profile": RateCurve(np.arange(1.0, 121.0))}):
        assert smallest_interval(to_events(frames, refractory_us=1700, **way)) >= 1700
    assert crowded_cells(frames, 1700) == 0


def test_the_refractory_time_shrinks_only_where_a_bin_is_too_full() -> None:
    counts = np.zeros((1, 2, 1, 2), int)
    counts[0, :, 0, 0], counts[0, 0, 0, 1] = 10, 2
    frames = Frames(counts, np.array([0, 10_000]))
    events = to_events(frames, refractory_us=1700)
    assert crowded_cells(frames, 1700) == 1
    assert smallest_interval(events[events.x == 0]) == 500  # 20 events in 10,000 us leave no freedom
    assert smallest_interval(events[events.x == 1]) >= 1700


def test_uniform_placement_is_uniform() -> None:
    events = to_events(Frames(np.full((1, 2, 20, 20), 25), np.array([0, 1_000_000])), refractory_us=100)
    # 20,000 draws: the largest distance of the distribution functions exceeds 1.63 / sqrt(n) once in 100 seeds.
    distance = np.abs(np.sort(events.t) / 1e6 - (np.arange(20_000) + 0.5) / 20_000).max()
    assert distance < 1.63 / np.sqrt(20_000)


def test_profile_placement_follows_the_curve() -> None:
    curve = RateCurve(np.array([3.0, 1.0, 0.0, 4.0]), bin_us=1000)
    events = to_events(Frames(np.full((1, 2, 20, 20), 25), np.array([0, 4000])), placement="profile", profile=curve)
    shares = np.bincount(events.t // 1000, minlength=4) / len(events)
    assert shares == pytest.approx([3 / 8, 1 / 8, 0, 4 / 8], abs=0.012)  # three standard deviations of 20,000 draws


def test_profile_placement_is_uniform_where_the_curve_is_silent() -> None:
    curve = RateCurve(np.array([0.0, 0.0, 1.0]), bin_us=1000)
    counts = np.full((2, 2, 10, 10), 10)
    events = to_events(Frames(counts, np.array([0, 2000, 3000])), placement="profile", profile=curve)
    assert np.mean(events.t[events.t < 2000]) == pytest.approx(1000, abs=40)  # three standard errors


def test_linear_placement_leans_towards_the_fuller_neighbour() -> None:
    counts = np.zeros((3, 2, 10, 10), int)
    counts[1], counts[2] = 20, 60
    events = to_events(Frames(counts, np.arange(4) * 3000), placement="linear")
    inside = events.t[(events.t >= 3000) & (events.t < 6000)] - 3000
    # s = 2 (120 - 0) / (120 + 0 + 2 * 40) > 1, so density 2 z with mean 2/3
    assert inside.mean() == pytest.approx(2000, abs=35)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 60), max_size=30), st.integers(1, 6), st.sampled_from(WAYS))
def test_an_anchor_of_counts_keeps_the_frames_of_any_recording_without_a_tie_across_bins(
    times: list[int], steps: int, way: dict
) -> None:
    n = len(times)
    frames = to_frames(Events(sorted(times), [0] * n, [0] * n, [1] * n, (1, 1)), steps, by="count")
    if n and (np.diff(frames.edges)[:-1][frames.counts[:-1].sum((1, 2, 3)) > 0] > 0).all():
        assert to_frames(to_events(frames, anchor="count", **way), steps, by="count") == frames
    else:
        with pytest.raises(ValueError, match=r"without width|expected events for"):
            to_events(frames, anchor="count", **way)


def test_counts_that_fill_the_budget_come_back_by_count_without_an_anchor() -> None:
    counts = to_budget(np.random.default_rng(0).random((5, 2, 4, 6)), total=313)
    frames = Frames(counts, np.array([0, 100, 250, 300, 900, 1000]))
    assert np.array_equal(to_frames(to_events(frames), 5, by="count").counts, counts)


def test_an_anchor_of_counts_needs_equal_numbers_of_events() -> None:
    counts = np.ones((3, 2, 1, 1), int)
    counts[0] = 2
    with pytest.raises(ValueError, match=r"expected 2 events in each bin .* got \[4, 2, 2\]; see .*to_budget"):
        to_events(Frames(counts, np.arange(4) * 10), anchor="count")


def test_an_anchor_of_counts_needs_two_events_in_a_last_bin_with_width() -> None:
    counts = np.ones((2, 2, 1, 1), int)
    counts[:, 0] = 0
    with pytest.raises(ValueError, match="two events in the last bin"):
        to_events(Frames(counts, np.array([0, 10, 20])), anchor="count")
    assert to_events(Frames(counts, np.array([0, 10, 10])), anchor="count").t.tolist() == [0, 10]


def test_an_anchor_of_counts_needs_the_edges_that_binning_would_find() -> None:
    counts = np.zeros((3, 2, 1, 1), int)
    counts[2] = 1
    with pytest.raises(ValueError, match="edges of"):
        to_events(Frames(counts, np.array([0, 5, 5, 20])), anchor="count")
    assert to_events(Frames(counts, np.array([5, 5, 5, 20])), anchor="count").t.tolist() == [5, 20]


def test_an_anchor_of_counts_keeps_the_refractory_time_where_a_pixel_was_silent() -> None:
    counts = np.zeros((2, 2, 1, 3), int)
    counts[:, 1, 0, 0] = 3
    counts[1, 0, 0, 1] = counts[0, 0, 0, 2] = 1
    frames = Frames(counts, np.array([0, 10_000, 20_000]))
    for seed in range(20):
        events = to_events(frames, seed, refractory_us=3000, anchor="count")
        assert smallest_interval(events[events.x == 0]) >= 3000
        assert events.t[4] == 10_000 and events.x[4] == 1


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way)) or "uniform")
def test_unique_events_differ_in_time_and_keep_the_counts(way: dict) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        counts = rng.poisson(0.7, (5, 2, 3, 4))
        frames = Frames(counts, np.concatenate(([-7], -7 + np.cumsum(counts.sum((1, 2, 3)) + rng.integers(0, 9, 5)))))
        events = to_events(frames, seed, unique=True, **way)
        assert (np.diff(events.t) > 0).all()
        assert to_frames(events, edges=frames.edges) == frames


def test_ties_move_on_by_a_microsecond_and_back_at_the_end_of_their_bin() -> None:
    t = np.array([2, 2, 2, 8, 8, 9, 10, 10])
    assert separate(t, np.array([0, 10, 20]), np.array([6, 2]), closed=False).tolist() == [2, 3, 4, 7, 8, 9, 10, 11]
    assert separate(t[:6], np.array([0, 9]), np.array([6]), closed=True).tolist() == [2, 3, 4, 7, 8, 9]
    assert t.tolist() == [2, 2, 2, 8, 8, 9, 10, 10]


@pytest.mark.parametrize("anchor", ["time", "count"])
def test_unique_events_may_be_anchored_too(anchor: str) -> None:
    counts = np.zeros((2, 2, 2, 2), int)
    counts[:, :, 0, 1] = 5
    frames = Frames(counts, np.array([0, 10, 20]))  # full to the last microsecond
    events = to_events(frames, anchor=anchor, unique=True)
    assert (np.diff(events.t) > 0).all() and to_frames(events, 2, by=anchor) == frames


@pytest.mark.parametrize(
    ("edges", "reason"), [([0, 3, 20], "bin 0 has 3 us for 4"), ([0, 10, 10], "bin 1 has 1 us for 4")], ids=str
)
def test_unique_needs_a_microsecond_for_each_event(edges: list[int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        to_events(Frames(np.full((2, 2, 1, 1), 2), np.array(edges)), unique=True)


def test_a_sensor_and_times_too_large_for_one_integer_are_sorted_alike() -> None:
    counts = np.zeros((2, 2, 700, 900), np.uint16)
    counts[:, :, ::99, ::97] = 2
    for last in (100, (1 << 42) - 1, 1 << 44, 1 << 60):  # 21 bits of place beside 7, 42, 45 and 61 of time
        edges = np.array([0, 50, last])
        events = to_events(Frames(counts, edges))
        keys = list(zip(events.t, events.y, events.x, events.p, strict=True))
        assert keys == sorted(keys) and to_frames(events, edges=edges) == Frames(counts, edges)


@pytest.mark.parametrize("way", [{}, {"anchor": True}, {"unique": True}], ids=str)
def test_many_events_are_sorted_by_threads_to_the_same_recording(way: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.random.default_rng(0).poisson(0.5, (6, 2, 20, 30))
    counts[3] = 0
    frames = Frames(counts, np.arange(7) * 5000)
    alone = to_events(frames, **way)
    monkeypatch.setattr("event_tools.placing.THREADED", 1)
    assert to_events(frames, **way) == alone


def test_large_groups_are_laid_out_as_small_ones() -> None:
    counts = np.zeros((1, 2, 1, 3), int)
    counts[0, :, 0, 0], counts[0, :, 0, 1], counts[0, 1, 0, 2] = (300, 500), (7, 5), 40
    events = to_events(Frames(counts, np.array([0, 1_000_000])), refractory_us=900)
    for column, on in ((0, 500), (1, 5), (2, 40)):
        one = events[events.x == column]
        assert one.p.sum() == on and smallest_interval(one) >= 900
    off = events.t[(events.x == 0) & (events.p == 0)]
    assert abs(off.mean() - 500_000) < 3 * 290_000 / np.sqrt(300)  # polarities are dealt at random, not first all OFF


def test_runs_order_the_polarities_of_a_pixel_and_bin_and_leave_the_times() -> None:
    counts = np.random.default_rng(0).integers(0, 8, (1, 2, 6, 6))
    counts[0, :, 0, 0], counts[0, :, 5, 5] = (30, 50), (0, 40)  # more than are sorted by insertion; of one polarity
    frames = Frames(counts, np.array([0, 1_000_000]))
    mixed, runs = (to_events(frames, seed=1, refractory_us=900, polarity=order) for order in ("mixed", "runs"))
    assert np.array_equal(runs.t, mixed.t) and np.array_equal(runs.x, mixed.x) and np.array_equal(runs.y, mixed.y)
    firsts = []
    for y, x in np.argwhere((counts[0] > 0).all(0)):
        p = runs.p[(runs.x == x) & (runs.y == y)]
        assert np.count_nonzero(np.diff(p.astype(int))) == 1
        firsts.append(int(p[0]))
    assert 0.25 < np.mean(firsts) < 0.75  # either may come first


def test_the_same_seed_gives_the_same_events_and_another_seed_others() -> None:
    frames = Frames(np.full((4, 2, 5, 5), 2), np.arange(5) * 1000)
    assert to_events(frames, seed=7) == to_events(frames, seed=7)
    assert to_events(frames, seed=7) != to_events(frames, seed=8)


def test_events_are_the_same_on_every_machine() -> None:
    counts = np.arange(4 * 2 * 5 * 5).reshape(4, 2, 5, 5) % 4
    events = to_events(Frames(counts, np.array([0, 900, 2000, 2500, 5000])), seed=3, refractory_us=50)
    digest = hashlib.sha256(b"".join(getattr(events, name).astype("<i8").tobytes() for name in "txyp"))
    assert digest.hexdigest() == "9bb5670af743aeba0edbeaeeae0d3ec13a4b2d71cae285d1c94407576da54b0f"


def test_the_frames_are_left_as_they_were() -> None:
    counts = np.full((2, 2, 3, 3), 2, np.uint16)
    to_events(Frames(counts, np.array([0, 10, 20])), anchor=True)
    assert (counts == 2).all()


@pytest.mark.parametrize(
    "arguments",
    [
        {"placement": "even"},
        {"placement": "profile"},
        {"profile": HUMP},
        {"refractory_us": -1},
        {"anchor": "number"},
        {"polarity": "on"},
    ],
    ids=["placement", "profile without curve", "curve without profile", "negative time", "anchor", "polarity"],
)
def test_wrong_requests_are_refused_in_a_sentence(arguments: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        to_events(Frames(np.ones((1, 2, 2, 2), int), np.array([0, 10])), **arguments)
