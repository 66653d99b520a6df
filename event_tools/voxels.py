"""Voxel grids: events shared between the two planes in time about them (Zhu et al., CVPR 2019, equation 1).

V(b, y, x) = sum over events of p_i max(0, 1 - |b - (T - 1) (t_i - t_first) / (t_last - t_first)|),  p in {-1, 1}
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from event_tools.columns import checked_columns
from event_tools.events import Events


def voxel_grid(events: Events, steps: int, polarity: str = "signed") -> NDArray[np.float32]:
    """The grid of T = steps planes, its first and last at the first and last event.

    polarity: signed gives (T, 1, H, W), where OFF takes away; split gives (T, 2, H, W), OFF and ON counted apart.
    Events of one and the same time all lie in the first plane. Raises ValueError for wrong arguments.
    """
    if polarity not in ("signed", "split"):
        raise ValueError(f"expected polarity to be signed or split, got {polarity!r}")
    if steps < 1:
        raise ValueError(f"expected steps from 1 up, got {steps}")
    width, height = events.sensor_size
    signed = polarity == "signed"
    voxels = np.zeros((steps, 1 if signed else 2, height, width), np.float32)
    if len(events):
        from event_tools.kernels.dense import share_in_time

        share_in_time(*checked_columns(events), signed, voxels)
    return voxels
