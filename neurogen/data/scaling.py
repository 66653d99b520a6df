"""Event counts to the model's size and range, and back.

dataset    counts / scale, for every recording alike
recording  2 x / (max - min) - 1 of each recording after resizing (arXiv 2405.14474's loader); its undoing takes the
           recording's own peak (max - min), or its class's median for generated ones
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools.counts import bilinear_matrix, spread, sum_blocks, undo_resize
from neurogen.data.errors import DataError

TOP_QUANTILE = 0.99
CHUNK = 1024  # recordings measured at once


@dataclass(frozen=True)
class Scaling:
    """kind: dataset or recording; scale: counts per model unit (dataset); fit: crop, resize, sum or none; resolution:
    of the model's frames; sensor_size: (width, height); peaks: median max - min of each class (recording)."""

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
                f"expected data.resolution up to {min(width, height)} to crop a {width}x{height} sensor, "
                f"got {self.resolution}; set data.fit=resize"
            )
        if self.fit == "none" and (width, height) != (self.resolution, self.resolution):
            raise DataError(
                f"expected a {self.resolution}x{self.resolution} sensor for data.fit=none, got {width}x{height}; "
                f"set data.fit to crop or resize"
            )
        if self.fit == "sum" and (width != height or width % self.resolution):
            raise DataError(
                f"expected data.resolution to divide a square sensor for data.fit=sum, got {self.resolution} and "
                f"{width}x{height}; set data.fit to crop or resize"
            )

    @property
    def factor(self) -> int:
        """Pixels of the sensor along a pixel of the model, for fit=sum."""
        return self.sensor_size[0] // self.resolution

    def fitted(self, counts: NDArray[Any]) -> NDArray[Any]:
        """(..., H, W) counts cropped (a view), summed (int64) or resized (float32) to (..., R, R), still in counts."""
        if self.fit == "sum":
            return sum_blocks(counts, self.factor)
        if self.fit == "resize":
            rows, columns = (bilinear_matrix(self.resolution, n).astype(np.float32) for n in counts.shape[-2:])
            return rows @ counts.astype(np.float32) @ columns.T
        top, left = self._corner()
        return counts[..., top : top + self.resolution, left : left + self.resolution]

    def apply(self, counts: NDArray[Any]) -> NDArray[np.float32]:
        """Counts (N, T, 2, H, W) to model units (N, T, 2, R, R)."""
        fitted = self.fitted(counts)
        if self.kind == "dataset":
            return (fitted / np.float32(self.scale)).astype(np.float32, copy=False)
        return fitted * (2 / _peaks(fitted).astype(np.float32))[:, None, None, None, None] - np.float32(1)

    def measure_peaks(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """max - min of each recording after fitting, (N,); 1 for a constant one, which has nothing to scale."""
        return _peaks(self.fitted(counts))

    def undo(
        self, values: NDArray[Any], labels: NDArray[np.int64] | None = None, peaks: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Model units (N, T, 2, R, R) to expected counts at the sensor's size (N, T, 2, H, W).

        Cropped frames are placed back where they were cut, summed ones shared out over their squares of pixels.
        kind=recording takes each one's peak, or its label's.
        """
        width, height = self.sensor_size
        x = self.expected(values, labels, peaks)
        if self.fit == "sum":
            return spread(x, self.factor)
        if self.fit == "resize":
            return undo_resize(x, (height, width))
        full = np.zeros((*x.shape[:-2], height, width))
        top, left = self._corner()
        full[..., top : top + self.resolution, left : left + self.resolution] = x
        return full

    def expected(
        self, values: NDArray[Any], labels: NDArray[np.int64] | None = None, peaks: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Model units (N, T, 2, R, R) to expected counts of that size; labels and peaks as in `undo`."""
        x = np.asarray(values, np.float64)
        if self.kind == "dataset":
            return x * self.scale
        return (x + 1) / 2 * self._chosen_peaks(labels, peaks)[:, None, None, None, None]

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

    def _chosen_peaks(self, labels: NDArray[np.int64] | None, peaks: NDArray[np.float64] | None) -> NDArray[np.float64]:
        if peaks is not None:
            return np.asarray(peaks, np.float64)
        if self.peaks is None or labels is None:
            raise DataError("expected labels or peaks to undo scaling=recording, got neither")
        return np.array(self.peaks)[labels]

    def _corner(self) -> tuple[int, int]:
        width, height = self.sensor_size
        return (height - self.resolution) // 2, (width - self.resolution) // 2


def measure_scale(counts: NDArray[np.integer[Any]], index: NDArray[np.int64], scaling: Scaling | None = None) -> float:
    """The smallest count that 99 % of the non-zero cells of counts[index] do not exceed; 1 where all are zero.

    Cells are those of the sensor, or of the model where `scaling` sums them up.
    """
    histogram = np.zeros(1 << 16, np.int64)
    for start in range(0, len(index), CHUNK):
        part = counts[index[start : start + CHUNK]]
        if scaling is not None and scaling.fit == "sum":
            part = np.minimum(scaling.fitted(part), len(histogram) - 1)
        histogram += np.bincount(part[part > 0], minlength=len(histogram))
    if not histogram.any():
        return 1.0
    return float(np.searchsorted(np.cumsum(histogram), TOP_QUANTILE * histogram.sum()))


def measure_class_peaks(
    scaling: Scaling, counts: NDArray[np.integer], index: NDArray[np.int64], labels: NDArray[np.int64], classes: int
) -> tuple[float, ...]:
    """The median peak of each class over counts[index], whose labels are given; of all for a class without any."""
    parts = [scaling.measure_peaks(counts[index[start : start + CHUNK]]) for start in range(0, len(index), CHUNK)]
    peaks = np.concatenate(parts)
    overall = float(np.median(peaks))
    return tuple(float(np.median(peaks[labels == k])) if (labels == k).any() else overall for k in range(classes))


def _peaks(fitted: NDArray[Any]) -> NDArray[np.float64]:
    flat = fitted.reshape(len(fitted), -1)
    peak = flat.max(1).astype(np.float64) - flat.min(1)
    return np.where(peak > 0, peak, 1.0)
