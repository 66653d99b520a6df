"""Filters beside tonic's of the same meaning, event by event, on real recordings where tonic is installed.

Where they differ by intent tonic is told so: it wants more than `delta` between events, and includes a slice's end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from event_tools import Events, filters
from event_tools.datasets import open_recordings
from tests.data import data_path

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore")]
SENSOR = (34, 34, 2)
PAIRS: list[tuple[Callable[[Events], Events], str, dict[str, Any]]] = [
    (lambda e: filters.denoise(e, 10_000, "published"), "Denoise", {"filter_time": 10_000}),
    (lambda e: filters.refractory(e, 1001), "RefractoryPeriod", {"delta": 1000}),
    (lambda e: filters.decimate(e, 3), "Decimation", {"n": 3}),
    (lambda e: filters.center_crop(e, 20, 15), "CenterCrop", {"sensor_size": SENSOR, "size": (20, 15)}),
    (filters.flip_left_right, "RandomFlipLR", {"sensor_size": SENSOR, "p": 1.0}),
    (filters.flip_up_down, "RandomFlipUD", {"sensor_size": SENSOR, "p": 1.0}),
    (filters.flip_polarity, "RandomFlipPolarity", {"p": 1.0}),
    (lambda e: filters.time_slice(e, 1000, 20_001), "CropTime", {"min": 1000, "max": 20_000}),
    (filters.rebase, "TimeAlignment", {}),
    (lambda e: filters.downsample(e, 2), "Downsample", {"spatial_factor": 0.5}),
    (lambda e: filters.drop_pixels(e, [(18, 30), (7, 15)]), "DropPixel", {"coordinates": [[18, 30], [7, 15]]}),
    (lambda e: filters.drop_hot_pixels(e, rate_hz=30), "DropPixel", {"hot_pixel_frequency": 30}),
    (lambda e: filters.rebase(filters.reverse_time(e)), "RandomTimeReversal", {"p": 1.0}),
    (lambda e: filters.scale_time(e, 2.0), "TimeSkew", {"coefficient": 2.0}),
]


def as_array(events: Events) -> NDArray[np.void]:
    """A structured array as tonic reads it."""
    array = np.zeros(len(events), [("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.int8)])
    for name in "xytp":
        array[name] = getattr(events, name)
    return array


@pytest.mark.parametrize(
    ("ours", "theirs", "options"), PAIRS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_filter_keeps_what_tonics_keeps(
    ours: Callable[[Events], Events], theirs: str, options: dict[str, Any]
) -> None:
    transform = getattr(pytest.importorskip("tonic").transforms, theirs)(**options)
    recordings = open_recordings(data_path("n-mnist/n-mnist-1100.zip"), "test")
    for i in range(0, 100, 20):
        kept, expected = ours(recordings[i]), transform(as_array(recordings[i]))
        for name in "xytp":
            np.testing.assert_array_equal(getattr(kept, name), expected[name])
