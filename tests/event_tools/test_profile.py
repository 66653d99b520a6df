"""The rate curve of recordings, by hand, and how it bends uniform places."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from event_tools import Events
from event_tools.profile import RateCurve


def recording(times: list[int]) -> Events:
    n = len(times)
    return Events(times, [0] * n, [0] * n, [1] * n, (4, 4))


def places(curve: RateCurve, u: list[float], start: int, stop: int) -> list[float]:
    n = len(u)
    return curve.warp(np.array(u), np.full(n, start), np.full(n, stop)).tolist()


def test_rates_are_events_per_bin_and_recording() -> None:
    curve = RateCurve.measure([recording([0, 999, 1000, 2500]), recording([10])])
    assert curve.rates.tolist() == [1.5, 0.5, 0.5]
    assert RateCurve.measure([recording([0, 999, 1000, 2500])], bin_us=2000).rates.tolist() == [3, 1]


@pytest.mark.parametrize("recordings", [[], [recording([])]])
def test_without_events_there_is_no_curve(recordings: list[Events]) -> None:
    with pytest.raises(ValueError, match="recordings with events to measure a rate curve, got none"):
        RateCurve.measure(recordings)


def test_places_follow_the_curves_mass() -> None:
    # rates 1 and 3 in two milliseconds: a quarter of the mass lies in the first half
    curve = RateCurve(np.array([1.0, 3.0]))
    assert np.allclose(places(curve, [0.0, 0.125, 0.25, 0.625], 0, 2000), [0, 0.25, 0.5, 0.75], atol=1e-6)


def test_within_one_bin_of_the_curve_places_stay_uniform() -> None:
    curve = RateCurve(np.array([1.0, 3.0]))
    assert np.allclose(places(curve, [0.0, 0.3, 0.9], 1200, 1800), [0, 0.3, 0.9], atol=1e-6)


def test_a_silent_stretch_holds_no_places_and_a_wholly_silent_interval_keeps_them() -> None:
    curve = RateCurve(np.array([1.0, 0.0, 1.0]))
    bent = np.array(places(curve, np.linspace(0, 0.999, 50).tolist(), 0, 3000)) * 3000
    assert not ((bent > 1001) & (bent < 1999)).any()
    assert places(curve, [0.1, 0.7], 1200, 1700) == pytest.approx([0.1, 0.7], abs=1e-6)
    assert places(curve, [0.1, 0.7], 5000, 6000) == [0.1, 0.7]


def test_places_keep_their_order_and_stay_below_one() -> None:
    curve = RateCurve(np.array([0.0, 5.0, 0.1, 0.0, 2.0]))
    bent = places(curve, np.linspace(0, np.nextafter(1, 0), 1000).tolist(), 300, 4700)
    assert all(one <= two for one, two in pairwise(bent))
    assert bent[0] >= 0 and bent[-1] < 1


def test_a_curve_survives_plain_values() -> None:
    curve = RateCurve(np.array([1.5, 0.25]), 500)
    again = RateCurve.from_dict(curve.to_dict())
    assert (again.rates.tolist(), again.bin_us) == ([1.5, 0.25], 500)
    with pytest.raises(ValueError, match="rate curve for placement=profile, got none; use placement=uniform"):
        RateCurve.from_dict(None)
