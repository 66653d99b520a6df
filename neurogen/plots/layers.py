"""The two figures of one layer at work."""

from __future__ import annotations

from typing import Any

from neurogen.plots.activity import Activity
from neurogen.plots.membranes import membranes_figure
from neurogen.plots.time_cells import time_cells_figure


def layer_figures(part: str, name: str, layer: Activity) -> dict[str, Any]:
    """time_cells_PART and membranes_PART of the layer called `name`; None for one that would show nothing."""
    several = len(layer.spikes) > 1 and layer.spikes.shape[1] > 1
    return {
        f"time_cells_{part}": time_cells_figure(layer.spikes.numpy(), name) if several else None,
        f"membranes_{part}": membranes_figure(layer, name),
    }
