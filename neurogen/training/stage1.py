"""How the first stage learns from a batch: reconstruct, quantise, and, once it has started, fool the discriminator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from neurogen.background import measure_background
from neurogen.blocks.shared_norm import unmoved_statistics
from neurogen.codebook.usage import use_figures, use_names
from neurogen.config import StageOneConfig
from neurogen.data import RecordingData, classes_in_turn, describe_data
from neurogen.losses import StageOneObjective
from neurogen.model_folder import StoredModel, save_model
from neurogen.models.tts_vqvae import TTSVQVAE
from neurogen.neurons import compile_neurons
from neurogen.processes import all_parts, all_rows, own_parts, rank
from neurogen.rates import neuron_names, watched_rates
from neurogen.training.autoencoder import start_from
from neurogen.training.descent import Descent, finite
from neurogen.training.items import AUGMENT_STREAM, RunItems
from neurogen.training.order import keyed_generator
from neurogen.training.precision import mixed
from neurogen.training.showing import show_reconstructions
from neurogen.two_stage_model import TwoStageModel

LOSSES = ("total", "nll", "quant", "gen", "disc", "disc_weight", "logits_real", "logits_fake", "r1")
SHOWN = 10
VALIDATION_BATCH = 32  # a layer of the published network takes 8 MB an item at 64 pixels, 67 MB at 256


class StageOneSystem:
    """Data, network, objective and optimisers of a first stage."""

    def __init__(self, config: StageOneConfig, device: torch.device, run: Path) -> None:
        self.config, self.device = config, device
        self.run_items = RunItems(config, device)
        self.data, self.held_out, self.items = self.run_items.train, self.run_items.held_out, len(self.run_items)
        self.main = TTSVQVAE(config).to(device)
        if config.neurons.compile:
            compile_neurons(self.main)
        self.main.codebook.set_run_length(config.train.steps, config.seed)
        self.objective = StageOneObjective(config.losses, config.data.channels).to(device)
        self.modules: dict[str, nn.Module] = {"first_stage": self.main}
        self.descents = {"first_stage": Descent(self.main, config.train)}
        discriminator = self.objective.discriminator
        if discriminator is not None:
            self.modules["discriminator"] = discriminator
            self.descents["discriminator"] = Descent(discriminator, config.train)
        if config.train.init_from:
            start_from(self.main, config.train.init_from)
        rates = tuple(f"rate/{name}" for name in neuron_names(self.main))
        self.form = self.main.code_form
        use = use_names(self.form)
        self.columns = (*LOSSES, *use, "val_mse", f"val_{use[0]}", *rates)
        self.codes: list[Tensor] = []
        self.plain: Callable[[nn.Module], nn.Module] | None = None

    def put_on_grid(self, on_grid: Callable[[nn.Module, Tensor], Callable[[nn.Module], nn.Module]]) -> None:
        """Let the network learn on a chip's grid; `on_grid` as `engine.OnGrid`."""
        generator = keyed_generator(self.config.seed, AUGMENT_STREAM, 0, 0)
        self.plain = on_grid(self.main, self.data.batch(torch.arange(1), generator).to(self.device))

    def step(self, index: Tensor, step: int, log: bool) -> dict[str, float]:
        config = self.config
        x = self.run_items.take(index, step)
        self.main.train()
        self.objective.train()
        parts, figures = x.chunk(config.train.accumulate), Counter[str]()
        for part, codes in zip(parts, self._settled(parts), strict=True):
            figures.update(self._descend(part, codes, x, step, log))
        self.descents["first_stage"].step()
        if self.objective.adversarial_runs(step):
            self.descents["discriminator"].step()
        means = {name: value / len(parts) for name, value in figures.items()}
        if log:
            means |= use_figures(all_rows(torch.cat([self.form.items_first(codes) for codes in self.codes])), self.form)
            self.codes.clear()
        return means

    def _descend(self, x: Tensor, codes: Tensor | None, whole: Tensor, step: int, log: bool) -> dict[str, float]:
        """Add the gradients of the part x of the share `whole`; returns its figures."""
        share, rates = len(x) / len(whole), dict[str, float]()
        with mixed(self.config.train.precision, self.device):
            if log:
                with watched_rates(self.main) as rates:
                    out = self.main(x, codes)
            else:
                out = self.main(x, codes)
        loss, parts = self.objective.autoencoder_loss(
            x, out.values, out.quantiser_loss, self.main.last_layer, step, whole
        )
        figures = finite(loss, step, log)
        self.descents["first_stage"].accumulate(loss * share)
        judged, more = self.objective.discriminator_loss(x, out.values, step)
        if judged is not None:
            self.descents["discriminator"].accumulate(judged * share)
        self.codes.append(out.codes)
        if log:
            figures |= {name: float(value.detach()) for name, value in (parts | more).items()}
            figures |= {f"rate/{name}": rate for name, rate in rates.items()}
        return figures

    @torch.no_grad()
    def _settled(self, parts: Sequence[Tensor]) -> Sequence[Tensor | None]:
        """Codes of the parts of a share where the codebook learns from whole batches, else nothing.

        It then sees the latents of all parts before any of them is decoded, at the cost of one more encoding.
        """
        if len(parts) == 1 or not self.main.codebook.learns_from_batches:
            return [None] * len(parts)
        with unmoved_statistics(self.main), mixed(self.config.train.precision, self.device):
            latents = torch.cat([self.main.latents(part) for part in parts], 1)
        return self.main.codebook.learn(latents).chunk(len(parts), self.form.item_axis)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean squared error in model units and codebook use over held-out items.

        Each process takes some of the batches; the figures do not depend on how many processes there are.
        """
        self.main.eval()
        errors, codes, items = [], [], len(self.held_out)
        batches = -(-items // VALIDATION_BATCH)
        for start in (VALIDATION_BATCH * part for part in own_parts(batches)):
            x = self.held_out.batch(np.arange(start, min(start + VALIDATION_BATCH, items))).to(self.device)
            out = self.main(x)
            errors.append((out.values - x).square().mean((*range(1, x.dim()),)).double())
            codes.append(self.form.items_first(out.codes))
        self.main.train()
        use = use_figures(torch.cat(all_parts(codes, batches)), self.form)
        name = use_names(self.form)[0]
        return {"val_mse": float(torch.cat(all_parts(errors, batches)).mean()), f"val_{name}": use[name]}

    @torch.no_grad()
    def pictures(self, folder: Path, step: int) -> None:
        """Held-out items above their reconstructions."""
        if rank():
            return
        self.main.eval()
        index = classes_in_turn(self.held_out.labels, SHOWN)
        x = self.held_out.batch(index).to(self.device)
        show_reconstructions(folder, step, index, self.main(x).values.cpu(), self.held_out, self.config)
        self.main.train()

    def finish(self, folder: Path, figures: dict[str, float]) -> None:
        """Write the model folder."""
        name = use_names(self.form)[0]
        use: dict[str, float | str] = {
            "held-out mse": round(figures["val_mse"], 6),
            f"held-out {name.replace('_', ' ')}": round(figures[f"val_{name}"], 2),
        }
        if self.run_items.crop_note:
            use["crop"] = self.run_items.crop_note
        if self.plain is not None:
            use["quantised"] = "weights of the layers between spikes are 8-bit multiples of one step a layer"
        first_stage = self.main if self.plain is None else self.plain(self.main)
        info = describe_data(self.data)
        background = None
        if self.config.recording.background and isinstance(self.data, RecordingData):
            stored = StoredModel(self.config, first_stage.eval(), self.data.scaling, info, None, None, {}, "")
            background = measure_background(TwoStageModel(stored).to(self.device), self.data)
            use["background"] = "events outside of what moves come from a map of their rates, not from the codes"
        save_model(
            folder,
            config=self.config,
            network=first_stage,
            scaling=self.data.scaling,
            data_info=info,
            card=use,
            background=background,
        )
