"""Scales and thresholds: what fits, and that the chip's ">" says what the float neuron's ">=" says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from export.scales import Firing, Scale, decay, grid_step, scale, snapped, threshold

NONE = np.zeros(0)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("leak", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("theta", [0.7, 1.0, 2.0, 3.3])
def test_the_chip_fires_exactly_where_a_float_membrane_of_the_same_value_does(
    leak: float, theta: float, strict: bool
) -> None:
    firing = Firing(leak, theta, strict)
    at = scale(np.array([0.83123, -0.20771, 0.41337]), np.array([0.1]), firing)
    limit = threshold(at, firing)
    step = 1 if 0 < leak < 1 else 64  # the values that v can take
    near = round(at.value * theta) * 64
    for v in range(near - 128, near + 129, step):
        float_membrane = Fraction(v, 64) / Fraction(at.value)  # in the float neuron's own unit
        above = float_membrane - Fraction(theta)
        if abs(above) < Fraction(1, 10**9):
            above = Fraction(0)
        assert (v > 64 * limit) == (above > 0 or (above == 0 and not strict)), v


def test_the_scale_fills_what_is_tightest() -> None:
    integrate = Firing(0.0, 1.0)
    weights = np.array([0.1234, -0.5077, 0.301])
    assert scale(weights, NONE, integrate).value == pytest.approx(127 / 0.5077)
    assert scale(weights, np.array([40.0]), integrate).value == pytest.approx(4095 / 40)
    assert scale(weights, NONE, Firing(0.0, 2000.0)).value == pytest.approx(131071 / 2000)
    assert scale(weights, NONE, Firing(0.0, np.inf)).value == pytest.approx(127 / 0.5077)
    assert scale(np.zeros(3), NONE, integrate).value == 0
    assert scale(np.zeros(3), np.array([2.0]), integrate).value == pytest.approx(4095 / 2)


def test_a_leaky_neurons_scale_makes_its_threshold_64_m_plus_1() -> None:
    # 127 / 0.5077 = 250.15, times theta 2: 500.29, down to 500 + 1/64
    assert snapped(127 / 0.5077, Firing(0.5, 2.0)) == pytest.approx((500 + 1 / 64) / 2)
    assert snapped(127 / 0.5077, Firing(0.5, 2.0, strict=True)) == pytest.approx(250)
    assert snapped(127 / 0.5077, Firing(0.0, 2.0)) == 127 / 0.5077
    assert snapped(0.9, Firing(0.5, 1.0)) == 0.9  # below one unit no threshold is exact, weights matter more


def test_a_neuron_that_never_fires_has_the_highest_threshold() -> None:
    assert threshold(Scale(100.0), Firing(0.5, np.inf)) == 131071


def test_leaks_are_counted_in_4096() -> None:
    assert [decay(leak) for leak in (0.0, 0.5, 1 / 3, 1.0)] == [0, 2048, 1365, 4096]


def test_a_grid_is_found_by_its_coarsest_step() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(-40, 41, 500)
    counts[:2] = 40, 39
    step = grid_step((counts * 0.0173).astype(np.float32).astype(np.float64))
    assert step == pytest.approx(0.0173, rel=1e-6)
    assert grid_step(np.array([0.5, -0.5, 0.0])) == 0.5
    assert grid_step(rng.normal(size=500)) is None
    assert grid_step(np.array([128.0, 1.0])) is None  # 8 bits end at 127
    assert grid_step(np.zeros(3)) is None


def test_weights_on_a_grid_keep_it() -> None:
    counts = np.array([5.0, -127.0, 64.0, 3.0])
    assert scale(counts * 0.01, NONE, Firing(0.0, 1.0)).value == pytest.approx(100)
    # trained for the chip: the step is theta / (m + 1/64)
    step = 1.7 / (150 + 1 / 64)
    at = scale(counts * step, np.array([3 * step]), Firing(0.5, 1.7))
    assert at.value == pytest.approx(1 / step)
    assert threshold(at, Firing(0.5, 1.7)) == 150


def test_a_coarse_grid_is_made_finer_for_a_bias_between() -> None:
    at = scale(np.array([1.0, -1.0]), np.array([0.25]), Firing(0.0, 2.0))
    assert at == Scale(4.0, 4)
    assert scale(np.array([1.0, -1.0]), NONE, Firing(0.0, 2.0)) == Scale(1.0, 1)


def test_a_leaky_neuron_on_a_fine_grid_fires_on_its_threshold_too() -> None:
    # weights 1 and -1, theta 2: values on the threshold are common, such just below it rare
    firing = Firing(0.5, 2.0)
    at = scale(np.array([1.0, -1.0]), NONE, firing)
    assert at == Scale(127.0, 127)
    assert threshold(at, firing) == 253  # 254 fires; 253 + 1/64 would too


def test_a_leaky_neuron_on_a_grid_that_cannot_be_finer_misses_only_its_threshold_itself() -> None:
    firing = Firing(0.5, 100.0)
    at = scale(np.array([127.0, -3.0]), NONE, firing)
    assert at == Scale(1.0, 1)
    assert threshold(at, firing) == 100  # 99 would fire from 99 + 1/64 on


def test_a_grid_is_no_finer_than_its_sums_allow() -> None:
    at = scale(np.array([1.0, -1.0]), NONE, Firing(0.5, 2.0), largest_sum=20_000)
    assert at == Scale(6.0, 6)  # 7 * 20,000 would pass 2^17
