"""Pictures of a trained model at work: its codes, its time cells, its membranes and how often its layers fire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neurogen.latent_model import LatentModel
from neurogen.model import Model
from neurogen.pictures import pictures_of
from neurogen.plots.activity import Activity, watched_neurons
from neurogen.plots.codes import latents_figure
from neurogen.plots.items import Items
from neurogen.plots.latent_models import latent_model_figures
from neurogen.plots.layers import layer_figures
from neurogen.plots.rates import rates_figure
from neurogen.plots.style import dark, write_figures


def plot_model(model: Model, folder: Path, items: Items) -> list[Path]:
    """Write latents.png, time_cells_*.png, membranes_*.png, rates.png and what else a model has to show into `folder`;
    returns their paths."""
    with dark():
        if isinstance(model, LatentModel):
            return write_figures(latent_model_figures(model, items), folder)
        return write_figures(model_figures(model, items), folder)


def model_figures(model: Model, items: Items) -> dict[str, Any]:
    """Figures of a first stage and its prior by name; None for one that would show nothing."""
    stored, form = model.stored, model.code_form
    some = items.some()
    activity, codes = watched_work(model, items)
    names = [model.classes[label] for label in items.labels[some]]
    pictures = pictures_of(items.values[some].numpy(), model.makes_recordings)
    figures: dict[str, Any] = {"latents": latents_figure(codes[some].numpy(), form, pictures, names)}
    for half, name in _chosen(list(activity)).items():
        figures |= layer_figures(half, name, activity[name])
    rates = {name: each.rate for name, each in activity.items()}
    assert stored.prior is None or any(name.startswith("prior.") for name in rates)
    return figures | {"rates": rates_figure(rates)}


@torch.inference_mode()
def watched_work(model: Model, items: Items) -> tuple[dict[str, Activity], Tensor]:
    """Activity of all layers by name, the prior's last and under `prior.`, and the items' codes (N, *item_shape)."""
    stored = model.stored
    with watched_neurons(stored.network) as activity:
        made = stored.network(items.values.to(model.device))
    codes = model.code_form.items_first(made.codes)
    if stored.prior is None:
        return activity, codes.cpu()
    labels = torch.from_numpy(items.labels).to(model.device) if model.conditional else None
    with watched_neurons(stored.prior) as in_prior:
        stored.prior(codes, labels)
    return activity | {f"prior.{name}": each for name, each in in_prior.items()}, codes.cpu()


def _chosen(names: list[str]) -> dict[str, str]:
    """The layer before the codes, and the first one that they drive."""
    encoder = [name for name in names if name.startswith(("encoder.", "codebook."))]
    decoder = [name for name in names if name.startswith("decoder.")]
    return {"encoder": encoder[-1], "decoder": decoder[0]}
