"""Event counts to the model's size and range, and back.

    dataset    counts / scale, for every recording alike
    recording  2 x / (max - min) - 1 of each recording after resizing (arXiv 2405.14474's loader); its undoing takes the
               recording's own peak, or its class's median for generated ones
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.counts import resize, undo_resize
from neurogen.data.errors import DataError

TOP_QUANTILE = 0.99


@dataclass(frozen=True)
class Scaling:
    """kind: dataset or recording; scale: counts per model unit (dataset); fit: crop, resize or none; resolution: of the
    model's frames; sensor_size: (width, height); peaks: median max - min of each class (recording)."""

    kind: str
    scale: float
    fit: str
    resolution: int
    sensor_size: tuple[int, int]
    peaks: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        width, height = self.sensor_size
        if self.fit == "crop" and self.resolution > min(width, height):
            raise DataError(
                f"expected data.resolution up to {min(width, height)} to crop a {width}x{height} sensor, got {self.resolution}; "
                f"set data.fit=resize"
            )
        if self.fit == "none" and (width, height) != (self.resolution, self.resolution):
            raise DataError(f"expected a {self.resolution}x{self.resolution} sensor for data.fit=none, got {width}x{height}")

    def fitted(self, counts: NDArray[Any]) -> NDArray[Any]:
        """(..., H, W) counts cropped or resized to (..., R, R), still in counts."""
        if self.fit == "resize":
            return resize(counts, (self.resolution, self.resolution))
        top, left = self._corner()
        return counts[..., top : top + self.resolution, left : left + self.resolution]

    def apply(self, counts: NDArray[Any]) -> NDArray[np.float32]:
        """Counts (N, T, 2, H, W) to model units (N, T, 2, R, R)."""
        fitted = self.fitted(counts)
        if self.kind == "dataset":
            return (fitted / np.float32(self.scale)).astype(np.float32)
        peak = self.measure_peaks(counts)[:, None, None, None, None]
        return (2 * fitted / peak - 1).astype(np.float32)

    def measure_peaks(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """max - min of each fitted recording, (N,); 1 for a constant one."""
        fitted = self.fitted(counts).reshape(len(counts), -1).astype(np.float64)
        peak = fitted.max(1) - fitted.min(1)
        return np.where(peak > 0, peak, 1.0)

    def undo(
        self, values: NDArray[Any], labels: NDArray[np.int64] | None = None, peaks: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Model units (N, T, 2, R, R) to expected counts at the sensor's size (N, T, 2, H, W).

        Cropped frames are placed back where they were cut. kind=recording takes each one's peak, or its label's.
        """
        width, height = self.sensor_size
        x = np.asarray(values, np.float64)
        if self.kind == "dataset":
            x = x * self.scale
        else:
            if peaks is None:
                if self.peaks is None or labels is None:
                    raise DataError("expected labels or peaks to undo scaling=recording, got neither")
                peaks = np.array(self.peaks)[labels]
            x = (x + 1) / 2 * peaks[:, None, None, None, None]
        if self.fit == "resize":
            return undo_resize(x, (height, width))
        full = np.zeros((*x.shape[:-2], height, width))
        top, left = self._corner()
        full[..., top : top + self.resolution, left : left + self.resolution] = x
        return full

    @property
    def background(self) -> float:
        """Model units of no event."""
        return 0.0 if self.kind == "dataset" else -1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Scaling:
        """Back from `to_dict`."""
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})

    def _corner(self) -> tuple[int, int]:
        width, height = self.sensor_size
        return (height - self.resolution) // 2, (width - self.resolution) // 2


def measure_scale(counts: NDArray[np.integer[Any]]) -> float:
    """The 99 % quantile of the non-zero cells; 1 where there are none."""
    histogram = np.zeros(int(counts.max(initial=0)) + 1, np.int64)
    for start in range(0, len(counts), 1024):
        part = np.bincount(np.asarray(counts[start : start + 1024]).ravel(), minlength=len(histogram))
        histogram += part
    histogram[0] = 0
    if not histogram.sum():
        return 1.0
    share = np.cumsum(histogram) / histogram.sum()
    return float(np.searchsorted(share, TOP_QUANTILE))
