"""How the first stage learns from a batch: reconstruct, quantise, and, once it has started, fool the discriminator."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from neurogen.codebook.usage import usage
from neurogen.config import StageOneConfig
from neurogen.data import RecordingData, classes_in_turn, describe_data, open_data
from neurogen.losses import StageOneObjective
from neurogen.model_folder import load_model, mismatch, save_model
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.rates import neuron_names, watched_rates
from neurogen.training.descent import Descent, finite
from neurogen.training.device import moved
from neurogen.training.distributed import rank
from neurogen.training.errors import TrainingError
from neurogen.training.order import keyed_generator
from neurogen.training.precision import mixed
from neurogen.training.showing import show_reconstructions

AUGMENT_STREAM = 2
LOSSES = ("total", "nll", "quant", "gen", "disc", "disc_weight", "logits_real", "logits_fake")
SHOWN = 10
VALIDATION_BATCH = 32  # a layer of the published network takes 8 MB an item at 64 pixels, 67 MB at 256


class StageOneSystem:
    """Data, network, objective and optimisers of a first stage."""

    def __init__(self, config: StageOneConfig, device: torch.device, run: Path) -> None:
        self.config, self.device = config, device
        self.data = open_data(config.data, config.model.steps, "train")
        held_out = config.data.validation > 0
        self.held_out = open_data(
            config.data, config.model.steps, "validation" if held_out else "test", self.data.scaling
        )
        self.items = len(self.data)
        self.crop_note = self.data.crop_note if isinstance(self.data, RecordingData) else None
        if self.crop_note and rank() == 0:
            sys.stderr.write(f"data: {self.crop_note}\n")
        self.main = TTSVQVAE(config).to(device)
        self.main.codebook.set_run_length(config.train.steps, config.seed)
        self.objective = StageOneObjective(config.losses, config.data.channels).to(device)
        self.modules: dict[str, nn.Module] = {"first_stage": self.main}
        self.descents = {"first_stage": Descent(self.main, config.train)}
        discriminator = self.objective.discriminator
        if discriminator is not None:
            self.modules["discriminator"] = discriminator
            self.descents["discriminator"] = Descent(discriminator, config.train)
        if config.train.init_from:
            _start_from(self.main, config.train.init_from)
        rates = tuple(f"rate/{name}" for name in neuron_names(self.main))
        self.columns = (*LOSSES, "perplexity", "used_codes", "dead_codes", "val_mse", "val_perplexity", *rates)
        self.codes: list[Tensor] = []
        self.plain: Callable[[nn.Module], nn.Module] | None = None

    def put_on_grid(self, on_grid: Callable[[nn.Module, Tensor], Callable[[nn.Module], nn.Module]]) -> None:
        """Let the network learn on a chip's grid; `on_grid` as `engine.OnGrid`."""
        generator = keyed_generator(self.config.seed, AUGMENT_STREAM, 0, 0)
        self.plain = on_grid(self.main, self.data.batch(torch.arange(1), generator).to(self.device))

    def step(self, index: Tensor, step: int, log: bool) -> dict[str, float]:
        config = self.config
        x = self.data.batch(index, keyed_generator(config.seed, AUGMENT_STREAM, step, rank()))
        x = moved(x, self.device)
        self.main.train()
        self.objective.train()
        rates: dict[str, float] = {}
        with mixed(config.train.precision, self.device):
            if log:
                with watched_rates(self.main) as rates:
                    out = self.main(x)
            else:
                out = self.main(x)
        loss, parts = self.objective.autoencoder_loss(x, out.values, out.quantiser_loss, self.main.last_layer, step)
        figures = finite(loss, step, log)
        self.descents["first_stage"].take(loss)
        judged, more = self.objective.discriminator_loss(x, out.values, step)
        if judged is not None:
            self.descents["discriminator"].take(judged)
        self.codes.append(out.codes)
        if log:
            use = usage(torch.cat([codes.flatten() for codes in self.codes]), config.codebook.size)
            self.codes.clear()
            figures |= {name: float(value.detach()) for name, value in (parts | more).items()}
            figures |= {"perplexity": use.perplexity, "used_codes": use.used, "dead_codes": use.dead}
            figures |= {f"rate/{name}": rate for name, rate in rates.items()}
        return figures

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean squared error in model units and codebook use over held-out items."""
        self.main.eval()
        error, codes = 0.0, []
        for start in range(0, len(self.held_out), VALIDATION_BATCH):
            x = self.held_out.batch(np.arange(start, min(start + VALIDATION_BATCH, len(self.held_out)))).to(self.device)
            out = self.main(x)
            error += float((out.values - x).square().mean((*range(1, x.dim()),)).sum())
            codes.append(out.codes)
        self.main.train()
        use = usage(torch.cat(codes), self.config.codebook.size)
        return {"val_mse": error / len(self.held_out), "val_perplexity": use.perplexity}

    @torch.no_grad()
    def pictures(self, folder: Path, step: int) -> None:
        """Held-out items above their reconstructions."""
        self.main.eval()
        index = classes_in_turn(self.held_out.labels, SHOWN)
        x = self.held_out.batch(index).to(self.device)
        show_reconstructions(folder, step, index, self.main(x).values.cpu(), self.held_out, self.config)
        self.main.train()

    def finish(self, folder: Path, figures: dict[str, float]) -> None:
        """Write the model folder."""
        use: dict[str, float | str] = {
            "held-out mse": round(figures["val_mse"], 6),
            "held-out perplexity": round(figures["val_perplexity"], 2),
        }
        if self.crop_note:
            use["crop"] = self.crop_note
        if self.plain is not None:
            use["quantised"] = "weights of the layers between spikes are 8-bit multiples of one step a layer"
        save_model(
            folder,
            stage1=self.config,
            first_stage=self.main if self.plain is None else self.plain(self.main),
            scaling=self.data.scaling,
            data_info=describe_data(self.data),
            card=use,
        )


def _start_from(model: TTSVQVAE, path: str) -> None:
    try:
        model.load_state_dict(load_model(path).first_stage.state_dict())
    except RuntimeError as error:
        difference = mismatch(error)
        raise TrainingError(
            f"expected train.init_from={path} to be this network, it is another ({difference}); name a run of this one"
        ) from error
