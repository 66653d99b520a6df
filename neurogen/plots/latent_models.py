"""Pictures of a model of one network at work: its latents, how a sample comes about step by step, its layers.

Autoencoders are also shown on the way from one item to another, as a map of their codes, and SAE as a filter of noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurogen.latent_model import LatentModel
from neurogen.metrics.drawing_time import draw_latents
from neurogen.pictures import pictures_of
from neurogen.plots.activity import Activity, watched_neurons
from neurogen.plots.code_map import code_map_figure
from neurogen.plots.denoising import denoising_figure
from neurogen.plots.interpolation import interpolation_figure
from neurogen.plots.items import Items
from neurogen.plots.layers import layer_figures
from neurogen.plots.raster import raster_figure
from neurogen.plots.rates import rates_figure
from neurogen.plots.stream import stream_figure

ENDS = 5  # items on a path


def latent_model_figures(model: LatentModel, items: Items) -> dict[str, Any]:
    """Figures by name; None for one that would show nothing."""
    some = items.some()
    activity, latents = watched_network(model, items)
    known = items.real or model.conditional  # labels of other samples are by chance
    names = [model.classes[label] if known else "" for label in items.labels[some]]
    pictures = pictures_of(items.values[some].numpy(), model.makes_recordings)
    shown = model.items_first(latents)[some].numpy()
    figures: dict[str, Any] = {"latents": raster_figure(shown, pictures, names), "stream": stream_figure(model)}
    for part, name in _chosen(list(activity)).items():
        figures |= layer_figures(part, name, activity[name])
    figures["rates"] = rates_figure({name: each.rate for name, each in activity.items()}) if activity else None
    if not model.encodes:
        return figures
    more = items.more()
    figures["interpolation"] = interpolation_figure(model, items.values[:ENDS], torch.from_numpy(items.labels[:ENDS]))
    figures["code_map"] = code_map_figure(model, more.values, more.labels) if known else None
    if model.config.system == "sae":
        figures["denoising"] = denoising_figure(model, items.values[some])
    return figures


def watched_network(model: LatentModel, items: Items) -> tuple[dict[str, Activity], Tensor]:
    """Activity of all layers by name, and the items' latents: encoded, decoded again, and as many drawn."""
    count = len(items.values)
    with torch.inference_mode(), watched_neurons(model.network) as activity:
        latents = items.latents
        if model.encodes:
            latents = model.encode(items.values)
            if model.generates:
                draw_latents(model, count, 0)
        assert latents is not None
        labels = torch.from_numpy(np.asarray(items.labels)) if model.conditional else None
        model.decode(latents, labels=labels)
    return activity, latents.clone()


def _chosen(names: list[str]) -> dict[str, str]:
    """The layer before the latents and the first one that they drive; of a generator its first and its last."""
    encoder = [name for name in names if name.startswith("encoder.")]
    decoder = [name for name in names if name.startswith("decoder.")]
    if encoder and decoder:
        return {"encoder": encoder[-1], "decoder": decoder[0]}
    return {"first": names[0], "last": names[-1]} if names else {}
