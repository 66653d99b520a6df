"""Small spiking GANs for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from neurogen.blocks.step_norm import StepNorm
from neurogen.config import GANConfig, parse_config
from neurogen.models.discriminators import Discriminator, make_discriminator
from neurogen.models.gan import Generator

T, N = 4, 3


def gan_config(
    system: str = "sgad", judge: dict[str, Any] | None = None, event: bool = False, **model: Any
) -> GANConfig:
    """16x16 pixels of three colours, or recordings of as many, in four steps."""
    data = {"name": "digits", "channels": 2} if event else {"name": "images", "channels": 3}
    config = parse_config(
        {
            "system": system,
            "data": {"resolution": 16, "fit": "resize", **data},
            "model": {
                "steps": T,
                "coding": "event" if event else "direct",
                "latent": 5,
                "hidden": 12,
                "start": 4,
                "widths": [6, 4],
                "scoring_width": 8,
                "discriminator": {"widths": [3, 5], "hidden": 9, **(judge or {})},
                **model,
            },
        }
    )
    assert isinstance(config, GANConfig)
    return config


def made(config: GANConfig, seed: int = 0) -> tuple[Generator, Discriminator]:
    """Both in float64, their norms with scales and shifts that make all layers fire, and statistics of a batch."""
    torch.manual_seed(seed)
    generator, discriminator = Generator(config).double(), make_discriminator(config).double()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            if ".norm." in name:
                nn.init.uniform_(parameter, *((1.0, 2.0) if name.endswith("weight") else (0.2, 0.8)))
            elif name.startswith(("hidden", "output.layer")):
                nn.init.normal_(parameter, 0.1, 1.0)
    labels = torch.arange(20) % config.model.classes if config.model.classes else None
    with torch.no_grad(), statistics_of_one_batch(generator, discriminator):
        discriminator(generator.judged(generator.draw(uniforms(generator, 20, seed=9)), labels), labels)
    return generator, discriminator


@contextmanager
def statistics_of_one_batch(*networks: nn.Module) -> Iterator[None]:
    """While the block runs, running statistics become those of the last batch."""
    norms = [layer for network in networks for layer in network.modules() if isinstance(layer, StepNorm)]
    for norm in norms:
        norm.momentum = 1.0
    yield
    for norm in norms:
        norm.momentum = 0.1


def uniforms(generator: Generator, n: int = N, seed: int = 1) -> Tensor:
    return torch.rand(n, generator.draws, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
