"""How a system of one network that reconstructs learns from a batch: FSVAE, VAE and SAE, by the losses they name.

What no gradient gives, such as a density of latents to sample from, the network learns at the end (`settle`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from neurogen.config_system import SystemConfig
from neurogen.data import classes_in_turn, describe_data
from neurogen.latent_model import LatentModel
from neurogen.model_folder import StoredModel, load_model, mismatch, save_model
from neurogen.models.making import make_network
from neurogen.neurons import compile_neurons
from neurogen.processes import all_parts, own_parts, rank
from neurogen.rates import neuron_names, watched_rates
from neurogen.training.descent import Descent, finite
from neurogen.training.errors import TrainingError
from neurogen.training.items import RunItems
from neurogen.training.order import keyed_generator
from neurogen.training.precision import mixed
from neurogen.training.showing import show_reconstructions, show_samples

VALIDATION_STREAM = 4  # of step_seed
VALIDATION_BATCH, SETTLING_BATCH = 64, 250
SHOWN = 10


class AutoencoderSystem:
    """Data, network and optimiser."""

    def __init__(self, config: SystemConfig, device: torch.device, run: Path) -> None:
        self.config, self.device = config, device
        self.run_items = RunItems(config, device)
        self.items = len(self.run_items)
        self.main = make_network(config).to(device)
        neurons = getattr(config, "neurons", None)
        if neurons is not None and neurons.compile:
            compile_neurons(self.main)
        self.modules: dict[str, nn.Module] = {"network": self.main}
        self.descents = {"network": Descent(self.main, config.train)}
        if config.train.init_from:
            start_from(self.main, config.train.init_from)
        rates = tuple(f"rate/{name}" for name in neuron_names(self.main))
        self.columns = (*self.main.losses, "val_mse", *rates)

    def step(self, index: Tensor, step: int, log: bool) -> dict[str, float]:
        train = self.config.train
        x, labels = self.run_items.take(index, step), self.run_items.labels(index)
        self.main.train()
        figures = Counter[str]()
        for part, known in zip(x.chunk(train.accumulate), labels.chunk(train.accumulate), strict=True):
            figures.update(self._descend(part, known, step, log))
        self.descents["network"].step()
        return {name: value / train.accumulate for name, value in figures.items()}

    def _descend(self, x: Tensor, labels: Tensor, step: int, log: bool) -> dict[str, float]:
        """Add the gradients of a part of the batch; returns its figures."""
        train, rates = self.config.train, dict[str, float]()
        progress = step / max(train.steps, 1)
        with mixed(train.precision, self.device):
            if log:
                with watched_rates(self.main) as rates:
                    losses = self.main.training_losses(x, labels, progress)
            else:
                losses = self.main.training_losses(x, labels, progress)
        figures = finite(losses["total"], step, log)
        self.descents["network"].accumulate(losses["total"] / train.accumulate)
        if log:
            figures |= {name: float(value.detach()) for name, value in losses.items()}
            figures |= {f"rate/{name}": rate for name, rate in rates.items()}
        return figures

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Mean squared error in model units over held-out items, of one draw of their latents.

        Each process takes some of the batches; the figure does not depend on how many processes there are.
        """
        self.main.eval()
        errors, held_out = [], self.run_items.held_out
        items = len(held_out)
        batches = -(-items // VALIDATION_BATCH)
        for part in own_parts(batches):
            start = VALIDATION_BATCH * part
            x = held_out.batch(np.arange(start, min(start + VALIDATION_BATCH, items))).to(self.device)
            errors.append((self._through(x, part) - x).square().mean((*range(1, x.dim()),)).double())
        self.main.train()
        return {"val_mse": float(torch.cat(all_parts(errors, batches)).mean())}

    @torch.no_grad()
    def pictures(self, folder: Path, step: int) -> None:
        """Held-out items above their reconstructions, and samples where the network can be sampled by now."""
        if rank():
            return
        self.main.eval()
        held_out = self.run_items.held_out
        index = classes_in_turn(held_out.labels, SHOWN)
        x = held_out.batch(index).to(self.device)
        show_reconstructions(folder, step, index, self._through(x, 0).float().cpu(), held_out, self.config)
        if self.main.generates:
            self._show_samples(folder, step)
        self.main.train()

    def finish(self, folder: Path, figures: dict[str, float]) -> None:
        """Settle the network and write the model folder."""
        self.main.eval()
        could = self.main.generates
        self.main.settle(self._training_items(), self.config.seed)
        if not could and self.main.generates:
            self._show_samples(folder.parent / "pictures", self.config.train.steps)
        card: dict[str, float | str] = {"held-out mse": round(figures["val_mse"], 6)}
        if self.run_items.crop_note:
            card["crop"] = self.run_items.crop_note
        save_model(
            folder,
            config=self.config,
            network=self.main,
            scaling=self.run_items.train.scaling,
            data_info=describe_data(self.run_items.train),
            card=card,
        )

    def _through(self, x: Tensor, part: int) -> Tensor:
        """Values x there and back; the draws are those of batch number `part`."""
        generator = keyed_generator(self.config.seed, VALIDATION_STREAM, part)
        uniforms = torch.rand(len(x), self.main.encoding_draws, dtype=torch.float64, generator=generator)
        return self.main.decode(self.main.encode(x, uniforms.to(self.device)))

    def _training_items(self) -> Iterator[tuple[Tensor, Tensor]]:
        data = self.run_items.train
        for start in range(0, len(data), SETTLING_BATCH):
            index = np.arange(start, min(start + SETTLING_BATCH, len(data)))
            yield data.batch(index).to(self.device), torch.from_numpy(data.labels[index]).to(self.device)

    def _show_samples(self, folder: Path, step: int) -> None:
        data = self.run_items.train
        stored = StoredModel(self.config, self.main, data.scaling, describe_data(data), None, None, {}, "")
        show_samples(folder, step, LatentModel(stored).to(self.device), self.config.seed)


def start_from(network: nn.Module, path: str) -> None:
    """Give a network the weights of a trained one; raises TrainingError where that is another."""
    try:
        network.load_state_dict(load_model(path).network.state_dict())
    except RuntimeError as error:
        difference = mismatch(error)
        raise TrainingError(
            f"expected train.init_from={path} to be this network, it is another ({difference}); name a run of this one"
        ) from error
