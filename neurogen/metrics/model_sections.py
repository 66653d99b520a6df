"""Sections of `neurogen evaluate` that look inside a model: reconstructions, codes or latents, cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neurogen.codebook.usage import use_figures
from neurogen.data import Data
from neurogen.latent_model import LatentModel
from neurogen.metrics.errors import MetricError
from neurogen.metrics.evaluation import Evaluation
from neurogen.metrics.latent_use import latent_figures
from neurogen.two_stage_model import TwoStageModel

Figures = dict[str, Any]

CODED = 5_000  # items whose likelihood is measured, at most
COUNTED = 64  # items whose operations are counted


def reconstruction(evaluation: Evaluation) -> Figures:
    """All test items there and back: mean squared error in model units, and how near the results look."""
    rebuilt, test = evaluation.rebuilt("test"), evaluation.own.split("test")
    figures: Figures = {"items": len(rebuilt.index), "mse": rebuilt.mse}
    if rebuilt.count_errors is not None:
        return figures | rebuilt.count_errors | {"events_lost_by_crop": test.lost_share}
    from neurogen.metrics.pairs import pair_figures

    assert rebuilt.images is not None
    try:
        pairs = pair_figures(rebuilt.images, test.pixels)
    except MetricError as error:  # an absent package: the published reconstruction loss needs none
        return figures | {"not_measured": str(error)}
    named = {"mse": "mse_8_bit"}  # of the images as written
    return figures | {named.get(name, name): value for name, value in pairs.items() if name != "pairs"}


def codes(evaluation: Evaluation) -> Figures:
    """Use of the codebook, or of the latents, over the test items and, where there is a prior over codes, bits per code
    of each split."""
    model, rebuilt = evaluation.model, evaluation.rebuilt("test")
    if isinstance(model, LatentModel):
        latents, test = rebuilt.codes.numpy(), evaluation.own.split("test")
        return {"items": len(latents), **latent_figures(model, latents, test, evaluation.settings.seed)}
    assert isinstance(model, TwoStageModel)
    figures: Figures = {"items": len(rebuilt.index), **use_figures(rebuilt.codes, model.code_form)}
    prior = model.stored.prior
    if prior is None:
        return figures
    splits = ("train", "validation", "test") if evaluation.own.config.validation else ("train", "test")
    bits = {split: bits_per_code(model, evaluation.own.split(split)) for split in splits}
    figures |= {f"bits_per_code_{split}": value for split, value in bits.items()}
    figures |= {f"bits_per_item_{split}": value * prior.codes_per_item for split, value in bits.items()}
    return figures | {"codes_per_item": prior.codes_per_item}


def bits_per_code(model: TwoStageModel, data: Data) -> float:
    """Of up to CODED items, evenly spread over a split, under the prior and given their labels where it knows them."""
    index = np.linspace(0, len(data) - 1, min(len(data), CODED)).astype(int)
    labels = torch.from_numpy(data.labels[index]) if model.conditional else None
    items = model.code_form.items_first(model.encode(data.batch(index)))
    assert model.stored.prior is not None
    return model.stored.prior.bits_per_code(items.to(model.device), None if labels is None else labels.to(model.device))


def model_cost(evaluation: Evaluation) -> Figures:
    """Parameters, rates, operations, energy, time and memory, counted on test items or, of a generator, on samples."""
    from neurogen.metrics.cost import cost

    test = evaluation.own.split("test")
    return cost(evaluation.model, test.batch(np.arange(min(COUNTED, len(test)))), evaluation.settings.seed)
