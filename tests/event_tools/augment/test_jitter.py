"""Jitter of the size that was asked for, within the recording's span and sensor."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools import Events
from event_tools.augment import space_jitter, time_jitter

N = 20_000


def grid(step_us: int = 1000) -> Events:
    """An event every step_us, x telling which in turn, in the middle of a large sensor."""
    return Events(np.arange(N) * step_us, np.arange(N), np.full(N, 100), np.arange(N) % 2, (N, 201))


@pytest.mark.parametrize(("kind", "deviation"), [("gaussian", 50.0), ("uniform", 50.0 / 3**0.5)])
def test_times_move_by_the_distance_asked_for(kind: str, deviation: float) -> None:
    events = grid()
    moved = time_jitter(events, 50, seed=0, kind=kind)
    moves = (moved.t - events.t[moved.x])[np.argsort(moved.x)][1:-1]  # those at the ends may be reflected
    assert abs(moves.mean()) < 4 * deviation / N**0.5
    assert abs(moves.std() / deviation - 1) < 0.03
    assert abs(moves).max() <= (50 if kind == "uniform" else 300)
    np.testing.assert_array_equal(moved.p, moved.x % 2)


def test_no_time_leaves_the_span_and_none_gathers_at_its_ends() -> None:
    events = Events(np.linspace(5_000, 6_000, N).astype(np.int64), [0] * N, [0] * N, [0] * N, (1, 1))
    moved = time_jitter(events, 3_000, seed=1)
    assert len(moved) == N and moved.t[0] >= 5_000 and moved.t[-1] <= 6_000
    counts = np.histogram(moved.t, 10, (5_000, 6_000))[0]
    assert counts.min() > 0.9 * N / 10 and counts.max() < 1.1 * N / 10


def test_equal_times_after_jitter_keep_their_order() -> None:
    events = Events([0, 0, 0, 1], [0, 1, 2, 3], [0] * 4, [0] * 4, (4, 1))
    assert time_jitter(events, 0, seed=0) == events
    assert time_jitter(events[:3], 1000, seed=0) == events[:3]  # no span, nowhere to go


def test_pixels_move_by_the_distance_asked_for_without_a_drift() -> None:
    n = N
    events = Events(np.arange(n), np.full(n, 500), np.full(n, 400), [1] * n, (1000, 800))
    moved = space_jitter(events, 3.0, seed=0)
    for values, centre in ((moved.x, 500), (moved.y, 400)):
        assert abs(values.mean() - centre) < 4 * 3 / n**0.5
        assert abs(values.std() - (9 + 1 / 12) ** 0.5) < 0.08  # rounding adds 1/12 to the variance
    assert abs(np.corrcoef(moved.x, moved.y)[0, 1]) < 4 / n**0.5
    reach = space_jitter(events, 2, seed=0, kind="uniform")
    assert set(reach.x.tolist()) == {498, 499, 500, 501, 502}


def test_events_that_leave_the_sensor_are_dropped() -> None:
    n = N
    corner = Events(np.arange(n), [0] * n, [0] * n, [1] * n, (2, 2))
    moved = space_jitter(corner, 10.0, seed=0)
    stays = 0.0794  # of one coordinate: P(-0.5 < 10 z < 1.5), and both have to stay
    assert abs(len(moved) / n - stays**2) < 0.003
    assert moved.x.max() == 1


@pytest.mark.parametrize("kind", ["normal", ""])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="kind to be gaussian or uniform"):
        time_jitter(grid(), 1, seed=0, kind=kind)


def test_a_recording_too_long_to_calculate_with_is_refused() -> None:
    events = Events([-(1 << 62), 1 << 62], [0, 0], [0, 0], [1, 1], (1, 1))
    with pytest.raises(ValueError, match="cut it with time_slice"):
        time_jitter(events, 1, seed=0)


@pytest.mark.parametrize("distance", [-1, float("nan"), "far"])
def test_a_wrong_distance_is_refused(distance: float) -> None:
    with pytest.raises(ValueError, match="expected distance_us"):
        time_jitter(grid(), distance, seed=0)
