"""Pictures of a trained model at work: its codes, its time cells, its membranes and how often its layers fire."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurogen.data import classes_in_turn, open_data
from neurogen.data.errors import DataError
from neurogen.model import Model
from neurogen.pictures import pictures_of
from neurogen.plots.activity import Activity, watched_neurons
from neurogen.plots.codes import latents_figure
from neurogen.plots.membranes import membranes_figure
from neurogen.plots.rates import rates_figure
from neurogen.plots.style import dark, write_figures
from neurogen.plots.time_cells import time_cells_figure

WATCHED, SHOWN = 20, 8  # items that are run, and those whose codes are drawn


@dataclass(frozen=True, eq=False)
class Items:
    """What a model is shown at work on: values (N, ...) as `Model.encode` takes them, labels (N,), whether real."""

    values: Tensor
    labels: NDArray[np.int64]
    real: bool


def plot_model(model: Model, folder: Path, items: Items) -> list[Path]:
    """Write latents.png, time_cells_*.png, membranes_*.png and rates.png into `folder`; returns their paths."""
    with dark():
        return write_figures(model_figures(model, items), folder)


def items_of(model: Model, data: Path | None = None) -> Items:
    """Test items, classes in turn, of the model's own data or of `data`; samples where a model has lost its data.

    Raises DataError for `data` that cannot be read, and where there is neither data nor a prior.
    """
    config = model.config.data if data is None else model.config.data.model_copy(update={"path": str(data)})
    try:
        test = open_data(config, model.config.model.steps, "test", scaling=model.stored.scaling)
    except DataError:
        if data is not None or model.stored.prior is None:
            raise
        samples = model.sample(WATCHED)
        return Items(model.decode(torch.from_numpy(samples.codes)), samples.labels, real=False)
    index = classes_in_turn(test.labels, WATCHED)
    return Items(test.batch(index, None), test.labels[index], real=True)


def model_figures(model: Model, items: Items) -> dict[str, Any]:
    """Figures by name; None for one that would show nothing."""
    stored, form = model.stored, model.code_form
    some = np.unique(np.linspace(0, len(items.values) - 1, SHOWN).astype(int))
    activity, codes = watched_work(model, items)
    names = [model.classes[label] for label in items.labels[some]]
    pictures = _pictures(model, items, some)
    figures: dict[str, Any] = {"latents": latents_figure(codes[some].numpy(), form, pictures, names)}
    for half, name in _chosen(list(activity)).items():
        layer = activity[name]
        several = len(layer.spikes) > 1 and layer.spikes.shape[1] > 1
        figures[f"time_cells_{half}"] = time_cells_figure(layer.spikes.numpy(), name) if several else None
        figures[f"membranes_{half}"] = membranes_figure(layer, name)
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


def _pictures(model: Model, items: Items, index: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    """(H, W) or (H, W, 3) uint8 of the items at `index`; a recording's events of all steps."""
    return pictures_of(items.values[torch.from_numpy(index)].numpy(), model.makes_recordings)
