"""How many chip units stand for one unit of a float input, so that weights, bias and threshold fit and ">=" stays ">=".

Chip units: weights and biases are integers, the membrane counts 1/64 of one. With x = W s + b, float neurons fire at
w >= threshold, the chip's at v > 64 v_threshold. Folding the gain into the threshold (theta = threshold / gain),

    S = min(127 / max |W|, 131071 / theta, 4095 / max |b|)
    no leak, or all of it    v is a multiple of 64: v_threshold = ceil(S theta) - 1 is exact for any S
    leaky                    S is lowered so that S theta = m + 1/64: "v >= S theta" is "v > 64 m", exactly
    strict (fires above)     floor(S theta) for the first, S theta = m for the second

Weights that lie on a grid of their own, W = step n, stay exact: S = K / step with an integer K.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from export.limits import LOIHI2, Limits
from export.network import Array

_TIE = 1e-6  # rounding of float32 numbers that meant to be equal, relative
_ON_GRID = 1e-4  # how far from an integer a weight on a grid may lie, in steps


@dataclass(frozen=True)
class Firing:
    """leak, theta = threshold / gain and strict of the neurons that share a scale; theta inf never fires."""

    leak: float
    theta: float
    strict: bool = False

    @property
    def leaky(self) -> bool:
        """Whether the membrane takes values between the multiples of 64."""
        return 0 < decay(self.leak) < 4096


@dataclass(frozen=True)
class Scale:
    """value: S; multiple: K where the weights lie on a grid of their own, else 0."""

    value: float
    multiple: int = 0


def decay(leak: float) -> int:
    """leak in 1/4096."""
    return round(4096 * leak)


def scale(weights: Array, biases: Array, firing: Firing, largest_sum: float = 0.0, limits: Limits = LOIHI2) -> Scale:
    """S for weights and biases that share it; 0 where all of them are zero.

    largest_sum: what the weights of one neuron can add up to; a grid is made no finer than it allows.
    """
    largest, bias = float(np.abs(weights).max(initial=0.0)), float(np.abs(biases).max(initial=0.0))
    if not largest and not bias:
        return Scale(0.0)
    bounds = [limits.threshold / firing.theta] if np.isfinite(firing.theta) else []
    bounds += [limits.weight / largest] if largest else []
    bounds += [limits.bias / bias] if bias else []
    highest = min(bounds)
    step = grid_step(weights, limits)
    if step is None or 1 / step > highest * (1 + _TIE):
        return Scale(snapped(highest, firing))
    finest = min(highest, (limits.sum - 1) / largest_sum) if largest_sum else highest
    multiple = _multiple(max(1, int(finest * step * (1 + _TIE))), biases / step, firing, step)
    return Scale(multiple / step, multiple)


def snapped(highest: float, firing: Firing) -> float:
    """The largest scale up to `highest` at which a leaky neuron's threshold is exact.

    Weights trained on multiples of 1 / snapped(...) keep their values and an exact threshold on the chip.
    """
    if not firing.leaky or not np.isfinite(firing.theta):
        return highest
    m = np.floor(highest * firing.theta * (1 + _TIE) - _past(firing))
    return float((m + _past(firing)) / firing.theta) if m >= 1 else highest


def threshold(at: Scale, firing: Firing, limits: Limits = LOIHI2) -> int:
    """v_threshold at a scale: exact where the membrane counts in 64 or the scale is snapped, else the nearest."""
    theta = at.value * firing.theta
    if not np.isfinite(theta):
        return limits.threshold
    below, missing = _below(theta, firing)
    if firing.leaky and missing > 0.5 and at.multiple < 2:
        below += 1  # late by little, not early by much; on a fine grid little lies between, but much on the threshold
    return min(max(0, below), limits.threshold)


def grid_step(weights: Array, limits: Limits = LOIHI2) -> float | None:
    """The coarsest step of which all weights are multiples, none beyond the chip's largest weight; None without one."""
    values = np.abs(weights[weights != 0]).astype(np.float64)
    if not values.size:
        return None
    largest, few = values.max(), values[:: max(1, values.size // 256)]
    for n in range(1, limits.weight + 1):
        for some in (few, values):
            counts = some * (n / largest)
            if np.abs(counts - np.rint(counts)).max() > _ON_GRID:
                break
        else:
            whole = np.rint(values * (n / largest))
            return float((values * whole).sum() / (whole * whole).sum())
    return None


def _past(firing: Firing) -> float:
    """By how much S theta passes m where "v > 64 m" says exactly what the float neuron says."""
    return 0.0 if firing.strict else 1 / 64


def _below(theta: float, firing: Firing) -> tuple[int, float]:
    """The largest m that lets no neuron fire late, and how early it may fire, in chip units; theta = S theta."""
    slack = _TIE * max(1.0, theta)
    if firing.leaky:
        m = int(np.floor(theta - _past(firing) + slack))
        return m, max(0.0, theta - _past(firing) - m - slack)
    return (int(np.floor(theta + slack)) if firing.strict else int(np.ceil(theta - slack)) - 1), 0.0


def _multiple(most: int, biases: Array, firing: Firing, step: float) -> int:
    """K up to `most` that moves threshold and biases least, in steps; of equals the finest if leaky, else the first."""

    def shift(k: int) -> float:
        theta = k / step * firing.theta
        early = _below(theta, firing)[1] if np.isfinite(theta) else 0.0
        return round((early + np.abs(biases * k - np.rint(biases * k)).max(initial=0.0)) / k, 9)

    return min(range(1, most + 1), key=lambda k: (shift(k), -k if firing.leaky else k))
