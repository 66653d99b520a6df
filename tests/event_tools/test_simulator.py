"""The simulated camera: its pixels by hand, and what a recording of a digit looks like."""

from __future__ import annotations

import numpy as np
import pytest

from event_tools.pixels import pixel_events
from event_tools.simulator import Camera, Saccades, simulate

STILL = Saccades(corners=((0.0, 0.0),) * 3, jitter_px=0.0)
QUIET = Camera(noise_hz=0.0)


def bar() -> np.ndarray:
    """A vertical stroke, 28x28."""
    image = np.zeros((28, 28))
    image[6:22, 12:15] = 1.0
    return image


def ramp_events(levels: list[float], threshold: float, refractory: float) -> list[tuple[int, int]]:
    """(t, p) of one pixel whose log intensity takes these levels, 1000 us apart."""
    # One pixel looks at a row of levels that slides past, one sample a step.
    scene = np.zeros((2, len(levels) + 2), np.float32)
    scene[:, : len(levels)] = levels
    shift = np.stack((np.zeros(len(levels)), -np.arange(len(levels), dtype=float)), 1)
    one = np.full((1, 1), threshold)
    out = np.zeros((100, 4), np.int64)
    count = pixel_events(scene, 1, np.zeros(2, np.int64), shift, 1, 1000.0, 0 * one, one, one, refractory, out)
    return [(int(t), int(p)) for t, _, _, p in out[:count]]


def test_a_pixel_fires_at_each_threshold_crossing() -> None:
    # 1.0 in 1000 us, threshold 0.25: crossings at every quarter
    assert ramp_events([0.0, 1.0, 1.0], 0.25, 0.0) == [(250, 1), (500, 1), (750, 1), (1000, 1)]


def test_a_pixel_fires_off_when_the_level_falls() -> None:
    # up 0.5 in 1 ms, then down 1.0 in 1 ms from a memory of 0.375: OFF at 0.0 and at -0.375
    assert ramp_events([0.0, 0.5, -0.5], 0.375, 0.0) == [(750, 1), (1500, 0), (1875, 0)]


def test_a_pixel_is_blind_for_the_refractory_time_and_wakes_to_the_level_then() -> None:
    # ON at 250 us, awake at 750 us with level 0.75, so the next ones at levels 1.0 and 1.5 + 0.25
    assert ramp_events([0.0, 1.0, 2.0], 0.25, 500.0) == [(250, 1), (1000, 1), (1750, 1)]


def test_a_constant_scene_is_silent() -> None:
    assert ramp_events([0.5, 0.5, 0.5, 0.5], 0.1, 0.0) == []


def test_an_image_that_does_not_move_makes_noise_alone() -> None:
    assert len(simulate(bar(), camera=QUIET, motion=STILL)) == 0
    noise = simulate(bar(), camera=Camera(noise_hz=10.0, refractory_us=0), motion=STILL)
    assert len(noise) == pytest.approx(10 * 34 * 34 * 0.306, rel=0.05)  # three standard deviations of 3,537 events


def test_a_recording_is_as_long_as_three_saccades_with_a_rate_hump_each() -> None:
    events = simulate(bar())
    assert 290_000 < events.t[-1] < 310_000
    rate = np.bincount(events.t // 34_000, minlength=9)[:9].reshape(3, 3)
    assert (rate[:, 1] > 2 * rate[:, 0]).all() and (rate[:, 1] > 2 * rate[:, 2]).all()


def test_a_digit_has_hundreds_to_thousands_of_events_half_of_them_on() -> None:
    events = simulate(bar())
    assert 300 < len(events) < 4000
    assert 0.4 < events.p.mean() < 0.6


def test_a_small_image_leaves_a_margin() -> None:
    events = simulate(np.ones((8, 8)), camera=QUIET, seed=1)
    # 22 of 34 pixels in the middle, 2 px of motion, lens and start included
    assert events.x.min() >= 2 and events.x.max() <= 31 and len(events) > 300


def test_a_bright_stroke_that_moves_right_fires_on_ahead_and_off_behind() -> None:
    right = Saccades(corners=((0.0, -3.0), (0.0, 3.0)), jitter_px=0.0)
    events = simulate(bar(), camera=QUIET, motion=right)
    there = events[events.t < 102_000]
    assert there.x[there.p == 1].mean() > there.x[there.p == 0].mean() + 1


def test_the_image_appears_where_it_is_shown() -> None:
    image = np.zeros((20, 20))
    image[:4, :4] = 1.0  # top left
    events = simulate(image, sensor_size=(40, 40), shown_size=(20, 20), camera=QUIET)
    assert events.sensor_size == (40, 40)
    assert np.median(events.x) == pytest.approx(12, abs=2) and np.median(events.y) == pytest.approx(12, abs=2)


def test_the_refractory_time_holds_for_signal_and_noise() -> None:
    events = simulate(bar(), camera=Camera(noise_hz=20.0, refractory_us=1700))
    place = events.y.astype(int) * 34 + events.x
    order = np.argsort(place, kind="stable")
    gaps = np.diff(events.t[order])[np.diff(place[order]) == 0]
    assert gaps.min() >= 1700


def test_events_are_sorted_by_time_row_column_and_polarity() -> None:
    events = simulate(bar())
    keys = list(zip(events.t, events.y, events.x, events.p, strict=True))
    assert keys == sorted(keys)


def test_the_same_seed_gives_the_same_recording_and_another_seed_another() -> None:
    assert simulate(bar(), seed=4) == simulate(bar(), seed=4)
    assert simulate(bar(), seed=4) != simulate(bar(), seed=5)


def test_the_room_for_events_grows_with_their_number() -> None:
    sensitive = Camera(threshold=0.01, refractory_us=0, noise_hz=0.0)
    assert len(simulate(np.random.default_rng(0).random((28, 28)), camera=sensitive)) > 8 * 34 * 34


@pytest.mark.parametrize(
    "arguments",
    [
        {"image": np.full((8, 8), 16.0)},
        {"image": np.full((8, 8), np.nan)},
        {"image": np.zeros((8, 8, 3))},
        {"image": np.zeros((8, 8)), "shown_size": (40, 20)},
    ],
    ids=["0 to 16", "not a number", "colour", "too large"],
)
def test_wrong_images_are_refused_in_a_sentence(arguments: dict) -> None:
    with pytest.raises(ValueError, match="expected an image"):
        simulate(**arguments)


@pytest.mark.parametrize("setting", [{"threshold": 0}, {"dark": 0}, {"noise_hz": -1}], ids=str)
def test_an_impossible_camera_is_refused(setting: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        Camera(**setting)
