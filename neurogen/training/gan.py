"""How a spiking GAN learns from a batch: the discriminator first, then, every `n_critic` steps, the generator.

The generator runs once for both. Its weights do not change in between, so the same latents would give the same items
again; the discriminator learns from them cut off from their graph, the generator through the graph that is kept. The
release (arXiv 2305.10246) runs it twice, by which nothing but the running statistics of batch norm differs: they move
twice towards the same moments. Where the generator does not learn, no graph is made. Real and generated items are
judged in calls of their own, each from fresh membranes, with moments of their own in batch norm. Samples are drawn in
eval mode, by running statistics that are measured anew (`moments.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from neurogen.config import GANConfig
from neurogen.data import classes_in_turn, describe_data
from neurogen.latent_model import LatentModel
from neurogen.losses.adversarial import squared_slope
from neurogen.losses.gan import fake_loss, generator_loss, real_loss, spread_loss
from neurogen.model_folder import StoredModel, save_model
from neurogen.models.discriminators import make_discriminator
from neurogen.models.gan import Generator
from neurogen.neurons import compile_neurons
from neurogen.processes import rank
from neurogen.rates import neuron_names, watched_rates
from neurogen.training.autoencoder import start_from
from neurogen.training.collapse import FIGURES, WATCHED, judge_of, variety
from neurogen.training.descent import Descent, finite
from neurogen.training.errors import TrainingError
from neurogen.training.items import RunItems
from neurogen.training.moments import measured_moments
from neurogen.training.order import keyed_generator
from neurogen.training.precision import mixed
from neurogen.training.showing import show_samples

LOSSES = ("total", "generator", "discriminator", "logits_real", "logits_fake", "r1", "spread")
MOMENTS_STREAM = 5  # of step_seed
MOMENTS_BATCHES = 16


class GANSystem:
    """Data, generator (`main`), discriminator, and an optimiser of each."""

    def __init__(self, config: GANConfig, device: torch.device, run: Path) -> None:
        self.config, self.device = config, device
        self.run_items = RunItems(config, device)
        self.items = len(self.run_items)
        known = len(self.run_items.train.classes)
        if config.model.classes not in (0, known):
            raise TrainingError(
                f"expected model.classes to be 0 or the {known} classes of {config.data.name}, got "
                f"{config.model.classes}; set one of these"
            )
        self.main = Generator(config).to(device)
        self.discriminator = make_discriminator(config).to(device)
        self.modules: dict[str, nn.Module] = {"generator": self.main, "discriminator": self.discriminator}
        if config.neurons.compile:
            for module in self.modules.values():
                compile_neurons(module)
        rate = config.losses.discriminator_lr or config.train.lr
        self.descents = {
            "generator": Descent(self.main, config.train),
            "discriminator": Descent(self.discriminator, config.train.model_copy(update={"lr": rate})),
        }
        if config.train.init_from:
            start_from(self.main, config.train.init_from)
        data = self.run_items.train
        stored = StoredModel(config, self.main, data.scaling, describe_data(data), None, None, {}, "")
        self.model = LatentModel(stored).to(device)
        self.judge = judge_of(config.data.name)
        held_out = self.run_items.held_out
        index = classes_in_turn(held_out.labels, WATCHED)
        self.real = self.model.finish(held_out.batch(index), None, held_out.labels[index])
        rates = (*neuron_names(self.main), *(f"discriminator.{name}" for name in neuron_names(self.discriminator)))
        self.columns = (*LOSSES, *FIGURES, *(f"rate/{name}" for name in rates))

    def step(self, index: Tensor, step: int, log: bool) -> dict[str, float]:
        losses = self.config.losses
        x, labels = self.run_items.take(index, step), self.run_items.labels(index)
        known = labels if self.config.model.classes else None
        learns = (step + 1) % losses.n_critic == 0
        self.main.train()
        self.discriminator.train()
        with self._watching(self.main, log) as rates, torch.set_grad_enabled(learns):
            fake = self._made(len(x), known)
        real = self.discriminator.present(x)
        descent = self.descents["discriminator"]
        with self._watching(self.discriminator, log) as judging:
            scores = self._scores(real, known)
        loss = real_loss(losses.kind, scores)
        descent.accumulate(loss)  # each half by itself, so that one graph of the discriminator is held at a time
        parts, total = {"logits_real": scores.detach().mean()}, loss.detach()
        scores = self._scores(fake.detach(), known)
        loss = fake_loss(losses.kind, scores)
        descent.accumulate(loss)
        parts |= {"logits_fake": scores.detach().mean(), "discriminator": total + loss.detach()}
        total = parts["discriminator"]
        if losses.r1 and (step + 1) % losses.r1_every == 0:
            parts["r1"] = self._slope(x, known)
            loss = losses.r1 / 2 * losses.r1_every * parts["r1"]
            descent.accumulate(loss)
            total = total + loss.detach()
        descent.step()
        if learns:
            with held(self.discriminator):
                parts["generator"] = generator_loss(losses.kind, self._scores(fake, known))
            taught = parts["generator"]
            if losses.spread:
                parts["spread"] = spread_loss(fake, real, known)
                taught = taught + losses.spread * parts["spread"]
            self.descents["generator"].take(taught)
            total = total + taught.detach()
        else:
            self.descents["generator"].moved = False  # the average waits for it too
        figures = finite(total, step, log)
        if log:
            figures |= {name: float(value.detach()) for name, value in parts.items()}
            figures |= {f"rate/{name}": rate for name, rate in rates.items()}
            figures |= {f"rate/discriminator.{name}": rate for name, rate in judging.items()}
        return figures

    def _made(self, items: int, labels: Tensor | None) -> Tensor:
        """Generated items as the discriminator sees them."""
        uniforms = torch.rand(items, self.main.draws, dtype=torch.float64).to(self.device)
        with mixed(self.config.train.precision, self.device):
            return self.main.judged(self.main.draw(uniforms, labels), labels)

    def _scores(self, seen: Tensor, labels: Tensor | None) -> Tensor:
        """(N,) of what `Generator.judged` and `Discriminator.present` give; raises TrainingError for what is not
        finite."""
        try:
            with mixed(self.config.train.precision, self.device):
                return self.discriminator(seen, labels)
        except ValueError as error:
            raise TrainingError(str(error)) from error

    def _slope(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """R1 at real items, in float32."""
        seen = self.discriminator.present(x).detach().requires_grad_()
        return squared_slope(self.discriminator(seen, labels), seen)

    def _watching(self, module: nn.Module, log: bool) -> AbstractContextManager[dict[str, float]]:
        return watched_rates(module) if log else nullcontext({})

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """How varied the samples of one seed are; says on stderr where they have collapsed."""
        classes = self.config.model.classes
        labels = np.arange(WATCHED) % classes if classes else None
        with self._measured():
            made = self.model.sample(WATCHED, labels=labels, seed=self.config.seed)
        found = variety(made, self.real, self.judge, by_class=classes > 0)
        if found.warning is not None and rank() == 0:
            sys.stderr.write(f"{found.warning}\n")
        return found.figures()

    @torch.no_grad()
    def pictures(self, folder: Path, step: int) -> None:
        """The samples of one seed."""
        if rank() == 0:
            with self._measured():
                show_samples(folder, step, self.model, self.config.seed)

    @contextmanager
    def _measured(self) -> Iterator[None]:
        """The generator in eval mode, with running statistics of batches of its own, while the block runs."""
        config, classes = self.config, self.config.model.classes
        size = config.train.batch_size

        def run(batch: int) -> None:
            generator = keyed_generator(config.seed, MOMENTS_STREAM, batch)
            uniforms = torch.rand(size, self.main.draws, dtype=torch.float64, generator=generator).to(self.device)
            labels = (torch.arange(size) % classes).to(self.device) if classes else None
            self.main.judged(self.main.draw(uniforms, labels), labels)

        training = self.main.training
        with measured_moments(self.main, run, MOMENTS_BATCHES, config.model.steps):
            self.main.eval()
            yield
        self.main.train(training)

    def finish(self, folder: Path, figures: dict[str, float]) -> None:
        """Write the model folder, of the generator."""
        names = {"pairwise": "distance between samples over real", "class_entropy": "entropy of classes over largest"}
        card: dict[str, float | str] = {
            said: round(figures[name], 3) for name, said in names.items() if name in figures
        }
        if self.run_items.crop_note:
            card["crop"] = self.run_items.crop_note
        with self._measured():
            save_model(
                folder,
                config=self.config,
                network=self.main,
                scaling=self.run_items.train.scaling,
                data_info=describe_data(self.run_items.train),
                card=card,
            )


@contextmanager
def held(module: nn.Module) -> Iterator[None]:
    """While the block runs, gradients go through the module but not into its weights."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
