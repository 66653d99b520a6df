"""Each distance between two recordings by hand, by its defining integral or by an exhaustive search."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from event_tools import Events
from event_tools.distances import (
    distances,
    pair_log_isi_w1,
    pair_rate_tv,
    sliced_wasserstein,
    van_rossum,
    victor_purpura,
)
from tests.event_tools.test_realism import real_recordings, recording


def random_recording(seed: int, count: int = 40) -> Events:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 50_000, count))
    return Events(t, rng.integers(0, 3, count), rng.integers(0, 2, count), rng.integers(0, 2, count), (4, 4))


@pytest.mark.parametrize("measure", [van_rossum, victor_purpura, sliced_wasserstein])
def test_a_recording_has_no_distance_to_itself_and_the_same_in_both_directions(measure) -> None:
    a, b = random_recording(0), random_recording(1, 60)
    assert measure(a, a) == pytest.approx(0, abs=1e-12)
    assert measure(a, b) == pytest.approx(measure(b, a))
    assert measure(a, b) > 0.01


def test_van_rossum_of_two_spikes_is_one_minus_the_decay_between_them() -> None:
    """D^2 = 1/2 + 1/2 - exp(-dt / tau), over half of two events."""
    a, b = recording((1000, 0, 0, 1)), recording((6000, 0, 0, 1))
    assert van_rossum(a, b, tau_us=10_000) == pytest.approx(1 - math.exp(-0.5))


def test_van_rossum_equals_its_integral() -> None:
    a, b, tau = random_recording(2), random_recording(3), 4000.0
    grid = np.arange(0, 150_000, 2.0)

    def trace(events: Events, key: tuple[int, int, int]) -> np.ndarray:
        mine = (events.x == key[0]) & (events.y == key[1]) & (events.p == key[2])
        since = grid[:, None] - events.t[mine]
        return (np.exp(-np.maximum(since, 0) / tau) * (since >= 0)).sum(1)

    keys = itertools.product(range(3), range(2), range(2))
    square = sum(((trace(a, key) - trace(b, key)) ** 2).sum() * 2.0 / tau for key in keys)
    assert van_rossum(a, b, tau) == pytest.approx(square / 40, rel=1e-3)


def test_events_of_other_pixels_or_polarities_are_never_near() -> None:
    a, b = recording((5, 0, 0, 1), (9, 1, 0, 1)), recording((5, 0, 0, 0), (9, 1, 1, 1))
    assert van_rossum(a, b) == 1
    assert victor_purpura(a, b) == 1


def test_victor_purpura_moves_an_event_where_that_is_cheaper_than_to_replace_it() -> None:
    a = recording((0, 0, 0, 1), (5000, 2, 0, 1))
    b = recording((4000, 0, 0, 1), (90_000, 2, 0, 1))
    assert victor_purpura(a, b, cost_per_s=100) == pytest.approx((0.4 + 2) / 4)
    assert victor_purpura(a, b, cost_per_s=0) == 0


def test_victor_purpura_equals_the_best_of_all_matchings() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        s, u = (np.sort(rng.integers(0, 60_000, n)) for n in rng.integers(1, 5, 2))
        best = math.inf
        for size in range(min(len(s), len(u)) + 1):
            for i, j in itertools.product(
                itertools.combinations(range(len(s)), size), itertools.combinations(range(len(u)), size)
            ):
                moved = 1e-4 * np.abs(s[list(i)] - u[list(j)]).sum()
                best = min(best, moved + len(s) + len(u) - 2 * size)
        a, b = (recording(*((int(t), 1, 1, 0) for t in times)) for times in (s, u))
        assert victor_purpura(a, b, cost_per_s=100) == pytest.approx(best / (len(s) + len(u)))


def test_sliced_wasserstein_of_a_shift_in_time_is_its_share_times_the_mean_cosine() -> None:
    a = random_recording(7)
    b = Events(a.t + a.duration_us, a.x, a.y, a.p, a.sensor_size)  # by half of the longer duration
    shift = a.duration_us / b.duration_us
    assert sliced_wasserstein(a, b, directions=4000) == pytest.approx(shift / 2, rel=0.05)  # E|cos| on a sphere is 1/2


def test_intervals_of_two_recordings_are_compared_by_their_logarithms() -> None:
    a = recording((0, 0, 0, 1), (100, 0, 0, 0), (5000, 1, 1, 1))
    b = recording((0, 2, 2, 1), (10_000, 2, 2, 1))
    assert pair_log_isi_w1(a, b) == pytest.approx(2)  # one interval each: 100 us and 10 ms
    assert math.isnan(pair_log_isi_w1(a, recording((0, 0, 0, 1))))


def test_rates_of_two_recordings_are_compared_in_bins_of_two_milliseconds() -> None:
    a = recording((0, 0, 0, 1), (1900, 1, 0, 1), (2000, 0, 0, 1), (4100, 0, 0, 1))
    b = recording((1000, 3, 3, 0), (3999, 3, 3, 0))
    assert pair_rate_tv(a, b) == pytest.approx(0.25)  # 2, 1, 1 of 4 against 1, 1 of 2
    assert math.isnan(pair_rate_tv(a, recording()))


def test_a_recording_without_events_does_not_hide_the_other_pairs() -> None:
    empty, one = recording(), recording((0, 0, 0, 1), (1000, 0, 0, 1))
    figures = distances([empty, one], [one, one])
    assert figures["sliced_wasserstein"] == figures["pair_log_isi_w1"] == 0
    assert figures["van_rossum"] == 0.5 * (1 + 2 * math.exp(-0.1) / 2)


def test_recordings_of_two_sensors_and_senseless_constants_are_refused() -> None:
    a = recording((0, 0, 0, 1))
    other = Events([0], [0], [0], [1], (8, 8))
    for measure in (van_rossum, victor_purpura, sliced_wasserstein):
        with pytest.raises(ValueError, match="one sensor"):
            measure(a, other)
    with pytest.raises(ValueError, match="tau_us above 0"):
        van_rossum(a, a, tau_us=0)
    with pytest.raises(ValueError, match="cost_per_s of 0 or more"):
        victor_purpura(a, a, cost_per_s=-1)
    with pytest.raises(ValueError, match="one direction"):
        sliced_wasserstein(a, a, directions=0)
    with pytest.raises(ValueError, match="at least one recording"):
        distances([], [a])


def test_recordings_without_events_are_equal_and_have_no_cloud() -> None:
    empty, one = recording(), recording((0, 0, 0, 1))
    assert van_rossum(empty, empty) == victor_purpura(empty, empty) == 0
    assert van_rossum(empty, one) == victor_purpura(empty, one) == 1
    assert math.isnan(sliced_wasserstein(empty, one))


def test_the_same_recording_with_jitter_is_nearer_than_another_of_its_kind() -> None:
    real = real_recordings(4)
    jitter = np.random.default_rng(0).integers(-500, 501, len(real[0]))
    t = real[0].t + jitter
    order = np.argsort(t, kind="stable")
    near = Events(np.maximum(t[order], 0), real[0].x[order], real[0].y[order], real[0].p[order], real[0].sensor_size)
    close, far = distances([near], [real[0]]), distances([real[1]], [real[0]])
    assert all(close[name] < 0.3 * far[name] for name in far)
