"""Small networks of each system of one network, untrained and yet not silent, and what of them a chip runs."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor, nn

import export
from export.network import Network
from neurogen.config_fsvae import FSVAEConfig
from neurogen.config_gan import GANConfig
from neurogen.config_sae import SAEConfig
from neurogen.exporting import settled
from neurogen.models.fsvae import FSVAE
from neurogen.models.gan import Generator
from neurogen.models.making import make_network
from neurogen.models.on_chip import Half
from neurogen.models.sae import SAE

ITEMS, STEPS = 6, 4


def fsvae_config(coding: str = "direct", **data: object) -> FSVAEConfig:
    event = coding == "event"
    given = {"name": "digits" if event else "mnist", "resolution": 8, "channels": 2 if event else 1, **data}
    model = {"steps": STEPS, "coding": coding, "widths": (6, 8), "channels": 5, "candidates": 4, "hidden": ()}
    return FSVAEConfig.model_validate({"system": "fsvae", "data": given, "model": model})


def sae_config(kind: str, **data: object) -> SAEConfig:
    """Of neurons with a late subtractive reset (kind=delayed), or with a chip's (lif)."""
    return SAEConfig.model_validate(
        {
            "system": "sae",
            "data": {"name": "mnist", "resolution": 8, "channels": 1, **data},
            "model": {"widths": (4, 6), "channels": 5, "bottleneck_norm": True, "steps": STEPS},
            "neurons": {"kind": kind, **({"reset": 0.0} if kind == "lif" else {})},
        }
    )


def generator_config(system: str, coding: str = "direct", scoring: str = "weights", classes: int = 0) -> GANConfig:
    event = coding == "event"
    judge = {"kind": "linear", "norm": "none"}
    model = {"steps": STEPS, "coding": coding, "latent": 4, "hidden": 12, "start": 2, "widths": (6, 5)}
    return GANConfig.model_validate(
        {
            "system": system,
            "data": {"name": "digits" if event else "mnist", "resolution": 8, "channels": 2 if event else 1},
            "model": model | {"scoring": scoring, "classes": classes, "discriminator": judge},
            "neurons": {"threshold": 0.4},
        }
    )


def autoencoder(config: FSVAEConfig | SAEConfig) -> FSVAE | SAE:
    """A network whose norms have seen data, in eval mode."""
    torch.manual_seed(0)
    network = make_network(config)
    for name, parameter in network.named_parameters():
        if name.endswith("norm.bias") or name == "decoder.first.layer.bias":
            nn.init.constant_(parameter, 0.1 if isinstance(config, FSVAEConfig) else 0.7)
    x = items(config)
    with torch.no_grad():
        for _ in range(30):
            network.training_losses(x, torch.zeros(ITEMS, dtype=torch.int64), 0.0)
    assert isinstance(network, (FSVAE, SAE))
    return network.eval()


def items(config: FSVAEConfig | SAEConfig) -> Tensor:
    """(N, ...) at random, in [-1, 1]."""
    time = (STEPS,) if config.model.coding == "event" else ()
    shape = (ITEMS, *time, config.data.channels, config.data.resolution, config.data.resolution)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


@functools.cache
def fsvae(coding: str = "direct") -> tuple[FSVAE, Tensor, Tensor]:
    """With items and the uniform numbers by which they are encoded."""
    network, x = autoencoder(fsvae_config(coding)), items(fsvae_config(coding))
    assert isinstance(network, FSVAE)
    return network, x, torch.rand(ITEMS, network.encoding_draws, dtype=torch.float64)


@functools.cache
def sae(kind: str) -> tuple[SAE, Tensor, Tensor]:
    """The same."""
    network, x = autoencoder(sae_config(kind)), items(sae_config(kind))
    assert isinstance(network, SAE)
    return network, x, torch.rand(ITEMS, 0, dtype=torch.float64)


@functools.cache
def generator(
    system: str, coding: str = "direct", scoring: str = "weights", classes: int = 0
) -> tuple[Generator, Tensor, Tensor | None]:
    """With latents that it drew, and labels where it knows some."""
    torch.manual_seed(0)
    network = Generator(generator_config(system, coding, scoring, classes))
    for name, parameter in network.named_parameters():
        if name.endswith("norm.bias"):
            nn.init.constant_(parameter, 0.4)
        if name == "output.layer.weight":
            parameter.data *= 4
        if name == "output.scoring.weight":
            nn.init.normal_(parameter)
    uniforms = torch.rand(ITEMS, network.draws, dtype=torch.float64)
    labels = torch.arange(ITEMS) % classes if classes else None
    with torch.no_grad():
        for _ in range(30):
            network.judged(network.draw(uniforms, labels), labels)
    return network.eval(), network.draw(uniforms, labels), labels


def read(half: Half, x: Tensor) -> tuple[Network, np.ndarray]:
    with torch.no_grad():
        inputs = half.inputs(x).clone()
        return settled(export.read(half.module, inputs), half), inputs.numpy()


def made(half: Half, network: Network, given: np.ndarray) -> Tensor:
    with torch.no_grad():
        return half.finish(torch.from_numpy(export.run(network, given)[network.layers[-1].name]).float())
