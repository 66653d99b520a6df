"""How the prior learns from a batch: predict each code of a first stage from those before it.

Codes of each step under model.over=step: a batch teaches one random step of its items, as published.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurogen.config import PriorConfig
from neurogen.model import Model
from neurogen.model_folder import StoredModel, load_model, mismatch, save_model
from neurogen.models.prior import SpikingPrior
from neurogen.neurons import compile_neurons
from neurogen.pictures import colour_counts, image_grid, save_png
from neurogen.processes import rank, world
from neurogen.rates import neuron_names, watched_rates
from neurogen.training.codes import cached_codes
from neurogen.training.descent import Descent, finite
from neurogen.training.device import moved
from neurogen.training.errors import TrainingError
from neurogen.training.order import batch_draws
from neurogen.training.precision import mixed
from neurogen.two_stage_model import TwoStageModel

SHIFT_STREAM = 3
PICTURED = 64


class PriorSystem:
    """Codes, network and optimiser of a prior."""

    def __init__(self, config: PriorConfig, device: torch.device, run: Path) -> None:
        if config.first_stage is None:
            raise TrainingError("expected first_stage=RUN, the run or model folder of a trained first stage, got none")
        self.config, self.device = config, device
        self.stored = load_model(config.first_stage)
        _check_fit(config, self.stored)
        self.main = SpikingPrior(config.model, config.neurons).to(device)
        if config.neurons.compile:
            compile_neurons(self.main)
        self.modules: dict[str, nn.Module] = {"prior": self.main}
        self.descents = {"prior": Descent(self.main, config.train)}
        if config.train.init_from:
            _start_from(self.main, config.train.init_from)
        self.train_codes, self.held_out = cached_codes(run, self.stored, config.shift, device, config.data_path)
        self.items = len(self.train_codes)
        rates = tuple(f"rate/{name}" for name in neuron_names(self.main))
        self.columns = ("total", "val_nll", "val_bits_per_code", "val_bits_per_item", *rates)

    def step(self, index: Tensor, step: int, log: bool) -> dict[str, float]:
        train = self.config.train
        draws = batch_draws(self.config.seed, SHIFT_STREAM, step, train.batch_size, rank(), world())
        codes, labels = self.train_codes.batch(index, draws)
        codes = moved(self.main.order.training_tokens(codes, draws), self.device)
        given, parts = self._given(labels), train.accumulate
        self.main.train()
        figures = Counter[str]()
        for tokens, known in zip(
            codes.chunk(parts), [None] * parts if given is None else given.chunk(parts), strict=True
        ):
            figures.update(self._descend(tokens, known, 1 / parts, step, log))
        self.descents["prior"].step()
        return {name: value / parts for name, value in figures.items()}

    def _descend(self, tokens: Tensor, labels: Tensor | None, share: float, step: int, log: bool) -> dict[str, float]:
        """Add the gradients of a part of the batch; returns its figures."""
        rates: dict[str, float] = {}
        with mixed(self.config.train.precision, self.device):
            if log:
                with watched_rates(self.main) as rates:
                    loss = self.main.loss(tokens, labels)
            else:
                loss = self.main.loss(tokens, labels)
        figures = finite(loss, step, log)
        self.descents["prior"].accumulate(loss * share)
        return figures | {f"rate/{name}": rate for name, rate in rates.items()}

    def validate(self) -> dict[str, float]:
        """Negative log-likelihood of a held-out code, in nats and bits, and bits of all codes of a held-out item."""
        self.main.eval()
        codes, labels = self.held_out.plain()
        bits = self.main.bits_per_code(codes.to(self.device), self._given(labels), together=True)
        self.main.train()
        each = self.main.codes_per_item
        return {"val_nll": bits * math.log(2), "val_bits_per_code": bits, "val_bits_per_item": bits * each}

    def pictures(self, folder: Path, step: int) -> None:
        """A grid of samples, classes in turn."""
        model = self._model()
        labels = np.arange(PICTURED) % len(model.classes) if self.config.model.classes else None
        self.main.eval()
        samples = model.sample(PICTURED, labels=labels, seed=self.config.seed, together=True)
        self.main.train()
        if rank():
            return
        folder.mkdir(parents=True, exist_ok=True)
        images = samples.images if samples.images is not None else colour_counts(samples.counts.sum(1))
        save_png(folder / f"samples_{step:08d}.png", image_grid(images, columns=10))

    def finish(self, folder: Path, figures: dict[str, float]) -> None:
        """Write the model folder with both stages."""
        stored = self.stored
        save_model(
            folder,
            config=stored.config,
            network=stored.network,
            scaling=stored.scaling,
            data_info=stored.data_info,
            prior_config=self.config,
            prior=self.main,
            card={
                **stored.card,
                "held-out bits per code": round(figures["val_bits_per_code"], 4),
                "held-out bits per item": round(figures["val_bits_per_item"], 2),
            },
            background=stored.background,
        )

    def _given(self, labels: NDArray[np.int64]) -> Tensor | None:
        return moved(torch.from_numpy(labels), self.device) if self.config.model.classes else None

    def _model(self) -> Model:
        stored = self.stored
        parts = (
            stored.config,
            stored.network,
            stored.scaling,
            stored.data_info,
            self.config,
            self.main,
            stored.card,
            "",
            stored.background,
        )
        return TwoStageModel(StoredModel(*parts)).to(self.device)


def _check_fit(config: PriorConfig, stored: StoredModel) -> None:
    """Raises TrainingError where the prior was not configured for this first stage."""
    model, form = config.model, stored.network.code_form
    if form.steps and model.over == "map":
        raise TrainingError(
            f"expected model.over=joint (or step, each step by itself) for the first stage {config.first_stage}, which "
            f"has codes for each of {form.steps} steps, got map; set it and model.code_steps={form.steps}"
        )
    if not form.steps and model.over != "map":
        raise TrainingError(
            f"expected model.over=map for the first stage {config.first_stage}, whose codes stand for all steps, "
            f"got {model.over}; set it and model.code_steps=0"
        )
    wanted = {
        "codes": form.size,
        "height": form.height,
        "width": form.width,
        "code_steps": form.steps,
        "bits": form.bits,
    }
    other = {key: value for key, value in wanted.items() if getattr(model, key) != value}
    if other:
        settings = " ".join(f"model.{key}={value}" for key, value in other.items())
        given = " ".join(str(getattr(model, key)) for key in other)
        it = "it" if len(other) == 1 else "them"
        raise TrainingError(f"expected {settings} for the first stage {config.first_stage}, got {given}; set {it}")
    if model.classes not in (0, len(stored.data_info.classes)):
        raise TrainingError(f"expected model.classes=0 or {len(stored.data_info.classes)}, got {model.classes}; set it")


def _start_from(model: SpikingPrior, path: str) -> None:
    prior = load_model(path).prior
    if prior is None:
        raise TrainingError(f"expected train.init_from={path} to hold a prior, it is a first stage alone")
    try:
        model.load_state_dict(prior.state_dict())
    except RuntimeError as error:
        difference = mismatch(error)
        raise TrainingError(
            f"expected train.init_from={path} to be this network, it is another ({difference}); name a run of this one"
        ) from error
