"""Generated recordings as counts beside the real ones: as many bins, the same sensor, cropped as a model crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from event_tools import Events, to_frames
from neurogen.data import RecordingData, Scaling
from neurogen.metrics.errors import MetricError


def counted(
    recordings: Sequence[Events], like: RecordingData, edges: NDArray[np.int64] | None = None
) -> NDArray[np.integer]:
    """(N, T, 2, H, W) in as many equal-time bins as the real ones have, or by a model's own edges.

    Raises MetricError for recordings of another sensor.
    """
    for events in recordings:
        if events.sensor_size != like.sensor_size:
            (width, height), (other_width, other_height) = like.sensor_size, events.sensor_size
            raise MetricError(
                f"expected recordings of a {width}x{height} sensor as the real ones, got {other_width}x{other_height}"
            )
    steps = None if edges is not None else like.prepared.shape[1]
    return np.stack([to_frames(events, steps, edges=edges).counts for events in recordings])


def cropped(counts: NDArray[Any], scaling: Scaling | None) -> NDArray[Any]:
    """(..., H, W) as the model sees them, but for its scale; whole where there is no model or it does not crop."""
    return scaling.fitted(counts) if scaling is not None and scaling.fit == "crop" else np.asarray(counts)
