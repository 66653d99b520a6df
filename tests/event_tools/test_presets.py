"""Simulated stand-ins for data sets: as long, as large and as full as what is published of them."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools.presets import PRESETS
from event_tools.simulator import Camera, Saccades, simulate

SHORTEST, LONGEST, MEAN = 1_149_758, 1_459_301, 1_298_444  # us, of the real recordings


def picture() -> np.ndarray:
    """A disc on a slope, 32x32."""
    y, x = np.mgrid[:32, :32]
    return np.where((x - 14) ** 2 + (y - 17) ** 2 < 60, 0.9, x / 64)


def test_the_lengths_of_dvs_cifar10_have_the_published_ends_and_mean() -> None:
    shortest, mode, longest = PRESETS["dvs_cifar10"].lengths_us
    assert (shortest, longest) == (SHORTEST, LONGEST)
    assert (shortest + mode + longest) / 3 == pytest.approx(MEAN, abs=1)  # the mean of a triangular distribution


def test_a_dvs_cifar10_recording_is_of_a_128x128_sensor_and_lasts_as_long_as_a_real_one() -> None:
    one, two = (PRESETS["dvs_cifar10"].recording(picture(), seed) for seed in (1, 2))
    for events in (one, two):
        assert events.sensor_size == (128, 128)
        assert SHORTEST - 30_000 < events.t[-1] <= LONGEST + 12_000  # sides are whole milliseconds, 24 of them
        assert 0.45 < events.p.mean() < 0.55
    assert one.t[-1] != two.t[-1]
    assert PRESETS["dvs_cifar10"].recording(picture(), 1) == one


def test_each_loop_of_a_path_makes_the_same_events() -> None:
    # Equal thresholds up and down: after one loop each pixel remembers the same again; times are cut to microseconds.
    quiet = Camera(noise_hz=0.0, refractory_us=0, mismatch=0.0)
    motion = Saccades(((0.0, -2.0), (-2.0, 0.0), (0.0, 2.0), (2.0, 0.0)), 20_000, 0.0, loops=3, eased=False)
    events = simulate(picture(), (48, 48), camera=quiet, motion=motion)
    second, third = (events[(events.t >= start) & (events.t < start + 80_000)] for start in (80_000, 160_000))
    assert len(second) > 2000
    assert abs(len(second) - len(third)) <= 2
    places = [np.bincount(part.y * 48 + part.x, minlength=48 * 48) for part in (second, third)]
    assert np.abs(places[0] - places[1]).sum() <= 4


def test_an_image_that_fills_the_sensor_has_no_edge_of_its_own() -> None:
    flat, quiet = np.full((32, 32), 0.8), Camera(noise_hz=0.0)
    assert len(simulate(flat, (40, 40), camera=quiet, shown_size=(40, 40), surround="continued")) == 0
    assert len(simulate(flat, (40, 40), camera=quiet, shown_size=(40, 40))) > 100


def test_a_constant_speed_moves_as_far_each_millisecond_and_a_raised_cosine_does_not() -> None:
    corners = ((0.0, 0.0), (0.0, 10.0))
    steps = np.diff(Saccades(corners, 10_000, eased=False).path()[:, 1])[:10]
    np.testing.assert_allclose(steps, 1.0)
    assert np.ptp(np.diff(Saccades(corners, 10_000).path()[:, 1])[:10]) > 1


@pytest.mark.parametrize("setting", [{"loops": 0}, {"side_us": 0}, {"corners": ((0.0, 0.0),)}], ids=str)
def test_an_impossible_motion_is_refused(setting: dict) -> None:
    with pytest.raises(ValueError, match="expected two corners"):
        Saccades(**setting)


def test_an_unknown_surround_is_refused() -> None:
    with pytest.raises(ValueError, match="expected surround to be black or continued"):
        simulate(picture(), surround="white")
