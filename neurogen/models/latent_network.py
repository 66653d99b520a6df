"""What a system of one network is to everything around it: sampling, reconstruction, storing, measuring.

Randomness comes in as uniform numbers in [0, 1), so that a sample is a pure function of its own. Latents are spikes
(T, N, C) in {0, 1} or vectors (N, L); `item_axis` says where their items stand. Values are images (N, C, H, W) in
[-1, 1] or scaled recordings (N, T, 2, H, W): a system published in [0, 1] converts inside. Membranes are reset at the
start of every call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn


class LatentNetwork(nn.Module):
    """Base of FSVAE, VAE, the generators of GANs, and SAE. Labels are int64 (N,), None where `classes` is 0."""

    steps: int
    item_axis: int = 0
    classes: int = 0
    draws: int = 0
    """Uniform numbers that a sample takes."""
    encoding_draws: int = 0
    """Uniform numbers that encoding an item takes."""
    encodes: bool = True
    """Whether there is an encoder."""
    losses: tuple[str, ...] = ("total",)
    """Names that `training_losses` gives."""

    @property
    def generates(self) -> bool:
        """Whether it can be sampled: an autoencoder that was never settled cannot."""
        return True

    def draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents of N samples; uniforms: (N, draws) float64."""
        raise NotImplementedError

    def decode(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Values of latents."""
        raise NotImplementedError

    def encode(self, x: Tensor, uniforms: Tensor) -> Tensor:
        """Latents of values x; uniforms: (N, encoding_draws) float64."""
        raise ValueError(f"expected a model with an encoder, got {type(self).__name__}, which has none")

    def stream(self, uniforms: Tensor, labels: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Step by step: latents (N, C) of the step, and values as far as they have come."""
        raise ValueError(f"expected a model that draws step by step, got {type(self).__name__}")

    def training_losses(self, x: Tensor, labels: Tensor, progress: float) -> dict[str, Tensor]:
        """Scalars by the names in `losses`; "total" is descended. progress: share of the run that is done, in [0, 1).

        Randomness is torch's own, seeded for the step by the caller.
        """
        raise NotImplementedError

    @torch.no_grad()
    def settle(self, batches: Iterable[tuple[Tensor, Tensor]], seed: int) -> None:
        """Once, after training and in eval mode: learn from batches (x, labels) of the training items what no gradient
        gives, such as the density of latents. Does nothing by default."""
