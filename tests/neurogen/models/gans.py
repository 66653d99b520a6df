"""Small spiking GANs for tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

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
    """Both in float64, their norms with scales and shifts that make all layers fire."""
    torch.manual_seed(seed)
    generator, discriminator = Generator(config).double(), make_discriminator(config).double()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            if ".norm." in name:
                torch.nn.init.uniform_(parameter, *((1.0, 2.0) if name.endswith("weight") else (0.2, 0.8)))
            elif name.startswith(("hidden", "output.layer")):
                torch.nn.init.normal_(parameter, 0.1, 1.0)
    return generator, discriminator


def uniforms(generator: Generator, n: int = N, seed: int = 1) -> Tensor:
    return torch.rand(n, generator.draws, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
