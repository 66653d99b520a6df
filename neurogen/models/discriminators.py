"""Discriminators of the spiking GANs (arXiv 2305.10246): a score for each item, by spikes or by an ordinary network.

    conv     x -> [conv 5x5 - BN - LIF - average pooling] x stages -> linear - LIF -> linear -> m_T / T
    linear   x -> linear - LIF -> linear -> m_T / T                                             (SGAN)

m is a read-out neuron without a threshold. Batch norm is of each time step by itself. An image is shown at every step,
so that its first layer is computed once. `ann` is the hybrid baseline: leaky ReLU for neurons, one step, which sees
the mean of an image's steps, or the frames of a recording as channels. With classes a score adds the product of the
label's vector with what the last layer takes (Miyato and Koyama 2018). Shapes: T steps, N items.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from spikingjelly.activation_based import functional
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from neurogen.blocks.fold import fold
from neurogen.blocks.output_stage import unit_range
from neurogen.blocks.step_norm import StepNorm, StepStage
from neurogen.coding import coded
from neurogen.config import GANConfig
from neurogen.config_gan import KERNEL, POOL, judged_side
from neurogen.full_precision import full_precision, wide
from neurogen.neurons import make_neuron
from neurogen.neurons.integrator import Integrator

SLOPE = 0.2  # of leaky ReLU
GAIN = (
    6.0  # of currents, where nothing else makes them large enough to fire; with it every stage does at first, by test
)


class Discriminator(nn.Module):
    """Scores (N,) of what `Generator.judged` and `present` give: images (N, C, H, W) or frames (T, N, C, H, W)."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        judge, data = config.model.discriminator, config.data
        self.coding, self.classes, self.ann = config.model.coding, config.model.classes, judge.neurons == "ann"
        self.frames, self.steps = config.model.steps, 1 if self.ann else config.model.steps
        self.range = unit_range(config)
        self.shape = (data.channels, data.resolution, data.resolution)
        self.stacks = self.ann and config.makes_recordings
        channels = data.channels * (self.frames if self.stacks else 1)
        widths, size = judge.widths if judge.kind == "conv" else (), data.resolution
        published = judge.norm == ("batch" if judge.kind == "conv" else "none")
        gain = 1.0 if self.ann or published else GAIN
        batch = judge.norm == "batch"

        def neuron() -> nn.Module:
            return nn.LeakyReLU(SLOPE) if self.ann else make_neuron(config.neurons)

        def layer(made: nn.Module) -> nn.Module:
            return spectral_norm(made) if judge.norm == "spectral" else made

        self.stages = nn.ModuleList(
            StepStage(layer(nn.Conv2d(a, b, KERNEL, bias=not batch)), StepNorm(b) if batch else None, neuron(), gain)
            for a, b in pairwise((channels, *widths))
        )
        self.pool = nn.AvgPool2d(POOL)
        features = (channels, *widths)[-1] * judged_side(size, len(widths)) ** 2
        self.hidden = StepStage(layer(nn.Linear(features, judge.hidden)), None, neuron(), gain)
        self.last = layer(nn.Linear(judge.hidden, 1))
        self.readout = None if self.ann else Integrator(config.neurons)
        if self.classes:
            label = nn.Embedding(self.classes, judge.hidden)
            nn.init.normal_(label.weight, std=judge.hidden**-0.5)  # as large as the last layer's weights
            self.label = layer(label)

    def present(self, values: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] or scaled recordings (N, T, 2, H, W) in [0, 1], as generated ones are seen:
        coded, time first; an image of direct coding stays one image."""
        x = self.range.inside(values)
        return x.transpose(0, 1) if self.coding == "event" else coded(x, self.coding, self.frames)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Labels: (N,) int64 where there are classes. Raises ValueError for another shape, or values not finite."""
        self._check(x, labels)
        functional.reset_net(self)
        if self.ann:
            x = x if x.dim() == 4 else x.transpose(0, 1).flatten(1, 2) if self.stacks else x.mean(0)
        x = x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
        for stage in self.stages:
            x = fold(self.pool, self._through(stage, x))
        features = self._through(self.hidden, x.flatten(-3))
        with full_precision(features):
            return self._score(wide(features), labels)

    def _through(self, stage: StepStage, x: Tensor) -> Tensor:
        """A stage of (T, N, ...), or of what is shown at every step."""
        constant = x.dim() == 4 or x.dim() == 2
        return stage.forward_constant(x, self.steps) if constant else stage(x)

    def _score(self, features: Tensor, labels: Tensor | None) -> Tensor:
        if self.readout is None:
            score, taken = self.last(features[0]), features[0]
        else:
            score, taken = self.readout.last_of(self.last, features), self.readout.last(features)
        score = score[:, 0]
        if self.classes:
            score = score + (self.label(labels) * taken).sum(1)
        return score / self.steps

    def _check(self, x: Tensor, labels: Tensor | None) -> None:
        ahead = (self.frames,) if x.dim() == 5 else ()
        if x.dim() not in (4, 5) or x.shape[: len(ahead)] != ahead or x.shape[-3:] != self.shape:
            shape = ", ".join(map(str, self.shape))
            raise ValueError(
                f"expected images (N, {shape}) or frames ({self.frames}, N, {shape}), got {tuple(x.shape)}; give items "
                "of the model's size"
            )
        if self.classes and labels is None:
            raise ValueError(f"expected labels below {self.classes} for each of the items, got none; give them")
        if not torch.isfinite(x.detach().sum()):
            raise ValueError("expected finite items to judge, got NaN or infinity; lower train.lr, or look at the data")


def make_discriminator(config: GANConfig) -> Discriminator:
    """A fresh discriminator."""
    return Discriminator(config)
