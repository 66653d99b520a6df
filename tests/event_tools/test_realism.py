"""Each distance by hand or by an independent implementation; the published floor on real recordings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from event_tools import Events, to_events, to_frames
from event_tools.datasets import open_recordings
from event_tools.profile import RateCurve
from event_tools.realism import UNITS, compare, jensen_shannon, realism, summarise, total_variation, wasserstein
from event_tools.rhythm import autocorrelation_of, cycle_of, rate_of
from tests.data import data_path


def recording(*events: tuple[int, int, int, int]) -> Events:
    """(t, x, y, p) on a 4x4 sensor."""
    t, x, y, p = np.array(events).reshape(-1, 4).T
    return Events(t, x, y, p, (4, 4))


def real_recordings(count: int) -> list[Events]:
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")
    return [recordings[i] for i in range(0, 100, 100 // count)]


def test_a_set_has_no_distance_to_itself() -> None:
    waves = [recording(*[(4000 * i + k, k, i % 4, k % 2) for i in range(8) for k in range(4)]) for _ in range(2)]
    assert set(compare(waves, waves).values()) == {0.0}


def test_wasserstein_of_shifted_samples_is_the_shift() -> None:
    a = np.random.default_rng(0).normal(size=1000)
    assert wasserstein(a, a + 0.25) == pytest.approx(0.25)


def test_wasserstein_equals_scipys_on_samples_of_unequal_size() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.poisson(3, 500).astype(float), rng.gamma(2, 2, 700)
    assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b), rel=1e-12)


def test_total_variation_and_jensen_shannon_of_disjoint_histograms_are_one() -> None:
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert total_variation(a, b) == 1.0 and jensen_shannon(a, b) == 1.0


def test_jensen_shannon_of_a_known_pair() -> None:
    # a = (1, 0), b = (1/2, 1/2), middle (3/4, 1/4): [log2(4/3)] / 2 + [log2(2/3) / 2 + log2(2) / 2] / 2
    expected = math.log2(4 / 3) / 2 + (0.5 * math.log2(2 / 3) + 0.5) / 2
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(expected)


def test_statistics_of_a_small_recording() -> None:
    events = recording((0, 0, 0, 1), (0, 3, 3, 1), (1000, 0, 0, 1), (1100, 1, 0, 0), (1110, 0, 0, 0), (9000, 3, 3, 1))
    summary = summarise([events])
    assert summary.counts.tolist() == [6] and summary.on_shares.tolist() == [4 / 6]
    assert sorted(10**summary.log_isi) == pytest.approx([110, 1000, 9000])
    assert summary.rate.tolist() == pytest.approx([2 / 6, 3 / 6, 0, 0, 0, 0, 0, 0, 0, 1 / 6])
    assert summary.per_pixel.tolist() == pytest.approx([13 / 16, 1 / 16, 1 / 16, 1 / 16])
    assert summary.alternation == pytest.approx(1 / 3)  # of the three intervals, the last of pixel (0, 0) flips
    assert summary.support == pytest.approx(3 / 6)  # the events at 1000, 1100 and 1110 us follow one nearby
    assert summary.ties == pytest.approx(1 / 5)


def test_a_rate_counts_from_zero_unless_the_recording_began_long_after() -> None:
    assert rate_of(recording((1500, 0, 0, 1), (1999, 0, 0, 1), (3500, 0, 0, 1))).tolist() == [0, 2, 0, 1]
    late = 1_700_000_000_000_000
    assert rate_of(recording((late, 0, 0, 1), (late + 999, 0, 0, 1), (late + 2500, 0, 0, 1))).tolist() == [2, 0, 1]
    assert rate_of(recording((-500, 0, 0, 1), (900, 0, 0, 1))).tolist() == [1, 1]
    assert not len(rate_of(Events.empty((4, 4))))


def test_autocorrelation_equals_its_sum() -> None:
    rate = np.random.default_rng(0).poisson(3, 57)
    x = rate - rate.mean()
    direct = np.correlate(x, x, "full")[56:] / (x @ x)
    assert autocorrelation_of(rate) == pytest.approx(direct, abs=1e-12)


def test_the_cycle_of_a_wave_is_its_length_and_its_strength_falls_with_the_lag() -> None:
    rate = np.tile([8, 8, 0, 0, 0, 0, 0, 0, 0, 0], 5)
    assert cycle_of(rate) == (10.0, pytest.approx(4 / 5))  # four of five periods meet one
    assert all(math.isnan(value) for value in cycle_of(np.full(50, 3)))
    assert all(math.isnan(value) for value in cycle_of(np.zeros(0, int)))


def test_bursts_are_told_from_a_steady_rate_of_the_same_mean() -> None:
    steady = recording(*[(1000 * i, 0, 0, 1) for i in range(8)])
    layered = recording(*[(2000 * i + k, 0, 0, 1) for i in range(4) for k in range(2)], (7001, 3, 3, 1))
    # 8 ms: one event each, or two in every other one and one in the last: |CDF| differs by 3/8 below 1, 4/8 below 2.
    figures = compare([layered], [steady])
    assert figures["rate_w1"] == pytest.approx(3 / 8 + 4 / 8)


def test_count_distance_is_relative_to_the_second_set() -> None:
    two, four = recording((0, 0, 0, 1), (1, 0, 0, 1)), recording(*[(i, 0, 0, 1) for i in range(4)])
    assert compare([two], [four])["count_w1"] == pytest.approx(0.5)


def test_sets_may_hold_recordings_without_events() -> None:
    empty, single = Events.empty((4, 4)), recording((0, 0, 0, 1))
    figures = compare([empty], [single])
    assert figures["count_w1"] == 1.0 and figures["rate_tv"] == 0.5 and math.isnan(figures["log_isi_w1"])


@pytest.mark.parametrize("sets", [([], [Events.empty((4, 4))]), ([Events.empty((4, 4))], [Events.empty((4, 5))])])
def test_sets_that_cannot_be_compared_are_refused(sets: tuple[list[Events], list[Events]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        compare(*sets)


def test_rows_carry_their_floor() -> None:
    a, b, c = (recording(*[(k * t, 1, 1, t % 2) for t in (0, 5, 2001, 2005, 4000, 4007, 8000)]) for k in (1, 2, 3))
    rows = realism([a], [b], floor=([c], [b]))
    assert [row.name for row in rows] == list(UNITS)
    assert {row.name: row.value for row in rows} == compare([a], [b])
    assert {row.name: row.floor for row in rows} == compare([c], [b])


def test_real_recordings_have_the_known_statistics() -> None:
    summary = summarise(real_recordings(50))
    # Of the 1,100: 22.6 % of successive events flip polarity, 1.77 % are ties, 61.6 % of pixels are silent.
    assert summary.alternation == pytest.approx(0.226, abs=0.02)
    assert summary.ties == pytest.approx(0.0177, abs=0.003)
    assert summary.per_pixel[0] == pytest.approx(0.616, abs=0.03)
    # The median recording resembles itself most after 103 ms, by 0.48; cut into ten bins, after 92 ms, by 0.35.
    assert summary.cycle == (pytest.approx(103, abs=2), pytest.approx(0.48, abs=0.05))
    binned = summarise([to_events(to_frames(events, steps=10)) for events in real_recordings(25)])
    assert binned.cycle == (pytest.approx(92, abs=4), pytest.approx(0.35, abs=0.08))  # these are 25 of the test


def test_regenerated_recordings_keep_counts_and_places_and_a_profile_mends_the_rate() -> None:
    real = real_recordings(20)
    curve = RateCurve.measure(real)
    frames = [to_frames(events, steps=4) for events in real]
    uniform = compare([to_events(f) for f in frames], real)
    profile = compare([to_events(f, placement="profile", profile=curve, refractory_us=1700) for f in frames], real)
    for name in ("count_w1", "on_share_w1", "spatial_js", "pixel_tv"):
        assert uniform[name] == profile[name] == 0.0
    assert uniform["rate_tv"] > 0.2 > 0.1 > profile["rate_tv"]
    assert profile["log_isi_w1"] < 0.7 * uniform["log_isi_w1"]
