"""What a model is shown at work on: real items, classes in turn, or samples of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurogen.data import Data, classes_in_turn, open_data
from neurogen.data.errors import DataError
from neurogen.latent_model import LatentModel
from neurogen.model import Model

WATCHED, SHOWN, MAPPED = 20, 8, 500  # items that are run, those whose codes are drawn, those of a map of codes


@dataclass(frozen=True, eq=False)
class Items:
    """values: (N, ...) as `Model.encode` takes them; labels: (N,); real: whether they are real.

    latents: of samples of a model of one network; data: where more real items are.
    """

    values: Tensor
    labels: NDArray[np.int64]
    real: bool
    latents: Tensor | None = None
    data: Data | None = None

    def some(self) -> NDArray[np.int64]:
        """Up to SHOWN of them, evenly chosen."""
        return np.unique(np.linspace(0, len(self.values) - 1, SHOWN).astype(int))

    def more(self) -> Items:
        """Up to MAPPED real items, classes in turn; these themselves where there are no others."""
        return self if self.data is None else _of(self.data, MAPPED)


def items_of(model: Model, data: Path | None = None) -> Items:
    """Test items, classes in turn, of the model's own data or of `data`; samples where a model has lost its data, and
    where it has no encoder to show them to.

    Raises DataError for `data` that cannot be read, and where there is neither data nor anything to sample.
    """
    if not model.encodes:
        return _samples(model)
    config = model.config.data if data is None else model.config.data.model_copy(update={"path": str(data)})
    try:
        test = open_data(config, model.config.model.steps, "test", scaling=model.stored.scaling)
    except DataError:
        if data is not None or not model.generates:
            raise
        return _samples(model)
    return _of(test, WATCHED)


def _of(data: Data, count: int) -> Items:
    index = classes_in_turn(data.labels, count)
    return Items(data.batch(index, None), data.labels[index], real=True, data=data)


def _samples(model: Model) -> Items:
    if not isinstance(model, LatentModel):
        samples = model.sample(WATCHED)
        return Items(model.decode(torch.from_numpy(samples.codes)), samples.labels, real=False)
    labels = np.arange(WATCHED) % len(model.classes) if model.conditional else None
    samples = model.sample(WATCHED, labels)
    latents, known = torch.from_numpy(samples.latents), None if labels is None else torch.from_numpy(labels)
    return Items(model.decode(latents, labels=known), samples.labels, real=False, latents=latents)
