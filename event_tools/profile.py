"""The rate curve of a set of recordings: how many events per millisecond, over the recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.events import Events


@dataclass(frozen=True, eq=False)
class RateCurve:
    """rates: (n,) mean events per bin and recording, bin i covers i * bin_us <= t < (i + 1) * bin_us."""

    rates: NDArray[np.float64]
    bin_us: int = 1000

    @classmethod
    def measure(cls, recordings: Iterable[Events], bin_us: int = 1000) -> RateCurve:
        """The mean curve of recordings; raises ValueError without any event."""
        total, count = np.zeros(0), 0
        for events in recordings:
            one = np.bincount(np.maximum(events.t, 0) // bin_us)
            total = np.pad(total, (0, max(0, len(one) - len(total))))
            total[: len(one)] += one
            count += 1
        if not total.sum():
            raise ValueError("expected recordings with events to measure a rate curve, got none")
        return cls(total / count, bin_us)

    def warp(self, u: NDArray[np.float64], start: NDArray[np.int64], stop: NDArray[np.int64]) -> NDArray[np.float64]:
        """u in [0, 1) to places in [0, 1) within [start, stop) us that follow the curve; uniform where it is silent."""
        grid = np.arange(len(self.rates) + 1, dtype=np.float64) * self.bin_us
        mass = np.concatenate(([0.0], np.cumsum(self.rates)))
        low, high = _interpolated(start, grid, mass), _interpolated(stop, grid, mass)
        # A rising ramp keeps the inverse unique where the curve is silent.
        ramp = grid * (1e-9 * mass[-1] / grid[-1])
        t = _interpolated(low + u * (high - low) + _interpolated(start, grid, ramp), mass + ramp, grid)
        place = (t - start) / np.maximum(stop - start, 1)
        return np.where(high > low, np.clip(place, 0.0, np.nextafter(1.0, 0.0)), u)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML."""
        return {"bin_us": self.bin_us, "rates": [round(float(rate), 6) for rate in self.rates]}

    @classmethod
    def from_dict(cls, values: dict[str, Any] | None) -> RateCurve:
        """Back from `to_dict`; raises ValueError for None."""
        if values is None:
            raise ValueError("expected a rate curve for placement=profile, got none; use placement=uniform")
        return cls(np.asarray(values["rates"], np.float64), int(values["bin_us"]))


def _interpolated(x: NDArray[Any], positions: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """np.interp in steps of which each is rounded, where some compilers fuse them: the same bits on every platform."""
    x = np.clip(x.astype(np.float64), positions[0], positions[-1])
    i = np.minimum(np.searchsorted(positions, x, side="right"), len(positions) - 1) - 1
    slope = (values[i + 1] - values[i]) / (positions[i + 1] - positions[i])
    return np.where(x == positions[-1], values[-1], slope * (x - positions[i]) + values[i])
