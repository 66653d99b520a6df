"""Images as event recordings: each moved before a simulated event camera, as N-MNIST was recorded from MNIST.

The simulator's preset `nmnist` (`event_tools.presets`; Orchard et al. 2015) with every pixel of an image on one of the
sensor's, which is 34/28 as wide and high as the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from event_tools import Events
from event_tools.pictures import GREY
from event_tools.presets import PRESETS

PRESET = "nmnist"
NOTE = f"images before event_tools' simulated camera, preset {PRESET}: three saccades"


def filmed(images: NDArray[np.uint8], seeds: Sequence[int] | NDArray[np.int64]) -> list[Events]:
    """A recording of each image (N, C, H, W), C of 1 or 3; seeds: (N,), one fixes all that is drawn for its recording.

    About 0.3 s long, on a sensor of 34 x 34 pixels for images of 28 x 28.
    """
    height, width = images.shape[2:]
    ours = PRESETS[PRESET]
    (sensor, _), part = ours.sensor_size, 28  # pixels of N-MNIST's sensor, and of MNIST's images on it
    preset = replace(ours, sensor_size=(width * sensor // part, height * sensor // part), shown_size=(width, height))
    weights = np.ones(1) if images.shape[1] == 1 else GREY
    grey = np.clip(np.tensordot(images / 255.0, weights, axes=(1, 0)), 0.0, 1.0)  # (N, H, W)
    return [preset.recording(image, int(seed)) for image, seed in zip(grey, seeds, strict=True)]
