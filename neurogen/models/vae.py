"""A VAE without spikes, FSVAE's twin in its tables: the same layers with ReLU, and Gaussian latents.

    x -> [conv - BN - ReLU] x levels -> linear: mu, log sigma^2      z = mu + sigma n,  n ~ N(0, 1)
      -> linear -> [transposed conv - BN - ReLU] x levels -> transposed conv -> tanh

    loss = mean (x - x^)^2 + w mean over N of sum over L of (mu^2 + sigma^2 - 1 - log sigma^2) / 2

(Kingma and Welling, arXiv 1312.6114; sizes and w from FSVAE's release, which has leaky ReLU.) Biases before batch norm,
which takes them away again, are left out. Convolutions are laid out with channels innermost, which CPUs compute
fastest. Shapes: N items, L latents.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from neurogen.blocks.mixture_density import normal
from neurogen.config_vae import VAEConfig, VAEModelConfig
from neurogen.full_precision import full_precision, wide
from neurogen.models.latent_network import LatentNetwork


class VAEEncoder(nn.Module):
    """Images (N, C, H, W) -> mu and log sigma^2 (N, L)."""

    def __init__(self, channels: int, resolution: int, config: VAEModelConfig) -> None:
        super().__init__()
        sizes = (channels, *config.widths)
        self.stages = nn.Sequential(
            *(_stage(nn.Conv2d(a, b, 3, 2, 1, bias=False)) for a, b in pairwise(sizes)), nn.Flatten()
        )
        features = config.widths[-1] * (resolution >> len(config.widths)) ** 2
        self.mean = nn.Linear(features, config.channels)
        self.log_variance = nn.Linear(features, config.channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = wide(self.stages(x.contiguous(memory_format=torch.channels_last)))
        with full_precision(features):
            return self.mean(features), self.log_variance(features)


class VAEDecoder(nn.Module):
    """Latents (N, L) -> images (N, C, H, W) in [-1, 1]."""

    def __init__(self, channels: int, resolution: int, config: VAEModelConfig) -> None:
        super().__init__()
        widths, side = config.widths[::-1], resolution >> len(config.widths)
        self.shape = (widths[0], side, side)
        self.first = nn.Linear(config.channels, widths[0] * side**2)
        self.stages = nn.Sequential(
            *(
                _stage(nn.ConvTranspose2d(a, b, 3, 2, 1, 1, bias=False))
                for a, b in zip(widths, (*widths[1:], widths[-1]), strict=True)
            )
        )
        self.last = nn.ConvTranspose2d(widths[-1], channels, 3, 1, 1)

    def forward(self, latents: Tensor) -> Tensor:
        maps = self.first(latents).unflatten(1, self.shape)
        features = wide(self.stages(maps.contiguous(memory_format=torch.channels_last)))
        with full_precision(features):
            return torch.tanh(self.last(features))


class VAE(LatentNetwork):
    """The network of a configuration; latents (N, L) are real numbers."""

    steps = 1
    losses = ("total", "reconstruction", "distance")

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        model, data = config.model, config.data
        self.channels, self.kl = model.channels, config.losses.kl
        self.item_shape = (data.channels, data.resolution, data.resolution)
        self.encoder = VAEEncoder(data.channels, data.resolution, model)
        self.decoder = VAEDecoder(data.channels, data.resolution, model)
        self.draws = self.encoding_draws = model.channels

    def draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (N, L) of N(0, 1); labels change nothing."""
        return normal(uniforms).to(self.decoder.first.weight.dtype)

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) of latents (N, L); labels change nothing. Raises ValueError for another shape."""
        if latents.dim() != 2 or latents.shape[1] != self.channels:
            raise ValueError(
                f"expected latents (N, {self.channels}), got {tuple(latents.shape)}; give those of this model"
            )
        return self.decoder(latents)

    def encode(self, x: Tensor, uniforms: Tensor) -> Tensor:
        """Latents (N, L) of the posterior of images (N, C, H, W); raises ValueError for others."""
        mean, log_variance = self._posterior(x)
        return mean + (log_variance / 2).exp() * normal(uniforms).to(mean.dtype)

    def training_losses(self, x: Tensor, labels: Tensor, progress: float) -> dict[str, Tensor]:
        mean, log_variance = self._posterior(x)
        values = self.decoder(mean + (log_variance / 2).exp() * torch.randn_like(mean))
        reconstruction = (values - x).square().mean()
        kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2
        distance = self.kl * kl
        return {"total": reconstruction + distance, "reconstruction": reconstruction, "distance": distance}

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.shape[1:] != self.item_shape:
            wanted = ", ".join(map(str, self.item_shape))
            raise ValueError(f"expected items (N, {wanted}), got {tuple(x.shape)}; give them at the model's size")
        return self.encoder(x)


def _stage(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU())
