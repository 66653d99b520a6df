"""Configuration of the VAE without spikes, FSVAE's twin; defaults are those of FSVAE's release (`main_ann_vae.py`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neurogen.config_section import Positive, Section, Weight
from neurogen.config_system import SystemConfig, check_halvings


class VAEModelConfig(Section):
    """Encoder, latent and decoder."""

    steps: Literal[1] = 1
    """A network without spikes has no time."""
    coding: Literal["direct"] = "direct"
    """The image is what the encoder sees."""
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (32, 64, 128, 256)
    """Channels of each level; every level halves the resolution."""
    channels: Positive = 128
    """L, Gaussian latents."""


class VAELossConfig(Section):
    """Beside the squared error."""

    kl: Weight = 1 / 240
    """Weight of KL(N(mu, sigma^2), N(0, 1)), summed over latents; published: 1 / batches of an epoch."""


class VAEConfig(SystemConfig):
    """A VAE of FSVAE's shape with ReLU and Gaussian latents, and how it is trained."""

    system: Literal["vae"]
    """Which system this configures."""
    model: VAEModelConfig = VAEModelConfig()
    losses: VAELossConfig = VAELossConfig()

    @model_validator(mode="after")
    def _fits(self) -> VAEConfig:
        check_halvings(self.data.resolution, self.model.widths)
        return self
