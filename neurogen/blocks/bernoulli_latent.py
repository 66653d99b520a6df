"""Autoregressive Bernoulli sampling: the latent of the Fully Spiking VAE (Kamata, Mukuta and Harada 2022, section 3).

    zeta_t = f_q(x_1..t, z_1..t-1) in {0, 1}^(C k)      z_t,c: one of the k spikes of group c, each as likely
    prior: zeta_t = f_p(z_1..t-1)                       pi_t,c: mean of group c, the probability that z_t,c is 1

f are three layers with membranes, so that steps are drawn one after another with the membranes kept, where the release
runs all steps again for each. In training, batch norm uses running statistics while z is drawn: a step alone has no
moments of the window, and 15 windows of growing length, each moving the running statistics, were an accident of the
release. One pass over all steps with the same choices then carries the gradient, through the chosen spikes alone. In
eval mode both passes give the same spikes.

Shapes: T steps, N items, C channels, k candidates. Drive: spikes (T, N, inputs) of the encoder's last neurons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn

from neurogen.blocks.threshold_norm import ThresholdStage, running_statistics
from neurogen.config import NeuronConfig
from neurogen.full_precision import wide
from neurogen.losses.latent_distances import DISTANCES

ALPHA = 2.0  # of tdBN in posterior and prior
CODE_FIRST = 5  # step (from 0) from which the release puts the prior's own predictions in place of latents
NOISE = 1e-3  # standard deviation that breaks ties of the release's predictions


class Candidates(nn.Module):
    """f: (T, N, inputs) -> k candidate spikes a channel (T, N, C, k); membranes are kept between calls."""

    def __init__(
        self, inputs: int, hidden: tuple[int, ...], channels: int, candidates: int, neurons: NeuronConfig
    ) -> None:
        super().__init__()
        self.groups = (channels, candidates)
        sizes = (inputs, *hidden, channels * candidates)
        self.stages = nn.Sequential(*(ThresholdStage(nn.Linear(a, b), b, neurons, ALPHA) for a, b in pairwise(sizes)))

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(x).unflatten(-1, self.groups)

    def step(self, x: Tensor) -> Tensor:
        """One more step: (N, inputs) -> (N, C, k)."""
        return self(x[None])[0]


class BernoulliLatent(nn.Module):
    """Posterior and prior over `steps` steps of `channels` latents; schedule and distance as `FSVAEConfig` has them."""

    generates = True

    def __init__(
        self,
        channels: int,
        steps: int,
        candidates: int,
        hidden: tuple[int, ...],
        schedule: str,
        distance: str,
        neurons: NeuronConfig,
    ) -> None:
        super().__init__()
        self.channels, self.steps, self.candidates = channels, steps, candidates
        self.schedule, self.distance = schedule, DISTANCES[distance]
        self.draws = self.encoding_draws = steps * channels
        self.posterior = Candidates(2 * channels, hidden, channels, candidates, neurons)
        self.prior = Candidates(channels, hidden, channels, candidates, neurons)

    def forward(self, drive: Tensor, labels: Tensor | None, progress: float) -> tuple[Tensor, Tensor]:
        """Latents (T, N, C) and their distance from the prior, a scalar; progress: share of training done, in [0, 1).

        Draws from torch's own generator.
        """
        del labels
        index = torch.randint(self.candidates, (*drive.shape[:2], self.channels), device=drive.device)
        with torch.no_grad(), running_statistics(self.posterior):
            drawn = torch.stack([*self._posterior_steps(drive[:-1], index[:-1])])
        functional.reset_net(self.posterior)
        found = self.posterior(torch.cat((drive, _after_nothing(drawn)), -1))
        latents = _chosen(found, index)
        taught = self._scheduled(latents.detach()[:-1], progress)
        functional.reset_net(self.prior)
        expected = self.prior(_after_nothing(taught))
        return latents, self.distance(wide(found).mean(-1), wide(expected).mean(-1))

    def encode(self, drive: Tensor, uniforms: Tensor) -> Tensor:
        """Latents (T, N, C) of the posterior; uniforms: (N, encoding_draws)."""
        return torch.stack([*self._posterior_steps(drive, self._index(uniforms))])

    def draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (T, N, C) of the prior; uniforms: (N, draws)."""
        return torch.stack([*self.steps_of_draw(uniforms, labels)])

    def steps_of_draw(self, uniforms: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:
        """The latents of `draw` step by step, each (N, C)."""
        del labels
        functional.reset_net(self.prior)
        weight = self.prior.stages[0].layer.weight
        z = weight.new_zeros(len(uniforms), self.channels)
        for index in self._index(uniforms):
            z = _chosen(self.prior.step(z), index)
            yield z

    def settle(self, drives: Iterable[tuple[Tensor, Tensor]], seed: int) -> None:
        """Nothing: the prior is trained."""

    def _index(self, uniforms: Tensor) -> Tensor:
        """Which candidate each uniform number takes: (N, T C) -> (T, N, C) int64."""
        index = (uniforms * self.candidates).long().clamp_(max=self.candidates - 1)
        return index.unflatten(1, (self.steps, self.channels)).transpose(0, 1)

    def _posterior_steps(self, drive: Tensor, index: Tensor) -> Iterator[Tensor]:
        functional.reset_net(self.posterior)
        z = drive.new_zeros(drive.shape[1], self.channels)
        for x, chosen in zip(drive, index, strict=True):
            z = _chosen(self.posterior.step(torch.cat((x, z), -1)), chosen)
            yield z

    @torch.no_grad()
    def _scheduled(self, latents: Tensor, progress: float) -> Tensor:
        """Latents (T - 1, N, C), some of their steps replaced by what the prior itself makes of those before.

        code: each step from CODE_FIRST on with p = 0.1 + 0.2 progress, by [mean + noise > 1/2] of each group.
        paper: any step with p = 0.3 progress, by a draw.
        """
        if not self.training:
            return latents
        code = self.schedule == "code"
        p, first = (0.1 + 0.2 * progress, CODE_FIRST) if code else (0.3 * progress, 0)
        replaced = (torch.rand(len(latents)) < p).tolist()
        last = max((t for t, yes in enumerate(replaced) if yes and t >= first), default=-1)
        latents = latents.clone()
        functional.reset_net(self.prior)
        with running_statistics(self.prior):
            z = latents.new_zeros(latents.shape[1:])
            for t in range(last + 1):
                found = self.prior.step(z)
                if replaced[t] and t >= first:
                    latents[t] = self._own(found)
                z = latents[t]
        return latents

    def _own(self, found: Tensor) -> Tensor:
        """What the prior puts in place of a step: (N, C, k) -> (N, C) spikes."""
        if self.schedule == "code":
            mean = wide(found).mean(-1)
            return (mean + NOISE * torch.randn_like(mean) > 0.5).to(found.dtype)
        return _chosen(found, torch.randint(self.candidates, found.shape[:-1], device=found.device))


def _chosen(found: Tensor, index: Tensor) -> Tensor:
    """Candidate number `index` (..., C) of each group of (..., C, k)."""
    return found.gather(-1, index[..., None])[..., 0]


def _after_nothing(latents: Tensor) -> Tensor:
    """z_(t-1) for each step: (T - 1, N, C) -> (T, N, C), zero first."""
    return torch.cat((torch.zeros_like(latents[:1]), latents))
