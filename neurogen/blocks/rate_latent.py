"""A latent of rates: spikes of one rate a channel, independent of each other (ESVAE, arXiv 2310.14839).

    r_q = mean over t of the encoder's last spikes        z_t = [r > U_t],  U_t uniform, for t = 1..T
    prior network   r_p = sigmoid(W n + b),  n ~ N(0, 1); with classes W (n + e_label) + b      loss 1e-3 MMD(r_q, r_p)
    mixture         r_p from Gaussians fitted to the r_q of the training items when training is done; no loss

The gradient of z_t is r's own, which is right on average (ESVAE's release passes it where |r - U_t| < 1/2 only).
Spikes `stratified` are ours: thresholds of a channel are T even ones in an order that spreads spikes over the steps,
U_t = (U + sigma(t) / T) mod 1, so that a train has floor(r T) or ceil(r T) spikes, each still fires with probability
r, and one uniform number draws them all. Shapes: T steps, N items, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from neurogen.blocks.mixture_density import MixtureDensity, normal
from neurogen.full_precision import full_precision, wide
from neurogen.losses.mmd import rbf_mmd

WEIGHT = 1e-3  # of MMD beside the squared error
PRIOR_SHARE = 10.0  # of the learning rate, for the prior's parameters
COMPONENTS = 10  # of the mixture, over all classes
GOLDEN = (5**0.5 - 1) / 2


class RateLatent(nn.Module):
    """`channels` rates over `steps` steps; prior: network | mixture; spikes: bernoulli | stratified."""

    def __init__(self, channels: int, steps: int, classes: int, prior: str, spikes: str) -> None:
        super().__init__()
        self.channels, self.steps, self.classes, self.spikes = channels, steps, classes, spikes
        self.density: MixtureDensity | None = None
        if prior == "mixture":
            self.density = MixtureDensity(channels, max(1, COMPONENTS // max(classes, 1)), classes)
            rates = self.density.draws
        else:
            self.prior = nn.Linear(channels, channels)
            self.embedding = nn.Embedding(classes, channels) if classes else None
            for parameter in self.parameters():
                parameter.rate_share = PRIOR_SHARE  # type: ignore[attr-defined]
            rates = channels
        self.encoding_draws = channels * (steps if spikes == "bernoulli" else 1)
        self.draws = rates + self.encoding_draws
        multiples = [t * GOLDEN % 1 for t in range(steps)]  # the first so many of them are spread evenly, always
        self.shifts = [sum(other < own for other in multiples) / steps for own in multiples]

    @property
    def generates(self) -> bool:
        """Whether rates can be drawn: a mixture must have been fitted."""
        return self.density is None or self.density.fitted

    def forward(self, drive: Tensor, labels: Tensor | None, progress: float) -> tuple[Tensor, Tensor]:
        """Latents (T, N, C) of spikes (T, N, C), and their rates' distance from the prior, a scalar.

        labels: (N,) int64, None without classes. Draws from torch's own generator.
        """
        del progress
        rates = wide(drive).mean(0)
        uniforms = torch.rand(len(rates), self.encoding_draws, device=rates.device)
        spikes = self._spikes(rates.detach(), uniforms) + (rates - rates.detach())
        if self.density is not None:
            return spikes, rates.new_zeros(())
        return spikes, WEIGHT * rbf_mmd(rates, self._expected(torch.randn_like(rates), labels), labels)

    def encode(self, drive: Tensor, uniforms: Tensor) -> Tensor:
        """Latents (T, N, C) of spikes (T, N, C); uniforms: (N, encoding_draws)."""
        return self._spikes(wide(drive).mean(0), uniforms)

    def draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (T, N, C) of the prior; uniforms: (N, draws); labels: (N,) int64, None without classes.

        Raises ValueError for a mixture that was never fitted and for a network with classes but no labels.
        """
        rates, thresholds = uniforms[:, : -self.encoding_draws], uniforms[:, -self.encoding_draws :]
        return self._spikes(self.rates(rates, labels), thresholds)

    def rates(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        """Rates (N, C) of the prior, of the first of its draws: (N, draws - encoding_draws)."""
        if self.density is not None:
            return self.density.draw(uniforms, labels).clamp(0, 1)
        return self._expected(normal(uniforms).to(self.prior.weight.dtype), labels)

    def steps_of_draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:
        """The latents of `draw` step by step, each (N, C)."""
        yield from self.draw(uniforms, labels)

    def settle(self, drives: Iterable[tuple[Tensor, Tensor]], seed: int) -> None:
        """Fit the mixture to the rates of drives (T, N, C) with labels (N,); nothing for a network."""
        if self.density is None:
            return
        pairs = [(wide(drive).mean(0).cpu(), labels.cpu()) for drive, labels in drives]
        rates, labels = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        self.density.fit(rates, labels, seed)

    def _expected(self, normals: Tensor, labels: Tensor | None) -> Tensor:
        """The prior network's rates (N, C) of normal numbers (N, C)."""
        if self.embedding is not None:
            if labels is None:
                raise ValueError("expected labels for a prior with classes, got none; give one for each item")
            normals = normals + self.embedding(labels)
        with full_precision(normals):
            return torch.sigmoid(self.prior(normals))

    def _spikes(self, rates: Tensor, uniforms: Tensor) -> Tensor:
        """Spikes (T, N, C) of rates (N, C); uniforms: (N, encoding_draws)."""
        if self.spikes == "bernoulli":
            thresholds = uniforms.unflatten(1, (self.steps, self.channels)).transpose(0, 1)
        else:
            shifts = torch.tensor(self.shifts, dtype=uniforms.dtype, device=uniforms.device)
            thresholds = (uniforms + shifts[:, None, None]) % 1
        return (rates > thresholds).to(rates.dtype)
