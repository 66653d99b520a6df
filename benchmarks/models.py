"""A training step and sampling of published networks: ours, beside a plain rewrite that runs step by step.

    python benchmarks/models.py [--system fsvae sgad swgan sgan sae] [--batch 250] [--variant ours compiled plain]

The plain networks are those of `tests/neurogen/models/plain_*.py`, which ours equal there in float64: each layer once
a step, neurons and norms written out, FSVAE's latents from growing windows as released, a GAN's generator run for both
halves of its step. `compiled`: ours with neurons.compile=true; `bf16`: with train.precision=bf16 too. One JSON line per
figure: `step`, seconds (median, the variants taking turns, each in a process of its own), and `peak`, MiB above the
built model; `samples`, per second, drawn by the batch (SAE: decoded); `speedup` of ours over plain, of wall and of
processor time; `memory`, our peak over that of plain.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import torch
from turns import Turns, Work, take_turns

from neurogen.config import Config, GANConfig, load_config
from neurogen.models.discriminators import make_discriminator
from neurogen.models.making import make_network
from neurogen.neurons import compile_neurons, tune_allocator
from neurogen.training.descent import Descent
from neurogen.training.gan import GANSystem
from neurogen.training.precision import mixed
from train import find_config

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.neurogen.models import plain_gan
from tests.neurogen.models.plain_fsvae import PlainFSVAE
from tests.neurogen.models.plain_sae import PlainSAE

SYSTEMS = ("fsvae", "sgad", "swgan", "sgan", "sae")
DATA = "mnist"
VARIANTS = ("ours", "compiled", "bf16", "plain")
Works = tuple[Work, Work]
"""A training step, and drawing a batch."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--variant", nargs="+", choices=VARIANTS, default=["ours", "plain"])
    parser.add_argument("--batch", type=positive, help="items of a batch, if not as published")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--allocator", choices=("tuned", "default"), default="tuned")
    parser.add_argument("--rounds", type=positive, default=3)
    options = parser.parse_args()
    if not Path("/proc/self/clear_refs").exists():
        parser.error("expected Linux, whose /proc tells the peak of memory; run it there")
    for system in options.system:
        batch = options.batch or configuration(system).train.batch_size
        settings = {"system": system, "batch": batch, "threads": options.threads, "allocator": options.allocator}
        for work in ("step", "samples"):
            builders = {v: partial(build, work, v, **settings) for v in options.variant}
            found = take_turns(builders, options.rounds, warm=2)
            (report_steps if work == "step" else report_samples)(found, settings)


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text}")
    return int(text)


def configuration(system: str) -> Config:
    return load_config(find_config(f"{system}/{DATA}"))


def build(work: str, variant: str, system: str, batch: int, threads: int, allocator: str) -> Work:
    """In a variant's own process: its network and what it works on."""
    torch.set_num_threads(threads)
    if allocator == "tuned":
        tune_allocator()
    torch.manual_seed(0)
    config = configuration(system)
    if variant == "bf16":
        config = config.model_copy(update={"train": config.train.model_copy(update={"precision": "bf16"})})
    if variant == "plain":
        step, sample = PLAIN.get(system, plain_gans)(config, batch)
    else:
        maker = adversaries if isinstance(config, GANConfig) else autoencoder
        step, sample = maker(config, batch, variant != "ours")
    return step if work == "step" else torch.no_grad()(sample)


def autoencoder(config: Config, batch: int, compiled: bool) -> Works:
    """Ours of a system that reconstructs."""
    network = make_network(config)
    if compiled:
        compile_neurons(network)
    descent, x = Descent(network, config.train), pictures(config, batch)
    labels = torch.zeros(batch, dtype=torch.int64)

    def step() -> None:
        network.train()
        with mixed(config.train.precision, x.device):
            losses = network.training_losses(x, labels, 0.5)
        descent.take(losses["total"])

    def sample() -> None:
        network.eval()
        if network.generates:
            network.decode(network.draw(torch.rand(batch, network.draws, dtype=torch.float64)))
        else:
            network.decode(spikes(config, batch))

    return step, sample


def plain_fsvae(config: Config, batch: int) -> Works:
    network, x = PlainFSVAE(), pictures(config, batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-3)
    shape = (network.steps, batch, network.latent)

    def step() -> None:
        network.train()
        guessed = tuple(t for t in range(5, network.steps - 1) if torch.rand(()) < 0.2)
        _, squared, apart = network(x, torch.randint(network.choices, shape), guessed)
        descend(optimiser, squared + apart)

    def sample() -> None:
        network.eval()
        network.sample(torch.randint(network.choices, shape))

    return step, sample


def plain_sae(config: Config, batch: int) -> Works:
    network, x = PlainSAE(), (pictures(config, batch) + 1) / 2
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=1e-3)

    def step() -> None:
        network.train()
        descend(optimiser, network.loss(x))

    def sample() -> None:
        network.eval()
        network.decode([*spikes(config, batch)])

    return step, sample


class Adversaries(GANSystem):
    """Ours of a GAN, with one batch for data."""

    def __init__(self, config: GANConfig, batch: int) -> None:
        self.config, self.device, self.run_items = config, torch.device("cpu"), self
        self.main, self.discriminator = make_network(config), make_discriminator(config)
        modules = {"generator": self.main, "discriminator": self.discriminator}
        self.descents = {name: Descent(module, config.train) for name, module in modules.items()}
        self.x, self.known = pictures(config, batch), torch.zeros(batch, dtype=torch.int64)

    def take(self, index: torch.Tensor, step: int) -> torch.Tensor:
        return self.x

    def labels(self, index: torch.Tensor) -> torch.Tensor:
        return self.known


def adversaries(config: GANConfig, batch: int, compiled: bool) -> Works:
    system = Adversaries(config, batch)
    if compiled:
        compile_neurons(system.main)
        compile_neurons(system.discriminator)

    def sample() -> None:
        system.main.eval()
        system.main.decode(system.main.draw(torch.rand(batch, system.main.draws, dtype=torch.float64)))

    return partial(system.step, system.known, 0, False), sample


def plain_gans(config: GANConfig, batch: int) -> Works:
    stage = {"sgan": "spikes", "swgan": "membrane", "sgad": "attention"}[config.system]
    bce = config.system == "sgan"
    scoring = plain_gan.Attention(784) if config.system == "sgad" else None
    g = plain_gan.PlainGenerator(latent=config.model.latent, stage=stage, scoring=scoring)
    d = plain_gan.PlainLinearDiscriminator() if bce else plain_gan.PlainDiscriminator()
    optimisers = [torch.optim.RMSprop(network.parameters(), lr=config.train.lr) for network in (d, g)]
    real = [(pictures(config, batch) + 1) / 2] * g.steps
    judge, make = (
        (plain_gan.bce, plain_gan.bce_generator) if bce else (plain_gan.wasserstein, plain_gan.wasserstein_generator)
    )

    def step() -> None:
        g.train()
        z = torch.randn(batch, config.model.latent)
        fake = [frame.detach() for frame in g(z)[0]]
        descend(optimisers[0], judge(d(real), d(fake)))
        descend(optimisers[1], make(d(g(z)[0])))

    def sample() -> None:
        g.eval()
        g(torch.randn(batch, config.model.latent))

    return step, sample


def descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def spikes(config: Config, batch: int) -> torch.Tensor:
    """Latents (T, N, C) in {0, 1}, for an autoencoder that has no density of them yet."""
    return (torch.rand(config.model.steps, batch, config.model.channels) < 0.2).float()


def pictures(config: Config, batch: int) -> torch.Tensor:
    """(N, C, H, W) in [-1, 1]."""
    data = config.data
    return torch.rand(batch, data.channels, data.resolution, data.resolution) * 2 - 1


PLAIN = {"fsvae": plain_fsvae, "sae": plain_sae}


def report_steps(found: dict[str, Turns], settings: dict[str, object]) -> None:
    for variant, turns in found.items():
        report("step", turns.seconds, "s", {"variant": variant, **settings}, cpu=turns.cpu_seconds)
        report("peak", turns.peak_mib, "MiB", {"variant": variant, **settings})
    compare(found, settings)
    for variant, plain in against_plain(found):
        report("memory", found[variant].peak_mib / plain.peak_mib, "1", {"variant": variant, **settings})


def report_samples(found: dict[str, Turns], settings: dict[str, object]) -> None:
    for variant, turns in found.items():
        rate = settings["batch"] / turns.seconds  # type: ignore[operator]
        report("samples", rate, "1/s", {"variant": variant, **settings})
    compare(found, {**settings, "of": "samples"})


def compare(found: dict[str, Turns], settings: dict[str, object]) -> None:
    for variant, plain in against_plain(found):
        ours = found[variant]
        cpu = plain.cpu_seconds / ours.cpu_seconds
        report("speedup", plain.seconds / ours.seconds, "1", {"variant": variant, **settings}, cpu=cpu)


def against_plain(found: dict[str, Turns]) -> list[tuple[str, Turns]]:
    return [(variant, found["plain"]) for variant in found if variant != "plain" and "plain" in found]


def report(figure: str, value: float, unit: str, settings: dict[str, object], **more: float) -> None:
    line = {"benchmark": "models", "figure": figure, **settings, "value": float(f"{value:.4g}"), "unit": unit}
    print(json.dumps(line | {key: float(f"{number:.4g}") for key, number in more.items()}), flush=True)


if __name__ == "__main__":
    main()
