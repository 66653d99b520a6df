"""How samples come about: the image or recording as far as it has come, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurogen.latent_model import LatentModel
from neurogen.models.latent_network import LatentNetwork
from neurogen.pictures import pictures_of
from neurogen.plots.style import bare, figure

SAMPLES, COLUMNS = 5, 8


def stream_figure(model: LatentModel, seed: int = 0) -> Any:
    """A row for each of SAMPLES samples, a column for each of up to COLUMNS steps, the last of which is the sample.

    None for a model that draws all at once, and for one that cannot be sampled.
    """
    if not model.generates or type(model.network).stream is LatentNetwork.stream:
        return None
    labels = np.arange(SAMPLES) % len(model.classes) if model.conditional else None
    steps = [values for _, values in model.stream(SAMPLES, labels, seed)]
    chosen = np.unique(np.linspace(0, len(steps) - 1, COLUMNS).round().astype(int))
    made, axes = figure(len(chosen), SAMPLES, width=0.95, height=1.0)
    for column, t in enumerate(chosen):
        axes[column].set_title(f"step {t + 1}", fontsize=8)
        for row, picture in enumerate(pictures_of(steps[t].numpy(), model.makes_recordings)):
            axis = axes[row * len(chosen) + column]
            axis.imshow(picture, cmap="gray" if picture.ndim == 2 else None, vmin=0, vmax=255, interpolation="nearest")
            bare(axis)
    made.suptitle("samples as they come about", fontsize=10)
    return made
