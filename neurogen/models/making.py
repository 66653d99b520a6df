"""The network of a configuration of one network: FSVAE, its twin VAE, the generators of GANs, SAE."""

from __future__ import annotations

from neurogen.config_fsvae import FSVAEConfig
from neurogen.config_gan import GANConfig
from neurogen.config_sae import SAEConfig
from neurogen.config_system import SystemConfig
from neurogen.config_vae import VAEConfig
from neurogen.models.fsvae import FSVAE
from neurogen.models.gan import Generator
from neurogen.models.latent_network import LatentNetwork
from neurogen.models.sae import SAE
from neurogen.models.vae import VAE


def make_network(config: SystemConfig) -> LatentNetwork:
    """A fresh network; raises ValueError for settings that it cannot be built of."""
    if isinstance(config, FSVAEConfig):
        return FSVAE(config)
    if isinstance(config, GANConfig):
        return Generator(config)
    if isinstance(config, SAEConfig):
        return SAE(config)
    if isinstance(config, VAEConfig):
        return VAE(config)
    raise ValueError(f"expected a system of one network, got {type(config).__name__}")
